//! §2, §3.1.3.3, §3.1.3.6, §10.1: what an ID token says, and who signed it (S-73).

use obol_testkit::{
    AuthorizationRequest, Client, ClientSpec, Jwt, REDIRECT_URI, Server, half_sha256, now_secs, obol,
};

use super::id_token_of;

#[test]
fn oidc_core_2_s_73_the_claims_are_those_of_this_sign_in() {
    let (server, app) = obol!().application();
    let before = now_secs();
    let request = AuthorizationRequest::of(&app).with("nonce", "n1").with("max_age", "1000");
    let Jwt { claims, header, .. } = id_token_of(&server, &app, &mut server.person(), &request);
    let after = now_secs();
    assert_eq!(claims["iss"], server.url());
    assert_eq!((&claims["aud"], &claims["azp"]), (&"app".into(), &"app".into()));
    assert_eq!(claims["nonce"], "n1");
    let [iat, exp, auth_time] =
        ["iat", "exp", "auth_time"].map(|name| claims[name].as_i64().expect("a number"));
    assert!((before..=after).contains(&iat) && (before..=after).contains(&auth_time), "{claims}");
    assert!(exp > iat && exp <= iat + 86_400, "{claims}");
    let subject = claims["sub"].as_str().expect("a text");
    assert!(!subject.is_empty() && subject.len() <= 255 && subject.is_ascii(), "{subject}");
    assert_eq!((&claims["acr"], &claims["amr"]), (&"1".into(), &serde_json::json!(["pwd"])));
    assert_eq!(header["alg"], "ES256");
}

#[test]
fn oidc_core_2_nothing_is_said_that_was_not_asked_for() {
    let (server, app) = obol!().application();
    server.run(&["user", "set", "alice", "--email", "alice@example.org", "--claim", "name=Alice"]).exits(0);
    let request = AuthorizationRequest::of(&app).with("scope", "openid profile email address phone");
    let Jwt { claims, .. } = id_token_of(&server, &app, &mut server.person(), &request);
    let usual = ["acr", "amr", "at_hash", "aud", "auth_time", "azp", "exp", "iat", "iss", "sid", "sub"];
    assert_eq!(
        claims.as_object().unwrap().keys().collect::<Vec<_>>(),
        usual,
        "§5.4: the rest is at userinfo"
    );
}

#[test]
fn oidc_core_3_1_3_6_at_hash_is_of_the_access_token_that_comes_with_it() {
    let (server, app) = obol!().application();
    let code = server.person().goes_through(&AuthorizationRequest::of(&app)).code().to_owned();
    let answer = server.redeem(&app, &code).expect(200);
    let claims = Jwt::verified(&answer.text("id_token"), &server).claims;
    assert_eq!(claims["at_hash"], half_sha256(&answer.text("access_token")));
}

#[test]
fn oidc_core_3_1_3_3_without_openid_there_is_no_id_token() {
    let (server, app) = obol!().application();
    for request in [
        AuthorizationRequest::of(&app).without("scope"),
        AuthorizationRequest::of(&app).with("scope", "read email"),
    ] {
        let code = server.person().goes_through(&request).code().to_owned();
        let answer = server.redeem(&app, &code).expect(200).json();
        assert_eq!(answer.get("id_token"), None, "{answer}");
    }
}

#[test]
fn oidc_core_2_10_1_it_is_signed_as_the_client_has_it_with_a_published_key_that_it_names() {
    let server = obol!().server().alice();
    let algorithms = ["ES256", "RS256", "PS256", "EdDSA"];
    let apps = algorithms.map(|algorithm| {
        server.add_client(&ClientSpec::application(algorithm).option("--id-token-alg", algorithm))
    });
    let server = server.start();
    for (algorithm, app) in algorithms.iter().zip(&apps) {
        let jwt = id_token_of(&server, app, &mut server.person(), &AuthorizationRequest::of(app));
        assert_eq!(jwt.header["alg"], *algorithm);
        assert!(jwt.header["kid"].is_string(), "{:?}", jwt.header);
    }
}

#[test]
fn oidc_core_2_an_unsigned_id_token_is_not_to_be_had() {
    let installation = obol!().installation();
    for algorithm in ["none", "HS256"] {
        let line = ["client", "add", "--id", "app", "--type", "confidential", "--id-token-alg", algorithm];
        installation.run(&line).exits(2);
    }
}

/// A person, as two clients of one sector, one of another, and one that knows people by their public subject see them.
fn subjects(server: &Server, apps: &[Client]) -> Vec<String> {
    let of = |app: &Client| {
        let jwt = id_token_of(server, app, &mut server.person(), &AuthorizationRequest::of(app));
        jwt.claims["sub"].as_str().expect("a text").to_owned()
    };
    apps.iter().map(of).collect()
}

#[test]
fn oidc_core_8_1_pairwise_subjects_differ_by_sector_and_stay_what_they_are() {
    let server = obol!().server().alice();
    let pairwise = |id: &str| ClientSpec::application(id).option("--subject-type", "pairwise");
    let apps = [
        server.add_client(&pairwise("one")),
        server.add_client(&pairwise("two")),
        server.add_client(&pairwise("elsewhere").option("--sector", "elsewhere.example")),
        server.add_client(&ClientSpec::application("public")),
    ];
    let server = server.start();
    let found = subjects(&server, &apps);
    assert_eq!(found[0], found[1], "one sector: the host of the redirect URI");
    assert_eq!(found.iter().collect::<std::collections::BTreeSet<_>>().len(), 3, "{found:?}");
    assert_eq!(subjects(&server, &apps), found);
    let shown = server.run(&["user", "show", "alice", "--json"]).exits(0).json()["subject"].clone();
    assert_eq!(shown, found[3].as_str());
    assert!(!found[0].contains(&found[3]) && !found[2].contains(&found[3]), "{found:?}");
}

#[test]
fn oidc_core_5_7_s_51_a_subject_is_never_given_to_somebody_else() {
    let (server, app) = obol!().application();
    server.add_user("bob", obol_testkit::PASSWORD);
    let of = |person: &mut obol_testkit::Person| {
        id_token_of(&server, &app, person, &AuthorizationRequest::of(&app)).claims["sub"].clone()
    };
    let (alice, bob) =
        (of(&mut server.person()), of(&mut server.person_called("bob", obol_testkit::PASSWORD)));
    assert_ne!(alice, bob);
    server.run(&["user", "delete", "bob"]).exits(0);
    let again = server.run(&["user", "add", "bob", "--json"]);
    assert_ne!(again.code, Some(0), "the name is never given out again: {again:?}");
}

#[test]
fn s_50_an_id_token_is_no_access_token_and_no_code() {
    let (server, app) = obol!().application();
    let code = server.person().goes_through(&AuthorizationRequest::of(&app)).code().to_owned();
    let id_token = server.redeem(&app, &code).expect(200).text("id_token");
    server.userinfo(&id_token).expect_error(401, "invalid_token");
    assert!(!server.stands(&app, &id_token));
    assert!(!server.is_active(&app, &id_token));
    server.rfc_refresh(&app, &id_token).expect_error(400, "invalid_grant");
    let fields = [("code", id_token.as_str()), ("redirect_uri", REDIRECT_URI)];
    server.redeem_with(&app, &fields).expect_error(400, "invalid_grant");
}

#[test]
fn oidc_core_8_1_nothing_in_an_id_token_tells_two_sectors_that_a_person_is_the_same() {
    let server = obol!().server().alice();
    let pairwise = |id: &str, sector: &str| {
        let spec = ClientSpec::application(id).option("--subject-type", "pairwise");
        server.add_client(&spec.option("--sector", sector))
    };
    let apps =
        [pairwise("one", "one.example"), pairwise("two", "two.example"), pairwise("also-one", "one.example")];
    let server = server.start();
    let mut alice = server.person();
    let sids = apps.map(|app| {
        let jwt = id_token_of(&server, &app, &mut alice, &AuthorizationRequest::of(&app));
        jwt.claims["sid"].as_str().expect("a text").to_owned()
    });
    assert_ne!(sids[0], sids[1], "one session, two sectors");
    assert_eq!(sids[0], sids[2], "one session, one sector");
}
