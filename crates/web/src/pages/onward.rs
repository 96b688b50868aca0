//! The way back to the client, with its answer (RFC 6749 §4.1.2, OAuth 2.0 Form Post Response Mode).
//!
//! | after                    | to a web address          | to an application on the device | `form_post`         |
//! |--------------------------|---------------------------|---------------------------------|---------------------|
//! | a link of the client     | redirect                  | redirect                        | page with that form |
//! | a form of ours           | page that goes on         | redirect                        | page with that form |
//!
//! Browsers hold each redirect after a form against `form-action` of the form's page, also those that the client makes later
//! on. A page in between ends that chain, so that our forms need not be allowed to go anywhere. Where a private scheme is the end
//! of the chain, it is named in the policy instead: many devices do not follow a page to one.

use http::StatusCode;
use obol_oauth::{AuthorizationAnswer, ErrorCode, OAuthError, ResponseMode};
use serde::Serialize;

use super::look::Shown;
use super::reply::{Forms, page, redirect};
use super::trouble::Trouble;
use super::visit::Visit;
use crate::server::Answer;

/// The page that goes on by itself.
#[derive(Debug, Serialize)]
pub(super) struct ContinuePage {
    location: String,
    destination: String,
}

impl ContinuePage {
    /// The page that goes to this location, which belongs to this destination.
    pub(super) fn to(location: String, destination: String) -> Self {
        Self { location, destination }
    }
}

impl Shown for ContinuePage {
    const TEMPLATE: &'static str = "continue.html";

    fn samples() -> Vec<Self> {
        vec![Self { location: "https://a/?x=\"<>'&;".to_owned(), destination: "<a>".to_owned() }]
    }
}

/// The page with the form that goes to the client.
#[derive(Debug, Serialize)]
pub(super) struct FormPostPage {
    action: String,
    destination: String,
    fields: Vec<Field>,
}

#[derive(Debug, Serialize)]
struct Field {
    name: &'static str,
    value: String,
}

impl Shown for FormPostPage {
    const TEMPLATE: &'static str = "form_post.html";

    fn samples() -> Vec<Self> {
        let field = Field { name: "state", value: "\"><script>alert(1)</script>".to_owned() };
        vec![Self {
            action: "https://a/?x=\"<>".to_owned(),
            destination: "<a>".to_owned(),
            fields: vec![field],
        }]
    }
}

impl Visit<'_> {
    /// Sends the browser back to the client.
    ///
    /// # Errors
    /// 500 for an address that is none.
    pub(super) fn onward(&self, answer: AuthorizationAnswer, after_form: bool) -> Result<Answer, Trouble> {
        let here = Forms::Here { scheme: None };
        let destination = answer.destination().to_owned();
        if answer.mode == ResponseMode::FormPost {
            let action = answer.location();
            let fields = answer.params.into_iter().map(|(name, value)| Field { name, value }).collect();
            let shown = FormPostPage { action, destination, fields };
            return self.show(StatusCode::OK, Forms::Away, &shown);
        }
        let location = answer.location();
        if after_form && private_scheme(&answer.redirect_uri).is_none() {
            return self.show(StatusCode::OK, here, &ContinuePage { location, destination });
        }
        let status = if after_form { StatusCode::SEE_OTHER } else { StatusCode::FOUND };
        redirect(status, &location).ok_or_else(|| {
            OAuthError::new(ErrorCode::ServerError, "The address of the application cannot be gone to.")
                .into()
        })
    }

    /// A page in the visitor's language.
    ///
    /// # Errors
    /// 500 when an operator's template fails.
    pub(super) fn show<P: Shown>(
        &self,
        status: StatusCode,
        forms: Forms<'_>,
        shown: &P,
    ) -> Result<Answer, Trouble> {
        let html = self.pages.look.render(&self.catalog, shown).map_err(|error| {
            OAuthError::new(ErrorCode::ServerError, "The page could not be made.")
                .caused_by(error.to_string())
        })?;
        let answer = page(status, &self.catalog.language, forms, html);
        Ok(
            match self
                .pages
                .cookies
                .set(super::cookies::Cookie::Browser, &self.browser)
                .filter(|_| self.is_new)
            {
                Some(cookie) => answer.with(http::header::SET_COOKIE, cookie),
                None => answer,
            },
        )
    }
}

/// The private scheme of a redirect URI, if it has one (RFC 8252 §7.1).
pub(super) fn private_scheme(uri: &str) -> Option<&str> {
    let (scheme, _) = uri.split_once(':')?;
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"+.-".contains(&byte);
    let is_scheme =
        scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(letters);
    (is_scheme && scheme.contains('.')).then_some(scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_scheme_is_named_by_its_letters_only() {
        for (uri, scheme) in [
            ("com.example.app:/cb", Some("com.example.app")),
            ("com.example.app://cb", Some("com.example.app")),
            ("https://a.example/cb", None),
            ("http://127.0.0.1/cb", None),
            ("javascript:alert(1)", None),
            ("a.b 'unsafe-inline':", None),
            ("a.b;:", None),
            (".a:", None),
            ("", None),
        ] {
            assert_eq!(private_scheme(uri), scheme, "{uri}");
        }
    }
}
