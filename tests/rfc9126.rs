//! RFC 9126 (pushed authorization requests). One test per MUST, by section, and what is promised beyond.

#[path = "rfc9126/authorize.rs"]
mod authorize;
#[path = "rfc9126/metadata.rs"]
mod metadata;
#[path = "rfc9126/once.rs"]
mod once;
#[path = "rfc9126/push.rs"]
mod push;
