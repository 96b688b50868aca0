//! Others, who publish keys, and the keys.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use obol_keys::{MasterKey, SigningKey};
use obol_oauth::{DocumentKind, Freshness, Outgoing, OutgoingError};
use obol_token::{KeyKind, Position};
use serde_json::{Value, json};

/// Answers one after the other, and what was asked.
#[derive(Default)]
pub(crate) struct Others {
    answers: Mutex<VecDeque<Result<String, OutgoingError>>>,
    asked: Mutex<Vec<Freshness>>,
}

impl Others {
    /// The one address at which there is something.
    pub(crate) const URI: &str = "https://service.example/keys";

    /// These are the next answers; what was asked before is forgotten.
    pub(crate) fn will_answer(&self, answers: impl IntoIterator<Item = Result<String, OutgoingError>>) {
        *self.answers.lock().unwrap() = answers.into_iter().collect();
        self.asked.lock().unwrap().clear();
    }

    pub(crate) fn asked(&self) -> Vec<Freshness> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Outgoing for Others {
    async fn fetch_document(
        &self,
        url: &str,
        kind: DocumentKind,
        freshness: Freshness,
    ) -> Result<Arc<str>, OutgoingError> {
        assert_eq!((url, kind), (Self::URI, DocumentKind::Json));
        self.asked.lock().unwrap().push(freshness);
        let answer = self.answers.lock().unwrap().pop_front();
        answer.expect("an answer for each question").map(Arc::from)
    }

    async fn post_form(&self, _: &str, _: String) -> Result<(), OutgoingError> {
        unreachable!("nothing is posted here")
    }
}

/// A key of nobody yet.
pub(crate) fn new_key() -> SigningKey {
    let folder = tempfile::tempdir().unwrap();
    let master = MasterKey::load_or_create(&folder.path().join("master.key")).unwrap();
    let wrapped = master.new_signing_key(KeyKind::EcP256).unwrap();
    master.unwrap_signing_key(&wrapped, Some(Position::START)).unwrap()
}

/// The set of their public halves.
pub(crate) fn jwks(keys: &[&SigningKey]) -> Value {
    let keys: Vec<_> = keys.iter().map(|key| serde_json::to_value(key.jwk()).unwrap()).collect();
    json!({ "keys": keys })
}
