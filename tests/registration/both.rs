//! The same thing tried when a client is registered and when it is updated (S-93).

use obol_testkit::{Answer, Registered, Server};
use serde_json::Value;

use crate::house::{shop, with};

/// A server and a client, to try the same thing when a client is registered and when it is updated.
pub(crate) struct Both {
    pub(crate) server: Server,
    known: Registered,
}

impl Both {
    pub(crate) fn of(server: Server) -> Self {
        let known = server.registered(&shop());
        Self { server, known }
    }

    /// Refused when it is registered, and as an update, which leaves the client as it was.
    #[track_caller]
    pub(crate) fn refuse(&self, metadata: &Value, error: &str) {
        let before = self.known.read(&self.server).expect(200).json();
        for answer in [self.server.http().register(metadata), self.known.update(&self.server, metadata)] {
            let answer = answer.expect_error(400, error);
            assert!(answer.text("error_description").len() > 20, "{answer:?}");
        }
        assert_eq!(self.known.read(&self.server).expect(200).json(), before, "{metadata}");
    }

    /// Taken both times; what is told of it then.
    #[track_caller]
    pub(crate) fn take(&self, metadata: &Value) -> [Value; 2] {
        let registered: Answer = self.server.http().register(metadata).expect(201);
        let updated = self.known.update(&self.server, metadata).expect(200);
        let read = self.known.read(&self.server).expect(200);
        assert_eq!(read.json(), updated.json(), "reading says what is registered");
        [registered.json(), updated.json()]
    }

    /// Taken both times, and told with this value.
    #[track_caller]
    pub(crate) fn keep(&self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        for told in self.take(&with(name, value.clone())) {
            assert_eq!(told[name], value, "{name}");
        }
    }
}
