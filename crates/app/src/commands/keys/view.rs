//! A key as the command line shows one.

use obol_oauth::administration::{KeyState, ListedKey};
use obol_token::Expiry;
use serde::Serialize;

use crate::instant::rfc3339;
use crate::output::{Answer, or_dash, table};

/// A key, never what it is made of.
#[derive(Serialize)]
pub(super) struct KeyView {
    created_at: String,
    key_id: String,
    kind: &'static str,
    retired_at: Option<String>,
    sealing_since: Option<String>,
    state: &'static str,
    tokens_until: Option<String>,
}

impl KeyView {
    /// A sealing key.
    pub(super) fn new(key: &ListedKey) -> Self {
        Self {
            created_at: rfc3339(key.created_at),
            key_id: key.id.to_string(),
            kind: "sealing",
            retired_at: key.retired_at.map(rfc3339),
            sealing_since: key.sealing_since.map(rfc3339),
            state: match key.state {
                KeyState::Waits => "waits",
                KeyState::Seals => "seals",
                KeyState::Opens => "opens",
                KeyState::Retired => "retired",
            },
            tokens_until: key.tokens_until.map(|until| match until {
                Expiry::At(moment) => rfc3339(moment),
                Expiry::Never => "never".to_owned(),
            }),
        }
    }
}

/// All keys.
#[derive(Serialize)]
pub(super) struct KeyList(pub(super) Vec<KeyView>);

impl Answer for KeyList {
    fn text(&self) -> String {
        if self.0.is_empty() {
            return "There is no key yet: the first start of a server makes one.".to_owned();
        }
        let row = |key: &KeyView| {
            vec![
                key.key_id.clone(),
                key.kind.to_owned(),
                key.state.to_owned(),
                or_dash(key.sealing_since.as_deref()),
                match key.tokens_until.as_deref() {
                    Some("never") => "for ever".to_owned(),
                    until => or_dash(until),
                },
                or_dash(key.retired_at.as_deref()),
            ]
        };
        let header = ["key", "kind", "state", "sealing since", "its tokens live until", "retired at"];
        table(&header, self.0.iter().map(row))
    }
}

/// A rotation that every server has learnt of.
#[derive(Serialize)]
pub(super) struct Rotated {
    /// The key that was promoted.
    #[serde(flatten)]
    pub(super) key: KeyView,
    /// Where that stands in the change log.
    pub(super) position: u64,
}

impl Answer for Rotated {
    fn text(&self) -> String {
        let Self { key: KeyView { key_id, state, .. }, position } = self;
        match *state {
            "seals" => format!(
                "The sealing key {key_id} seals new tokens, from position {position} on. The one before opens its own \
                 until it is retired."
            ),
            _ => format!(
                "The sealing key {key_id} was promoted at position {position}, and another rotation has put a newer one \
                 in its place since (obol keys list)."
            ),
        }
    }
}

/// A key that is gone.
#[derive(Serialize)]
pub(super) struct Retired {
    /// Which.
    pub(super) key_id: String,
    /// Where its end stands in the change log.
    pub(super) position: u64,
    /// Always true.
    pub(super) retired: bool,
}

impl Answer for Retired {
    fn text(&self) -> String {
        let Self { key_id, position, .. } = self;
        format!(
            "The sealing key {key_id} is retired, at position {position}; no server accepts what it has sealed."
        )
    }
}

#[cfg(test)]
mod tests {
    use obol_token::{KeyId, Timestamp};

    use super::*;

    fn key(state: KeyState, tokens_until: Option<Expiry>) -> KeyView {
        let made_at = Timestamp::from_secs(1_795_255_200);
        KeyView::new(&ListedKey {
            id: KeyId::from_bytes([0, 0x1b, 0x0c, 0x3d]),
            state,
            created_at: made_at,
            sealing_since: (state != KeyState::Waits).then_some(made_at),
            tokens_until,
            retired_at: (state == KeyState::Retired).then_some(made_at),
        })
    }

    #[test]
    fn a_key_has_the_agreed_keys() {
        let until = Some(Expiry::At(Timestamp::from_secs(1_795_258_800)));
        let list = KeyList(vec![key(KeyState::Opens, until)]);
        let expected = r#"[{"created_at":"2026-11-21T10:00:00Z","key_id":"001b0c3d","kind":"sealing","retired_at":null,"sealing_since":"2026-11-21T10:00:00Z","state":"opens","tokens_until":"2026-11-21T11:00:00Z"}]"#;
        assert_eq!(serde_json::to_value(&list).unwrap().to_string(), expected);
        let rotated = serde_json::to_value(Rotated { key: key(KeyState::Seals, None), position: 7 }).unwrap();
        assert_eq!((&rotated["key_id"], &rotated["position"]), (&"001b0c3d".into(), &7.into()));
        let retired = Retired { key_id: "001b0c3d".to_owned(), position: 9, retired: true };
        let expected = r#"{"key_id":"001b0c3d","position":9,"retired":true}"#;
        assert_eq!(serde_json::to_value(retired).unwrap().to_string(), expected);
    }

    #[test]
    fn people_read_what_each_key_does_and_until_when_its_tokens_live() {
        let keys = [
            key(KeyState::Retired, None),
            key(KeyState::Opens, Some(Expiry::Never)),
            key(KeyState::Seals, None),
            key(KeyState::Waits, None),
        ];
        let text = KeyList(keys.into()).text();
        let lines: Vec<_> = text.lines().collect();
        for (line, words) in
            lines.iter().zip(["its tokens live until", "retired", "for ever", "seals", "waits"])
        {
            assert!(line.contains(words), "{words} is missing in {text}");
        }
        assert_eq!(lines.len(), 5);
        assert!(KeyList(Vec::new()).text().contains("no key yet"));
    }

    #[test]
    fn a_rotation_says_when_another_has_come_after_it() {
        assert!(Rotated { key: key(KeyState::Seals, None), position: 7 }.text().contains("seals new tokens"));
        assert!(Rotated { key: key(KeyState::Opens, None), position: 7 }.text().contains("newer one"));
    }
}
