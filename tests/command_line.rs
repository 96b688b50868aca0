//! The command line: every command, its JSON, its exit codes, and that the running server honours it at once.
//!
//! `serve` and `--dev` are in `serve_command.rs`; configuration, help and wrong usage in `configuration.rs`.

use std::time::{Duration, Instant};

use obol_testkit::{ALICE, ClientSpec, House, PASSWORD, obol};
use serde_json::{Value, json};

#[track_caller]
fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap_or_else(|| panic!("an object: {value}")).keys().map(String::as_str).collect()
}

/// The keys as they stand in the text, which a map in memory would sort.
#[track_caller]
fn assert_keys_stand_sorted(json: &str, keys: &[&str]) {
    let places: Vec<usize> = keys
        .iter()
        .map(|key| json.find(&format!("\"{key}\"")).unwrap_or_else(|| panic!("{key}: {json}")))
        .collect();
    assert!(places.is_sorted(), "{json}");
}

const CLIENT: [&str; 39] = [
    "access_token_format",
    "access_token_ttl",
    "application_type",
    "ask_consent",
    "assertion_audience",
    "backchannel_logout_session_required",
    "backchannel_logout_uri",
    "client_id",
    "created_at",
    "default_max_age_secs",
    "default_scopes",
    "enabled",
    "family_lifetime_secs",
    "grants",
    "id_token_signed_response_alg",
    "introspection",
    "jwks",
    "jwks_uri",
    "name",
    "optional_scopes",
    "policy_uri",
    "post_logout_redirect_uris",
    "redirect_uris",
    "refresh_token_ttl",
    "registered",
    "registration_updates",
    "request_object_signing_alg",
    "request_uris",
    "require_pkce",
    "require_pushed_authorization_requests",
    "require_signed_request_object",
    "resources",
    "sector_identifier",
    "single_family",
    "subject_type",
    "token_endpoint_auth_method",
    "tos_uri",
    "type",
    "userinfo_signed_response_alg",
];
const USER: [&str; 5] = ["created_at", "email", "enabled", "subject", "username"];

// obol client

#[test]
fn client_add_says_what_it_made_and_shows_a_new_secret_once() {
    let installation = obol!().installation();
    let arguments = [
        "client",
        "add",
        "--json",
        "--id",
        "shop",
        "--type",
        "confidential",
        "--name",
        "The Shop",
        "--grant",
        "password",
        "--grant",
        "refresh_token",
        "--default-scope",
        "basic",
        "--scope",
        "extra",
        "--redirect-uri",
        "https://shop.test/back",
        "--access-token-ttl",
        "600",
        "--refresh-token-ttl",
        "7200",
        "--allow-introspection",
        "--single-family",
    ];
    let added = installation.run(&arguments).exits(0);
    let client = added.json();
    assert!(client["client_secret"].as_str().is_some_and(|secret| secret.starts_with("obs_")), "{client}");
    for (key, expected) in [
        ("access_token_ttl", "600"),
        ("client_id", r#""shop""#),
        ("default_scopes", r#"["basic"]"#),
        ("enabled", "true"),
        ("grants", r#"["password","refresh_token"]"#),
        ("introspection", "true"),
        ("name", r#""The Shop""#),
        ("optional_scopes", r#"["extra"]"#),
        ("redirect_uris", r#"["https://shop.test/back"]"#),
        ("refresh_token_ttl", "7200"),
        ("single_family", "true"),
        ("type", r#""confidential""#),
    ] {
        assert_eq!(client[key].to_string(), expected, "{key}");
    }
    assert!(client["created_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{client}");

    let shown = installation.run(&["client", "show", "shop", "--json"]).exits(0);
    assert_eq!(keys(&shown.json()), CLIENT, "the secret is not shown again");
    assert_keys_stand_sorted(&shown.stdout, &CLIENT);
}

#[test]
fn client_add_has_the_documented_defaults() {
    let installation = obol!().installation();
    let confidential =
        installation.run(&["client", "add", "--json", "--id", "c", "--type", "confidential"]).exits(0).json();
    assert_eq!(confidential["grants"], serde_json::json!(["client_credentials"]));
    assert_eq!(confidential["default_scopes"], serde_json::json!(["read", "write"]));
    assert_eq!(confidential["access_token_ttl"], 3600);
    assert_eq!(confidential["refresh_token_ttl"], 86400);
    assert_eq!(confidential["introspection"], false);
    assert_eq!(confidential["single_family"], false);

    let public = installation.run(&["client", "add", "--id", "p", "--type", "public"]).exits(1);
    assert!(public.stderr.contains("grant"), "a public client must name a grant: {public:?}");
}

#[test]
fn client_add_takes_a_secret_from_standard_input_and_does_not_repeat_it() {
    let server = obol!().server();
    let secret = "a-secret-that-an-operator-chose";
    let client = server.add_client(&ClientSpec::confidential("chosen").secret(secret));
    let server = server.start();
    server.token_by_client_credentials(&client);
    let arguments = ["client", "add", "--json", "--id", "second", "--type", "confidential", "--secret-stdin"];
    let second = server.installation().run_with_input(&arguments, &format!("{secret}\n")).exits(0);
    assert!(!format!("{second:?}").contains(secret), "{second:?}");
    assert_eq!(keys(&second.json()), CLIENT);
}

#[test]
fn client_add_refuses_what_cannot_be() {
    let installation = obol!().installation();
    installation.add_client(&ClientSpec::public("taken"));
    for (arguments, word) in [
        (&["--id", "taken", "--type", "public", "--grant", "password"][..], "taken"),
        (&["--id", "x", "--type", "public", "--grant", "unheard_of"], "unheard_of"),
        (&["--id", "x", "--type", "confidential", "--scope", "sc\"ope"], "scope"),
        (&["--id", "x", "--type", "confidential", "--scope", "both", "--default-scope", "both"], "both"),
        (
            &["--id", "x", "--type", "confidential", "--redirect-uri", "javascript:alert(1)"],
            "javascript:alert(1)",
        ),
        (&["--id", "x", "--type", "public", "--grant", "password", "--allow-introspection"], "introspect"),
    ] {
        let refused = installation.run(&[&["client", "add"], arguments].concat());
        assert!(matches!(refused.code, Some(1 | 2)), "{arguments:?}: {refused:?}");
        assert!(refused.stderr.contains(word), "{arguments:?}: {refused:?}");
    }
    let list = installation.run(&["client", "list", "--json"]).exits(0).json();
    assert_eq!(list.as_array().unwrap().len(), 1);
}

/// What people read on the pages stays on its line, in its direction, and is seen.
#[test]
fn client_add_and_set_refuse_a_name_that_changes_how_a_line_reads() {
    let installation = obol!().installation();
    installation.add_client(&ClientSpec::public("shop"));
    for name in ["a\nb", "knab\u{202e}", "ba\u{200b}nk", "\u{3164}", " "] {
        for command in [
            &["client", "add", "--id", "x", "--type", "public", "--grant", "password"][..],
            &["client", "set", "shop"],
        ] {
            let refused = installation.run(&[command, &["--name", name]].concat()).exits(1);
            assert!(refused.stderr.contains("marks of direction"), "{name:?}: {refused:?}");
        }
    }
    let list = installation.run(&["client", "list", "--json"]).exits(0).json();
    assert_eq!(list.as_array().unwrap().len(), 1);
}

#[test]
fn client_list_show_disable_enable_rotate_secret_and_delete() {
    let House { server, gateway, .. } = obol!().house();
    let list = server.run(&["client", "list", "--json"]).exits(0).json();
    let ids: Vec<&str> =
        list.as_array().unwrap().iter().map(|client| client["client_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["fcare", "gateway"]);
    list.as_array().unwrap().iter().for_each(|client| assert_eq!(keys(client), CLIENT));
    for (id, how) in [("fcare", "not at all"), ("gateway", "with its secret")] {
        let shown = server.run(&["client", "show", id]).exits(0).stdout;
        let line = shown.lines().find(|line| line.starts_with("authenticates")).unwrap();
        assert!(line.ends_with(how), "{shown}");
    }

    assert_eq!(server.run(&["client", "disable", "gateway", "--json"]).exits(0).json()["enabled"], false);
    assert_eq!(server.run(&["client", "enable", "gateway", "--json"]).exits(0).json()["enabled"], true);

    let rotated = server.run(&["client", "rotate-secret", "gateway", "--json"]).exits(0).json();
    let secret = rotated["client_secret"].as_str().unwrap();
    assert_ne!(secret, gateway.own_secret());
    server.revoke(&gateway, "x").expect(401);
    server.token_by_client_credentials(&gateway.with_secret(secret));

    let deleted = server.run(&["client", "delete", "gateway", "--json"]).exits(0).json();
    assert_eq!(deleted, serde_json::json!({"client_id": "gateway", "deleted": true}));
    for verb in ["show", "enable", "disable", "rotate-secret", "delete"] {
        let refused = server.run(&["client", verb, "gateway"]).exits(1);
        assert!(
            refused.stderr.starts_with("error: ") && refused.stderr.contains("gateway"),
            "{verb}: {refused:?}"
        );
    }
    server.run(&["client", "rotate-secret", "fcare"]).exits(1);
}

// obol user

#[test]
fn user_add_makes_a_password_or_takes_one_from_standard_input() {
    let House { server, fcare, .. } = obol!().house();
    let made = server.run(&["user", "add", "bob", "--email", "bob@example.test", "--json"]).exits(0).json();
    assert_eq!(keys(&made), ["created_at", "email", "enabled", "password", "subject", "username"]);
    assert_eq!(made["email"], "bob@example.test");
    assert_eq!(made["username"], "bob");
    assert!(
        made["subject"]
            .as_str()
            .is_some_and(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()))
    );
    server.token_by_password(&fcare, "bob", made["password"].as_str().unwrap());

    let given = server.add_user("carol", "the password of carol");
    assert_eq!(keys(&given), USER);
    server.token_by_password(&fcare, "carol", "the password of carol");
}

#[test]
fn user_add_refuses_what_cannot_be() {
    let installation = obol!().installation();
    installation.add_user(ALICE, PASSWORD);
    for (name, password) in
        [(ALICE, PASSWORD), ("Alice", PASSWORD), ("two words", PASSWORD), ("bob", "short"), ("bob", "")]
    {
        let arguments = ["user", "add", name, "--password-stdin"];
        let refused = installation.run_with_input(&arguments, &format!("{password}\n"));
        assert!(matches!(refused.code, Some(1 | 2)), "{name}: {refused:?}");
        assert!(refused.stderr.starts_with("error: "), "{name}: {refused:?}");
    }
    let list = installation.run(&["user", "list", "--json"]).exits(0).json();
    assert_eq!(list.as_array().unwrap().len(), 1);
}

#[test]
fn user_list_show_disable_enable_set_password_and_delete() {
    let House { server, fcare, .. } = obol!().house();
    let list = server.run(&["user", "list", "--json"]).exits(0).json();
    assert_eq!(list.as_array().unwrap().len(), 1);
    let shown = server.run(&["user", "show", ALICE, "--json"]).exits(0);
    assert_eq!(keys(&shown.json()), USER);
    assert_keys_stand_sorted(&shown.stdout, &USER);
    assert_eq!(shown.json(), list[0]);

    assert_eq!(server.run(&["user", "disable", ALICE, "--json"]).exits(0).json()["enabled"], false);
    server.ask_by_password(&fcare, ALICE, PASSWORD).expect(401);
    assert_eq!(server.run(&["user", "enable", ALICE, "--json"]).exits(0).json()["enabled"], true);

    let before = server.token_by_password(&fcare, ALICE, PASSWORD);
    let arguments = ["user", "set-password", ALICE, "--password-stdin", "--json"];
    server.installation().run_with_input(&arguments, "her new password\n").exits(0);
    assert!(!server.stands(&fcare, &before.access), "a new password ends what the old one gave");
    server.ask_by_password(&fcare, ALICE, PASSWORD).expect(401);
    server.token_by_password(&fcare, ALICE, "her new password");
    let made = server.run(&["user", "set-password", ALICE, "--json"]).exits(0).json();
    server.token_by_password(&fcare, ALICE, made["password"].as_str().unwrap());

    let deleted = server.run(&["user", "delete", ALICE, "--json"]).exits(0).json();
    assert_eq!(deleted["deleted"], true);
    assert_eq!(deleted["username"], ALICE);
    for verb in ["show", "enable", "disable", "set-password", "delete"] {
        let refused = server.run(&["user", verb, ALICE]).exits(1);
        assert!(
            refused.stderr.starts_with("error: ") && refused.stderr.contains(ALICE),
            "{verb}: {refused:?}"
        );
    }
}

// obol token

#[test]
fn token_verify_says_valid_or_the_reason() {
    let House { server, fcare, .. } = obol!().house();
    let access = server.token_by_password(&fcare, ALICE, PASSWORD).access;
    let valid = server.run(&["token", "verify", &access, "--client", "fcare", "--json"]).exits(0).json();
    assert_eq!(keys(&valid), ["client_id", "expires_in", "scope", "username", "valid"]);
    assert_eq!(valid["username"], ALICE);
    assert_eq!(valid["valid"], true);
    let from_stdin = server
        .installation()
        .run_with_input(&["token", "verify", "-", "--client", "fcare"], &format!("{access}\n"));
    from_stdin.exits(0);

    server.revoke(&fcare, &access).expect(200);
    for (token, client) in [(access.as_str(), "fcare"), (&access, "gateway"), ("unknown", "fcare")] {
        let refused = server.run(&["token", "verify", token, "--client", client, "--json"]).exits(1).json();
        assert_eq!(keys(&refused), ["reason", "valid"]);
        assert_eq!(refused["valid"], false);
        assert!(refused["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    }
}

#[test]
fn token_revoke_ends_the_pair_and_says_its_position() {
    let House { server, fcare, .. } = obol!().house();
    let tokens = server.token_by_password(&fcare, ALICE, PASSWORD);
    let revoked = server.run(&["token", "revoke", &tokens.access, "--json"]).exits(0).json();
    assert_eq!(revoked["revoked"], true);
    assert!(revoked["position"].is_u64(), "{revoked}");
    assert!(!server.stands(&fcare, &tokens.access));
    server.refresh(&fcare, tokens.refresh()).expect(400);

    let by_refresh = server.token_by_password(&fcare, ALICE, PASSWORD);
    let arguments = ["token", "revoke", "-", "--json"];
    server.installation().run_with_input(&arguments, by_refresh.refresh()).exits(0);
    assert!(!server.stands(&fcare, &by_refresh.access));

    let nothing = server.run(&["token", "revoke", "unknown", "--json"]).exits(0).json();
    assert_eq!(nothing["revoked"], false);
    assert!(nothing["reason"].is_string());
}

#[test]
fn token_explain_says_what_a_token_says_and_whether_it_stands() {
    let House { server, fcare, .. } = obol!().house();
    let access = server.token_by_password(&fcare, ALICE, PASSWORD).access;
    let explained = server.run(&["token", "explain", &access, "--json"]).exits(0);
    assert_eq!(explained.json()["stands"], true);
    for said in ["fcare", ALICE, "read write"] {
        assert!(explained.stdout.contains(said), "{said}: {explained:?}");
    }
    server.revoke(&fcare, &access).expect(200);
    let explained = server.run(&["token", "explain", &access, "--json"]).exits(0).json();
    assert_eq!(explained["stands"], false);
    assert!(explained["reason"].is_string());
    server.run(&["token", "explain", "unknown"]).exits(1);
}

// obol revoke

#[test]
fn revoke_of_a_user_a_client_a_family_and_all() {
    let House { server, fcare, gateway } = obol!().house();
    server.add_user("bob", PASSWORD);
    let give = || {
        let of_alice = server.token_by_password(&fcare, ALICE, PASSWORD);
        let of_bob = server.token_by_password(&fcare, "bob", PASSWORD);
        (of_alice, of_bob, server.token_by_client_credentials(&gateway))
    };
    let stand = |tokens: &(obol_testkit::Tokens, obol_testkit::Tokens, obol_testkit::Tokens)| {
        [
            server.stands(&fcare, &tokens.0.access),
            server.stands(&fcare, &tokens.1.access),
            server.stands(&gateway, &tokens.2.access),
        ]
    };
    for (what, left) in [
        (&["--user", ALICE][..], [false, true, true]),
        (&["--client", "fcare"], [false, false, true]),
        (&["--client", "gateway"], [true, true, false]),
        (&["--all"], [false, false, false]),
    ] {
        let tokens = give();
        assert_eq!(stand(&tokens), [true; 3], "new sign-ins work after the revocation before {what:?}");
        let dry = server.run(&[&["revoke", "--dry-run", "--json"], what].concat()).exits(0).json();
        assert_eq!(keys(&dry), ["dry_run", "families"], "{what:?}");
        assert_eq!(stand(&tokens), [true; 3], "a dry run of {what:?} does nothing");
        let done = server.run(&[&["revoke", "--yes", "--json"], what].concat()).exits(0).json();
        assert_eq!(keys(&done), ["families", "position", "revoked"], "{what:?}");
        assert_eq!(done["families"], dry["families"]);
        assert_eq!(stand(&tokens), left, "{what:?}");
    }
    let tokens = give();
    let issued = server.await_audit("the last sign-in of alice", |record| {
        record.event() == "token.issued" && record.text("username") == ALICE && {
            let explained = server.run(&["token", "explain", &tokens.0.access, "--json"]).exits(0);
            explained.stdout.contains(record.text("token_id"))
        }
    });
    let family = issued.text("family").to_owned();
    server.run(&["revoke", "--family", &family, "--yes"]).exits(0);
    assert_eq!(stand(&tokens), [false, true, true]);
    server.refresh(&fcare, tokens.0.refresh()).expect(400);
}

#[test]
fn revoke_without_yes_and_without_a_terminal_is_wrong_usage_and_does_nothing() {
    let House { server, fcare, .. } = obol!().house();
    let access = server.token_by_password(&fcare, ALICE, PASSWORD).access;
    let refused = server.run(&["revoke", "--all"]).exits(2);
    assert!(refused.stderr.contains("--yes"), "{refused:?}");
    assert!(server.stands(&fcare, &access));
    server.run(&["revoke", "--user", "nobody", "--yes"]).exits(1);
    server.run(&["revoke", "--yes"]).exits(2);
    server.run(&["revoke", "--user", ALICE, "--client", "fcare", "--yes"]).exits(2);
}

// While the server runs, and before the first serve

#[test]
fn commands_work_before_the_first_serve() {
    let installation = obol!().installation();
    let nothing = installation.run(&["client", "list"]).exits(1);
    assert!(
        nothing.stderr.starts_with("error: "),
        "a folder that is not there is not an empty one: {nothing:?}"
    );
    installation.add_user(ALICE, PASSWORD);
    let fcare = installation.add_client(&ClientSpec::public("fcare"));
    assert_eq!(installation.run(&["client", "list", "--json"]).exits(0).json().as_array().unwrap().len(), 1);
    assert_eq!(installation.run(&["user", "list", "--json"]).exits(0).json().as_array().unwrap().len(), 1);
    installation.run(&["revoke", "--all", "--yes"]).exits(0);
    let server = installation.serve();
    server.token_by_password(&fcare, ALICE, PASSWORD);
}

#[test]
fn the_running_server_honours_each_command_when_it_has_returned() {
    let server = obol!().server().start();
    server.add_user(ALICE, PASSWORD);
    for round in 0..20 {
        let client = server.add_client(&ClientSpec::public(&format!("client-{round}")));
        let tokens = server.token_by_password(&client, ALICE, PASSWORD);
        server.run(&["token", "revoke", &tokens.access]).exits(0);
        assert!(!server.stands(&client, &tokens.access), "round {round}");
        server.run(&["client", "disable", &client.id]).exits(0);
        server.ask_by_password(&client, ALICE, PASSWORD).expect(401);
        server.run(&["client", "enable", &client.id]).exits(0);
        let tokens = server.token_by_password(&client, ALICE, PASSWORD);
        server.run(&["revoke", "--user", ALICE, "--yes"]).exits(0);
        assert!(!server.stands(&client, &tokens.access), "round {round}");
    }
}

#[test]
fn what_the_command_line_revokes_while_no_server_runs_is_refused_by_the_next() {
    let House { mut server, fcare, .. } = obol!().house();
    let tokens = server.token_by_password(&fcare, ALICE, PASSWORD);
    let kept = server.token_by_password(&fcare, ALICE, PASSWORD);
    server.stop();
    server.run(&["token", "revoke", &tokens.access]).exits(0);
    server.run(&["token", "verify", &tokens.access, "--client", "fcare"]).exits(1);
    server.start_again();
    assert!(!server.stands(&fcare, &tokens.access));
    assert!(server.stands(&fcare, &kept.access));
}

#[test]
fn a_revocation_waits_for_a_paused_server_no_longer_than_its_lease() {
    let House { server, fcare, .. } = obol!().house();
    let access = server.token_by_password(&fcare, ALICE, PASSWORD).access;
    server.pause();
    let began = Instant::now();
    server.run(&["token", "revoke", &access]).exits(0);
    let took = began.elapsed();
    server.resume();
    assert_ne!(server.verify(&fcare, &access).status, 200, "the paused server must not vouch for it");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn client_set_changes_what_is_given_and_nothing_else() {
    let server = obol!().server().alice();
    let app = server.add_client(&ClientSpec::confidential("app").option("--scope", "more"));
    let server = server.start();
    let tokens = server.rfc_token_by_password(&app, ALICE, PASSWORD);
    let before = server.run(&["client", "show", "app", "--json"]).exits(0).json();
    let line = [
        "client",
        "set",
        "app",
        "--name",
        "New",
        "--access-token-ttl",
        "60",
        "--id-token-alg",
        "EdDSA",
        "--json",
    ];
    let mut after = server.run(&line).exits(0).json();
    for (key, expected) in [
        ("name", json!("New")),
        ("access_token_ttl", json!(60)),
        ("id_token_signed_response_alg", json!("EdDSA")),
    ] {
        assert_eq!(after[key], expected, "{key}");
        after[key] = before[key].clone();
    }
    let longest = after.as_object_mut().and_then(|after| after.remove("longest_access_token_ttl"));
    assert_eq!(longest, Some(before["access_token_ttl"].clone()), "tokens of before keep their time");
    assert_eq!(after, before);
    assert!(server.stands(&app, &tokens.access), "it ends no token");
    let next = server.rfc_refresh(&app, tokens.refresh()).expect(200);
    assert_eq!(next.json()["expires_in"], 60);

    server.run(&["client", "set", "app", "--default-scope", "other", "--scope", "more"]).exits(0);
    let next = server.rfc_refresh(&app, &next.text("refresh_token")).expect(200).json();
    assert_eq!(next.get("scope"), None, "what is not attached any more is not given again");

    let lists = [
        ("--default-scope", "usual", "default_scopes"),
        ("--scope", "extra", "optional_scopes"),
        ("--redirect-uri", "https://app.test/cb", "redirect_uris"),
        ("--post-logout-redirect-uri", "https://app.test/bye", "post_logout_redirect_uris"),
        ("--resource", "https://api.test", "resources"),
        ("--request-uri", "https://app.test/request", "request_uris"),
    ];
    server.run(&["client", "set", "app", "--default-scope", "", "--scope", ""]).exits(1);
    for (option, value, key) in lists {
        server.run(&["client", "set", "app", "--default-scope", "other", "--scope", "more"]).exits(0);
        for (given, expected) in [(value, json!([value])), ("", json!([]))] {
            let shown = server.run(&["client", "set", "app", option, given, "--json"]).exits(0).json();
            assert_eq!(shown[key], expected, "{option} {given:?}");
        }
    }

    for (line, said) in [
        (&["client", "set", "app", "--redirect-uri", "http://app.test/cb"][..], "use https"),
        (&["client", "set", "app", "--grant", ""], "there is no grant type"),
        (&["client", "set", "app", "--grant", "authorization_code"], "needs a redirect URI"),
        (&["client", "set", "nobody", "--name", "x"], "there is no client `nobody`"),
    ] {
        let refused = server.run(line).exits(1);
        assert!(refused.stderr.contains(said), "{line:?}: {}", refused.stderr);
    }
}
