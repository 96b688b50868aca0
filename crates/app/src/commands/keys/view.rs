//! A key as the command line shows one.

use obol_oauth::administration::{KeyState, ListedKey};
use obol_token::{Expiry, KeyKind};
use serde::Serialize;

use crate::instant::rfc3339;
use crate::output::{Answer, or_dash, table};

/// A key, never what it is made of.
#[derive(Serialize)]
pub(super) struct KeyView {
    algorithm: Option<&'static str>,
    created_at: String,
    in_use_since: Option<String>,
    key_id: String,
    pub(super) kind: &'static str,
    retired_at: Option<String>,
    state: &'static str,
    tokens_until: Option<String>,
}

impl KeyView {
    /// A key of the list.
    pub(super) fn new(key: &ListedKey) -> Self {
        Self {
            algorithm: algorithm(key.kind),
            created_at: rfc3339(key.created_at),
            in_use_since: key.in_use_since.map(rfc3339),
            key_id: key.id.to_string(),
            kind: if key.kind.signs() { "signing" } else { "sealing" },
            retired_at: key.retired_at.map(rfc3339),
            state: match key.state {
                KeyState::Waits => "waits",
                KeyState::InUse if key.kind.signs() => "signs",
                KeyState::InUse => "seals",
                KeyState::Kept if key.kind.signs() => "verifies",
                KeyState::Kept => "opens",
                KeyState::Retired => "retired",
            },
            tokens_until: key.tokens_until.map(|until| match until {
                Expiry::At(moment) => rfc3339(moment),
                Expiry::Never => "never".to_owned(),
            }),
        }
    }
}

/// What a key of this kind signs with.
fn algorithm(kind: KeyKind) -> Option<&'static str> {
    match kind {
        KeyKind::Sealing => None,
        KeyKind::EcP256 => Some("ES256"),
        KeyKind::Rsa => Some("RS256, PS256"),
        KeyKind::Ed25519 => Some("EdDSA"),
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
                or_dash(key.algorithm),
                key.state.to_owned(),
                or_dash(key.in_use_since.as_deref()),
                match key.tokens_until.as_deref() {
                    Some("never") => "for ever".to_owned(),
                    until => or_dash(until),
                },
                or_dash(key.retired_at.as_deref()),
            ]
        };
        let header =
            ["key", "kind", "algorithm", "state", "in use since", "its tokens live until", "retired at"];
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
    /// When a running server will let it sign, if it does not yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signs_from: Option<String>,
}

impl Answer for Rotated {
    fn text(&self) -> String {
        let Self { key: KeyView { key_id, state, kind, .. }, position, signs_from } = self;
        if let Some(signs_from) = signs_from {
            return published(key_id, signs_from);
        }
        match *state {
            "signs" => format!(
                "The signing key {key_id} signs new tokens, from position {position} on. The one before stays published \
                 until it is retired."
            ),
            "seals" => format!(
                "The sealing key {key_id} seals new tokens, from position {position} on. The one before opens its own \
                 until it is retired."
            ),
            _ => format!(
                "The {kind} key {key_id} was promoted at position {position}, and another rotation has put a newer one \
                 in its place since (obol keys list)."
            ),
        }
    }
}

/// A signing key that was made elsewhere.
#[derive(Serialize)]
pub(super) struct Imported {
    /// Which.
    #[serde(flatten)]
    pub(super) key: KeyView,
    /// Where its addition stands in the change log.
    pub(super) position: u64,
    /// When a running server will let it sign.
    pub(super) signs_from: String,
}

impl Answer for Imported {
    fn text(&self) -> String {
        published(&self.key.key_id, &self.signs_from)
    }
}

fn published(key_id: &str, signs_from: &str) -> String {
    format!(
        "The signing key {key_id} is published, and signs from {signs_from} on, when who keeps the published keys must \
         have asked for them again: a running server sees to it. To let it sign at once: obol keys rotate --kind \
         signing --now (and its --algorithm)."
    )
}

/// A key that is gone.
#[derive(Serialize)]
pub(super) struct Retired {
    /// Which.
    pub(super) key_id: String,
    /// `sealing` or `signing`.
    pub(super) kind: &'static str,
    /// Where its end stands in the change log.
    pub(super) position: u64,
    /// Always true.
    pub(super) retired: bool,
}

impl Answer for Retired {
    fn text(&self) -> String {
        let Self { key_id, kind, position, .. } = self;
        if *kind == "signing" {
            return format!(
                "The signing key {key_id} is retired, at position {position}, and published no more."
            );
        }
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
            kind: KeyKind::Sealing,
            state,
            created_at: made_at,
            in_use_since: (state != KeyState::Waits).then_some(made_at),
            tokens_until,
            retired_at: (state == KeyState::Retired).then_some(made_at),
        })
    }

    #[test]
    fn a_key_has_the_agreed_keys() {
        let until = Some(Expiry::At(Timestamp::from_secs(1_795_258_800)));
        let list = KeyList(vec![key(KeyState::Kept, until)]);
        let expected = r#"[{"algorithm":null,"created_at":"2026-11-21T10:00:00Z","in_use_since":"2026-11-21T10:00:00Z","key_id":"001b0c3d","kind":"sealing","retired_at":null,"state":"opens","tokens_until":"2026-11-21T11:00:00Z"}]"#;
        assert_eq!(serde_json::to_value(&list).unwrap().to_string(), expected);
        let rotated =
            serde_json::to_value(Rotated { key: key(KeyState::InUse, None), position: 7, signs_from: None })
                .unwrap();
        assert_eq!((&rotated["key_id"], &rotated["position"]), (&"001b0c3d".into(), &7.into()));
        let retired = Retired { key_id: "001b0c3d".to_owned(), kind: "sealing", position: 9, retired: true };
        let expected = r#"{"key_id":"001b0c3d","kind":"sealing","position":9,"retired":true}"#;
        assert_eq!(serde_json::to_value(retired).unwrap().to_string(), expected);
    }

    #[test]
    fn people_read_what_each_key_does_and_until_when_its_tokens_live() {
        let keys = [
            key(KeyState::Retired, None),
            key(KeyState::Kept, Some(Expiry::Never)),
            key(KeyState::InUse, None),
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
    fn a_signing_key_that_waits_says_from_when_it_signs() {
        let text = |signs_from: Option<&str>, state| {
            let key = KeyView { kind: "signing", state, ..key(KeyState::InUse, None) };
            Rotated { key, position: 7, signs_from: signs_from.map(str::to_owned) }.text()
        };
        assert!(text(Some("2026-11-21T12:00:00Z"), "waits").contains("signs from 2026-11-21T12:00:00Z"));
        assert!(text(None, "signs").contains("signs new tokens"));
    }

    #[test]
    fn a_rotation_says_when_another_has_come_after_it() {
        assert!(
            Rotated { key: key(KeyState::InUse, None), position: 7, signs_from: None }
                .text()
                .contains("seals new tokens")
        );
        assert!(
            Rotated { key: key(KeyState::Kept, None), position: 7, signs_from: None }
                .text()
                .contains("newer one")
        );
    }
}
