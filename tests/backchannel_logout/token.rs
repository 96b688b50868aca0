//! §2.1 to §2.5: what is announced, what a client is told, and how.

use std::collections::BTreeSet;

use obol_testkit::{AuthorizationRequest, FORTI_AUTHORIZE, Jwt, METADATA, TOLD};
use serde_json::{Value, json};

use crate::house::{House, told_at};

#[test]
fn bclo_2_1_support_is_announced_also_for_single_sessions() {
    let house = House::open();
    for path in [METADATA, "/.well-known/openid-configuration"] {
        let document = house.server.http().get(path).send().expect(200).json();
        assert_eq!(document["backchannel_logout_supported"], true, "{path}");
        assert_eq!(document["backchannel_logout_session_supported"], true, "{path}");
    }
}

#[test]
fn bclo_2_4_a_logout_token_says_who_where_and_which_session_and_nothing_that_an_id_token_says() {
    let house = House::open();
    let mut alice = house.sign_in();
    alice.person.signs_out();
    let token = house.told(1).remove(0);
    let id_token = Jwt::read(&alice.id_token);
    assert_eq!(token.header["typ"], "logout+jwt");
    let names: BTreeSet<_> =
        token.claims.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(names, BTreeSet::from(["aud", "events", "exp", "iat", "iss", "jti", "sid", "sub"]));
    for name in ["iss", "sub", "aud", "sid"] {
        assert_eq!(token.claims[name], id_token.claims[name], "{name}");
    }
    assert_eq!(token.claims["events"], json!({"http://schemas.openid.net/event/backchannel-logout": {}}));
    let secs = |name: &str| token.claims[name].as_i64().expect("a number");
    let signed_in = id_token.claims["iat"].as_i64().expect("a number");
    assert!((0..=30).contains(&(secs("iat") - signed_in)), "{token:?}");
    assert!((1..=120).contains(&(secs("exp") - secs("iat"))), "{token:?}");
}

#[test]
fn bclo_2_4_each_token_has_an_id_of_its_own() {
    let house = House::open();
    for _ in 0..3 {
        house.sign_in().person.signs_out();
    }
    let told = house.told(3);
    let ids: BTreeSet<_> = told.iter().map(|token| token.claims["jti"].as_str().expect("a text")).collect();
    assert_eq!(ids.len(), 3);
}

#[test]
fn bclo_2_4_it_is_signed_as_the_client_s_id_tokens_are() {
    for algorithm in ["RS256", "PS256", "EdDSA"] {
        let house = House::open_with(|app| app.option("--id-token-alg", algorithm), &[]);
        let mut alice = house.sign_in();
        alice.person.signs_out();
        assert_eq!(house.told(1)[0].header["alg"], algorithm);
        assert_eq!(Jwt::read(&alice.id_token).header["alg"], algorithm);
    }
}

#[test]
fn bclo_2_4_a_client_with_pairwise_subjects_is_told_by_what_it_knows_person_and_session() {
    let house = House::open_with(|app| app.option("--subject-type", "pairwise"), &[]);
    let other = house.server.add_client(&told_at("public", &house.elsewhere.url(TOLD)));
    let alice = house.sign_in();
    let mut at_both = house.brought_to(alice.person, &other);
    at_both.person.signs_out();
    let told = house.told(2);
    let of = |id: &str| told.iter().find(|token| token.claims["aud"] == id).expect("it was told");
    for (id, id_token) in [("app", &alice.id_token), ("public", &at_both.id_token)] {
        let known = Jwt::read(id_token);
        for name in ["sub", "sid"] {
            assert_eq!(of(id).claims[name], known.claims[name], "{id} {name}");
        }
    }
    assert_ne!(of("app").claims["sub"], of("public").claims["sub"]);
    assert_ne!(of("app").claims["sid"], of("public").claims["sid"]);
}

#[test]
fn bclo_2_4_the_issuer_is_the_one_that_the_client_knows() {
    let house = House::open();
    let mut alice = house.server.person();
    let request = AuthorizationRequest::of(&house.app).to(FORTI_AUTHORIZE);
    let code = alice.goes_through(&request).code().to_owned();
    let id_token = Jwt::read(&house.server.redeem(&house.app, &code).text("id_token"));
    let form = alice.browser().open("/sessions").expect(200).form("/sign-out");
    alice.browser().send(&form, &[]).expect(200);
    let issuer = &house.told(1)[0].claims["iss"];
    assert_eq!(issuer, &id_token.claims["iss"]);
    assert!(issuer.as_str().expect("a text").ends_with("/api/v1/oauth"), "{issuer}");
}

#[test]
fn bclo_2_5_it_is_posted_as_a_form_with_nothing_else() {
    let house = House::open_with(|app| app.flag("--backchannel-logout-session-required"), &[]);
    house.sign_in().person.signs_out();
    house.told(1);
    let posts = house.posts();
    let post = &posts[0];
    assert_eq!((post.method.as_str(), post.target.as_str()), ("POST", TOLD));
    assert_eq!(post.content_type, "application/x-www-form-urlencoded");
    assert_eq!(post.body, format!("logout_token={}", post.logout_token()));
}

#[test]
fn bclo_2_2_an_address_is_an_https_url_without_fragment() {
    let house = House::open();
    for uri in [
        "http://app.example/told",
        "https://app.example/told#here",
        "https://user@app.example/told",
        "https:///told",
        "https://app.example/a/../told",
        "com.example.app:/told",
        "/told",
    ] {
        let refused = house.server.run(&["client", "set", "app", "--backchannel-logout-uri", uri]).exits(1);
        assert!(refused.stderr.contains("https URL without fragment"), "{uri}: {}", refused.stderr);
    }
    let shown = |key: &str| {
        let client = house.server.run(&["client", "show", "app", "--json"]).exits(0).json();
        client[key].clone()
    };
    assert_eq!(shown("backchannel_logout_uri"), house.elsewhere.url(TOLD));
    assert_eq!(shown("backchannel_logout_session_required"), false);
    house.server.run(&["client", "set", "app", "--backchannel-logout-uri", ""]).exits(0);
    assert_eq!(shown("backchannel_logout_uri"), Value::Null);
}

#[test]
fn bclo_2_3_the_clients_of_a_session_are_told_each_once_and_others_not() {
    let house = House::open();
    let second = house.server.add_client(&told_at("second", &house.elsewhere.url(TOLD)));
    let never = house.server.add_client(&told_at("never", &house.elsewhere.url(TOLD)));
    let alice = house.sign_in();
    // The first one twice.
    let alice = house.brought_to(alice.person, &house.app);
    let mut alice = house.brought_to(alice.person, &second);
    // A code that is not redeemed has brought nobody anywhere.
    alice.person.goes_through(&AuthorizationRequest::of(&never)).code();
    alice.person.signs_out();
    house.until_all_is_told();
    let mut told: Vec<_> = house.told(2).into_iter().map(|token| token.claims["aud"].clone()).collect();
    told.sort_by_key(Value::to_string);
    assert_eq!(told, ["app", "second"]);
}
