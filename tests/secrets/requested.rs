//! References of pushed requests (RFC 9126) and request objects (RFC 9101).

use obol_testkit::{AuthorizationRequest, Client, ClientKey, ClientSpec, obol};
use serde_json::json;

use crate::watched::Watched;

/// What only the reference says: its prefix is everybody's.
fn own_part(request_uri: &str) -> &str {
    request_uri.rsplit(':').next().expect("the last part")
}

#[test]
fn s_89_no_reference_of_a_pushed_request_and_no_code() {
    let mut watched = Watched::start(obol!().server().alice());
    let app = watched.add_client(&ClientSpec::application("app"));
    let other = watched.add_client(&ClientSpec::application("other"));
    let request = AuthorizationRequest::of(&app);
    let push = |watched: &mut Watched| {
        let uri = watched.server.http().push(&app, &request).expect(201).text("request_uri");
        watched.keep(own_part(&uri));
        uri
    };
    let uri = push(&mut watched);
    let by_reference = |client: &Client| AuthorizationRequest::by_reference(client, &uri);
    let page = watched.server.person().follows(&by_reference(&other)).refused(400);
    watched.refused(page);
    let code = watched.server.person().goes_through(&by_reference(&app)).code().to_owned();
    watched.keep(&code);
    let page = watched.server.person().follows(&by_reference(&app)).refused(400);
    watched.refused(page);
    watched.server.tokens_for(&app, &code);
    let answer = watched.server.redeem(&app, &code).expect(400);
    watched.refused(answer);

    let unused = push(&mut watched);
    let pushed_again = watched.server.http().push(&app, &request.clone().with("request_uri", &unused));
    watched.refused(pushed_again.expect(400));
    let as_id =
        watched.server.http().push(&Client::bare(&unused), &request.clone().with("client_id", &unused));
    watched.refused(as_id.expect(401));
    watched.shows(&app);
    watched.ends("app");
}

#[test]
fn s_89_no_request_object() {
    let mut watched = Watched::start(obol!().server().alice());
    let key = ClientKey::new("ES256");
    let keys = watched.server.installation().write("keys.json", &key.jwks().to_string());
    let app = watched.add_client(&ClientSpec::application("app").option("--jwks", &keys));
    let object = |watched: &mut Watched, audience: &str, key: &ClientKey| {
        let mut claims = AuthorizationRequest::of(&app).claims();
        claims["iss"] = json!(app.id);
        claims["aud"] = json!(audience);
        claims["nonce"] = json!("a nonce");
        let object = key.jwt(&claims);
        watched.keep(&object);
        AuthorizationRequest::signed(&app, &object)
    };
    let audience = watched.server.url().to_owned();
    let good = object(&mut watched, &audience, &key);
    watched.server.person().goes_through(&good);
    let pushed = watched.server.pushed(&app, &good);
    watched.server.person().goes_through(&pushed);

    for bad in [
        object(&mut watched, "https://other.example", &key),
        object(&mut watched, &audience, &ClientKey::new("ES256")),
    ] {
        let pushed = watched.server.http().push(&app, &bad).expect_error(400, "invalid_request_object");
        watched.refused(pushed);
        let nowhere = bad.clone().with("redirect_uri", "https://evil.example/cb");
        let page = watched.server.person().follows(&nowhere).refused(400);
        watched.refused(page);
        let back = watched.server.person().follows(&bad).returns();
        assert_eq!(back.error(), "invalid_request_object");
    }
    watched.shows(&app);
    watched.ends("app");
}
