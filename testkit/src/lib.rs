//! Builds, starts and talks to a real obol server in tests.
//!
//! Nothing here knows what a right answer is: a test says that. The kit runs the real program (`obol!()`), sends what
//! a test asks it to send, and reads what came back.

mod answer;
mod application;
mod at_once;
mod attempt;
mod audit;
mod await_condition;
mod browser;
mod chance;
pub mod checker;
mod chromium;
mod client_key;
mod clients;
pub mod cluster;
mod curl;
mod debian;
mod elsewhere;
mod faulty_disk;
mod fortiauthenticator;
mod history;
mod house;
mod html;
mod http;
mod installation;
mod jwt;
mod lines;
mod now;
mod person;
mod pieces;
mod port;
mod postgres;
mod program;
mod proxy;
mod pushed;
mod raw;
mod registration;
mod rfc;
mod server;
mod shapes;
mod small_disk;
mod storage_faults;
mod tls;
mod tokens;
mod told;
mod unanswered;
mod unsaid;
mod vouched;

pub use answer::Answer;
pub use application::{
    AUTHORIZE, AuthorizationRequest, CHALLENGE, FORTI_AUTHORIZE, REDIRECT_URI, USERINFO, VERIFIER,
};
pub use at_once::at_once;
pub use attempt::{Attempt, Attempted, Refused};
pub use audit::AuditLine;
pub use await_condition::{median, until_a_later_second, wait_until, wait_until_as_fast};
pub use browser::{Browser, Page};
pub use chance::{Chance, run_size};
pub use chromium::{Chromium, ChromiumBuilder, Tab};
pub use client_key::{ClientKey, encoded, hs256};
pub use clients::{Client, ClientSpec};
pub use curl::CurlAnswer;
pub use debian::debian_program;
pub use elsewhere::{Asked, Elsewhere};
pub use faulty_disk::{Fault, FaultyDisk};
pub use fortiauthenticator::{REVOKE, TOKEN, VERIFY};
pub use history::History;
pub use house::House;
pub use html::{Form, between, forms, refresh_target, unescaped};
pub use http::{BodyType, Http, Request};
pub use installation::Installation;
pub use jwt::{JWKS, Jwt, half_sha256, s256};
pub use lines::Lines;
pub use now::now_secs;
pub use person::{Arrival, Person, Return};
pub use pieces::{Heard, Then};
pub use port::Port;
pub use postgres::{Postgres, PostgresBuilder};
pub use program::{Program, Ran};
pub use proxy::{Direction, Proxy};
pub use pushed::PAR;
pub use registration::{REGISTER, Registered};
pub use rfc::{INTROSPECT, METADATA, RFC_REVOKE, RFC_TOKEN};
pub use rustix::process::Signal;
pub use server::{Server, ServerBuilder};
pub use shapes::{Shape, for_each_shape, for_each_slash};
pub use small_disk::SmallDisk;
pub use tokens::Tokens;
pub use told::TOLD;
pub use unanswered::Unanswered;
pub use unsaid::{assert_not_stored, assert_unsaid};
pub use vouched::vouched;

/// The person of most tests.
pub const ALICE: &str = "alice";

/// Her password.
pub const PASSWORD: &str = "a coin to be let across";

/// The program that Cargo built for this test.
#[macro_export]
macro_rules! obol {
    () => {
        $crate::Program::at(env!("CARGO_BIN_EXE_obol"))
    };
}
