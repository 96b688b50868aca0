//! What is known of a person beside name and password: the claims of OpenID Connect Core §5.1, and groups.

use obol_store::{Appended, Profile, Username, Users, replace};
use obol_token::Timestamp;
use serde_json::{Value, json};

use super::{AdministrationError, Email, changed};

/// What a claim holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    Flag,
    Address,
    Texts,
}

const CLAIMS: [(&str, Shape); 17] = [
    ("name", Shape::Text),
    ("given_name", Shape::Text),
    ("family_name", Shape::Text),
    ("middle_name", Shape::Text),
    ("nickname", Shape::Text),
    ("profile", Shape::Text),
    ("picture", Shape::Text),
    ("website", Shape::Text),
    ("gender", Shape::Text),
    ("birthdate", Shape::Text),
    ("zoneinfo", Shape::Text),
    ("locale", Shape::Text),
    ("phone_number", Shape::Text),
    ("phone_number_verified", Shape::Flag),
    ("email_verified", Shape::Flag),
    ("address", Shape::Address),
    ("groups", Shape::Texts),
];

/// The members of an address (§5.1.1).
const ADDRESS: [&str; 6] = ["formatted", "street_address", "locality", "region", "postal_code", "country"];

/// The most bytes of all claims of a person.
const MAX_BYTES: usize = 8_192;

/// Why a claim cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// No such claim.
    #[error("there is no claim `{0}`; there are: {known}", known = CLAIMS.map(|(name, _)| name).join(", "))]
    Unknown(String),
    /// Another shape.
    #[error("the claim `{0}` is {1}")]
    Shape(String, &'static str),
    /// More than fits.
    #[error("all claims of a person together have at most {MAX_BYTES} bytes")]
    TooMuch,
}

/// A claim to set or to remove.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimChange {
    name: String,
    value: Option<Value>,
}

impl ClaimChange {
    /// Sets the claim of this name to what `text` says: a text, `true` or `false`, names of groups separated by commas, or the
    /// JSON object of an address. An empty text removes it.
    ///
    /// # Errors
    /// [`ClaimError`]
    pub fn parse(name: &str, text: &str) -> Result<Self, ClaimError> {
        let shape = CLAIMS.iter().find(|(known, _)| *known == name).map(|(_, shape)| *shape);
        let shape = shape.ok_or_else(|| ClaimError::Unknown(name.to_owned()))?;
        let value = match text.is_empty() {
            true => None,
            false => Some(shape.read(text).ok_or_else(|| ClaimError::Shape(name.to_owned(), shape.said()))?),
        };
        Ok(Self { name: name.to_owned(), value })
    }
}

impl Shape {
    fn read(self, text: &str) -> Option<Value> {
        let clean = !text.chars().any(char::is_control);
        match self {
            Self::Text => clean.then(|| json!(text)),
            Self::Flag => text.parse::<bool>().ok().map(Value::from),
            Self::Texts => {
                let texts: Vec<_> = text.split(',').map(str::trim).filter(|text| !text.is_empty()).collect();
                clean.then(|| json!(texts))
            }
            Self::Address => serde_json::from_str(text).ok().filter(is_address),
        }
    }

    const fn said(self) -> &'static str {
        match self {
            Self::Text => "a text without control characters",
            Self::Flag => "true or false",
            Self::Texts => "a list of names separated by commas",
            Self::Address => {
                "a JSON object of texts: formatted, street_address, locality, region, postal_code, country"
            }
        }
    }
}

fn is_address(value: &Value) -> bool {
    value.as_object().is_some_and(|address| {
        address.iter().all(|(name, value)| ADDRESS.contains(&name.as_str()) && value.is_string())
    })
}

/// Changes what is known of a person; ends no token. `email` of `None` leaves the address as it is.
///
/// # Errors
/// [`AdministrationError`]: `Unknown`, `Claim` or `Store`.
pub async fn change_profile(
    users: &dyn Users,
    username: &Username,
    email: Option<Email>,
    changes: Vec<ClaimChange>,
    now: Timestamp,
) -> Result<Appended, AdministrationError> {
    let email = email.map(String::from);
    let replaced = replace(
        || users.find_user(username),
        |former| {
            let profile = changed_profile(former.profile.clone(), &changes, now)?;
            Ok::<_, AdministrationError>((email.clone().or_else(|| former.email.clone()), profile))
        },
        |former, (email, profile)| async move {
            users.set_user_profile(&former, email.as_deref(), &profile).await
        },
    );
    changed(replaced.await?)
}

/// What the changes make of a profile.
fn changed_profile(
    mut profile: Profile,
    changes: &[ClaimChange],
    now: Timestamp,
) -> Result<Profile, ClaimError> {
    for ClaimChange { name, value } in changes {
        match value {
            Some(value) => profile.insert(name.clone(), value.clone()),
            None => profile.remove(name),
        };
    }
    profile.insert("updated_at".to_owned(), json!(now.as_secs()));
    match json!(profile).to_string().len() {
        0..=MAX_BYTES => Ok(profile),
        _ => Err(ClaimError::TooMuch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str, text: &str) -> Option<Value> {
        ClaimChange::parse(name, text).unwrap().value
    }

    #[test]
    fn oidc_core_5_1_claims_have_their_types() {
        assert_eq!(value("name", "Alice \u{c4}dams"), Some(json!("Alice \u{c4}dams")));
        assert_eq!(value("email_verified", "true"), Some(json!(true)));
        assert_eq!(value("groups", "staff, admins,"), Some(json!(["staff", "admins"])));
        assert_eq!(value("address", r#"{"locality": "Bonn"}"#), Some(json!({"locality": "Bonn"})));
        assert_eq!(value("nickname", ""), None);
    }

    #[test]
    fn what_has_another_shape_is_refused_and_said() {
        for (name, text) in [
            ("email_verified", "yes"),
            ("name", "a\nb"),
            ("address", "Bonn"),
            ("address", r#"{"planet": "Earth"}"#),
            ("address", r#"{"locality": 1}"#),
        ] {
            assert!(matches!(ClaimChange::parse(name, text), Err(ClaimError::Shape(..))), "{name} {text}");
        }
        let unknown = ClaimChange::parse("sub", "x").unwrap_err().to_string();
        assert!(unknown.starts_with("there is no claim `sub`; there are: name, "), "{unknown}");
    }
}
