//! Client assertions (RFC 7523).

use obol_testkit::{Answer, ClientKey, ClientSpec, INTROSPECT, RFC_TOKEN, Server, hs256, now_secs, obol};
use serde_json::{Value, json};

use crate::watched::Watched;

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn claims(server: &Server, id: &str, jti: &str) -> Value {
    json!({ "iss": id, "sub": id, "aud": server.url(), "exp": now_secs() + 60, "jti": jti })
}

fn ask(server: &Server, path: &str, assertion: &str) -> Answer {
    let form = [
        ("grant_type", "client_credentials"),
        ("token", "x"),
        ("client_assertion_type", TYPE),
        ("client_assertion", assertion),
    ];
    server.http().post(path).form(&form).send()
}

#[test]
fn s_89_no_client_assertion() {
    let mut watched = Watched::start(obol!().server());
    let key = ClientKey::new("ES256");
    let keys = watched.server.installation().write("keys.json", &key.jwks().to_string());
    let service = ClientSpec::confidential("service").grants(&["client_credentials"]).introspection();
    let service = watched.add_client(&service.keyed(&keys));
    let of_key = |watched: &Watched, jti: &str, change: fn(&mut Value)| {
        let mut claims = claims(&watched.server, "service", jti);
        change(&mut claims);
        key.jwt(&claims)
    };

    for path in [RFC_TOKEN, INTROSPECT] {
        let good = of_key(&watched, path, |_| ());
        watched.keep(&good);
        ask(&watched.server, path, &good).expect(200);
        let again = ask(&watched.server, path, &good).expect_error(401, "invalid_client");
        watched.refused(again);
    }
    let changes: [fn(&mut Value); 4] = [
        |claims| claims["aud"] = json!("https://other.example"),
        |claims| claims["exp"] = json!(1),
        |claims| claims["sub"] = json!("nobody"),
        |claims| claims["jti"] = json!(["a list"]),
    ];
    for change in changes {
        let bad = of_key(&watched, "bad", change);
        watched.keep(&bad);
        let answer = ask(&watched.server, RFC_TOKEN, &bad).expect_error(401, "invalid_client");
        watched.refused(answer);
    }
    let forged = ClientKey::new("ES256").jwt(&claims(&watched.server, "service", "forged"));
    watched.keep(&forged);
    let answer = ask(&watched.server, RFC_TOKEN, &forged).expect_error(401, "invalid_client");
    watched.refused(answer);
    let unused = of_key(&watched, "unused", |_| ());
    misplaced(&mut watched, &unused);
    watched.shows(&service);
    watched.ends("service");
}

/// Sent where it does not belong.
fn misplaced(watched: &mut Watched, assertion: &str) {
    watched.keep(assertion);
    let http = watched.server.http().clone();
    let grant = [("grant_type", "client_credentials")];
    let post = || http.post(RFC_TOKEN);
    let as_secret = [grant[0], ("client_id", "service"), ("client_secret", assertion)];
    let without_type = [grant[0], ("client_assertion", assertion)];
    let as_id = [grant[0], ("client_id", assertion)];
    let twice = [without_type[0], without_type[1], without_type[1]];
    for answer in [
        http.post(&format!("{RFC_TOKEN}?client_assertion={assertion}")).form(&grant).send(),
        post().basic("service", assertion).form(&grant).send(),
        post().bearer(assertion).form(&grant).send(),
        post().form(&as_secret).send(),
        post().form(&as_id).send(),
        post().basic(assertion, "a secret").form(&grant).send(),
        post().form(&without_type).send(),
        post().form(&twice).send(),
        http.get(&format!("/nowhere/{assertion}")).send(),
    ] {
        watched.refused(answer);
    }
    watched.runs(&["token", "explain", assertion], 1);
}

#[test]
fn s_89_no_client_assertion_that_is_made_with_the_secret_and_not_the_secret() {
    let mut watched = Watched::start(obol!().server());
    let spec = ClientSpec::confidential("service").option("--auth-method", "client_secret_jwt");
    let service = watched.add_client(&spec);
    for (secret, status) in [(service.own_secret(), 200), ("another-secret-of-32-characters-.", 401)] {
        let said = claims(&watched.server, "service", secret).to_string();
        let assertion = hs256(secret.as_bytes(), r#"{"alg":"HS256"}"#, &said);
        watched.keep(&assertion);
        ask(&watched.server, RFC_TOKEN, &assertion).expect(status);
    }
    watched.shows(&service);
    watched.ends("service");
}
