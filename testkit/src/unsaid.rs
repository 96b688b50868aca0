//! Searching for secrets where a server writes (S-89).

use std::fs;

use crate::Server;

impl Server {
    /// Stops it and gives all that it has written for people to read: the lines of its log and of its audit files.
    #[track_caller]
    pub fn written_to_the_end(&mut self) -> Vec<String> {
        let log = self.log().clone();
        self.stop();
        let mut written = log.to_the_end();
        written.push(fs::read_to_string(self.data().join("audit.jsonl")).expect("it keeps an audit file"));
        // There is none before anything was refused.
        written.extend(fs::read_to_string(self.data().join("audit-refused.jsonl")).ok());
        written
    }

    /// Every byte of the files of its SQLite store.
    pub fn stored(&self) -> Vec<u8> {
        let files = ["obol.db", "obol.db-wal"].map(|file| fs::read(self.data().join(file)).ok());
        files.into_iter().flatten().flatten().collect()
    }
}

/// Fails the test if a secret stands in one of the texts. Half of it would be too much as well, and so would a part of a JWT.
#[track_caller]
pub fn assert_unsaid(texts: &[String], secrets: &[String]) {
    for secret in secrets {
        for half in halves(secret) {
            let found = texts.iter().find(|text| text.contains(half));
            assert_eq!(found, None, "{secret}");
        }
    }
}

/// Fails the test if a secret is stored as it is.
#[track_caller]
pub fn assert_not_stored(stored: &[u8], secrets: &[String]) {
    for secret in secrets {
        for half in halves(secret) {
            assert!(!stored.windows(half.len()).any(|window| window == half.as_bytes()), "{secret}");
        }
    }
}

fn halves(secret: &str) -> impl Iterator<Item = &str> {
    secret.split('.').map(|part| &part[..part.len() / 2 + 4])
}
