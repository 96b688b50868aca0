//! What a JWT access token says to others (RFC 9068 §2.2). What counts here is under its seal.

use obol_token::{Claims, Expiry, Timestamp, TokenId};
use serde::{Serialize, Serializer};

use crate::issue::NEVER_EXPIRES_IN_SECS;

/// How the person signed in, where it is known (RFC 9068 §2.2.1): the same for all tokens that come of one authorization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Authentication<'a> {
    /// When the person last signed in.
    pub(crate) auth_time: Timestamp,
    /// The class of that, if it has one.
    pub(crate) acr: Option<&'a str>,
    /// The methods, blank-separated.
    pub(crate) amr: &'a str,
}

/// The members of the payload, in alphabetical order.
#[derive(Serialize)]
struct Said<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    amr: Vec<&'a str>,
    aud: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    client_id: &'a str,
    exp: i64,
    iat: i64,
    iss: &'a str,
    #[serde(serialize_with = "as_text")]
    jti: TokenId,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'a str,
    sub: &'a str,
}

/// The payload, as JSON without the sealed claims. `subject` is by what the client knows the person, or its own service account.
///
/// `aud` is the resource for which the token was asked, else the issuer: the default of §3, which no ID token has. `exp` is
/// required, so a token that never expires says ten years.
pub(crate) fn payload(
    claims: &Claims<'_>,
    subject: &str,
    issuer: &str,
    authentication: Option<&Authentication<'_>>,
) -> serde_json::Result<String> {
    let issued_at = claims.issued_at;
    serde_json::to_string(&Said {
        acr: authentication.and_then(|authentication| authentication.acr),
        amr: authentication
            .map(|authentication| authentication.amr.split_ascii_whitespace().collect())
            .unwrap_or_default(),
        aud: claims.audience.unwrap_or(issuer),
        auth_time: authentication.map(|authentication| authentication.auth_time.as_secs()),
        client_id: claims.client_id,
        exp: match claims.expires_at {
            Expiry::At(at) => at.as_secs(),
            Expiry::Never => issued_at.as_secs().saturating_add_unsigned(NEVER_EXPIRES_IN_SECS),
        },
        iat: issued_at.as_secs(),
        iss: issuer,
        jti: claims.token_id,
        scope: claims.scopes,
        sub: subject,
    })
}

fn as_text<S: Serializer>(id: &TokenId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

#[cfg(test)]
mod tests {
    use obol_token::{FamilyId, Position, Subject, SubjectId};
    use serde_json::{Value, json};

    use super::*;

    const ISSUER: &str = "https://id.example.com";
    const SUBJECT: &str = "03030303030303030303030303030303";

    fn claims() -> Claims<'static> {
        Claims {
            token_id: TokenId::from_bytes([1; 16]),
            family: Some(FamilyId::from_bytes([2; 16])),
            client_id: "fcare",
            subject: Some(Subject { id: SubjectId::from_bytes([3; 16]), username: "alice" }),
            scopes: "read write",
            audience: None,
            confirmation: None,
            issued_at: Timestamp::from_secs(1_800_000_000),
            expires_at: Expiry::At(Timestamp::from_secs(1_800_003_600)),
            position: Position::new(42),
        }
    }

    fn said(claims: &Claims<'_>, authentication: Option<&Authentication<'_>>) -> Value {
        serde_json::from_str(&payload(claims, SUBJECT, ISSUER, authentication).unwrap()).unwrap()
    }

    #[test]
    fn rfc9068_2_2_all_that_is_required_is_said_and_no_more() {
        let said = said(&claims(), None);
        let expected = json!({
            "aud": ISSUER, "client_id": "fcare", "exp": 1_800_003_600, "iat": 1_800_000_000, "iss": ISSUER,
            "jti": TokenId::from_bytes([1; 16]).to_string(), "scope": "read write",
            "sub": SUBJECT,
        });
        assert_eq!(said, expected);
    }

    #[test]
    fn rfc9068_2_2_1_how_the_person_signed_in_is_said_where_it_is_known() {
        let auth_time = Timestamp::from_secs(1_799_999_000);
        let authentication = Authentication { auth_time, acr: Some("2"), amr: "pwd otp" };
        let said = said(&claims(), Some(&authentication));
        assert_eq!(
            (&said["auth_time"], &said["acr"], &said["amr"]),
            (&json!(1_799_999_000), &json!("2"), &json!(["pwd", "otp"]))
        );
    }

    #[test]
    fn rfc9068_3_the_audience_is_the_resource_or_the_issuer() {
        let resource = Claims { audience: Some("https://api.example.com"), ..claims() };
        assert_eq!(said(&resource, None)["aud"], "https://api.example.com");
        assert_eq!(said(&claims(), None)["aud"], ISSUER);
    }

    #[test]
    fn rfc9068_2_2_a_token_without_scopes_says_none() {
        let said = said(&Claims { scopes: "", ..claims() }, None);
        assert_eq!(said.get("scope"), None);
    }

    #[test]
    fn rfc9068_2_2_a_token_that_never_expires_says_ten_years() {
        let said = said(&Claims { expires_at: Expiry::Never, ..claims() }, None);
        assert_eq!(said["exp"], 1_800_000_000 + 315_360_000);
    }
}
