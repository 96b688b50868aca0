//! The parameter `claims` (OpenID Connect Core §5.5): which claims a client wants beside those of its scopes.

use obol_store::Client;
use obol_token::Scope;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::features::userinfo;
use crate::{ErrorCode, OAuthError};

/// The names of the claims that were asked for, of those that there can be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct ClaimsRequest {
    /// At the userinfo endpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) userinfo: Vec<String>,
    /// In the ID token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) id_token: Vec<String>,
}

impl ClaimsRequest {
    /// What a client may have of this: the claims of its own scopes. Asking by name is another way of asking, not a way to more.
    pub(crate) fn within(&self, client: &Client) -> Self {
        let has =
            |scope: &Scope| client.default_scopes.contains(scope) || client.optional_scopes.contains(scope);
        let may = |name: &str| userinfo::scope_of_claim(name).is_some_and(|scope| has(&scope));
        let keep = |names: &[String]| names.iter().filter(|name| may(name)).cloned().collect();
        Self { userinfo: keep(&self.userinfo), id_token: keep(&self.id_token) }
    }

    /// The scopes that stand for these claims.
    pub(super) fn scopes(&self) -> impl Iterator<Item = Scope> {
        self.userinfo.iter().chain(&self.id_token).filter_map(|name| userinfo::scope_of_claim(name))
    }
}

/// What the parameter demands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Demanded {
    pub(super) claims: ClaimsRequest,
    /// The one person whom the client means (§5.5.1).
    pub(super) subject: Option<String>,
    /// `acr` values one of which must be met (§5.5.1.1).
    pub(super) essential_acr: Vec<String>,
}

/// Reads the parameter. Claims that nobody here knows are left out, as §5.5 has it.
///
/// # Errors
/// `invalid_request` when it is not a JSON object of objects.
pub(super) fn parse(text: Option<&str>) -> Result<Demanded, OAuthError> {
    let Some(text) = text else { return Ok(Demanded::default()) };
    let whole: Map<String, Value> = serde_json::from_str(text).map_err(|_| malformed())?;
    let part = |name: &str| match whole.get(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(part)) => Ok(part.clone()),
        Some(_) => Err(malformed()),
    };
    let (userinfo, id_token) = (part("userinfo")?, part("id_token")?);
    let subject = [&id_token, &userinfo]
        .into_iter()
        .find_map(|part| part.get("sub")?.get("value")?.as_str().map(str::to_owned));
    Ok(Demanded {
        subject,
        essential_acr: essential_acr(&id_token),
        claims: ClaimsRequest { userinfo: known(&userinfo), id_token: known(&id_token) },
    })
}

fn known(part: &Map<String, Value>) -> Vec<String> {
    let names = part.keys().filter(|name| userinfo::is_claim(name));
    names.cloned().collect()
}

fn essential_acr(id_token: &Map<String, Value>) -> Vec<String> {
    let Some(acr) = id_token.get("acr").filter(|acr| acr.get("essential") == Some(&Value::Bool(true))) else {
        return Vec::new();
    };
    let values = acr.get("values").and_then(Value::as_array).into_iter().flatten().chain(acr.get("value"));
    values.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn malformed() -> OAuthError {
    let sentence = "The parameter `claims` is a JSON object with the objects `userinfo` and `id_token`.";
    OAuthError::new(ErrorCode::InvalidRequest, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oidc_core_5_5_known_claims_are_kept_and_others_left_out() {
        let text = r#"{"userinfo": {"given_name": {"essential": true}, "http://example.info/x": null},
            "id_token": {"email": null, "acr": {"essential": true, "values": ["2", "3"]}, "sub": {"value": "248289761001"}}}"#;
        let demanded = parse(Some(text)).unwrap();
        assert_eq!(demanded.claims.userinfo, ["given_name"]);
        assert_eq!(demanded.claims.id_token, ["email"]);
        assert_eq!(demanded.subject.as_deref(), Some("248289761001"));
        assert_eq!(demanded.essential_acr, ["2", "3"]);
    }

    #[test]
    fn oidc_core_5_5_1_1_a_voluntary_acr_demands_nothing() {
        let demanded = parse(Some(r#"{"id_token": {"acr": {"values": ["2"]}}}"#)).unwrap();
        assert_eq!(demanded, Demanded::default());
    }

    #[test]
    fn what_is_no_object_of_objects_is_refused() {
        for text in ["", "[]", "1", r#"{"userinfo": []}"#, r#"{"id_token": "x"}"#, "{", &"[".repeat(10_000)] {
            assert!(parse(Some(text)).is_err(), "{text:.40}");
        }
        assert_eq!(parse(None).unwrap(), Demanded::default());
        assert_eq!(parse(Some(r#"{"userinfo": null}"#)).unwrap(), Demanded::default());
    }
}
