//! RFC 7662 (token introspection) at `/oauth2/introspect`. One test per MUST.
//!
//! TLS (§2) is in `server_manners.rs`.

use std::time::Duration;

use http::Method;
use obol_testkit::{ALICE, Client, ClientSpec, House, INTROSPECT, PASSWORD, Server, obol, wait_until};

#[test]
fn rfc7662_2_1_the_request_is_a_post_of_a_form() {
    let House { server, gateway, .. } = obol!().house();
    let access = server.token_by_client_credentials(&gateway).access;
    let get = server.http().request(Method::GET, &format!("{INTROSPECT}?token={access}"));
    let get = get.basic("gateway", gateway.own_secret()).send().expect(405);
    assert_eq!(get.header("allow"), Some("POST"), "{get:?}");
    let json = server.http().post(INTROSPECT).json(&gateway.fields(&[("token", &access)])).send();
    json.expect_error(400, "invalid_request");
    assert!(server.is_active(&gateway, &access));
}

#[test]
fn rfc7662_2_1_token_is_required() {
    let House { server, gateway, .. } = obol!().house();
    server.post_form(INTROSPECT, &gateway, &[]).expect_error(400, "invalid_request");
    server.post_form(INTROSPECT, &gateway, &[("token", "")]).expect_error(400, "invalid_request");
}

#[test]
fn rfc7662_2_1_a_wrong_or_unknown_hint_hides_nothing() {
    let House { server, gateway, .. } = obol!().house();
    let tokens = server.rfc_token_by_password(&gateway, ALICE, PASSWORD);
    for hint in ["access_token", "refresh_token", "id_token", ""] {
        for token in [tokens.access.as_str(), tokens.refresh()] {
            let fields = [("token", token), ("token_type_hint", hint)];
            let answer = server.post_form(INTROSPECT, &gateway, &fields).expect(200);
            assert_eq!(answer.json()["active"], true, "{hint}: {answer:?}");
        }
    }
}

#[test]
fn rfc7662_2_1_the_caller_must_be_authorized() {
    let House { server, fcare, gateway } = obol!().house();
    let access = server.rfc_token_by_password(&fcare, ALICE, PASSWORD).access;
    server.http().post(INTROSPECT).form(&[("token", &access)]).send().expect(401);
    for client in [fcare, gateway.without_secret(), gateway.with_secret("wrong"), Client::bare("nobody")] {
        server.introspect(&client, &access).expect_error(401, "invalid_client");
    }
    let basic = server.http().post(INTROSPECT).form(&[("token", &access)]).basic("gateway", "wrong").send();
    let basic = basic.expect_error(401, "invalid_client");
    assert!(basic.header("www-authenticate").is_some_and(|value| value.starts_with("Basic")), "{basic:?}");
    let right = server.http().post(INTROSPECT).form(&[("token", &access)]);
    right.basic("gateway", gateway.own_secret()).send().expect(200);
}

#[test]
fn rfc7662_2_2_the_answer_is_json_with_the_boolean_active() {
    let House { server, gateway, .. } = obol!().house();
    let access = server.token_by_client_credentials(&gateway).access;
    for token in [access.as_str(), "unknown"] {
        let answer = server.introspect(&gateway, token).expect(200);
        assert!(answer.header("content-type").is_some_and(|value| value.starts_with("application/json")));
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
        assert!(answer.json()["active"].is_boolean(), "{answer:?}");
    }
}

#[test]
fn rfc7662_2_2_an_active_token_tells_scope_client_username_type_times_and_subject() {
    let House { server, fcare, gateway } = obol!().house();
    let access = server.rfc_token_by_password(&fcare, ALICE, PASSWORD).access;
    let subject = server.run(&["user", "show", ALICE, "--json"]).exits(0).json()["subject"].clone();
    let answer = server.introspect(&gateway, &access).expect(200);
    let body = answer.json();
    assert_eq!(body["active"], true);
    assert_eq!(body["scope"], "read write");
    assert_eq!(body["client_id"], "fcare");
    assert_eq!(body["username"], ALICE);
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["sub"], subject);
    assert_eq!(body["exp"].as_i64().unwrap() - body["iat"].as_i64().unwrap(), 3600, "{answer:?}");
    for other_dialect in ["status", "message"] {
        assert_eq!(body.get(other_dialect), None);
    }
}

#[test]
fn rfc7662_2_2_a_token_without_a_person_has_no_username_of_one() {
    let House { server, gateway, .. } = obol!().house();
    let access = server.token_by_client_credentials(&gateway).access;
    let body = server.introspect(&gateway, &access).expect(200).json();
    assert_eq!(body["client_id"], "gateway");
    let username = body.get("username").and_then(|name| name.as_str()).unwrap_or_default();
    assert!(username.is_empty() || username == "service-account-gateway", "{body}");
}

#[test]
fn rfc7662_2_2_an_inactive_token_is_exactly_active_false_whatever_the_reason() {
    let (server, gateway, inactive) = house_with_every_kind_of_inactive_token();
    let unknown = server.introspect(&gateway, "unknown").expect(200);
    assert_eq!(&unknown.body[..], br#"{"active":false}"#);
    for (kind, token) in inactive {
        assert_eq!(server.introspect(&gateway, &token).essence(), unknown.essence(), "{kind}");
    }
}

fn house_with_every_kind_of_inactive_token() -> (Server, Client, Vec<(&'static str, String)>) {
    let builder = obol!().server().alice().user("disabled", PASSWORD);
    let gateway = builder.add_client(&ClientSpec::confidential("gateway").introspection());
    let fcare = builder.add_client(&ClientSpec::public("fcare"));
    let brief = builder.add_client(&ClientSpec::public("brief").access_ttl(1).refresh_ttl(1));
    let off = builder.add_client(&ClientSpec::public("off"));
    let server = builder.start();
    let expired = server.rfc_token_by_password(&brief, ALICE, PASSWORD);
    let revoked = server.rfc_token_by_password(&fcare, ALICE, PASSWORD);
    server.rfc_revoke(&fcare, &revoked.access).expect(200);
    let rotated = server.rfc_token_by_password(&fcare, ALICE, PASSWORD);
    server.rfc_refresh(&fcare, rotated.refresh()).expect(200);
    let of_disabled = server.rfc_token_by_password(&fcare, "disabled", PASSWORD);
    server.run(&["user", "disable", "disabled"]).exits(0);
    let of_off = server.rfc_token_by_password(&off, ALICE, PASSWORD);
    server.run(&["client", "disable", "off"]).exits(0);
    wait_until("both tokens expire", Duration::from_secs(10), || {
        let active =
            [expired.access.as_str(), expired.refresh()].map(|token| server.is_active(&gateway, token));
        (active == [false, false]).then_some(())
    });
    let live = server.rfc_token_by_password(&fcare, ALICE, PASSWORD);
    let inactive = vec![
        ("expired", expired.access.clone()),
        ("expired refresh token", expired.refresh().to_owned()),
        ("revoked", revoked.access.clone()),
        ("revoked refresh token", revoked.refresh().to_owned()),
        ("replaced refresh token", rotated.refresh().to_owned()),
        ("of a disabled person", of_disabled.access.clone()),
        ("refresh token of a disabled person", of_disabled.refresh().to_owned()),
        ("of a disabled client", of_off.access.clone()),
        ("refresh token of a disabled client", of_off.refresh().to_owned()),
        ("truncated", live.access[..50].to_owned()),
        ("malformed", "oba_!\u{e4}".to_owned()),
        ("over 4 KiB", "x".repeat(5_000)),
    ];
    assert!(server.is_active(&gateway, &live.access) && server.is_active(&gateway, live.refresh()));
    (server, gateway, inactive)
}

#[test]
fn rfc7662_2_2_a_caller_that_may_not_know_the_token_sees_it_inactive() {
    let builder = obol!().server().alice();
    let curious = builder.add_client(&ClientSpec::confidential("curious"));
    let fcare = builder.add_client(&ClientSpec::public("fcare"));
    let server = builder.start();
    let foreign = server.rfc_token_by_password(&fcare, ALICE, PASSWORD);
    let own = server.rfc_token_by_password(&curious, ALICE, PASSWORD);
    for token in [foreign.access.as_str(), foreign.refresh()] {
        let answer = server.introspect(&curious, token).expect(200);
        assert_eq!(&answer.body[..], br#"{"active":false}"#);
    }
    assert!(server.is_active(&curious, &own.access));
}

#[test]
fn rfc7662_2_3_a_query_for_an_inactive_token_is_not_an_error() {
    let House { server, gateway, .. } = obol!().house();
    for token in ["unknown", "x y z", "oba_", "\u{1f511}"] {
        assert!(!server.is_active(&gateway, token));
    }
}

#[test]
fn rfc7662_4_expiry_and_revocation_are_determined() {
    let builder = obol!().server().alice();
    let gateway = builder.add_client(&ClientSpec::confidential("gateway").introspection());
    let brief = builder.add_client(&ClientSpec::public("brief").access_ttl(1));
    let server = builder.start();
    // On a busy machine a second may be over before it is asked about.
    let expiring = wait_until("a token is seen active", Duration::from_secs(20), || {
        let fresh = server.rfc_token_by_password(&brief, ALICE, PASSWORD).access;
        server.is_active(&gateway, &fresh).then_some(fresh)
    });
    wait_until("it expires", Duration::from_secs(10), || {
        (!server.is_active(&gateway, &expiring)).then_some(())
    });

    let revoked = server.token_by_client_credentials(&gateway).access;
    assert!(server.is_active(&gateway, &revoked));
    server.rfc_revoke(&gateway, &revoked).expect(200);
    assert!(!server.is_active(&gateway, &revoked));
}
