//! The load generator: keeps connections busy in a closed or an open loop, and judges every answer.
//!
//! 1. A [`Crew`] of threads, each on its core, opens connections ([`connection`]).
//! 2. Each connection has a [`Script`]: what to ask next, and what the right answer is.
//! 3. A round ([`Load`]) lets them ask; what was seen is [`Tally`].

mod connection;
mod crew;
mod http1;
mod http2;
mod pace;
mod request;
mod round;
mod script;
mod tally;

pub use request::Protocol;

pub(crate) use connection::{Connection, Endpoint};
pub(crate) use crew::{Crew, Part};
pub(crate) use request::{Answer, Prepared, Request, Wire};
pub(crate) use round::Load;
pub(crate) use script::{Cycle, Right, Script};
pub(crate) use tally::Tally;
