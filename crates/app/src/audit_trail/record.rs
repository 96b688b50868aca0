//! One audit record as one line of JSON.

use std::borrow::Cow;

use obol_store::AuditRecord;
use obol_token::CredentialKind;
use serde::Serialize;

use crate::instant::rfc3339;
use crate::printable::{capped, printable_json};

/// The most characters of one value; whoever asks chooses some of them.
const MOST_CHARS: usize = 256;

/// The keys in the order of the file; what is absent is left out.
#[derive(Serialize)]
struct Line<'a> {
    at: String,
    event: &'a str,
    done: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    family: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

/// The record with its values cut to their most and without credentials: what waits in the queue is bounded, whatever was presented.
pub(super) fn shortened(mut record: AuditRecord) -> AuditRecord {
    let texts = [&mut record.client_id, &mut record.username, &mut record.source, &mut record.request_id];
    for text in texts.into_iter().flatten() {
        if let Cow::Owned(without) = without_credentials(text) {
            *text = without;
        }
        if let Cow::Owned(short) = capped(text, MOST_CHARS) {
            *text = short;
        }
    }
    if let Some(reason) = &mut record.reason {
        if let Cow::Owned(without) = without_credentials(reason) {
            *reason = without.into();
        }
        if let Cow::Owned(short) = capped(reason, MOST_CHARS) {
            *reason = short.into();
        }
    }
    record
}

/// The text without credentials of ours and JWTs: somebody has sent one in the wrong field.
fn without_credentials(text: &str) -> Cow<'_, str> {
    let ends_word = |char: char| !char.is_ascii_alphanumeric() && !"-_.".contains(char);
    // `{"`, with which the header of a JWT begins, in base64url.
    let is_jwt = |word: &str| word.starts_with("eyJ") && word.contains('.');
    let is_credential = |word: &&str| CredentialKind::claimed_by(word).is_some() || is_jwt(word);
    let credentials = text.split(ends_word).filter(is_credential);
    credentials.fold(text.into(), |text, credential| text.replace(credential, "(a credential)").into())
}

/// The record as a line, with its line break. `lost` is the count of records that an `audit.lost` stands for.
pub(super) fn line(record: &AuditRecord, lost: Option<u64>) -> String {
    let line = Line {
        at: rfc3339(record.at),
        event: record.event.name(),
        done: record.done,
        reason: record.reason.as_deref(),
        lost,
        client_id: record.client_id.as_deref(),
        username: record.username.as_deref(),
        token_id: record.token_id.map(|id| id.to_string()),
        family: record.family.map(|id| id.to_string()),
        position: record.position.map(|position| position.number()),
        source: record.source.as_deref(),
        request_id: record.request_id.as_deref(),
    };
    // Texts and numbers always become JSON.
    let mut json = printable_json(serde_json::to_string(&line).unwrap_or_default());
    json.push('\n');
    json
}

#[cfg(test)]
mod tests {
    use obol_token::{FamilyId, Position, Timestamp, TokenId};

    use obol_store::AuditEvent;

    use super::*;

    #[test]
    fn absent_keys_are_left_out() {
        let record = AuditRecord::new(AuditEvent::UserAdded, Timestamp::from_secs(1_795_255_200));
        assert_eq!(
            line(&record, None),
            "{\"at\":\"2026-11-21T10:00:00Z\",\"event\":\"user.added\",\"done\":true}\n"
        );
    }

    #[test]
    fn every_key_has_its_name_and_form() {
        let record = AuditRecord {
            done: false,
            reason: Some("wrong secret".into()),
            client_id: Some("fcare".into()),
            username: Some("alice".into()),
            token_id: Some(TokenId::from_bytes([1; 16])),
            family: Some(FamilyId::from_bytes([2; 16])),
            position: Some(Position::new(3)),
            source: Some("127.0.0.1".into()),
            request_id: Some("r-1".into()),
            ..AuditRecord::new(AuditEvent::ClientRefused, Timestamp::from_secs(0))
        };
        let json: serde_json::Value = serde_json::from_str(&line(&record, Some(4))).unwrap();
        let expected = serde_json::json!({
            "at": "1970-01-01T00:00:00Z", "event": "client.refused", "done": false, "reason": "wrong secret",
            "lost": 4, "client_id": "fcare", "username": "alice", "token_id": "01".repeat(16),
            "family": "02".repeat(16), "position": 3, "source": "127.0.0.1", "request_id": "r-1",
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn asvs_16_4_1_foreign_values_stay_on_their_line_and_short() {
        let mut record = AuditRecord::new(AuditEvent::TokenRefused, Timestamp::from_secs(0));
        let hostile = format!("a\r\n{{\"event\":\"x\"}}\u{1b}[2J\u{202e}\u{85}{}", "y".repeat(1 << 20));
        record.username = Some(hostile.clone());
        let line = line(&shortened(record), None);
        assert!(line.len() < 2_000);
        assert!(!line.trim_end_matches('\n').contains(char::is_control));
        let json: serde_json::Value = serde_json::from_str(&line).unwrap();
        let kept: String = hostile.chars().take(MOST_CHARS - 1).collect();
        assert_eq!(json["username"], format!("{kept}…"));
    }

    #[test]
    fn s_89_a_credential_in_the_wrong_field_is_not_kept() {
        for credential in [
            "obs_not-to-be-kept",
            "Bearer oba_not-to-be-kept",
            "urn:ietf:params:oauth:request_uri:obp_not-to-be-kept",
            "eyJhbGciOiJFUzI1NiJ9.not-to-be-kept.x",
        ] {
            let mut record = AuditRecord::new(AuditEvent::TokenRefused, Timestamp::from_secs(0));
            record.client_id = Some(credential.to_owned());
            record.username = Some(credential.to_owned());
            record.reason = Some(format!("`{credential}` cannot be a redirect URI").into());
            let line = line(&shortened(record), None);
            assert!(line.contains("(a credential)") && !line.contains("not-to-be-kept"), "{line}");
        }
        for id in ["https://app.example/client.json", "urn:example:app", "eyJ", "job_x"] {
            assert!(matches!(without_credentials(id), Cow::Borrowed(_)), "{id}");
        }
    }
}
