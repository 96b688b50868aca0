//! The only table from error code to wire name, status and headers. This page shows every refusal the server can give.

use std::borrow::Cow;

use obol_replica::{NotConfirmed, SealError, Stale};
use obol_store::StoreError;
use obol_token::SealFailed;

/// What is wrong, as a specification names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// RFC 6749 §5.2: a parameter is missing, repeated or malformed.
    InvalidRequest,
    /// RFC 6749 §5.2: the client is unknown or did not authenticate.
    InvalidClient,
    /// RFC 6749 §5.2: the refresh token is not good.
    InvalidGrant,
    /// RFC 6749 §5.2 for the password grant: name or password is not good.
    InvalidCredentials,
    /// RFC 6749 §5.2: the client may not use this grant.
    UnauthorizedClient,
    /// RFC 6749 §5.2: there is no such grant here.
    UnsupportedGrantType,
    /// RFC 6749 §5.2: a scope is malformed or not attached to the client.
    InvalidScope,
    /// RFC 6749 §4.1.2.1: only `code` is given here.
    UnsupportedResponseType,
    /// RFC 8707 §2: the client may not ask for tokens of this resource.
    InvalidTarget,
    /// RFC 6749 §4.1.2.1: the person said no.
    AccessDenied,
    /// OpenID Connect Core §3.1.2.6: nobody is signed in, and no page may be shown.
    LoginRequired,
    /// OpenID Connect Core §3.1.2.6: the person would have to be asked.
    ConsentRequired,
    /// OpenID Connect Core §3.1.2.6: an account would have to be chosen.
    AccountSelectionRequired,
    /// RFC 9101 §7: the request object is not good.
    InvalidRequestObject,
    /// OpenID Connect Core §3.1.2.6: no such request object is read.
    RequestNotSupported,
    /// OpenID Connect Core §3.1.2.6: no request object is fetched.
    RequestUriNotSupported,
    /// OpenID Connect Core §3.1.2.6: what `request_uri` names is not there, or not any more (RFC 9126 §4).
    InvalidRequestUri,
    /// OpenID Connect Core §3.1.2.6: no client registers itself in a request.
    RegistrationNotSupported,
    /// RFC 7591 §3.2.2: a redirect URI that may not be one.
    InvalidRedirectUri,
    /// RFC 7591 §3.2.2: something else that a client says of itself.
    InvalidClientMetadata,
    /// RFC 7591 §3.2.2: a statement of somebody who is not known here.
    UnapprovedSoftwareStatement,
    /// OpenID Connect Unmet Authentication Requirements §2: people cannot sign in as strongly as is demanded.
    UnmetAuthenticationRequirements,
    /// RFC 6750 §3.1: the access token does not reach so far.
    InsufficientScope,
    /// RFC 6750 §3.1: the access token is not good.
    InvalidToken,
    /// RFC 6750 §3: no access token was presented.
    NoToken,
    /// RFC 6585 §4: too many wrong secrets, pushed requests, or registrations.
    TooManyRequests,
    /// The node cannot answer truthfully now; it can be asked again.
    Unavailable,
    /// A defect of the server.
    ServerError,
    /// No such path.
    NotFound,
    /// The path does not take this method.
    MethodNotAllowed,
    /// The body was not sent in time.
    RequestTimeout,
    /// The body is too large.
    ContentTooLarge,
    /// The URL is too long.
    UriTooLong,
    /// The body is of a type that the path does not read.
    UnsupportedMediaType,
    /// The header block is too large.
    HeadersTooLarge,
    /// Credentials would travel in clear.
    Forbidden,
}

/// How a code looks on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wire {
    /// The value of `error`.
    pub name: &'static str,
    /// The HTTP status at the endpoints of the RFCs.
    pub rfc_status: u16,
    /// The HTTP status at the endpoints of FortiAuthenticator.
    pub forti_status: u16,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [Self; 36] = [
        Self::InvalidRequest,
        Self::InvalidClient,
        Self::InvalidGrant,
        Self::InvalidCredentials,
        Self::UnauthorizedClient,
        Self::UnsupportedGrantType,
        Self::InvalidScope,
        Self::UnsupportedResponseType,
        Self::InvalidTarget,
        Self::AccessDenied,
        Self::LoginRequired,
        Self::ConsentRequired,
        Self::AccountSelectionRequired,
        Self::InvalidRequestObject,
        Self::RequestNotSupported,
        Self::RequestUriNotSupported,
        Self::InvalidRequestUri,
        Self::RegistrationNotSupported,
        Self::InvalidRedirectUri,
        Self::InvalidClientMetadata,
        Self::UnapprovedSoftwareStatement,
        Self::UnmetAuthenticationRequirements,
        Self::InsufficientScope,
        Self::InvalidToken,
        Self::NoToken,
        Self::TooManyRequests,
        Self::Unavailable,
        Self::ServerError,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::ContentTooLarge,
        Self::UriTooLong,
        Self::UnsupportedMediaType,
        Self::HeadersTooLarge,
        Self::Forbidden,
    ];

    /// The table.
    pub const fn wire(self) -> Wire {
        let (name, rfc_status, forti_status) = match self {
            Self::InvalidRequest => ("invalid_request", 400, 400),
            Self::InvalidClient => ("invalid_client", 401, 401),
            Self::InvalidGrant => ("invalid_grant", 400, 400),
            Self::InvalidCredentials => ("invalid_grant", 400, 401),
            Self::UnauthorizedClient => ("unauthorized_client", 400, 400),
            Self::UnsupportedGrantType => ("unsupported_grant_type", 400, 400),
            Self::InvalidScope => ("invalid_scope", 400, 400),
            Self::UnsupportedResponseType => ("unsupported_response_type", 400, 400),
            Self::InvalidTarget => ("invalid_target", 400, 400),
            Self::AccessDenied => ("access_denied", 403, 403),
            Self::LoginRequired => ("login_required", 400, 400),
            Self::ConsentRequired => ("consent_required", 400, 400),
            Self::AccountSelectionRequired => ("account_selection_required", 400, 400),
            Self::InvalidRequestObject => ("invalid_request_object", 400, 400),
            Self::RequestNotSupported => ("request_not_supported", 400, 400),
            Self::RequestUriNotSupported => ("request_uri_not_supported", 400, 400),
            Self::InvalidRequestUri => ("invalid_request_uri", 400, 400),
            Self::RegistrationNotSupported => ("registration_not_supported", 400, 400),
            Self::InvalidRedirectUri => ("invalid_redirect_uri", 400, 400),
            Self::InvalidClientMetadata => ("invalid_client_metadata", 400, 400),
            Self::UnapprovedSoftwareStatement => ("unapproved_software_statement", 400, 400),
            Self::UnmetAuthenticationRequirements => ("unmet_authentication_requirements", 400, 400),
            Self::InsufficientScope => ("insufficient_scope", 403, 403),
            Self::InvalidToken => ("invalid_token", 401, 401),
            Self::NoToken => ("invalid_token", 401, 401),
            Self::TooManyRequests => ("temporarily_unavailable", 429, 429),
            Self::Unavailable => ("temporarily_unavailable", 503, 503),
            Self::ServerError => ("server_error", 500, 500),
            Self::NotFound => ("not_found", 404, 404),
            Self::MethodNotAllowed => ("invalid_request", 405, 405),
            Self::RequestTimeout => ("invalid_request", 408, 408),
            Self::ContentTooLarge => ("invalid_request", 413, 413),
            Self::UriTooLong => ("invalid_request", 414, 414),
            Self::UnsupportedMediaType => ("invalid_request", 415, 415),
            Self::HeadersTooLarge => ("invalid_request", 431, 431),
            Self::Forbidden => ("access_denied", 403, 403),
        };
        Wire { name, rfc_status, forti_status }
    }
}

/// The `WWW-Authenticate` header that goes with a 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Challenge {
    /// `Basic`: where Basic was tried.
    Basic,
    /// `Bearer`, with the error unless no token was presented at all.
    Bearer,
}

/// A refusal: a code and a sentence for the client, and a private cause for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthError {
    code: ErrorCode,
    sentence: Cow<'static, str>,
    cause: Option<Cow<'static, str>>,
    challenge: Challenge,
    retry_after_secs: Option<u32>,
}

impl OAuthError {
    /// A refusal with this code and this public sentence, which says what to change.
    pub fn new(code: ErrorCode, sentence: impl Into<Cow<'static, str>>) -> Self {
        let sentence = sentence.into();
        Self { code, sentence, cause: None, challenge: Challenge::Bearer, retry_after_secs: None }
    }

    /// A 503 with `Retry-After`.
    pub fn unavailable(sentence: &'static str, retry_after_secs: u32) -> Self {
        let mut error = Self::new(ErrorCode::Unavailable, sentence);
        error.retry_after_secs = Some(retry_after_secs);
        error
    }

    /// With the private cause, for log and audit.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Cow<'static, str>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// With another challenge than Bearer.
    #[must_use]
    pub fn challenged(mut self, challenge: Challenge) -> Self {
        self.challenge = challenge;
        self
    }

    /// With `Retry-After`, in seconds.
    #[must_use]
    pub fn retry_after(mut self, secs: u32) -> Self {
        self.retry_after_secs = Some(secs);
        self
    }

    /// The code.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// The public sentence.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    /// The cause, or the public sentence when there is none: for audit records.
    pub fn reason(&self) -> &str {
        self.cause().unwrap_or(self.sentence())
    }

    /// The private cause.
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// Which challenge a 401 carries.
    pub fn challenge(&self) -> Challenge {
        self.challenge
    }

    /// The value of `Retry-After`, in seconds.
    pub fn retry_after_secs(&self) -> Option<u32> {
        self.retry_after_secs
    }
}

impl From<StoreError> for OAuthError {
    fn from(error: StoreError) -> Self {
        let sentence = "The storage cannot take or give this now; send the request again.";
        Self::unavailable(sentence, 1).caused_by(error.to_string())
    }
}

impl From<Stale> for OAuthError {
    fn from(error: Stale) -> Self {
        let sentence = "This node cannot vouch for its answers now; ask again or ask another node.";
        Self::unavailable(sentence, 1).caused_by(error.to_string())
    }
}

impl From<NotConfirmed> for OAuthError {
    fn from(error: NotConfirmed) -> Self {
        let sentence = "Not every node has confirmed the change; send the request again.";
        Self::unavailable(sentence, 1).caused_by(error.to_string())
    }
}

impl From<SealError> for OAuthError {
    fn from(error: SealError) -> Self {
        if error == SealError::Failed(SealFailed::TooLong) {
            let sentence = "The access token would be too long; ask for fewer scopes.";
            return Self::new(ErrorCode::InvalidScope, sentence).caused_by(error.to_string());
        }
        Self::new(ErrorCode::ServerError, "The server could not make a token.").caused_by(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_the_list_once() {
        let mut seen = std::collections::HashSet::new();
        assert!(ErrorCode::ALL.into_iter().all(|code| seen.insert(code)));
    }

    #[test]
    fn no_refusal_looks_like_success() {
        for code in ErrorCode::ALL {
            let wire = code.wire();
            assert!(wire.rfc_status >= 400 && wire.forti_status >= 400, "{code:?}");
        }
    }

    #[test]
    fn a_token_that_would_be_too_long_is_for_the_client_to_change_and_other_failures_are_not() {
        let too_long = OAuthError::from(SealError::Failed(SealFailed::TooLong));
        assert_eq!(too_long.code(), ErrorCode::InvalidScope);
        for error in [SealError::NoKey, SealError::Failed(SealFailed::Library)] {
            assert_eq!(OAuthError::from(error).code(), ErrorCode::ServerError);
        }
    }

    #[test]
    fn storage_and_lease_failures_are_503_with_retry_after() {
        for error in [
            OAuthError::from(StoreError::Unavailable("disk full".into())),
            OAuthError::from(StoreError::Corrupt("row 1".into())),
            OAuthError::from(Stale),
            OAuthError::from(NotConfirmed(obol_token::Position::new(1))),
        ] {
            assert_eq!((error.code().wire().rfc_status, error.retry_after_secs()), (503, Some(1)));
            assert!(!error.sentence().contains("disk full"), "the cause is private");
        }
    }
}
