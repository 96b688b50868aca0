//! OpenID Connect Core 1.0, the code flow. One test per MUST, a file per part.

#[path = "oidc_core/authentication_request.rs"]
mod authentication_request;
#[path = "oidc_core/claims.rs"]
mod claims;
#[path = "oidc_core/id_token.rs"]
mod id_token;
#[path = "oidc_core/interaction.rs"]
mod interaction;
#[path = "oidc_core/refresh.rs"]
mod refresh;
#[path = "oidc_core/userinfo.rs"]
mod userinfo;

use obol_testkit::{AuthorizationRequest, Client, Jwt, Person, Server};

/// The ID token that somebody gets who goes through a request.
#[track_caller]
fn id_token_of(server: &Server, app: &Client, person: &mut Person, request: &AuthorizationRequest) -> Jwt {
    let code = person.goes_through(request).code().to_owned();
    Jwt::verified(&server.redeem(app, &code).expect(200).text("id_token"), server)
}
