//! Surface, "`POST token/`": one test per row, in both body types, with and without the final slash.
//!
//! Rows that wait for their surface: `authorization_code` (its grant is unknown so far, and tested as such),
//! `mfa_required` with `challenge`, `methods` and `session` (nobody has a second factor yet), `id_token`.

use std::time::{Duration, Instant};

use obol_testkit::{
    ALICE, Answer, Client, ClientSpec, House, PASSWORD, Server, Shape, TOKEN, Tokens, for_each_shape, obol,
    wait_until, wait_until_as_fast,
};

fn ask(shape: Shape, server: &Server, client: &Client, username: &str, password: &str) -> Answer {
    let fields = [("grant_type", "password"), ("username", username), ("password", password)];
    shape.post(server, TOKEN, &client.fields(&fields))
}

fn refresh(shape: Shape, server: &Server, client: &Client, refresh_token: &str) -> Answer {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
    shape.post(server, TOKEN, &client.fields(&fields))
}

// 200

#[test]
fn success_is_exactly_these_seven_keys() {
    let House { server, fcare, gateway } = obol!().house();
    for_each_shape(|shape| {
        for client in [&fcare, &gateway] {
            let answer = ask(shape, &server, client, ALICE, PASSWORD).expect(200);
            let keys =
                ["access_token", "expires_in", "message", "refresh_token", "scope", "status", "token_type"];
            assert_eq!(answer.keys(), keys);
            assert_eq!(answer.integer("expires_in"), 3600);
            assert_eq!(answer.text("message"), "successfully authenticated");
            assert_eq!(answer.text("scope"), "read write");
            assert_eq!(answer.text("status"), "success");
            assert_eq!(answer.text("token_type"), "Bearer");
            assert!(server.stands(client, &answer.text("access_token")));

            let refreshed = refresh(shape, &server, client, &answer.text("refresh_token")).expect(200);
            assert_eq!(refreshed.keys(), keys);
        }
    });
}

#[test]
fn expires_in_is_always_an_integer() {
    let server = obol!().server().alice();
    let short = server.add_client(&ClientSpec::public("short").access_ttl(77));
    let never = server.add_client(&ClientSpec::public("never").access_ttl(0));
    let server = server.start();
    for_each_shape(|shape| {
        assert_eq!(ask(shape, &server, &short, ALICE, PASSWORD).expect(200).integer("expires_in"), 77);
        assert_eq!(
            ask(shape, &server, &never, ALICE, PASSWORD).expect(200).integer("expires_in"),
            315_360_000
        );
    });
}

#[test]
fn refresh_token_is_always_present_for_a_client_that_may_refresh_and_only_for_it() {
    let server = obol!().server().alice();
    let may = server.add_client(&ClientSpec::public("may"));
    let may_not = server.add_client(&ClientSpec::public("may-not").grants(&["password"]));
    let server = server.start();
    for_each_shape(|shape| {
        assert!(ask(shape, &server, &may, ALICE, PASSWORD).expect(200).json()["refresh_token"].is_string());
        assert_eq!(
            ask(shape, &server, &may_not, ALICE, PASSWORD).expect(200).json().get("refresh_token"),
            None
        );
    });
}

// unknown client, wrong or missing secret of a confidential client, non-empty wrong secret

#[test]
fn unknown_client_is_401_invalid_client() {
    let House { server, .. } = obol!().house();
    for_each_shape(|shape| {
        for id in ["nobody", "FCARE", "fcare ", "fcare\u{0}"] {
            ask(shape, &server, &Client::bare(id), ALICE, PASSWORD).expect_error(401, "invalid_client");
        }
    });
}

#[test]
fn wrong_or_missing_secret_of_a_confidential_client_is_401_invalid_client() {
    let House { server, gateway, .. } = obol!().house();
    let almost = &gateway.own_secret()[..gateway.own_secret().len() - 1];
    for_each_shape(|shape| {
        for client in [gateway.without_secret(), gateway.with_secret(""), gateway.with_secret(almost)] {
            ask(shape, &server, &client, ALICE, PASSWORD).expect_error(401, "invalid_client");
        }
    });
}

#[test]
fn a_non_empty_secret_from_a_public_client_is_401_invalid_client() {
    let House { server, fcare, .. } = obol!().house();
    for_each_shape(|shape| {
        let client = fcare.with_secret("anything");
        ask(shape, &server, &client, ALICE, PASSWORD).expect_error(401, "invalid_client");
    });
}

#[test]
fn an_empty_client_secret_from_a_public_client_is_as_if_not_sent() {
    let House { server, fcare, .. } = obol!().house();
    for_each_shape(|shape| {
        ask(shape, &server, &fcare.with_secret(""), ALICE, PASSWORD).expect(200);
    });
}

#[test]
fn a_disabled_client_is_401_invalid_client() {
    let House { server, fcare, .. } = obol!().house();
    server.run(&["client", "disable", "fcare"]).exits(0);
    for_each_shape(|shape| {
        ask(shape, &server, &fcare, ALICE, PASSWORD).expect_error(401, "invalid_client");
    });
    server.run(&["client", "enable", "fcare"]).exits(0);
    ask(Shape::ALL[0], &server, &fcare, ALICE, PASSWORD).expect(200);
}

// wrong password, unknown user, disabled user, locked user

#[test]
fn wrong_password_unknown_disabled_and_locked_user_are_401_invalid_grant_in_the_same_bytes() {
    let (server, fcare) = house_with_a_disabled_and_a_locked_user();
    for_each_shape(|shape| {
        let wrong = ask(shape, &server, &fcare, ALICE, "wrong").expect_error(401, "invalid_grant");
        for (username, password) in
            [("nobody", PASSWORD), ("disabled", PASSWORD), ("locked", PASSWORD), ("a/b", "x")]
        {
            let other = ask(shape, &server, &fcare, username, password);
            assert_eq!(other.essence(), wrong.essence(), "{username}");
        }
    });
}

#[test]
fn wrong_password_unknown_disabled_and_locked_user_take_the_same_time() {
    let (server, fcare) = house_with_a_disabled_and_a_locked_user();
    let cases = [(ALICE, "wrong"), ("nobody", PASSWORD), ("disabled", PASSWORD), ("locked", PASSWORD)];
    // A path without the slow password hash would be ten times faster.
    wait_until_as_fast(cases.len(), Duration::from_secs(90), |case| {
        let (username, password) = cases[case];
        if username == ALICE {
            // So that she is not locked as well.
            server.token_by_password(&fcare, ALICE, PASSWORD);
        }
        server.ask_by_password(&fcare, username, password).expect(401).took
    });
}

fn house_with_a_disabled_and_a_locked_user() -> (Server, Client) {
    let House { server, fcare, .. } = obol!().house();
    server.add_user("disabled", PASSWORD);
    server.run(&["user", "disable", "disabled"]).exits(0);
    server.add_user("locked", PASSWORD);
    for _ in 0..10 {
        server.ask_by_password(&fcare, "locked", "wrong").expect(401);
    }
    (server, fcare)
}

#[test]
fn ten_wrong_passwords_lock_a_name_in_all_its_spellings_and_no_other() {
    let House { server, fcare, .. } = obol!().house();
    server.add_user("bob", PASSWORD);
    for spelling in ["alice", "Alice", "ALICE", "aLice", "alIce", "aliCe", "alicE", "ALice", "ALIce", "ALICe"]
    {
        server.ask_by_password(&fcare, spelling, "wrong").expect(401);
    }
    server.ask_by_password(&fcare, ALICE, PASSWORD).expect_error(401, "invalid_grant");
    server.ask_by_password(&fcare, "bob", PASSWORD).expect(200);
}

#[test]
fn a_right_password_before_the_tenth_wrong_one_starts_the_count_again() {
    let House { server, fcare, .. } = obol!().house();
    for _ in 0..2 {
        for _ in 0..9 {
            server.ask_by_password(&fcare, ALICE, "wrong").expect(401);
        }
        server.ask_by_password(&fcare, ALICE, PASSWORD).expect(200);
    }
}

#[test]
fn a_realm_that_does_not_exist_is_answered_like_a_wrong_password() {
    let House { server, fcare, .. } = obol!().house();
    for_each_shape(|shape| {
        let grant =
            [("grant_type", "password"), ("username", ALICE), ("password", PASSWORD), ("realm", "elsewhere")];
        let answer = shape.post(&server, TOKEN, &fcare.fields(&grant));
        let wrong = ask(shape, &server, &fcare, "nobody", PASSWORD).expect_error(401, "invalid_grant");
        assert_eq!(answer.essence(), wrong.essence());
    });
}

#[test]
fn the_challenge_trio_from_a_person_without_a_second_factor_changes_nothing() {
    let House { server, fcare, .. } = obol!().house();
    for_each_shape(|shape| {
        let mut fields =
            fcare.fields(&[("grant_type", "password"), ("username", ALICE), ("password", PASSWORD)]);
        fields.extend([("challenge", "otp"), ("challenge_response", "123456"), ("method", "ftm")]);
        shape.post(&server, TOKEN, &fields).expect(200);
    });
}

// missing field

#[test]
fn a_missing_field_is_400_invalid_request_naming_the_field() {
    let House { server, .. } = obol!().house();
    let password =
        [("client_id", "fcare"), ("grant_type", "password"), ("username", ALICE), ("password", PASSWORD)];
    let refresh = [("client_id", "fcare"), ("grant_type", "refresh_token"), ("refresh_token", "x")];
    for_each_shape(|shape| {
        for grant in [&password[..], &refresh[..]] {
            for (missing, _) in grant {
                let fields: Vec<_> = grant.iter().copied().filter(|(name, _)| name != missing).collect();
                let answer = shape.post(&server, TOKEN, &fields).expect_error(400, "invalid_request");
                assert!(answer.text("error_description").contains(missing), "{missing}: {answer:?}");
            }
        }
    });
}

// unknown grant; grant not allowed

#[test]
fn an_unknown_grant_is_400_unsupported_grant_type() {
    let House { server, fcare, gateway } = obol!().house();
    for_each_shape(|shape| {
        for client in [&fcare, &gateway] {
            for grant in ["unheard_of", "PASSWORD", "device_code", "implicit"] {
                let fields = client.fields(&[
                    ("grant_type", grant),
                    ("code", "x"),
                    ("redirect_uri", "https://x.test/"),
                ]);
                shape.post(&server, TOKEN, &fields).expect_error(400, "unsupported_grant_type");
            }
        }
    });
}

#[test]
fn a_grant_not_allowed_to_this_client_is_400_unauthorized_client() {
    let server = obol!().server().alice();
    let only_password = server.add_client(&ClientSpec::public("only-password").grants(&["password"]));
    let only_itself =
        server.add_client(&ClientSpec::confidential("only-itself").grants(&["client_credentials"]));
    let server = server.start();
    for_each_shape(|shape| {
        refresh(shape, &server, &only_password, "x").expect_error(400, "unauthorized_client");
        ask(shape, &server, &only_itself, ALICE, PASSWORD).expect_error(400, "unauthorized_client");
    });
}

// refresh token unknown, expired, revoked, of another client

#[test]
fn an_unknown_refresh_token_is_400_invalid_grant() {
    let House { server, fcare, .. } = obol!().house();
    let tokens = server.token_by_password(&fcare, ALICE, PASSWORD);
    let cut = &tokens.refresh()[..tokens.refresh().len() - 1];
    for_each_shape(|shape| {
        for token in ["unknown", cut, &tokens.access, "obr_AAAA", "\u{fffd}"] {
            refresh(shape, &server, &fcare, token).expect_error(400, "invalid_grant");
        }
    });
    server.refresh(&fcare, tokens.refresh()).expect(200);
}

#[test]
fn an_expired_refresh_token_is_400_invalid_grant() {
    let server = obol!().server().alice();
    let client = server.add_client(&ClientSpec::public("brief").refresh_ttl(1));
    let server = server.start();
    let tokens: Vec<Tokens> =
        Shape::ALL.iter().map(|_| server.token_by_password(&client, ALICE, PASSWORD)).collect();
    let witness = server.token_by_password(&client, ALICE, PASSWORD);
    // A second per life: a token given in the second before may be used until the next begins.
    let given = Instant::now();
    wait_until("two seconds have passed", Duration::from_secs(5), || {
        (given.elapsed().as_secs() >= 2).then_some(())
    });
    for (shape, tokens) in Shape::ALL.into_iter().zip(tokens) {
        refresh(shape, &server, &client, tokens.refresh()).expect_error(400, "invalid_grant");
    }
    assert!(server.stands(&client, &witness.access), "the access token outlives its refresh token");
}

#[test]
fn a_revoked_refresh_token_is_400_invalid_grant() {
    let House { server, fcare, .. } = obol!().house();
    for_each_shape(|shape| {
        let tokens = server.token_by_password(&fcare, ALICE, PASSWORD);
        server.revoke(&fcare, tokens.refresh()).expect(200);
        refresh(shape, &server, &fcare, tokens.refresh()).expect_error(400, "invalid_grant");
    });
}

#[test]
fn a_refresh_token_of_another_client_is_400_invalid_grant_and_goes_on_working_for_its_own() {
    let House { server, fcare, gateway } = obol!().house();
    for_each_shape(|shape| {
        let tokens = server.token_by_password(&fcare, ALICE, PASSWORD);
        refresh(shape, &server, &gateway, tokens.refresh()).expect_error(400, "invalid_grant");
        refresh(shape, &server, &fcare, tokens.refresh()).expect(200);
    });
}

// scope

#[test]
fn a_scope_not_attached_to_the_client_is_400_invalid_scope() {
    let House { server, fcare, .. } = obol!().house();
    for_each_shape(|shape| {
        for scope in ["admin", "read admin", "READ", "\"read\""] {
            let grant =
                [("grant_type", "password"), ("username", ALICE), ("password", PASSWORD), ("scope", scope)];
            shape.post(&server, TOKEN, &fcare.fields(&grant)).expect_error(400, "invalid_scope");
        }
    });
}

#[test]
fn default_scopes_are_always_granted_and_optional_ones_when_asked() {
    let server = obol!().server().alice();
    let spec = ClientSpec::public("scoped").option("--default-scope", "basic").option("--scope", "extra");
    let client = server.add_client(&spec);
    let server = server.start();
    let granted = |shape: Shape, scope: &str| {
        let grant =
            [("grant_type", "password"), ("username", ALICE), ("password", PASSWORD), ("scope", scope)];
        let answer = shape.post(&server, TOKEN, &client.fields(&grant)).expect(200);
        let mut scopes: Vec<String> = answer.text("scope").split(' ').map(str::to_owned).collect();
        scopes.sort();
        scopes
    };
    for_each_shape(|shape| {
        assert_eq!(granted(shape, ""), ["basic"]);
        assert_eq!(granted(shape, "basic"), ["basic"]);
        assert_eq!(granted(shape, "extra"), ["basic", "extra"]);
        assert_eq!(granted(shape, "extra basic"), ["basic", "extra"]);
    });
}

// rotation

#[test]
fn refresh_rotates_a_new_access_token_and_a_new_refresh_token() {
    let House { server, fcare, .. } = obol!().house();
    for_each_shape(|shape| {
        let first = server.token_by_password(&fcare, ALICE, PASSWORD);
        let second = Tokens::of(refresh(shape, &server, &fcare, first.refresh()));
        assert_ne!(first.access, second.access);
        assert_ne!(first.refresh, second.refresh);
        assert!(server.stands(&fcare, &second.access));
        let third = Tokens::of(refresh(shape, &server, &fcare, second.refresh()));
        assert!(server.stands(&fcare, &third.access));
    });
}

#[test]
fn the_token_just_replaced_gets_the_same_stored_answer_again_within_the_window() {
    let House { server, fcare, .. } = obol!().house();
    for_each_shape(|shape| {
        let first = server.token_by_password(&fcare, ALICE, PASSWORD);
        let answer = refresh(shape, &server, &fcare, first.refresh()).expect(200);
        let again = refresh(shape, &server, &fcare, first.refresh()).expect(200);
        assert_eq!(Tokens::of(again), Tokens::of(answer.clone()));
        refresh(shape, &server, &fcare, &answer.text("refresh_token")).expect(200);
    });
}

#[test]
fn presented_after_the_window_it_revokes_the_whole_family() {
    let House { server, fcare, .. } = obol!().house_with(|server| server.option("--refresh-grace", "1"));
    let families: Vec<(Shape, Tokens, Tokens)> = Shape::ALL
        .into_iter()
        .map(|shape| {
            let first = server.token_by_password(&fcare, ALICE, PASSWORD);
            let second = Tokens::of(refresh(shape, &server, &fcare, first.refresh()));
            (shape, first, second)
        })
        .collect();
    let bystander = server.token_by_password(&fcare, ALICE, PASSWORD);
    let replaced = Instant::now();
    wait_until("the window has closed", Duration::from_secs(5), || {
        (replaced.elapsed().as_secs() >= 2).then_some(())
    });
    for (shape, first, second) in families {
        assert!(server.stands(&fcare, &second.access));
        refresh(shape, &server, &fcare, first.refresh()).expect_error(400, "invalid_grant");
        assert!(!server.stands(&fcare, &first.access), "the first access token ended with its family");
        assert!(!server.stands(&fcare, &second.access), "the second access token ended with its family");
        refresh(shape, &server, &fcare, second.refresh()).expect_error(400, "invalid_grant");
    }
    assert!(server.stands(&fcare, &bystander.access), "another family of the same person is untouched");
}

#[test]
fn the_window_is_only_for_the_generation_just_replaced() {
    let House { server, fcare, .. } = obol!().house();
    for_each_shape(|shape| {
        let first = server.token_by_password(&fcare, ALICE, PASSWORD);
        let second = Tokens::of(refresh(shape, &server, &fcare, first.refresh()));
        let third = Tokens::of(refresh(shape, &server, &fcare, second.refresh()));
        refresh(shape, &server, &fcare, first.refresh()).expect_error(400, "invalid_grant");
        assert!(!server.stands(&fcare, &third.access), "the reuse ended the family");
        refresh(shape, &server, &fcare, third.refresh()).expect_error(400, "invalid_grant");
    });
}

#[test]
fn the_window_is_never_for_a_token_that_was_revoked() {
    let House { server, fcare, .. } = obol!().house();
    for_each_shape(|shape| {
        let first = server.token_by_password(&fcare, ALICE, PASSWORD);
        let second = Tokens::of(refresh(shape, &server, &fcare, first.refresh()));
        server.revoke(&fcare, second.refresh()).expect(200);
        refresh(shape, &server, &fcare, first.refresh()).expect_error(400, "invalid_grant");
        refresh(shape, &server, &fcare, second.refresh()).expect_error(400, "invalid_grant");
    });
}

#[test]
fn a_client_with_a_single_family_has_one_live_pair_per_person() {
    let server = obol!().server().alice().user("bob", PASSWORD);
    let single = server.add_client(&ClientSpec::public("single").flag("--single-family"));
    let server = server.start();
    let bob = server.token_by_password(&single, "bob", PASSWORD);
    for_each_shape(|shape| {
        let first = Tokens::of(ask(shape, &server, &single, ALICE, PASSWORD));
        let second = Tokens::of(ask(shape, &server, &single, ALICE, PASSWORD));
        assert!(!server.stands(&single, &first.access));
        refresh(shape, &server, &single, first.refresh()).expect_error(400, "invalid_grant");
        assert!(server.stands(&single, &second.access));
    });
    assert!(server.stands(&single, &bob.access), "another person's is untouched");
}
