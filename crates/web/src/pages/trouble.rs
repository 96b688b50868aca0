//! The page of what must not go to a client, and of what did not work. It never says what a request said, but for our own
//! words about it, and always leads on.

use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use obol_oauth::{ErrorCode, OAuthError, RequestId};
use serde::Serialize;

use super::Pages;
use super::look::Shown;
use super::messages::Catalog;
use super::reply::{Forms, page};
use crate::server::Answer;
use std::sync::Arc;

/// Why a browser does not get what it wants.
pub(super) enum Trouble {
    /// What the engine says.
    Refused(OAuthError),
    /// What was sent is too old.
    Expired {
        /// Where to begin again.
        again: Option<String>,
    },
    /// What was sent was given to another browser, or this one keeps no cookies.
    Elsewhere {
        /// Where to begin again.
        again: Option<String>,
    },
    /// What was sent is not from us.
    Unreadable,
    /// Another site has sent it.
    CrossSite,
    /// An authorization request is longer than what can be carried along.
    TooLong,
}

impl From<OAuthError> for Trouble {
    fn from(error: OAuthError) -> Self {
        Self::Refused(error)
    }
}

/// What the template is told.
#[derive(Debug, Serialize)]
pub(super) struct ErrorPage {
    kind: &'static str,
    code: Option<&'static str>,
    sentence: String,
    again: Option<String>,
    request_id: String,
}

impl Shown for ErrorPage {
    const TEMPLATE: &'static str = "error.html";

    fn samples() -> Vec<Self> {
        let error = OAuthError::new(ErrorCode::InvalidClient, "<b>\"'&");
        let again = Some("/x?a=<\">".to_owned());
        let refused = [ErrorCode::ServerError, ErrorCode::Unavailable]
            .map(|code| Trouble::Refused(OAuthError::new(code, "Sentence.")));
        let others = [
            Trouble::Refused(error),
            Trouble::Expired { again: again.clone() },
            Trouble::Elsewhere { again },
            Trouble::Unreadable,
            Trouble::CrossSite,
            Trouble::TooLong,
        ];
        let id = RequestId::new(1, 2);
        others.into_iter().chain(refused).map(|trouble| trouble.shown(id).1).collect()
    }
}

impl Trouble {
    /// The name of its message.
    fn kind(&self) -> &'static str {
        match self {
            Self::Expired { .. } => "expired",
            Self::Elsewhere { .. } => "elsewhere",
            Self::Unreadable => "unreadable",
            Self::CrossSite => "cross_site",
            Self::TooLong => "too_long",
            Self::Refused(error) => match error.code() {
                ErrorCode::Unavailable => "unavailable",
                ErrorCode::ServerError => "server",
                _ => "refused",
            },
        }
    }

    /// Status and page.
    fn shown(self, request_id: RequestId) -> (StatusCode, ErrorPage) {
        let request_id = request_id.as_str().to_owned();
        let kind = self.kind();
        let shown = |status, again| {
            (
                status,
                ErrorPage {
                    kind,
                    code: None,
                    sentence: String::new(),
                    again,
                    request_id: request_id.clone(),
                },
            )
        };
        match self {
            Self::Expired { again } => shown(StatusCode::GONE, again),
            Self::Elsewhere { again } => shown(StatusCode::CONFLICT, again),
            Self::Unreadable => shown(StatusCode::BAD_REQUEST, None),
            Self::CrossSite => shown(StatusCode::FORBIDDEN, None),
            Self::TooLong => shown(StatusCode::URI_TOO_LONG, None),
            Self::Refused(error) => {
                let wire = error.code().wire();
                // A page asks for no credentials in a header, which 401 stands for.
                let status = match wire.rfc_status {
                    401 => StatusCode::BAD_REQUEST,
                    status => StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                };
                let (_, page) = shown(status, None);
                (status, ErrorPage { code: Some(wire.name), sentence: error.sentence().to_owned(), ..page })
            }
        }
    }
}

impl Pages {
    /// The page for this trouble.
    pub(super) fn trouble(&self, catalog: &Arc<Catalog>, trouble: Trouble, request_id: RequestId) -> Answer {
        let retry_after = match &trouble {
            Trouble::Refused(error) => {
                let (code, cause) = (error.code().wire().name, error.cause());
                match error.code() {
                    ErrorCode::ServerError => {
                        tracing::error!(request_id = request_id.as_str(), cause, "a page failed");
                    }
                    _ => tracing::debug!(request_id = request_id.as_str(), code, cause, "a page was refused"),
                }
                error.retry_after_secs()
            }
            other => {
                // Not where to begin again: that holds the request, which may hold an ID token.
                let trouble = other.kind();
                tracing::debug!(request_id = request_id.as_str(), trouble, "a page was refused");
                None
            }
        };
        let (status, shown) = trouble.shown(request_id);
        let html = self.look.render(catalog, &shown).unwrap_or_else(|error| {
            tracing::error!(request_id = request_id.as_str(), %error, "the page of errors failed");
            "<!doctype html><html lang=en><title>Error</title><p>The server failed on this request."
                .to_owned()
        });
        let answer = page(status, &catalog.language, Forms::Here { scheme: None }, html);
        match retry_after {
            Some(secs) => answer.with(RETRY_AFTER, HeaderValue::from(secs)),
            None => answer,
        }
    }
}
