//! `verify_token/` of FortiAuthenticator: does this access token of this client stand, and whose is it?
//!
//! Answered from memory at once; no client secret, no read, no await.

use obol_replica::{NotVerified, Vouched};
use obol_token::{Asked, Scratch, Timestamp};

use super::{Endpoint, Feature, Method, Steps, nothing};
use crate::engine::Call;
use crate::{Answer, Authorization, ErrorCode, OAuthError, Surface, Verification};

/// The seed document of `verify_token/`.
pub(super) const FEATURE: Feature = Feature {
    name: "token verification",
    specification: "FortiAuthenticator verify_token/",
    endpoints: &[Endpoint {
        surface: Surface::FortiAuthenticator,
        methods: &[Method::Get],
        path: "/api/v1/oauth/verify_token",
        steps: Steps::Asked(handle),
    }],
    grants: &[],
    describe: nothing,
};

fn handle<'a>(call: &Call<'a>, scratch: &'a mut Scratch) -> Result<Answer<'a>, OAuthError> {
    let client_id = call.request.query.required("client_id")?;
    let Authorization::Bearer(token) = &call.request.authorization else {
        let sentence = "Send the access token in the header `Authorization: Bearer …`.";
        return Err(OAuthError::new(ErrorCode::NoToken, sentence));
    };
    let verification = verify(call.vouched, token, client_id, call.request.arrival.now, scratch)?;
    Ok(Answer::Verification(verification))
}

/// Whether the token stands for this client, and what is said of it.
///
/// # Errors
/// `invalid_token`, the same for every reason; 503 where only what this node could not read tells.
pub(crate) fn verify<'a>(
    vouched: Vouched<'_>,
    token: &str,
    client_id: &str,
    now: Timestamp,
    scratch: &'a mut Scratch,
) -> Result<Verification<'a>, OAuthError> {
    match vouched.verify(token, Asked::Client(client_id), now, scratch) {
        Ok(claims) => Ok(Verification::of(&claims, now)),
        Err(NotVerified::Stale(stale)) => Err(stale.into()),
        Err(NotVerified::Refused(refusal)) => {
            let sentence = "The access token is not valid: unknown, expired, revoked or of another client.";
            Err(OAuthError::new(ErrorCode::InvalidToken, sentence).caused_by(refusal.reason()))
        }
    }
}
