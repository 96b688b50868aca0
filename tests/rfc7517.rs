//! RFC 7517 (JSON Web Key) at `/oauth2/jwks`, with the key ids of RFC 7638, and FortiAuthenticator's `.well-known/keys/`.

use std::collections::BTreeSet;
use std::fs;

use obol_testkit::{Answer, METADATA, Server, obol};
use serde_json::Value;

const JWKS: &str = "/oauth2/jwks";
const FORTI_KEYS: &str = "/api/v1/oauth/.well-known/keys/";

#[test]
fn rfc7517_5_the_set_is_an_object_with_an_array_of_keys_and_the_metadata_names_it() {
    let server = obol!().server().start();
    let document = server.http().get(METADATA).send().expect(200).json();
    let uri = document["jwks_uri"].as_str().expect("a URL");
    assert_eq!(uri.strip_prefix(server.url()), Some(JWKS));
    let set = server.http().get(JWKS).send().expect(200).json();
    assert_eq!(set.as_object().expect("an object").keys().collect::<Vec<_>>(), ["keys"]);
    assert_eq!(keys(&server, JWKS).len(), 1);
    assert_eq!(keys(&server, JWKS)[0]["alg"], "ES256");
}

#[test]
fn rfc7517_4_each_key_says_its_type_and_use_a_kid_of_its_own_and_no_private_member() {
    let server = obol!().server().start();
    for algorithm in ["ES256", "RS256", "EdDSA"] {
        server.run(&["keys", "rotate", "--kind", "signing", "--algorithm", algorithm, "--now"]).exits(0);
    }
    let keys = keys(&server, JWKS);
    assert_eq!(keys.len(), 4, "{keys:#?}");
    let kids: BTreeSet<_> = keys.iter().map(|key| key["kid"].as_str().expect("a kid")).collect();
    assert_eq!(kids.len(), 4);
    for key in &keys {
        let found: Vec<_> = key.as_object().expect("an object").keys().map(String::as_str).collect();
        let expected: &[&str] = match key["kty"].as_str() {
            Some("EC") => &["alg", "crv", "kid", "kty", "use", "x", "y"],
            Some("RSA") => &["e", "kid", "kty", "n", "use"],
            Some("OKP") => &["alg", "crv", "kid", "kty", "use", "x"],
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected);
        assert_eq!(key["use"], "sig");
    }
}

/// The key of RFC 8037 §A.1, and its thumbprint (§A.3).
#[test]
fn rfc7638_3_the_kid_is_the_thumbprint_of_the_key() {
    let server = obol!().server().start();
    let file = server.data().join("imported.pem");
    let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
        -----END PRIVATE KEY-----\n";
    fs::write(&file, pem).expect("the folder is there");
    let imported = server.run(&["keys", "import", &file.display().to_string(), "--json"]).exits(0).json();
    let keys = keys(&server, JWKS);
    let key = keys.iter().find(|key| key["kty"] == "OKP").expect("it is published");
    assert_eq!(key["kid"], "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert_eq!(key["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    assert_eq!(imported["key_id"], "90facafe", "the first bytes of it");
}

#[test]
fn a_key_is_published_before_it_signs_and_until_it_is_retired() {
    let server = obol!().server().start();
    let kids =
        |server: &Server| -> Vec<Value> { keys(server, JWKS).iter().map(|key| key["kid"].clone()).collect() };
    let first = kids(&server);
    let rotated = server.run(&["keys", "rotate", "--kind", "signing", "--json"]).exits(0).json();
    assert_eq!((&rotated["state"], kids(&server).len()), (&"waits".into(), 2));
    server.run(&["keys", "rotate", "--kind", "signing", "--now"]).exits(0);
    assert_eq!(kids(&server).len(), 2);
    let listed = server.run(&["keys", "list", "--json"]).exits(0).json();
    let old = listed.as_array().expect("a list").iter().find(|key| key["state"] == "verifies");
    let old = old.expect("the first one")["key_id"].as_str().expect("its id").to_owned();
    server.run(&["keys", "retire", &old, "--yes"]).exits(0);
    assert_eq!(kids(&server).len(), 1);
    assert_ne!(kids(&server), first);
}

#[test]
fn the_set_may_be_kept_for_as_long_as_the_setting_says() {
    let cache_control = |answer: &Answer| answer.header("cache-control").map(str::to_owned);
    let server = obol!().server().start();
    let answer = server.http().get(JWKS).send().expect(200);
    assert_eq!(cache_control(&answer).as_deref(), Some("public, max-age=3600"));
    assert_eq!(answer.header("pragma"), None);
    let server = obol!().server().option("--jwks-max-age", "0").start();
    assert_eq!(cache_control(&server.http().get(JWKS).send().expect(200)).as_deref(), Some("no-cache"));
}

#[test]
fn fortiauthenticator_5_3_keys_say_rs256_and_answer_with_and_without_the_final_slash() {
    let server = obol!().server().start();
    server.run(&["keys", "rotate", "--kind", "signing", "--algorithm", "RS256", "--now"]).exits(0);
    let found = keys(&server, FORTI_KEYS);
    let rsa = found.iter().find(|key| key["kty"] == "RSA").expect("it is published");
    let members: Vec<_> = rsa.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"]);
    assert_eq!((&rsa["alg"], &rsa["use"]), (&"RS256".into(), &"sig".into()));
    for path in [FORTI_KEYS, JWKS] {
        let bare = path.trim_end_matches('/');
        assert_eq!(keys(&server, bare), keys(&server, &format!("{bare}/")));
        server.http().post(path).form(&[]).send().expect(405);
    }
    let answer = server.http().get(FORTI_KEYS).send().expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"), "as everything beside it");
}

fn keys(server: &Server, path: &str) -> Vec<Value> {
    let set = server.http().get(path).send().expect(200).json();
    set["keys"].as_array().expect("a list").clone()
}
