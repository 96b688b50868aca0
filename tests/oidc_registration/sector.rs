//! §5: `sector_identifier_uri`.

use obol_testkit::{AuthorizationRequest, Elsewhere, Jwt, REDIRECT_URI};
use serde_json::{Value, json};

use crate::both::Both;
use crate::house::{open, open_with};

const OTHER: &str = "https://other.example/cb";
const METADATA: &str = "invalid_client_metadata";

/// A client of two hosts, of the sector of whoever publishes that document.
fn of_sector(uri: &str, redirect_uris: &Value) -> Value {
    json!({ "redirect_uris": redirect_uris, "subject_type": "pairwise", "sector_identifier_uri": uri })
}

fn both_and(elsewhere: &Elsewhere) -> Both {
    Both::of(open_with(|server| server.may_ask(elsewhere)))
}

#[test]
fn oidc_registration_5_clients_of_one_sector_know_a_person_by_one_sub() {
    let elsewhere = Elsewhere::start();
    let both = both_and(&elsewhere);
    let uri = elsewhere.url("/uris.json");
    elsewhere.publishes("/uris.json", &json!([OTHER, REDIRECT_URI, "https://third.example/"]));
    let known = both.server.registered(&of_sector(&uri, &json!([REDIRECT_URI, OTHER])));
    assert_eq!(known.told["sector_identifier_uri"], uri.as_str());
    known.update(&both.server, &of_sector(&uri, &json!([OTHER]))).expect(200);
    let sub = |metadata: &Value, redirect_uri: &str| {
        let client = both.server.registered(metadata).client;
        let request = AuthorizationRequest::of(&client).with("redirect_uri", redirect_uri);
        let code = both.server.person().goes_through(&request).code().to_owned();
        let fields =
            [("code", &*code), ("redirect_uri", redirect_uri), ("code_verifier", obol_testkit::VERIFIER)];
        let given = both.server.redeem_with(&client, &fields).expect(200);
        Jwt::read(&given.text("id_token")).claims["sub"].clone()
    };
    let one = sub(&of_sector(&uri, &json!([REDIRECT_URI])), REDIRECT_URI);
    assert_eq!(sub(&of_sector(&uri, &json!([OTHER])), OTHER), one);
    let alone = json!({ "redirect_uris": [REDIRECT_URI], "subject_type": "pairwise" });
    assert_ne!(sub(&alone, REDIRECT_URI), one);
}

/// Core §8.1: the host alone. So a client at a port is of the sector that it names there.
#[test]
fn oidc_registration_5_a_port_makes_no_other_sector() {
    let elsewhere = Elsewhere::start();
    let both = both_and(&elsewhere);
    let redirect_uris = json!([elsewhere.url("/cb")]);
    elsewhere.publishes("/uris.json", &redirect_uris);
    let derived = json!({ "redirect_uris": redirect_uris, "subject_type": "pairwise" });
    let known = both.server.registered(&derived);
    known.update(&both.server, &of_sector(&elsewhere.url("/uris.json"), &redirect_uris)).expect(200);
}

#[test]
fn oidc_registration_5_the_document_lists_every_redirect_uri() {
    let elsewhere = Elsewhere::start();
    let both = both_and(&elsewhere);
    for (at, document) in [
        ("/lacks", json!([REDIRECT_URI])),
        ("/like", json!([REDIRECT_URI, "https://other.example/cb/"])),
        ("/empty", json!([])),
        ("/object", json!({ "redirect_uris": [REDIRECT_URI, OTHER] })),
        ("/text", json!(REDIRECT_URI)),
        ("/numbers", json!([REDIRECT_URI, OTHER, 7])),
    ] {
        elsewhere.publishes(at, &document);
        both.refuse(&of_sector(&elsewhere.url(at), &json!([REDIRECT_URI, OTHER])), METADATA);
    }
    both.refuse(&of_sector(&elsewhere.url("/nothing"), &json!([REDIRECT_URI])), METADATA);
}

#[test]
fn oidc_registration_5_s_92_the_document_is_fetched_over_https_and_from_nowhere_near() {
    let elsewhere = Elsewhere::start();
    elsewhere.publishes("/uris.json", &json!([REDIRECT_URI]));
    let https = elsewhere.url("/uris.json");
    let both = Both::of(open());
    let clear = https.replace("https:", "http:");
    for uri in [&*https, &clear, "https://127.0.0.1/x", "https://169.254.169.254/x", "/uris.json", "x", ""] {
        both.refuse(&of_sector(uri, &json!([REDIRECT_URI])), METADATA);
    }
    assert_eq!(elsewhere.asked(), [], "what the operator does not allow is not asked");
}
