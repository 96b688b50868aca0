//! The protocol engine and its features, one folder per specification.
//!
//! It knows no HTTP types, no HTML and no SQL. The door hands in a [`Request`], the [`Engine`] takes it through the steps
//! parse, client, request, person, issue, and gives back an [`Answer`] or an [`OAuthError`].

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod administration;
mod answer;
mod applications;
mod authorization;
mod browser;
mod client_authentication;
mod engine;
mod error;
mod features;
mod issue;
mod jwt_access_token;
mod one_line;
mod outgoing;
mod params;
mod request;
mod scopes;
mod source_limit;

pub use answer::{
    About, Answer, ClientInformation, Introspection, KeySet, PushedAnswer, RevocationDone, TokenAnswer,
    Userinfo, Verification, username,
};
pub use applications::Application;
pub use authorization::{Authorization, BasicCredentials};
pub use browser::{
    AuthorizationAnswer, Authorized, Authorizing, ClientLinks, ConsentAsked, Decision, ResponseMode,
    SignInAsked, SignOutAsked, SignedIn,
};
pub use engine::{Engine, Outcome, PasswordNeeded, Person, PersonRefused, Settings};
pub use error::{Challenge, ErrorCode, OAuthError, Wire};
pub use features::authorization::RedirectUriError;
pub use features::backchannel_logout::{ClientToTell, LogoutTold};
pub use features::client_id_metadata::DescribedClients;
pub use features::forward_auth::{Admitted, Needed};
pub use features::protected_resource::{ProtectedResource, ProtectedResourceError};
pub use features::registration::{
    RegistrationAsked, RegistrationMode, RegistrationRequest, RegistrationSettings,
};
pub use features::{Endpoint, FEATURES, Feature, Grant, Method, PageKind, grant_types};
pub use one_line::changes_the_line;
pub use outgoing::{DocumentKind, Freshness, NamedBy, NoWayOut, Outgoing, OutgoingError};
pub use params::{MalformedParams, Params};
pub use request::{Arrival, Issuer, IssuerError, Request, RequestId, Surface};
