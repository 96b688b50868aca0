//! Others, who publish documents and are told of logouts; and keys.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use obol_keys::{MasterKey, SigningKey};
use obol_oauth::{DocumentKind, Freshness, NamedBy, Outgoing, OutgoingError};
use obol_token::{KeyKind, Position};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

pub(crate) type Published = Result<String, OutgoingError>;

/// What comes of asking, by address: for what is kept, and anew; and what was asked.
#[derive(Default)]
pub(crate) struct Others {
    documents: Mutex<HashMap<String, [Published; 2]>>,
    asked: Mutex<Vec<(String, NamedBy)>>,
    freshness: Mutex<Vec<Freshness>>,
    /// While this is there, nobody is answered who asks for what ends so.
    slow: Mutex<Option<(&'static str, Arc<Semaphore>)>>,
}

impl Others {
    /// Where the keys are of a client that publishes some.
    pub(crate) const KEYS: &str = "https://service.example/keys";

    /// Publishes a document, which is the one that is kept.
    pub(crate) fn publish(&self, url: &str, document: impl ToString) {
        self.publish_as(url, Ok(document.to_string()), Ok(document.to_string()));
    }

    /// Publishes what comes of asking: for what is kept, and anew.
    pub(crate) fn publish_as(&self, url: &str, kept: Published, current: Published) {
        self.documents.lock().unwrap().insert(url.to_owned(), [kept, current]);
    }

    /// Of each document that was asked for.
    pub(crate) fn asked(&self) -> Vec<Freshness> {
        self.freshness.lock().unwrap().clone()
    }

    /// What was asked or told since this was called last, and who had named it.
    pub(crate) fn take_asked(&self) -> Vec<(String, NamedBy)> {
        self.freshness.lock().unwrap().clear();
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// From now on nobody is answered who asks for what ends so.
    pub(crate) fn hold(&self, end: &'static str) {
        *self.slow.lock().unwrap() = Some((end, Arc::new(Semaphore::new(0))));
    }

    /// One of those is answered.
    pub(crate) fn answer_one(&self) {
        let slow = self.slow.lock().unwrap();
        slow.as_ref().unwrap().1.add_permits(1);
    }

    /// All are answered again.
    pub(crate) fn answer_all(&self) {
        let (_, slow) = self.slow.lock().unwrap().take().unwrap();
        slow.close();
    }

    fn published(&self, url: &str, freshness: Freshness) -> Published {
        let nothing = || Err(OutgoingError::Failed("10.0.0.1: it answered 418.".to_owned()));
        self.documents.lock().unwrap().get(url).map_or_else(nothing, |[kept, current]| match freshness {
            Freshness::Kept => kept.clone(),
            Freshness::Renewed => current.clone(),
        })
    }
}

#[async_trait]
impl Outgoing for Others {
    async fn fetch_document(
        &self,
        url: &str,
        named_by: NamedBy,
        _: DocumentKind,
        freshness: Freshness,
    ) -> Result<Arc<str>, OutgoingError> {
        self.asked.lock().unwrap().push((url.to_owned(), named_by));
        self.freshness.lock().unwrap().push(freshness);
        let slow = self.slow.lock().unwrap().clone();
        if let Some((_, slow)) = slow.filter(|(end, _)| url.ends_with(end)) {
            // Closed: all are answered.
            let _ = slow.acquire().await.map(tokio::sync::SemaphorePermit::forget);
        }
        self.published(url, freshness).map(Arc::from)
    }

    async fn post_form(&self, url: &str, named_by: NamedBy, _: String) -> Result<(), OutgoingError> {
        self.asked.lock().unwrap().push((url.to_owned(), named_by));
        self.published(url, Freshness::Renewed).map(drop)
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
