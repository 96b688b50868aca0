//! RFC 7523 §2.2 and §3, RFC 7521 §4.2 and OpenID Connect Core §9: clients that authenticate with an assertion. One test per MUST.
//!
//! Exact edges of times, and when keys at a `jwks_uri` are asked for, are in `crates/oauth/tests/assertions.rs`, several nodes in `cluster.rs`.

#[path = "rfc7523/asserting.rs"]
mod asserting;
#[path = "rfc7523/forged.rs"]
mod forged;

use std::collections::HashSet;
use std::time::Duration;

use obol_testkit::{
    ALICE, AuthorizationRequest, Client, ClientKey, ClientSpec, Elsewhere, INTROSPECT, JWKS, Jwt, METADATA,
    PASSWORD, RFC_REVOKE, RFC_TOKEN, Server, at_once, hs256, now_secs, obol, wait_until,
};
use serde_json::{Value, json};

use self::asserting::{Asserting, CLIENT, ISSUER, TYPE, ask, claims, fields, keyed};

const BATCH: &str = "/oauth2/introspect/batch";
const GRANT: (&str, &str) = ("grant_type", "client_credentials");

/// A client that signs with its secret, on a running server.
fn signing_with_secret(spec: impl FnOnce(ClientSpec) -> ClientSpec) -> (Server, Client) {
    let server = obol!().server().start();
    let spec = spec(ClientSpec::confidential(CLIENT).option("--auth-method", "client_secret_jwt"));
    let client = server.add_client(&spec);
    (server, client)
}

fn by_secret(server: &Server, secret: &str) -> String {
    hs256(secret.as_bytes(), r#"{"alg":"HS256"}"#, &claims(server.url(), CLIENT).to_string())
}

/// How many assertions are noted as used.
fn noted(server: &Server) -> i64 {
    let database = rusqlite::Connection::open(server.data().join("obol.db")).expect("it is there");
    database.query_row("SELECT COUNT(*) FROM assertions", [], |row| row.get(0)).expect("it can be read")
}

#[test]
fn rfc7523_2_2_a_key_of_each_kind_authenticates_its_client() {
    for algorithm in ClientKey::ALGORITHMS {
        let house = Asserting::new(algorithm);
        let token = house.ask(&house.assertion()).expect(200).text("access_token");
        assert_eq!(house.client.secret, None);
        let about = [("token", token.as_str())];
        let answer = house.server.http().post(INTROSPECT).form(&fields(&house.assertion(), &about)).send();
        assert_eq!(answer.expect(200).json()["client_id"], CLIENT, "{algorithm}");
    }
}

#[test]
fn rfc7523_2_2_every_endpoint_that_authenticates_clients_takes_an_assertion() {
    let house = Asserting::new("ES256");
    let token = house.ask(&house.assertion()).expect(200).text("access_token");
    let post = |path: &str, more: &[(&str, &str)]| {
        house.server.http().post(path).form(&fields(&house.assertion(), more)).send()
    };
    let about = [("token", token.as_str())];
    assert_eq!(post(INTROSPECT, &about).expect(200).json()["active"], true);
    let list =
        json!({ "client_assertion_type": TYPE, "client_assertion": house.assertion(), "tokens": [token] });
    let batch = house.server.http().post(BATCH).body("application/json", list.to_string()).send();
    assert_eq!(batch.expect(200).json()["results"][0]["active"], true);
    post(RFC_REVOKE, &about).expect(200);
    assert_eq!(post(INTROSPECT, &about).expect(200).json()["active"], false);
}

#[test]
fn rfc7523_2_2_a_request_that_waits_for_storage_takes_one_too() {
    let server = obol!().server().alice().start();
    let key = ClientKey::new("ES256");
    server.add_client(&keyed(&server, CLIENT, &key.jwks()).grants(&["password", "refresh_token"]));
    let post = |more: &[(&str, &str)]| {
        let assertion = key.jwt(&claims(server.url(), CLIENT));
        server.http().post(RFC_TOKEN).form(&fields(&assertion, more)).send()
    };
    let pair = post(&[("grant_type", "password"), ("username", ALICE), ("password", PASSWORD)]).expect(200);
    let refresh = pair.text("refresh_token");
    post(&[("grant_type", "refresh_token"), ("refresh_token", &refresh)]).expect(200);
}

#[test]
fn rfc7523_2_2_the_surface_of_fortiauthenticator_takes_one_for_its_own_issuer() {
    let server = obol!().server().alice().start();
    let key = ClientKey::new("ES256");
    server.add_client(&keyed(&server, CLIENT, &key.jwks()).grants(&["password"]));
    let post = |audience: &str| {
        let assertion = key.jwt(&claims(audience, CLIENT));
        let more =
            [("client_id", CLIENT), ("grant_type", "password"), ("username", ALICE), ("password", PASSWORD)];
        server.http().post("/api/v1/oauth/token/").form(&fields(&assertion, &more)).send()
    };
    post(&format!("{}/api/v1/oauth", server.url())).expect(200);
    post(server.url()).expect_error(401, "invalid_client");
}

#[test]
fn rfc7521_4_2_an_assertion_goes_with_its_type() {
    let house = Asserting::new("ES256");
    let assertion = house.assertion();
    let saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
    for (form, error, status) in [
        (vec![("client_assertion", assertion.as_str())], "invalid_request", 400),
        (vec![("client_assertion", &assertion), ("client_assertion_type", "")], "invalid_request", 400),
        (vec![("client_assertion_type", TYPE)], "invalid_request", 400),
        (vec![("client_assertion_type", TYPE), ("client_assertion", "")], "invalid_request", 400),
        (vec![("client_assertion", &assertion), ("client_assertion_type", saml)], "invalid_client", 401),
        (
            vec![("client_assertion", &assertion), ("client_assertion_type", "jwt-bearer")],
            "invalid_client",
            401,
        ),
    ] {
        let form = [&form[..], &[GRANT, ("client_id", CLIENT)]].concat();
        house.server.http().post(RFC_TOKEN).form(&form).send().expect_error(status, error);
    }
    assert_eq!(noted(&house.server), 0);
    house.ask(&assertion).expect(200);
}

#[test]
fn rfc7521_4_2_client_id_need_not_be_sent_and_must_be_the_same() {
    let house = Asserting::new("ES256");
    let other = house.server.add_client(&ClientSpec::confidential("other"));
    for (client_id, good) in [(CLIENT, true), ("", true), (other.id.as_str(), false), ("nobody", false)] {
        let assertion = house.assertion();
        let form = fields(&assertion, &[GRANT, ("client_id", client_id)]);
        let answer = house.server.http().post(RFC_TOKEN).form(&form).send();
        match good {
            true => drop(answer.expect(200)),
            false => drop(answer.expect_error(401, "invalid_client")),
        }
    }
}

#[test]
fn rfc6749_2_3_two_methods_in_one_request_are_refused() {
    let house = Asserting::new("ES256");
    let gateway = house.server.add_client(&ClientSpec::confidential("gateway"));
    let post = |assertion: &str| house.server.http().post(RFC_TOKEN).form(&fields(assertion, &[GRANT]));
    let assertion = house.assertion();
    for (id, secret) in [(CLIENT, "secret"), ("gateway", gateway.own_secret()), ("gateway", "wrong")] {
        post(&assertion).basic(id, secret).send().expect_error(400, "invalid_request");
        let form =
            [&fields(&assertion, &[GRANT])[..], &[("client_id", id), ("client_secret", secret)]].concat();
        house.server.http().post(RFC_TOKEN).form(&form).send().expect_error(400, "invalid_request");
    }
    post(&assertion).header("authorization", "Basic !").send().expect_error(400, "invalid_request");
    post(&assertion).send().expect(200);
}

#[test]
fn credentials_in_the_url_are_refused() {
    let house = Asserting::new("ES256");
    let assertion = house.assertion();
    let path = format!("{RFC_TOKEN}?client_assertion={assertion}");
    let answer = house.server.http().post(&path).form(&fields(&assertion, &[GRANT])).send();
    answer.expect_error(400, "invalid_request");
}

/// S-37.
#[test]
fn oidc_core_9_only_the_registered_method_counts() {
    let server = obol!().server().start();
    let key = ClientKey::new("ES256");
    let file = server.installation().write("keys.json", &key.jwks().to_string());
    let methods = ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"];
    for registered in methods {
        let spec = ClientSpec::confidential(registered).grants(&["client_credentials"]);
        let spec = match registered {
            "private_key_jwt" => spec.keyed(&file),
            _ => spec.option("--auth-method", registered).option("--jwks", &file),
        };
        let client = server.add_client(&spec);
        let secret =
            client.secret.clone().unwrap_or_else(|| "a-secret-that-it-does-not-have-at-all".to_owned());
        for presented in methods {
            let claims = claims(server.url(), registered);
            let post = server.http().post(RFC_TOKEN);
            let answer = match presented {
                "client_secret_basic" => post.form(&[GRANT]).basic(registered, &secret).send(),
                "client_secret_post" => {
                    post.form(&[GRANT, ("client_id", registered), ("client_secret", &secret)]).send()
                }
                "client_secret_jwt" => {
                    ask(&server, &hs256(secret.as_bytes(), r#"{"alg":"HS256"}"#, &claims.to_string()))
                }
                _ => ask(&server, &key.jwt(&claims)),
            };
            match presented == registered {
                true => drop(answer.expect(200)),
                false => drop(answer.expect_error(401, "invalid_client")),
            }
        }
        let bare = server.http().post(RFC_TOKEN).form(&[GRANT, ("client_id", registered)]).send();
        bare.expect_error(401, "invalid_client");
    }
}

#[test]
fn oidc_core_9_a_client_that_names_no_method_shows_its_secret_in_either_way_and_signs_nothing() {
    let server = obol!().server().start();
    let client = server.add_client(&ClientSpec::confidential(CLIENT));
    server.token_by_client_credentials(&client);
    server.http().post(RFC_TOKEN).form(&[GRANT]).basic(CLIENT, client.own_secret()).send().expect(200);
    ask(&server, &by_secret(&server, client.own_secret())).expect_error(401, "invalid_client");
    let key = ClientKey::new("ES256");
    ask(&server, &key.jwt(&claims(server.url(), CLIENT))).expect_error(401, "invalid_client");
}

#[test]
fn rfc7523_3_forged_assertions_are_refused_and_leave_nothing_behind() {
    let house = Asserting::new("ES256");
    let table = forged::table(&house);
    assert!(table.len() >= 120, "{} rows", table.len());
    let mut seen = HashSet::new();
    for (name, assertion) in &table {
        assert!(seen.insert(name.clone()), "{name} is there twice");
        let answer = house.ask(assertion);
        assert_eq!(answer.status, 401, "{name}: {answer:?}\n{assertion}");
        assert_eq!(answer.json()["error"], "invalid_client", "{name}");
    }
    assert_eq!(noted(&house.server), 0, "nobody without the key, or with a bad assertion, makes a row");
    house.ask(&house.assertion()).expect(200);
    assert_eq!(noted(&house.server), 1);
}

/// RFC 7515 §4.1, RFC 7519 §4: what is not understood, and need not be, is passed over.
#[test]
fn rfc7523_3_what_may_differ_is_taken() {
    let house = Asserting::new("ES256");
    let header = |member: &str| format!(r#"{{ "alg": "ES256", "kid": "{}"{member} }}"#, house.key.kid());
    for member in [
        "",
        r#", "typ": "JWT""#,
        r#", "typ": "jwt""#,
        r#", "typ": "client-authentication+jwt""#,
        r#", "typ": "application/client-authentication+jwt""#,
        r#", "cty": "x""#,
        r#", "x5t": "AAAA""#,
        r#", "jku": "https://evil.example/jwks""#,
    ] {
        let assertion = house.key.sign(&header(member), &house.claims().to_string());
        house.ask(&assertion).expect(200);
    }
    let without_kid = house.key.sign(r#"{"alg":"ES256"}"#, &house.claims().to_string());
    house.ask(&without_kid).expect(200);
    let now = now_secs();
    house.ask_with(|claims| claims["nbf"] = json!(now - 5)).expect(200);
    house.ask_with(|claims| claims["exp"] = json!(now as f64 + 30.5)).expect(200);
    house.ask_with(|claims| drop(claims.as_object_mut().unwrap().remove("iat"))).expect(200);
    house.ask_with(|claims| claims["jti"] = json!("x".repeat(256))).expect(200);
    house.ask_with(|claims| claims["other"] = json!({ "a": [1, null] })).expect(200);
}

#[test]
fn rfc7523_3_each_refusal_says_what_to_change() {
    let house = Asserting::new("ES256");
    let now = now_secs();
    for (name, value, said) in [
        ("iss", json!("other"), "`iss` and `sub` must both be the client_id"),
        ("aud", json!([ISSUER]), "`aud` must be `"),
        ("exp", json!(now - 1), "it has expired"),
        ("exp", json!(now + 900), "more than 300 seconds ahead"),
        ("nbf", json!(now + 60), "`nbf` is in the future"),
        ("jti", json!(""), "`jti` must be a text of 1 to 256 characters"),
    ] {
        let answer = house.ask_with(|claims| claims[name] = value).expect_error(401, "invalid_client");
        let sentence = answer.text("error_description");
        assert!(sentence.contains(said), "{name}: {sentence}");
    }
}

/// RFC 7523 §3 and S-40.
#[test]
fn oidc_core_9_an_assertion_is_good_once_also_after_a_restart_and_a_kill() {
    let mut house = Asserting::new("ES256");
    let assertion = house.assertion();
    house.ask(&assertion).expect(200);
    assert_is_used(&house, &assertion);
    house.server.stop();
    house.server.start_again();
    assert_is_used(&house, &assertion);
    let another = house.assertion();
    house.ask(&another).expect(200);
    house.server.kill();
    house.server.start_again();
    assert_is_used(&house, &another);
    // The id counts, not the text.
    let mut same_id = house.claims();
    same_id["jti"] = json!("an id");
    house.ask(&house.key.jwt(&same_id)).expect(200);
    same_id["exp"] = json!(now_secs() + 200);
    assert_is_used(&house, &house.key.jwt(&same_id));
}

#[track_caller]
fn assert_is_used(house: &Asserting, assertion: &str) {
    let refused = house.ask(assertion).expect_error(401, "invalid_client");
    assert!(refused.text("error_description").contains("was used before"), "{refused:?}");
}

#[test]
fn oidc_core_9_of_50_uses_at_once_one_succeeds() {
    let house = Asserting::new("ES256");
    let assertion = house.assertion();
    let answers = at_once(50, |_| house.ask(&assertion).status);
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 401).count(), 49, "{answers:?}");
}

#[test]
fn oidc_core_9_the_ids_of_one_client_are_no_other_s() {
    let server = obol!().server().start();
    let key = ClientKey::new("ES256");
    for id in ["one", "two"] {
        server.add_client(&keyed(&server, id, &key.jwks()));
    }
    for id in ["one", "two"] {
        let mut claims = claims(server.url(), id);
        claims["jti"] = json!("the same");
        ask(&server, &key.jwt(&claims)).expect(200);
    }
    assert_eq!(noted(&server), 2);
}

#[test]
fn rfc7523_3_with_the_older_setting_the_token_endpoint_or_the_issuer_is_the_audience_alone() {
    let house = Asserting::new("ES256");
    let endpoint = format!("{ISSUER}{RFC_TOKEN}");
    house.ask_with(|claims| claims["aud"] = json!(endpoint)).expect_error(401, "invalid_client");
    house.server.run(&["client", "set", CLIENT, "--assertion-audience", "token-endpoint"]).exits(0);
    for good in [&*endpoint, ISSUER] {
        house.ask_with(|claims| claims["aud"] = json!(good)).expect(200);
    }
    for other in
        [json!([endpoint]), json!([ISSUER]), json!([endpoint, ISSUER]), json!("https://other.example")]
    {
        house.ask_with(|claims| claims["aud"] = other).expect_error(401, "invalid_client");
    }
    house.server.run(&["client", "set", CLIENT, "--assertion-audience", "issuer"]).exits(0);
    house.ask(&house.assertion()).expect(200);
}

#[test]
fn rfc7517_5_one_of_several_keys_is_named_by_its_kid_and_keys_for_other_uses_do_not_count() {
    let server = obol!().server().start();
    let [one, two, encrypting, without_kid] = std::array::from_fn(|_| ClientKey::new("ES256"));
    let mut other_use = encrypting.jwk();
    other_use["use"] = json!("enc");
    let mut nameless = without_kid.jwk();
    nameless.as_object_mut().unwrap().remove("kid");
    let odd = json!({ "kty": "EC", "crv": "P-521", "x": "AAAA", "y": "AAAA", "kid": "odd" });
    let jwks = json!({ "keys": [odd, one.jwk(), two.jwk(), other_use, nameless, 7, { "kty": "new" }] });
    server.add_client(&keyed(&server, CLIENT, &jwks));
    for key in [&one, &two] {
        ask(&server, &key.jwt(&claims(server.url(), CLIENT))).expect(200);
    }
    let bare = r#"{"alg":"ES256"}"#;
    for key in [&one, &without_kid] {
        let ambiguous = key.sign(bare, &claims(server.url(), CLIENT).to_string());
        ask(&server, &ambiguous).expect_error(401, "invalid_client");
    }
    ask(&server, &encrypting.jwt(&claims(server.url(), CLIENT))).expect_error(401, "invalid_client");
    let wrong_kid = one.sign(&two.header().to_string(), &claims(server.url(), CLIENT).to_string());
    ask(&server, &wrong_kid).expect_error(401, "invalid_client");
}

/// A rotation: the client publishes its new key, and signs with it at once.
#[test]
fn oidc_core_10_1_1_keys_that_a_client_publishes_are_fetched_and_a_new_one_is_found() {
    let elsewhere = Elsewhere::start();
    let (first, second) = (ClientKey::new("ES256"), ClientKey::new("EdDSA"));
    elsewhere.publishes("/keys", &first.jwks());
    let server = obol!().server().may_ask(&elsewhere).start();
    let spec = ClientSpec::confidential(CLIENT).grants(&["client_credentials"]);
    server.add_client(&spec.keyed_at(&elsewhere.url("/keys")));
    let ask_with = |key: &ClientKey| ask(&server, &key.jwt(&claims(server.url(), CLIENT)));
    for _ in 0..3 {
        ask_with(&first).expect(200);
    }
    assert_eq!(elsewhere.asked().len(), 1, "they are kept");
    ask_with(&second).expect_error(401, "invalid_client");
    elsewhere.publishes("/keys", &json!({ "keys": [first.jwk(), second.jwk()] }));
    // Not more often than the way out allows, however many ask.
    wait_until("the new key is found", Duration::from_secs(30), || {
        (ask_with(&second).status == 200).then_some(())
    });
    assert!((2..=4).contains(&elsewhere.asked().len()), "{:?}", elsewhere.asked());
    assert!(elsewhere.asked().iter().all(|asked| asked.method == "GET" && asked.body.is_empty()));
}

#[test]
fn keys_that_cannot_be_fetched_let_nobody_in() {
    let elsewhere = Elsewhere::start();
    let key = ClientKey::new("ES256");
    elsewhere.publishes("/keys", &key.jwks());
    elsewhere.publishes("/private", &json!({ "keys": [{ "kty": "oct", "k": "AAAA" }] }));
    let server = obol!().server().may_ask(&elsewhere).start();
    for (id, path, status) in
        [("keys", "/keys", 200), ("private", "/private", 401), ("missing", "/missing", 503)]
    {
        let spec = ClientSpec::confidential(id).grants(&["client_credentials"]);
        server.add_client(&spec.keyed_at(&elsewhere.url(path)));
        let answer = ask(&server, &key.jwt(&claims(server.url(), id)));
        assert_eq!(answer.status, status, "{id}: {answer:?}");
    }
    // An address that may not be asked is not: the server trusts its authority, and its operator has not named it.
    let guarded = obol!().server().trusts(&elsewhere).start();
    let before = elsewhere.asked().len();
    let spec = ClientSpec::confidential(CLIENT).grants(&["client_credentials"]);
    guarded.add_client(&spec.keyed_at(&elsewhere.url("/keys")));
    let refused = ask(&guarded, &key.jwt(&claims(guarded.url(), CLIENT)));
    refused.expect_error(503, "temporarily_unavailable");
    assert_eq!(elsewhere.asked().len(), before);
}

#[test]
fn rfc7517_4_a_key_is_used_with_the_algorithm_that_it_names_only() {
    let server = obol!().server().start();
    let key = ClientKey::new("PS256");
    let mut jwk = key.jwk();
    jwk["alg"] = json!("RS256");
    server.add_client(&keyed(&server, CLIENT, &json!({ "keys": [jwk] })));
    ask(&server, &key.jwt(&claims(server.url(), CLIENT))).expect_error(401, "invalid_client");
}

#[test]
fn oidc_core_9_a_client_signs_with_its_secret() {
    let (server, client) = signing_with_secret(|spec| spec);
    ask(&server, &by_secret(&server, client.own_secret())).expect(200);
    ask(&server, &by_secret(&server, "another-secret-of-enough-characters"))
        .expect_error(401, "invalid_client");
    let used = by_secret(&server, client.own_secret());
    ask(&server, &used).expect(200);
    ask(&server, &used).expect_error(401, "invalid_client");
    for header in [r#"{"alg":"HS384"}"#, r#"{"alg":"HS512"}"#, r#"{"alg":"none"}"#, r#"{"alg":"ES256"}"#] {
        let payload = claims(server.url(), CLIENT).to_string();
        let other = hs256(client.own_secret().as_bytes(), header, &payload);
        ask(&server, &other).expect_error(401, "invalid_client");
    }
}

#[test]
fn a_secret_that_a_client_signs_with_is_kept_under_the_master_key_and_nowhere_in_clear() {
    let secret = "chosen-secret-of-at-least-32-characters";
    let (mut server, client) = signing_with_secret(|spec| spec.secret(secret));
    ask(&server, &by_secret(&server, client.own_secret())).expect(200);
    server.stop();
    server.start_again();
    ask(&server, &by_secret(&server, client.own_secret())).expect(200);
    server.stop();
    for entry in std::fs::read_dir(server.data()).expect("it is there") {
        let path = entry.expect("it can be listed").path();
        let Ok(bytes) = std::fs::read(&path) else { continue };
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{}", path.display());
    }
}

#[test]
fn rfc7518_3_2_a_secret_to_sign_with_has_256_bits_and_one_that_is_only_hashed_cannot_be_signed_with() {
    let server = obol!().server().start();
    let short = ["client", "add", "--id", CLIENT, "--type", "confidential", "--secret-stdin"];
    let short = [&short[..], &["--auth-method", "client_secret_jwt"]].concat();
    let refused = server.installation().run_with_input(&short, "thirty-one-characters-are-short\n").exits(1);
    assert!(refused.stderr.contains("at least 32 characters"), "{refused:?}");
    let client = server.add_client(&ClientSpec::confidential(CLIENT).grants(&["client_credentials"]));
    let set = ["client", "set", CLIENT, "--auth-method", "client_secret_jwt"];
    let refused = server.run(&set).exits(1);
    assert!(refused.stderr.contains("rotate-secret --for-signing"), "{refused:?}");
    server.token_by_client_credentials(&client);
    let rotated = server.run(&["client", "rotate-secret", CLIENT, "--for-signing", "--json"]).exits(0).json();
    server.run(&set).exits(0);
    let rotated = rotated["client_secret"].as_str().unwrap().to_owned();
    ask(&server, &by_secret(&server, &rotated)).expect(200);
    // Replaced once more, it can be signed with still, and the old one cannot.
    let newest = server.run(&["client", "rotate-secret", CLIENT, "--json"]).exits(0).json();
    ask(&server, &by_secret(&server, newest["client_secret"].as_str().unwrap())).expect(200);
    ask(&server, &by_secret(&server, &rotated)).expect_error(401, "invalid_client");
}

/// S-41: whoever chose a secret may have chosen a bad one.
#[test]
fn rfc6749_2_3_1_guessing_a_secret_with_assertions_is_slowed_down() {
    let (server, client) = signing_with_secret(|spec| spec.secret("chosen-secret-of-at-least-32-characters"));
    let guess = |number: usize| ask(&server, &by_secret(&server, &format!("{number:040}"))).status;
    let statuses: Vec<_> = (0..40).map(guess).collect();
    assert_eq!(statuses[..10], [401; 10], "{statuses:?}");
    assert_eq!(statuses[39], 429, "{statuses:?}");
    let right =
        ask(&server, &by_secret(&server, client.own_secret())).expect_error(429, "temporarily_unavailable");
    assert!(right.header("retry-after").is_some(), "{right:?}");
}

#[test]
fn a_generated_secret_cannot_be_guessed_so_that_nobody_locks_its_owner_out() {
    let (server, client) = signing_with_secret(|spec| spec);
    for number in 0..60 {
        ask(&server, &by_secret(&server, &format!("{number:040}"))).expect_error(401, "invalid_client");
    }
    ask(&server, &by_secret(&server, client.own_secret())).expect(200);
}

/// S-50.
#[test]
fn no_jwt_of_another_kind_is_an_assertion_and_no_assertion_is_a_token() {
    let house = Asserting::new("ES256");
    let app = ClientSpec::public("app").option("--access-token-format", "jwt").option("--scope", "openid");
    let app = house.server.add_client(&app);
    let access = house.server.rfc_token_by_password(&app, ALICE, PASSWORD).access;
    house.ask(&access).expect_error(401, "invalid_client");
    for typ in ["at+jwt", "logout+jwt", "oauth-authz-req+jwt", "secevent+jwt"] {
        let header = json!({ "alg": "ES256", "kid": house.key.kid(), "typ": typ }).to_string();
        house.ask(&house.key.sign(&header, &house.claims().to_string())).expect_error(401, "invalid_client");
    }
    let assertion = house.assertion();
    let about = house.assertion();
    let form = fields(&about, &[("token", &assertion)]);
    let answer = house.server.http().post(INTROSPECT).form(&form).send().expect(200);
    assert_eq!(answer.json()["active"], false);
    house.server.http().get("/oauth2/userinfo").bearer(&assertion).send().expect(401);
    let verify = format!("/api/v1/oauth/verify_token/?client_id={CLIENT}");
    house.server.http().get(&verify).bearer(&assertion).send().expect(401);
    house.ask(&assertion).expect(200);
}

/// S-50: also where a client has named the keys of this server as its own, and the person's name.
#[test]
fn no_id_token_is_an_assertion() {
    let (server, app) = obol!().application();
    let code = server.person().goes_through(&AuthorizationRequest::of(&app)).code().to_owned();
    let id_token = server.redeem(&app, &code).expect(200).text("id_token");
    let sub = Jwt::read(&id_token).claims["sub"].as_str().expect("a text").to_owned();
    let keys = server.http().get(JWKS).send().expect(200).json();
    server.add_client(&keyed(&server, &sub, &keys));
    let refused = ask(&server, &id_token).expect_error(401, "invalid_client");
    let sentence = refused.text("error_description");
    assert!(sentence.contains("`iss` and `sub` must both be the client_id"), "{sentence}");
}

#[test]
fn a_disabled_client_is_refused_and_its_keys_can_be_replaced() {
    let house = Asserting::new("ES256");
    house.server.run(&["client", "disable", CLIENT]).exits(0);
    let refused = house.ask(&house.assertion()).expect_error(401, "invalid_client");
    assert!(refused.text("error_description").contains("not known here"), "{refused:?}");
    house.server.run(&["client", "enable", CLIENT]).exits(0);
    house.ask(&house.assertion()).expect(200);
    let new = ClientKey::new("EdDSA");
    let file = house.server.installation().write("new.json", &new.jwks().to_string());
    house.server.run(&["client", "set", CLIENT, "--jwks", &file]).exits(0);
    house.ask(&house.assertion()).expect_error(401, "invalid_client");
    house.ask(&new.jwt(&house.claims())).expect(200);
}

#[test]
fn a_refused_assertion_is_audited_with_the_client_that_it_names() {
    let house = Asserting::new("ES256");
    house.ask_with(|claims| claims["aud"] = json!("https://other.example")).expect(401);
    let record = house.server.await_audit("the refusal", |line| line.event() == "client.refused");
    assert_eq!(record.text("client_id"), CLIENT, "{record:?}");
    assert!(record.text("reason").contains("`aud`"), "{record:?}");
}

#[test]
fn the_command_line_refuses_what_does_not_fit_together() {
    let server = obol!().server().start();
    let good = server.installation().write("good.json", &ClientKey::new("ES256").jwks().to_string());
    let file = |name: &str, content: Value| server.installation().write(name, &content.to_string());
    let mut private = ClientKey::new("ES256").jwk();
    private["d"] = json!("AAAA");
    let private = file("private.json", json!({ "keys": [private] }));
    let secret = file("secret.json", json!({ "keys": [{ "kty": "oct", "k": "AAAA" }] }));
    let short = file(
        "short.json",
        json!({ "keys": [{ "kty": "RSA", "n": obol_testkit::encoded([0xff; 128]), "e": "AQAB" }] }),
    );
    let none = file("none.json", json!({ "keys": [] }));
    let key = ClientKey::new("ES256").jwk();
    let many = file("many.json", json!({ "keys": vec![key; 21] }));
    let no_set = file("no_set.json", json!([]));
    let no_json = server.installation().write("no.json", "keys");
    let by_key = ["--auth-method", "private_key_jwt"];
    for (kind, options, says) in [
        ("confidential", &["--auth-method", "private_key_jwt"][..], "needs the keys"),
        ("confidential", &[&by_key[..], &["--jwks", &private]].concat(), "private or secret key"),
        ("confidential", &[&by_key[..], &["--jwks", &secret]].concat(), "private or secret key"),
        ("confidential", &[&by_key[..], &["--jwks", &short]].concat(), "no key for"),
        ("confidential", &[&by_key[..], &["--jwks", &none]].concat(), "no key for"),
        ("confidential", &[&by_key[..], &["--jwks", &many]].concat(), "more than 20 keys"),
        ("confidential", &[&by_key[..], &["--jwks", &no_set]].concat(), "not a JWK set"),
        ("confidential", &[&by_key[..], &["--jwks", &no_json]].concat(), "no.json"),
        ("confidential", &[&by_key[..], &["--jwks", "nowhere.json"]].concat(), "nowhere.json"),
        ("confidential", &[&by_key[..], &["--jwks-uri", "http://a.example/keys"]].concat(), "https URL"),
        ("confidential", &[&by_key[..], &["--jwks-uri", "https://a.example/#x"]].concat(), "https URL"),
        ("confidential", &[&by_key[..], &["--jwks", &good, "--jwks-uri", "https://a/k"]].concat(), "--jwks"),
        ("confidential", &[&by_key[..], &["--jwks", &good, "--secret-stdin"]].concat(), "has no secret"),
        ("confidential", &["--auth-method", "none"], "a confidential client authenticates"),
        ("confidential", &["--auth-method", "tls_client_auth"], "client_secret_basic"),
        ("public", &[&by_key[..], &["--jwks", &good]].concat(), "--type confidential"),
        ("public", &["--auth-method", "client_secret_basic", "--grant", "password"], "does not authenticate"),
    ] {
        let refused = server.run(&[&["client", "add", "--id", "x", "--type", kind], options].concat());
        assert!(matches!(refused.code, Some(1 | 2)), "{options:?}: {refused:?}");
        assert!(refused.stderr.contains(says), "{options:?}: {refused:?}");
    }
    let public = server.add_client(&ClientSpec::public("public"));
    let keyed = ClientSpec::confidential("keyed").grants(&["client_credentials"]).keyed(&good);
    for client in [public, server.add_client(&keyed)] {
        let other = if client.id == "public" { "private_key_jwt" } else { "client_secret_basic" };
        let set = ["client", "set", &client.id, "--auth-method", other, "--jwks", &good];
        let refused = server.run(&set).exits(1);
        assert!(refused.stderr.contains("stays public or confidential"), "{refused:?}");
    }
    let refused = server.run(&["client", "rotate-secret", "keyed"]).exits(1);
    assert!(refused.stderr.contains("no client `keyed` with a secret"), "{refused:?}");
}

#[test]
fn rfc8414_2_the_algorithms_of_assertions_are_told_for_each_endpoint() {
    let server = obol!().server().start();
    let document = server.http().get(METADATA).send().expect(200).json();
    for endpoint in ["token_endpoint", "revocation_endpoint", "introspection_endpoint"] {
        let told = &document[format!("{endpoint}_auth_signing_alg_values_supported")];
        assert_eq!(*told, json!(["ES256", "RS256", "PS256", "EdDSA", "HS256"]), "{endpoint}");
    }
}
