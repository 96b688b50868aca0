//! Surface, "`GET verify_token/?client_id=…`": one test per row, with and without the final slash.
//!
//! The body is not read, so there are no body types here, except in the row that says so.

use std::thread;
use std::time::{Duration, Instant};

use obol_testkit::{
    ALICE, Answer, Client, ClientSpec, House, PASSWORD, Request, Server, VERIFY, for_each_slash, obol,
    wait_until,
};

fn verify(server: &Server, path: &str, client_id: &str, token: &str) -> Answer {
    server.http().get(&format!("{path}?client_id={client_id}")).bearer(token).send()
}

#[test]
fn the_scheme_is_compared_without_case() {
    let House { server, fcare, .. } = obol!().house();
    let access = server.token_by_password(&fcare, ALICE, PASSWORD).access;
    for_each_slash(VERIFY, |path| {
        for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
            let request = server.http().get(&format!("{path}?client_id=fcare"));
            request.header("authorization", &format!("{scheme} {access}")).send().expect(200);
        }
    });
}

#[test]
fn no_client_secret_is_needed_also_for_confidential_clients() {
    let House { server, gateway, .. } = obol!().house();
    let access = server.token_by_password(&gateway, ALICE, PASSWORD).access;
    for_each_slash(VERIFY, |path| {
        verify(&server, path, "gateway", &access).expect(200);
    });
}

#[test]
fn valid_is_200_with_client_id_expires_in_scope_status_and_username() {
    let House { server, fcare, .. } = obol!().house();
    let access = server.token_by_password(&fcare, ALICE, PASSWORD).access;
    for_each_slash(VERIFY, |path| {
        let answer = verify(&server, path, "fcare", &access).expect(200);
        assert_eq!(answer.keys(), ["client_id", "expires_in", "scope", "status", "username"]);
        assert_eq!(answer.text("client_id"), "fcare");
        assert_eq!(answer.text("scope"), "read write");
        assert_eq!(answer.text("status"), "success");
        assert_eq!(answer.text("username"), ALICE);
        assert!((3500..=3600).contains(&answer.integer("expires_in")), "{answer:?}");
    });
}

#[test]
fn expires_in_is_whole_seconds_left_at_least_1_until_the_token_has_expired() {
    let server = obol!().server().alice();
    let brief = server.add_client(&ClientSpec::public("brief").access_ttl(2));
    let server = server.start();
    let mut seen = Vec::new();
    // On a busy machine its two seconds may be over before it is asked about.
    let access = wait_until("a token is seen valid", Duration::from_secs(20), || {
        let fresh = server.token_by_password(&brief, ALICE, PASSWORD).access;
        let answer = server.verify(&brief, &fresh);
        (answer.status == 200).then(|| {
            seen.push(answer.integer("expires_in"));
            fresh
        })
    });
    wait_until("the token expires", Duration::from_secs(10), || {
        let answer = server.verify(&brief, &access);
        match answer.status {
            200 => seen.push(answer.integer("expires_in")),
            _ => return Some(answer.expect_error(401, "invalid_token")),
        }
        None
    });
    assert!(seen.iter().all(|left| (1..=2).contains(left)), "{seen:?}");
    assert!(seen.is_sorted_by(|earlier, later| earlier >= later), "{seen:?}");
}

#[test]
fn a_token_of_a_client_without_a_person_has_the_username_of_its_service_account() {
    let House { server, gateway, .. } = obol!().house();
    let access = server.token_by_client_credentials(&gateway).access;
    for_each_slash(VERIFY, |path| {
        let answer = verify(&server, path, "gateway", &access).expect(200);
        assert_eq!(answer.text("username"), "service-account-gateway");
        assert_eq!(answer.keys(), ["client_id", "expires_in", "scope", "status", "username"]);
    });
}

#[test]
fn the_prefix_of_service_accounts_is_refused_for_real_users() {
    let installation = obol!().installation();
    for name in ["service-account-gateway", "Service-Account-x"] {
        let added = installation
            .run_with_input(&["user", "add", name, "--password-stdin"], "a long enough password\n");
        let added = added.exits(1);
        assert!(added.stderr.contains("service-account-"), "{added:?}");
    }
}

#[test]
fn a_token_that_never_expires_has_expires_in_315360000() {
    let server = obol!().server().alice();
    let never = server.add_client(&ClientSpec::public("never").access_ttl(0));
    let server = server.start();
    let access = server.token_by_password(&never, ALICE, PASSWORD).access;
    for_each_slash(VERIFY, |path| {
        let answer = verify(&server, path, "never", &access).expect(200);
        assert_eq!(answer.integer("expires_in"), 315_360_000);
    });
    server.revoke(&never, &access).expect(200);
    assert!(!server.stands(&never, &access), "it ends when it is revoked");
}

#[test]
fn client_id_missing_or_empty_is_400_invalid_request() {
    let House { server, fcare, .. } = obol!().house();
    let access = server.token_by_password(&fcare, ALICE, PASSWORD).access;
    for_each_slash(VERIFY, |path| {
        for query in ["", "?", "?client_id=", "?client_id", "?clientid=fcare"] {
            let answer = server.http().get(&format!("{path}{query}")).bearer(&access).send();
            let answer = answer.expect_error(400, "invalid_request");
            assert!(answer.text("message").contains("client_id"), "{query}: {answer:?}");
        }
    });
}

#[test]
fn every_token_that_is_not_valid_is_401_invalid_token_all_the_same_bytes() {
    let (server, invalid) = house_with_every_kind_of_invalid_token();
    for_each_slash(VERIFY, |path| {
        let unknown = verify(&server, path, "fcare", "unknown").expect_error(401, "invalid_token");
        for (kind, client_id, token) in &invalid {
            let answer = verify(&server, path, client_id, token);
            assert_eq!(answer.essence(), unknown.essence(), "{kind}");
        }
    });
}

type InvalidToken = (&'static str, String, String);

fn house_with_every_kind_of_invalid_token() -> (Server, Vec<InvalidToken>) {
    let builder = obol!().server().alice().user("disabled", PASSWORD).user("deleted", PASSWORD);
    let fcare = builder.add_client(&ClientSpec::public("fcare"));
    let other = builder.add_client(&ClientSpec::public("other"));
    let brief = builder.add_client(&ClientSpec::public("brief").access_ttl(1));
    let off = builder.add_client(&ClientSpec::public("off"));
    let gone = builder.add_client(&ClientSpec::public("gone"));
    let server = builder.start();

    let give = |client: &Client, user: &str| server.token_by_password(client, user, PASSWORD);
    let live = give(&fcare, ALICE);
    let expired = give(&brief, ALICE).access;
    let revoked = give(&fcare, ALICE).access;
    server.revoke(&fcare, &revoked).expect(200);
    let (of_disabled, of_deleted) = (give(&fcare, "disabled").access, give(&fcare, "deleted").access);
    let (of_off, of_gone) = (give(&off, ALICE).access, give(&gone, ALICE).access);
    server.run(&["user", "disable", "disabled"]).exits(0);
    server.run(&["user", "delete", "deleted"]).exits(0);
    server.run(&["client", "disable", "off"]).exits(0);
    server.run(&["client", "delete", "gone"]).exits(0);
    wait_until("a token expires", Duration::from_secs(10), || {
        (!server.stands(&brief, &expired)).then_some(())
    });

    let flipped = match live.access.strip_suffix('A') {
        Some(rest) => format!("{rest}B"),
        None => format!("{}A", &live.access[..live.access.len() - 1]),
    };
    let half = live.access[..live.access.len() / 2].to_owned();
    let invalid: Vec<(&str, &str, String)> = vec![
        ("malformed", "fcare", "oba_!".to_owned()),
        ("other prefix", "fcare", live.access.replace("oba_", "obr_")),
        ("truncated", "fcare", half),
        ("last character changed", "fcare", flipped),
        ("longer by one", "fcare", format!("{}A", live.access)),
        ("two of them", "fcare", format!("{0}{0}", live.access)),
        ("expired", "brief", expired),
        ("revoked", "fcare", revoked),
        ("refresh token as bearer", "fcare", live.refresh().to_owned()),
        ("token of another client", &other.id, live.access.clone()),
        ("unknown client", "nobody", live.access.clone()),
        ("client id in another case", "FCARE", live.access.clone()),
        ("disabled client", "off", of_off),
        ("deleted client", "gone", of_gone),
        ("disabled user", "fcare", of_disabled),
        ("deleted user", "fcare", of_deleted),
    ];
    assert!(server.stands(&fcare, &live.access));
    (server, invalid.into_iter().map(|(kind, client, token)| (kind, client.to_owned(), token)).collect())
}

#[test]
fn no_authorization_or_not_bearer_is_401_with_a_bare_www_authenticate_bearer() {
    let House { server, fcare, .. } = obol!().house();
    let access = server.token_by_password(&fcare, ALICE, PASSWORD).access;
    for_each_slash(VERIFY, |path| {
        let get = || server.http().get(&format!("{path}?client_id=fcare"));
        let answers = [
            get().send(),
            get().basic("fcare", &access).send(),
            get().header("authorization", &format!("Token {access}")).send(),
            get().header("authorization", &access).send(),
            get().header("authorization", "Bearer").send(),
        ];
        for answer in answers {
            let answer = answer.expect(401);
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{answer:?}");
        }
    });
}

#[test]
fn a_token_in_the_query_or_body_is_not_read() {
    let House { server, fcare, .. } = obol!().house();
    let access = server.token_by_password(&fcare, ALICE, PASSWORD).access;
    for_each_slash(VERIFY, |path| {
        for name in ["token", "access_token"] {
            let query = format!("{path}?client_id=fcare&{name}={access}");
            server.http().get(&query).send().expect(401);
            server.http().get(&query).bearer("unknown").send().expect(401);
            let get = || server.http().get(&format!("{path}?client_id=fcare"));
            get().form(&[(name, &access)]).send().expect(401);
            get().json(&[(name, &access)]).send().expect(401);
        }
    });
}

#[test]
fn a_node_whose_lease_ran_out_answers_503_with_retry_after_1_never_401() {
    let House { server, fcare, .. } =
        obol!().house_with(|server| server.option("--lease-ms", LEASE_MS).option("--lease-renewal-ms", "60"));
    let path = format!("{VERIFY}?client_id=fcare");
    let access = wait_until("a token is given", Duration::from_secs(10), || {
        let answer = server.ask_by_password(&fcare, ALICE, PASSWORD);
        (answer.status == 200).then(|| answer.text("access_token"))
    });
    // Whether a request that waited out a pause is answered before the lease is renewed is a race: it is run until it was.
    wait_until("a request meets the lapsed lease", Duration::from_secs(60), || {
        let answers = answers_after_a_pause(&server, || server.http().get(&path).bearer(&access));
        let refused: Vec<Answer> = answers.into_iter().filter(|answer| answer.status != 200).collect();
        for answer in &refused {
            assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{answer:?}");
            assert_eq!(answer.text("status"), "error");
        }
        (!refused.is_empty()).then_some(())
    });
    wait_until("it vouches again", Duration::from_secs(5), || {
        (server.verify(&fcare, &access).status == 200).then_some(())
    });
}

const LEASE_MS: &str = "200";

/// What requests get that arrive while the server is stopped for longer than its lease.
fn answers_after_a_pause(server: &Server, request: impl Fn() -> Request) -> Vec<Answer> {
    server.pause();
    let paused = Instant::now();
    let waiting: Vec<_> =
        (0..8).map(|_| request()).map(|request| thread::spawn(move || request.send())).collect();
    let lease = Duration::from_millis(LEASE_MS.parse().unwrap());
    wait_until("the lease ran out", lease * 10, || (paused.elapsed() > lease * 2).then_some(()));
    server.resume();
    waiting.into_iter().map(|waiting| waiting.join().unwrap()).collect()
}
