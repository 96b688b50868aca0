//! What the command line says of a token. Never the token itself.

use obol_oauth::{Verification, username};
use obol_token::{Claims, Expiry, Refusal, Timestamp};
use serde::Serialize;

use crate::instant::rfc3339;
use crate::output::{Answer, or_dash, sheet, yes_no};

/// A token that stands.
#[derive(Serialize)]
pub(super) struct Valid {
    #[serde(flatten)]
    verification: Verification<'static>,
    valid: bool,
}

impl Valid {
    /// The token with these claims, at `now`.
    pub(super) fn new(claims: &Claims<'_>, now: Timestamp) -> Self {
        Self { verification: Verification::of(claims, now).into_owned(), valid: true }
    }
}

impl Answer for Valid {
    fn text(&self) -> String {
        let Verification { client_id, expires_in, scope, username } = &self.verification;
        sheet([
            ("valid", yes_no(self.valid)),
            ("client_id", client_id.to_string()),
            ("username", username.to_string()),
            ("scope", or_dash(Some(scope))),
            ("expires in", format!("{expires_in} s")),
        ])
    }
}

/// A token that does not stand.
#[derive(Serialize)]
pub(super) struct Invalid {
    /// Why.
    pub(super) reason: String,
    /// Always false.
    pub(super) valid: bool,
}

impl Answer for Invalid {
    fn text(&self) -> String {
        sheet([("valid", yes_no(self.valid)), ("reason", self.reason.clone())])
    }
}

/// What became of a revocation.
#[derive(Serialize)]
pub(super) struct Revoked {
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
    /// Why there was nothing to revoke.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'static str>,
    revoked: bool,
}

impl Revoked {
    /// It is refused everywhere since this position.
    pub(super) const fn at(position: u64) -> Self {
        Self { position: Some(position), reason: None, revoked: true }
    }

    /// There was nothing to revoke, for this reason.
    pub(super) const fn nothing(reason: &'static str) -> Self {
        Self { position: None, reason: Some(reason), revoked: false }
    }
}

impl Answer for Revoked {
    fn text(&self) -> String {
        match (self.position, self.reason) {
            (Some(position), _) => {
                format!("The token is revoked, at position {position}; no server accepts it.")
            }
            (None, reason) => format!("There was nothing to revoke: {}.", or_dash(reason)),
        }
    }
}

/// What a token says, and whether it stands.
#[derive(Serialize)]
pub(super) struct Explained {
    audience: Option<String>,
    client_id: String,
    expires_at: Option<String>,
    family: Option<String>,
    issued_at: String,
    position: u64,
    reason: Option<String>,
    scope: String,
    stands: bool,
    subject: Option<String>,
    token_id: String,
    username: String,
}

impl Explained {
    /// The token with these claims, refused for this reason if it is.
    pub(super) fn new(claims: &Claims<'_>, refusal: Option<&Refusal>) -> Self {
        Self {
            audience: claims.audience.map(str::to_owned),
            client_id: claims.client_id.to_owned(),
            expires_at: match claims.expires_at {
                Expiry::At(at) => Some(rfc3339(at)),
                Expiry::Never => None,
            },
            family: claims.family.map(|family| family.to_string()),
            issued_at: rfc3339(claims.issued_at),
            position: claims.position.number(),
            reason: refusal.map(ToString::to_string),
            scope: claims.scopes.to_owned(),
            stands: refusal.is_none(),
            subject: claims.subject.map(|subject| subject.id.to_string()),
            token_id: claims.token_id.to_string(),
            username: username(claims).into_owned(),
        }
    }
}

impl Answer for Explained {
    fn text(&self) -> String {
        let verdict = self.reason.as_ref().map_or("yes".to_owned(), |reason| format!("no: {reason}"));
        sheet([
            ("stands", verdict),
            ("token id", self.token_id.clone()),
            ("family", or_dash(self.family.as_deref())),
            ("client_id", self.client_id.clone()),
            ("username", self.username.clone()),
            ("subject", or_dash(self.subject.as_deref())),
            ("scope", or_dash(Some(&self.scope))),
            ("audience", or_dash(self.audience.as_deref())),
            ("issued at", self.issued_at.clone()),
            ("expires at", self.expires_at.clone().unwrap_or_else(|| "never".to_owned())),
            ("position", self.position.to_string()),
        ])
    }
}

/// A token that cannot be opened.
#[derive(Serialize)]
pub(super) struct Unopened {
    /// Why.
    pub(super) reason: String,
    /// Always false.
    pub(super) stands: bool,
}

impl Answer for Unopened {
    fn text(&self) -> String {
        sheet([("stands", format!("{}: {}", yes_no(self.stands), self.reason))])
    }
}

#[cfg(test)]
mod tests {
    use obol_token::{FamilyId, Position, Subject, SubjectId, TokenId};

    use super::*;

    fn claims() -> Claims<'static> {
        Claims {
            token_id: TokenId::from_bytes([1; 16]),
            family: Some(FamilyId::from_bytes([2; 16])),
            client_id: "fcare",
            subject: Some(Subject { id: SubjectId::from_bytes([3; 16]), username: "alice" }),
            scopes: "read write",
            audience: None,
            confirmation: None,
            issued_at: Timestamp::from_secs(1_795_255_200),
            expires_at: Expiry::At(Timestamp::from_secs(1_795_258_800)),
            position: Position::new(42),
        }
    }

    fn json(answer: &impl Serialize) -> String {
        serde_json::to_value(answer).unwrap().to_string()
    }

    #[test]
    fn the_answers_have_the_agreed_keys() {
        let valid = Valid::new(&claims(), Timestamp::from_secs(1_795_255_201));
        let expected =
            r#"{"client_id":"fcare","expires_in":3599,"scope":"read write","username":"alice","valid":true}"#;
        assert_eq!(json(&valid), expected);
        let invalid = Invalid { reason: "it has expired".to_owned(), valid: false };
        assert_eq!(json(&invalid), r#"{"reason":"it has expired","valid":false}"#);
        assert_eq!(json(&Revoked::at(7)), r#"{"position":7,"revoked":true}"#);
        assert_eq!(json(&Revoked::nothing("x")), r#"{"reason":"x","revoked":false}"#);
    }

    #[test]
    fn a_token_without_a_person_or_an_end_is_explained() {
        let lone = Claims { family: None, subject: None, expires_at: Expiry::Never, ..claims() };
        let explained = serde_json::to_value(Explained::new(&lone, Some(&Refusal::Expired))).unwrap();
        assert_eq!(explained["username"], "service-account-fcare");
        assert_eq!((&explained["stands"], &explained["reason"]), (&false.into(), &"it has expired".into()));
        assert!(explained["expires_at"].is_null() && explained["family"].is_null());
        assert_eq!(Valid::new(&lone, Timestamp::from_secs(0)).verification.expires_in, 315_360_000);
    }

    #[test]
    fn people_read_the_verdict_first() {
        let text = Explained::new(&claims(), None).text();
        assert!(text.starts_with("stands      yes\ntoken id    0101"), "{text}");
        assert!(text.contains("expires at  2026-11-21T11:00:00Z"), "{text}");
        let text = Explained::new(&claims(), Some(&Refusal::Expired)).text();
        assert!(text.starts_with("stands      no: it has expired\n"), "{text}");
    }
}
