//! Each way in which a session ends, and what does not end one. The rows are those of `docs/operations.md`.

use obol_testkit::{ALICE, AuthorizationRequest, ClientSpec, Jwt, PASSWORD, Person, TOLD, Tokens, obol};

use crate::house::{House, SignedIn, told_at};

#[test]
fn bclo_2_a_sign_out_and_each_end_on_the_own_page_is_told() {
    let house = House::open();
    for action in ["/sign-out", "/sessions/end", "/sessions/end-all"] {
        let mut alice = house.sign_in();
        match action {
            // The form for this session is on the page of another one.
            "/sessions/end" => {
                let mut elsewhere = house.server.person();
                let page = elsewhere.opens("/sessions").sign_in();
                elsewhere.signs_in(&page);
                end_all_others(&mut elsewhere);
            }
            _ => alice.person.ends(action),
        }
        assert_eq!(house.told_of(&alice.sid()), 1, "{action}");
    }
}

#[test]
fn bclo_2_a_sign_out_that_an_application_asks_for_is_told_also_to_that_application() {
    let house = House::open();
    let mut alice = house.sign_in();
    let mut form = form_urlencoded::Serializer::new(String::new());
    let query = form.append_pair("id_token_hint", &alice.id_token).finish();
    alice.person.opens(&format!("/oauth2/logout?{query}"));
    assert_eq!(house.told_of(&alice.sid()), 1);
}

#[test]
fn bclo_2_the_end_of_a_session_where_somebody_else_signs_in_is_told() {
    let house = House::open();
    house.server.add_user("bob", PASSWORD);
    let mut alice = house.sign_in();
    let request = AuthorizationRequest::of(&house.app).with("prompt", "login");
    let page = alice.person.follows(&request).sign_in();
    alice.person.submits(&page, &[("username", "bob"), ("password", PASSWORD)]);
    assert_eq!(house.told_of(&alice.sid()), 1);
}

#[test]
fn bclo_2_what_ends_a_person_s_sessions_by_command_is_told_for_each() {
    let house = House::open();
    let acts: [(&str, &[&str]); 5] = [
        ("disabled", &["user", "disable", "disabled"]),
        ("deleted", &["user", "delete", "deleted"]),
        ("revoked", &["revoke", "--user", "revoked", "--yes"]),
        ("renewed", &["user", "set-password", "renewed", "--password-stdin"]),
        ("everyone", &["revoke", "--all", "--yes"]),
    ];
    let mut ended = Vec::new();
    for (name, _) in acts {
        house.server.add_user(name, PASSWORD);
        for _ in 0..2 {
            let person = house.server.person_called(name, PASSWORD);
            ended.push(house.brought_to(person, &house.app).sid());
        }
    }
    for (_, line) in acts {
        house.server.installation().run_with_input(line, "another coin to be let across").exits(0);
    }
    house.tokens(ended.len());
    house.until_all_is_told();
    let told: Vec<_> = house.told(ended.len()).iter().map(|token| token.claims["sid"].clone()).collect();
    for sid in ended {
        assert_eq!(told.iter().filter(|told| **told == sid).count(), 1, "{sid}");
    }
}

#[test]
fn bclo_2_what_ends_no_session_is_not_told_and_neither_is_who_is_gone() {
    let house = House::open();
    let uri = house.elsewhere.url(TOLD);
    let [disabled, deleted, silenced] =
        ["disabled", "deleted", "silenced"].map(|id| house.server.add_client(&told_at(id, &uri)));
    let mut alice = house.sign_in();
    for app in [&disabled, &deleted, &silenced] {
        alice.person = house.brought_to(alice.person, app).person;
    }
    house.server.rfc_revoke(&house.app, &alice.tokens.access).expect(200);
    for line in [
        &["revoke", "--client", "app", "--yes"][..],
        &["client", "disable", "disabled"],
        &["client", "delete", "deleted"],
        &["client", "set", "silenced", "--backchannel-logout-uri", ""],
    ] {
        house.server.run(line).exits(0);
    }
    // The consent to `app`: the session goes on.
    let form = alice.person.browser().open("/sessions").expect(200).form("/sessions/withdraw");
    alice.person.browser().send(&form, &[]).expect(200);
    house.until_all_is_told();
    assert_eq!(house.posts(), []);
    // It ends, and the one that is left is told, though all that it had is gone.
    alice.person.signs_out();
    let told = house.told(1);
    assert_eq!((&told[0].claims["aud"], &told[0].claims["sid"]), (&"app".into(), &alice.sid().into()));
    house.until_all_is_told();
    assert_eq!(house.posts().len(), 1);
}

#[test]
fn bclo_2_7_with_a_session_ends_everything_that_it_gave() {
    let house = House::open();
    let mut alice = offline(&house);
    alice.person.signs_out();
    house.server.rfc_refresh(&house.app, alice.tokens.refresh()).expect_error(400, "invalid_grant");
    assert!(!house.server.stands(&house.app, &alice.tokens.access));
}

#[test]
fn bclo_2_7_where_the_operator_says_so_what_was_given_for_offline_access_goes_on() {
    let house = House::open_with(|app| app, &[("--session-end-revokes", "online")]);
    let (mut offline, mut online) = (offline(&house), house.sign_in());
    let page = offline.person.browser().open("/oauth2/logout").expect(200);
    assert!(page.says("except to those that may keep access while you are away"), "{}", page.html());
    let left = offline.person.browser().send(&page.form("/sign-out"), &[]).expect(200);
    assert!(left.says("except for applications that may keep access"), "{}", left.html());
    online.person.signs_out();
    assert_eq!(house.told(2).len(), 2, "both are told");
    assert!(house.server.stands(&house.app, &offline.tokens.access));
    let refreshed = Tokens::of(house.server.rfc_refresh(&house.app, offline.tokens.refresh()));
    assert!(house.server.stands(&house.app, &refreshed.access));
    house.server.rfc_refresh(&house.app, online.tokens.refresh()).expect_error(400, "invalid_grant");
    assert!(!house.server.stands(&house.app, &online.tokens.access));
    // What ends all of a person's ends it as well.
    house.server.run(&["revoke", "--user", ALICE, "--yes"]).exits(0);
    assert!(!house.server.stands(&house.app, &refreshed.access));
}

#[test]
fn a_setting_that_is_none_of_the_two_is_refused() {
    let installation = obol!().installation();
    let ran = installation.run(&["serve", "--session-end-revokes", "nothing"]).exits(2);
    assert!(ran.stderr.contains("everything, online"), "{}", ran.stderr);
}

#[test]
fn bclo_2_2_a_client_without_an_address_is_not_told() {
    let house = House::open();
    let quiet = house.server.add_client(&ClientSpec::application("quiet"));
    let mut alice = house.brought_to(house.server.person(), &quiet);
    alice.person.signs_out();
    house.until_all_is_told();
    assert_eq!(house.posts(), []);
}

/// Alice, who has allowed the application to go on while she is away.
fn offline(house: &House) -> SignedIn {
    let mut person = house.server.person();
    let request = AuthorizationRequest::of(&house.app).with("scope", "openid offline_access");
    let code = person.goes_through(&request).code().to_owned();
    let answer = house.server.redeem(&house.app, &code);
    SignedIn { person, id_token: answer.text("id_token"), tokens: Tokens::of(answer) }
}

/// Ends each other session of this person, one by one.
fn end_all_others(person: &mut Person) {
    loop {
        let page = person.browser().open("/sessions").expect(200);
        let Some(form) = page.forms().into_iter().find(|form| form.action == "/sessions/end") else { return };
        person.browser().send(&form, &[]).expect(200);
    }
}

impl House {
    /// How often the application was told of the end of this session, when all is told.
    #[track_caller]
    fn told_of(&self, sid: &str) -> usize {
        self.tokens(1);
        self.until_all_is_told();
        let tokens = self.tokens(1);
        let told = tokens.iter().map(|token| Jwt::verified(token, &self.server));
        told.filter(|token| token.claims["sid"] == sid).count()
    }
}
