//! Modules about the token endpoint and userinfo.

use std::time::Duration;

use obol_testkit::{Jwt, RFC_TOKEN, USERINFO, wait_until};

use crate::in_both_plans;

#[test]
fn oidcc_userinfo_get() {
    in_both_plans(|plan| {
        let done = plan.flow(&mut plan.person(), &plan.request());
        let answer = plan.server.userinfo(&done.access).expect(200);
        assert!(answer.header("content-type").unwrap().starts_with("application/json"));
        assert_eq!(answer.json(), done.userinfo);
    });
}

#[test]
fn oidcc_userinfo_post_header() {
    in_both_plans(|plan| {
        let done = plan.flow(&mut plan.person(), &plan.request());
        let bare = plan.server.http().post(USERINFO).bearer(&done.access).send().expect(200);
        let form = plan.server.http().post(USERINFO).bearer(&done.access).form(&[]).send().expect(200);
        assert_eq!((bare.json(), form.json()), (done.userinfo.clone(), done.userinfo));
    });
}

#[test]
fn oidcc_userinfo_post_body() {
    in_both_plans(|plan| {
        let done = plan.flow(&mut plan.person(), &plan.request());
        let answer = plan.server.http().post(USERINFO).form(&[("access_token", &done.access)]).send();
        assert_eq!(answer.expect(200).json(), done.userinfo);
    });
}

#[test]
fn oidcc_codereuse() {
    in_both_plans(|plan| {
        let done = plan.flow(&mut plan.person(), &plan.request());
        plan.redeem(plan.client, &done.code).expect_error(400, "invalid_grant");
    });
}

/// The module waits 30 seconds; what it looks at is so as soon as the use is no longer the same request sent twice.
#[test]
fn oidcc_codereuse_30seconds() {
    in_both_plans(|plan| {
        let done = plan.flow(&mut plan.person(), &plan.request());
        wait_until("the first access token is revoked", Duration::from_secs(10), || {
            plan.redeem(plan.client, &done.code).expect_error(400, "invalid_grant");
            (plan.server.userinfo(&done.access).status == 401).then_some(())
        });
    });
}

#[test]
fn oidcc_server_client_secret_post() {
    in_both_plans(|plan| {
        let answer = plan.person().goes_through(&plan.request_of(plan.posting));
        let code = plan.checked(&answer).to_owned();
        let given = plan.redeem_by_post(&code).expect(200);
        plan.done(plan.posting, code, given);
    });
}

#[test]
fn oidcc_refresh_token() {
    in_both_plans(|plan| {
        let document = plan.server.http().get("/.well-known/openid-configuration").send().expect(200).json();
        assert!(document["grant_types_supported"].as_array().unwrap().contains(&"refresh_token".into()));
        let mut last = String::new();
        for (client, scope) in [(plan.client, Some("openid")), (plan.second, None)] {
            let answer = plan.person().goes_through(&plan.request_of(client));
            let first = plan.completed(client, &answer);
            let refresh = first.refresh.expect("without one the module skips itself");
            let may = |byte: u8| matches!(byte, 0x20..=0x7e);
            assert!(refresh.bytes().all(may), "{refresh}");
            let mut fields = vec![("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
            fields.extend(scope.map(|scope| ("scope", scope)));
            let request = plan.server.http().post(RFC_TOKEN).basic(&client.id, client.own_secret());
            let given = request.form(&fields).send().expect(200);
            assert_ne!(given.text("access_token"), first.access);
            let second = Jwt::verified(&given.text("id_token"), plan.server).claims;
            for same in ["iss", "sub", "aud", "azp", "auth_time"] {
                assert_eq!(second[same], first.id_token.claims[same], "{same}");
            }
            plan.server.userinfo(&given.text("access_token")).expect(200);
            last = given.text("refresh_token");
        }
        plan.server.rfc_refresh(plan.client, &last).expect_error(400, "invalid_grant");
    });
}
