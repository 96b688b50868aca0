//! Forward authorization: a gateway asks whether it may let a request through, and who makes it.
//!
//! No specification says how; nginx, Traefik, Caddy and Envoy agree on the status. The door reads what they send and
//! finds the sessions of browsers; here is what a token must be and reach (RFC 6750 §3.1, RFC 8707).

use std::borrow::Cow;

use obol_replica::NotVerified;
use obol_token::{Asked, Claims, Expiry, Scratch, Timestamp};

use super::{Endpoint, Feature, Method, Steps, nothing};
use crate::answer::username;
use crate::{About, Engine, ErrorCode, OAuthError, Params, Surface};

/// Not of a specification.
pub(super) const FEATURE: Feature = Feature {
    name: "forward authorization",
    specification: "RFC 6750 for a gateway",
    endpoints: &[Endpoint {
        surface: Surface::Rfc,
        methods: &[Method::Any],
        path: PATH,
        steps: Steps::Gateway,
    }],
    grants: &[],
    describe: nothing,
};

/// Where it is.
pub(super) const PATH: &str = "/forward-auth";

/// What a gateway needs of whoever it lets through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needed<'a> {
    /// All of these, blank-separated.
    pub scopes: &'a str,
    /// The resource that a token must be for (RFC 8707).
    pub audience: Option<&'a str>,
    /// The client to which it must have been issued.
    pub client_id: Option<&'a str>,
}

impl<'a> Needed<'a> {
    const NAMES: [&'static str; 3] = ["scope", "audience", "client_id"];

    /// Reads what a gateway was configured to need. Unlike elsewhere a name that nobody knows, or an empty value, is an
    /// error: a slip must not open what was to be closed.
    ///
    /// # Errors
    /// `invalid_request`
    pub fn read(params: &'a Params<'_>) -> Result<Self, OAuthError> {
        for name in params.names() {
            if !Self::NAMES.contains(&name) {
                return Err(unreadable(format!("This path takes {} only.", Self::NAMES.join(", "))));
            }
            params.required(name).map_err(|_| unreadable(format!("The parameter `{name}` is empty.")))?;
        }
        let scopes = params.optional("scope")?.unwrap_or_default();
        // RFC 6749 §3.3. Blanks alone would be no scope, and close nothing.
        let in_scope = |byte: u8| byte.is_ascii_graphic() && !b"\"\\".contains(&byte);
        let plain = scopes.bytes().all(|byte| byte == b' ' || in_scope(byte));
        if !plain || (!scopes.is_empty() && words(scopes).next().is_none()) {
            return Err(unreadable("The parameter `scope` is no scope.".to_owned()));
        }
        Ok(Self { scopes, audience: params.optional("audience")?, client_id: params.optional("client_id")? })
    }

    /// Whether nothing is needed but to be somebody.
    pub fn is_nothing(&self) -> bool {
        self.scopes.is_empty() && self.audience.is_none() && self.client_id.is_none()
    }

    /// Whether what a token says is enough.
    ///
    /// # Errors
    /// `invalid_token` for a token that is for something else, `insufficient_scope` (RFC 6750 §3.1).
    fn is_met_by(&self, claims: &Claims<'_>) -> Result<(), OAuthError> {
        if self.audience.is_some() && self.audience != claims.audience {
            return Err(not_valid("of another audience"));
        }
        match words(self.scopes).all(|scope| words(claims.scopes).any(|granted| granted == scope)) {
            true => Ok(()),
            false => {
                let sentence = "The access token does not reach so far; ask for the scope that is needed.";
                Err(OAuthError::new(ErrorCode::InsufficientScope, sentence))
            }
        }
    }
}

/// Who may be let through, by a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted<'a> {
    /// As introspection says it.
    pub subject: About<'a>,
    /// The person's name, or the service account's.
    pub username: Cow<'a, str>,
    /// The client to which the token was issued.
    pub client_id: &'a str,
    /// What was granted.
    pub scope: &'a str,
    /// When the token expires; `None` when it does not.
    pub expires_at: Option<Timestamp>,
}

impl Engine {
    /// Who may be let through with this token, from memory.
    ///
    /// # Errors
    /// `invalid_token`, the same for every reason; `insufficient_scope`; 503 where the node cannot tell.
    pub fn admit<'a>(
        &'a self,
        token: &str,
        needed: &Needed<'_>,
        scratch: &'a mut Scratch,
    ) -> Result<Admitted<'a>, OAuthError> {
        let (vouched, now) = self.replica.vouch_or_stale_now()?;
        let asked = needed.client_id.map_or(Asked::AnyClient, Asked::Client);
        let claims = vouched.verify(token, asked, now, scratch).map_err(|error| match error {
            NotVerified::Stale(stale) => stale.into(),
            NotVerified::Refused(refusal) => not_valid(refusal.reason()),
        })?;
        needed.is_met_by(&claims)?;
        Ok(Admitted {
            subject: About::of(&claims, vouched.memory()),
            username: username(&claims),
            client_id: claims.client_id,
            scope: claims.scopes,
            expires_at: match claims.expires_at {
                Expiry::At(at) => Some(at),
                Expiry::Never => None,
            },
        })
    }
}

/// The scopes of a blank-separated list.
fn words(scopes: &str) -> impl Iterator<Item = &str> {
    scopes.split(' ').filter(|scope| !scope.is_empty())
}

fn not_valid(cause: &'static str) -> OAuthError {
    let sentence = "The access token is not valid here: unknown, expired, revoked, or for something else.";
    OAuthError::new(ErrorCode::InvalidToken, sentence).caused_by(cause)
}

fn unreadable(sentence: String) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequest, sentence)
}

#[cfg(test)]
mod tests {
    use obol_token::{Position, TokenId};

    use super::*;

    fn read<T>(query: &str, act: impl FnOnce(Needed<'_>) -> T) -> Result<T, ErrorCode> {
        let params = Params::from_form(query.as_bytes()).unwrap();
        Needed::read(&params).map(act).map_err(|error| error.code())
    }

    fn claims(scopes: &'static str, audience: Option<&'static str>) -> Claims<'static> {
        Claims {
            token_id: TokenId::from_bytes([1; 16]),
            family: None,
            client_id: "c",
            subject: None,
            scopes,
            audience,
            confirmation: None,
            issued_at: Timestamp::from_secs(0),
            expires_at: Expiry::Never,
            position: Position::new(0),
        }
    }

    #[test]
    fn a_slip_in_what_is_needed_opens_nothing() {
        for query in [
            "scopes=read",
            "scope=",
            "scope",
            "audience=",
            "x=1",
            "scope=read&Audience=a",
            "scope=%22",
            "scope=+",
            "scope=%C3%A4",
        ] {
            assert_eq!(read(query, |needed| needed.is_nothing()), Err(ErrorCode::InvalidRequest), "{query}");
        }
        assert_eq!(read("", |needed| needed.is_nothing()), Ok(true));
        for query in ["scope=read", "audience=https%3A%2F%2Fa", "client_id=c"] {
            assert_eq!(read(query, |needed| needed.is_nothing()), Ok(false), "{query}");
        }
    }

    #[test]
    fn rfc6750_3_1_all_scopes_are_needed_whole() {
        for (query, granted, met) in [
            ("", "", true),
            ("scope=read", "read", true),
            ("scope=read", "write read", true),
            ("scope=read+write", "write read", true),
            ("scope=read+write", "read", false),
            ("scope=read", "reader", false),
            ("scope=read", "READ", false),
            ("scope=read", "", false),
        ] {
            let verdict = read(query, |needed| needed.is_met_by(&claims(granted, None))).unwrap();
            let expected = if met { Ok(()) } else { Err(ErrorCode::InsufficientScope) };
            assert_eq!(verdict.map_err(|error| error.code()), expected, "{query} of {granted}");
        }
    }

    #[test]
    fn rfc8707_2_a_token_is_for_its_own_resource_letter_for_letter() {
        let needed = Needed { audience: Some("https://api.example/a"), ..Needed::default() };
        assert_eq!(needed.is_met_by(&claims("", Some("https://api.example/a"))), Ok(()));
        for other in [None, Some("https://api.example/"), Some("https://api.example/a/"), Some("")] {
            let verdict = needed.is_met_by(&claims("", other)).map_err(|error| error.code());
            assert_eq!(verdict, Err(ErrorCode::InvalidToken), "{other:?}");
        }
    }
}
