//! A person as the command line shows one.

use obol_store::{Profile, User};
use serde::Serialize;
use serde_json::Value;

use crate::instant::rfc3339;
use crate::output::{Answer, or_dash, sheet, table, yes_no};

/// All but the hash of the password.
#[derive(Serialize)]
pub(super) struct UserView {
    created_at: String,
    email: Option<String>,
    #[serde(skip_serializing_if = "Profile::is_empty")]
    claims: Profile,
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    subject: String,
    username: String,
}

impl UserView {
    /// A person, with the password that was just generated.
    pub(super) fn new(user: &User, password: Option<String>) -> Self {
        Self {
            created_at: rfc3339(user.created_at),
            email: user.email.clone(),
            claims: user.profile.clone(),
            enabled: user.enabled,
            password,
            subject: user.id.to_string(),
            username: user.username.to_string(),
        }
    }
}

impl Answer for UserView {
    fn text(&self) -> String {
        let mut rows = vec![
            ("username", self.username.clone()),
            ("email", or_dash(self.email.as_deref())),
            ("enabled", yes_no(self.enabled)),
            ("subject", self.subject.clone()),
            ("created at", self.created_at.clone()),
        ];
        rows.extend(self.claims.iter().map(|(name, value)| (name.as_str(), said(value))));
        if let Some(password) = &self.password {
            rows.push(("password", password.clone()));
            rows.push(("", "Keep it now: it is not shown again.".to_owned()));
        }
        sheet(rows)
    }
}

fn said(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// All people.
#[derive(Serialize)]
pub(super) struct UserList(pub(super) Vec<UserView>);

impl Answer for UserList {
    fn text(&self) -> String {
        let row = |user: &UserView| {
            let email = or_dash(user.email.as_deref());
            vec![user.username.clone(), yes_no(user.enabled), email, user.created_at.clone()]
        };
        table(&["username", "enabled", "email", "created at"], self.0.iter().map(row))
    }
}

/// A person who is gone.
#[derive(Serialize)]
pub(super) struct Deleted {
    /// Always true.
    pub(super) deleted: bool,
    /// Who.
    pub(super) username: String,
}

impl Answer for Deleted {
    fn text(&self) -> String {
        format!("{} is deleted, and the name is never given out again.", self.username)
    }
}

#[cfg(test)]
mod tests {
    use obol_store::{PasswordHash, Profile};
    use obol_token::{SubjectId, Timestamp};

    use super::*;

    fn alice() -> User {
        User {
            id: SubjectId::from_bytes([0xab; 16]),
            username: "alice".parse().unwrap(),
            email: None,
            profile: Profile::default(),
            password: PasswordHash::from_phc("$argon2id$secret"),
            enabled: true,
            created_at: Timestamp::from_secs(1_795_255_200),
        }
    }

    #[test]
    fn a_person_has_the_agreed_keys_and_no_hash() {
        let json = |password| serde_json::to_value(UserView::new(&alice(), password)).unwrap().to_string();
        let subject = "ab".repeat(16);
        let start = r#"{"created_at":"2026-11-21T10:00:00Z","email":null,"enabled":true,"#;
        assert_eq!(json(None), format!(r#"{start}"subject":"{subject}","username":"alice"}}"#));
        let shown = format!(r#"{start}"password":"p","subject":"{subject}","username":"alice"}}"#);
        assert_eq!(json(Some("p".to_owned())), shown);
    }

    #[test]
    fn people_read_names_and_times() {
        let text = UserList(vec![UserView::new(&alice(), None)]).text();
        assert_eq!(
            text,
            "username  enabled  email  created at\nalice     yes      -      2026-11-21T10:00:00Z"
        );
        let text = UserView::new(&alice(), Some("p".to_owned())).text();
        assert!(text.ends_with("password    p\n            Keep it now: it is not shown again."), "{text}");
    }
}
