//! Back-channel logout: clients are told by a signed token that a session has ended. Home of OpenID Connect Back-Channel Logout.
//!
//! 1. A client with a `backchannel_logout_uri` redeems a code: the store remembers it beside the session ([`told_of_end`]).
//! 2. The session ends, in whatever way but by its time: the same transaction writes a notice for each such client.
//! 3. A task beside the server looks which clients are to be told ([`Engine::clients_to_tell`]), takes notices
//!    ([`Engine::take_notices`]) and posts a token for each ([`Engine::tell_of_logout`]), until the client says 200 or 204,
//!    or a day has passed. Of several nodes the one that has taken a notice tries; one that dies leaves it to the next.

mod telling;
mod token;

use obol_store::Client;
use serde_json::{Map, Value, json};

pub use self::telling::{ClientToTell, LogoutTold};
use super::Feature;
use crate::{Engine, Surface};

/// OpenID Connect Back-Channel Logout 1.0.
pub(super) const FEATURE: Feature = Feature {
    name: "back-channel logout",
    specification: "OpenID Connect Back-Channel Logout §2",
    endpoints: &[],
    grants: &[],
    describe,
};

/// What the client's notice says beside when a session ends in which it redeems a code: the surface whose issuer it knows.
/// `None` if it is not to be told.
pub(super) fn told_of_end(client: &Client, surface: Surface) -> Option<String> {
    client.settings.backchannel_logout_uri.as_ref().map(|_| json!(surface).to_string())
}

fn describe(_: &Engine, document: &mut Map<String, Value>) {
    document.insert("backchannel_logout_supported".into(), json!(true));
    document.insert("backchannel_logout_session_supported".into(), json!(true));
}
