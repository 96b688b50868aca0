//! A server at which clients register themselves, and what they say.

use obol_testkit::{REDIRECT_URI, Server, ServerBuilder, obol};
use serde_json::{Value, json};

/// Anybody may register clients.
pub(crate) fn open() -> Server {
    open_with(|server| server)
}

/// The same with further options.
pub(crate) fn open_with(options: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Server {
    options(obol!().server().alice().option("--registration", "open")).start()
}

/// What most clients say of themselves.
pub(crate) fn shop() -> Value {
    json!({ "redirect_uris": [REDIRECT_URI], "client_name": "The shop" })
}

/// The same, and this.
pub(crate) fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut metadata = shop();
    metadata[name] = value.into();
    metadata
}
