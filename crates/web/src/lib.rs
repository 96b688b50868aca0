//! HTTP to engine and back: listener, dialects, manners. Holds no decisions.
//!
//! [`server`] hands a whole request to the [`Door`]; the door finds its [`routes`], reads it ([`intake`]), asks the engine
//! and, for a password, the accounts room, and writes the answer in the [`dialect`] of the endpoint. What a person looks at is
//! in [`pages`](Pages), what a gateway asks in [`gateway`].

mod dialect;
mod door;
mod fast_verify;
mod gateway;
mod health;
mod intake;
mod pages;
mod registration;
mod routes;
pub mod server;
mod sharing;

pub use door::{Door, OpenDoor};
pub use pages::{LookError, PageSettings, Pages};
