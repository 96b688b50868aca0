//! Pushed authorization requests (RFC 9126).

use crate::{Answer, AuthorizationRequest, Client, Http, Server};

/// The endpoint (RFC 9126 §2).
pub const PAR: &str = "/oauth2/par";

impl Http {
    /// Pushes a request of this client, with its credentials in the body.
    pub fn push(&self, client: &Client, request: &AuthorizationRequest) -> Answer {
        let request = match &client.secret {
            Some(secret) => request.clone().with("client_secret", secret),
            None => request.clone(),
        };
        self.post(PAR).body("application/x-www-form-urlencoded", request.form()).send()
    }
}

impl Server {
    /// What a browser brings for this request after the client has pushed it.
    #[track_caller]
    pub fn pushed(&self, client: &Client, request: &AuthorizationRequest) -> AuthorizationRequest {
        let pushed = self.http().push(client, request).expect(201);
        AuthorizationRequest::by_reference(client, &pushed.text("request_uri"))
    }
}
