//! The command line: every command, its JSON, its exit codes, its configuration, and that the server honours it at once.

use std::process::Command;
use std::time::{Duration, Instant};

use obol_testkit::{ALICE, ClientSpec, House, PASSWORD, Server, obol, wait_until};
use serde_json::Value;

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

const CLIENT: [&str; 13] = [
    "access_token_ttl",
    "client_id",
    "created_at",
    "default_scopes",
    "enabled",
    "grants",
    "introspection",
    "name",
    "optional_scopes",
    "redirect_uris",
    "refresh_token_ttl",
    "single_family",
    "type",
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
    let secret = "a secret that an operator chose";
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

#[test]
fn client_list_show_disable_enable_rotate_secret_and_delete() {
    let House { server, gateway, .. } = obol!().house();
    let list = server.run(&["client", "list", "--json"]).exits(0).json();
    let ids: Vec<&str> =
        list.as_array().unwrap().iter().map(|client| client["client_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["fcare", "gateway"]);
    list.as_array().unwrap().iter().for_each(|client| assert_eq!(keys(client), CLIENT));

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
    assert_eq!(installation.run(&["client", "list", "--json"]).exits(0).json(), serde_json::json!([]));
    assert_eq!(installation.run(&["user", "list", "--json"]).exits(0).json(), serde_json::json!([]));
    installation.add_user(ALICE, PASSWORD);
    let fcare = installation.add_client(&ClientSpec::public("fcare"));
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

// obol config, completions, help

#[test]
fn config_sample_is_a_valid_configuration() {
    let installation = obol!().installation();
    let sample = installation.run(&["config", "sample"]).exits(0);
    assert!(sample.stdout.contains("listen") && sample.stdout.contains("data"), "{sample:?}");
    let file = installation.write("sample.toml", &sample.stdout);
    installation.run(&["config", "check", "--config", &file]).exits(0);
}

#[test]
fn config_check_names_file_line_and_key_of_an_error() {
    let installation = obol!().installation();
    for (content, line, word) in [
        ("listen = \"127.0.0.1:0\"\n\nlisten_adress = \"x\"\n", "3", "listen_adress"),
        ("# comment\nrefresh_grace = \"soon\"\n", "2", "refresh_grace"),
        ("listen = \"nowhere\"\n", "1", "listen"),
        ("data = \"a\"\ndata = \"b\"\n", "2", "data"),
        ("issuer = \"https://id.test\"\nlisten = [\n", "2", "line"),
    ] {
        let file = installation.write("obol.toml", content);
        for command in [&["config", "check"][..], &["serve"]] {
            let refused = installation.run(&[command, &["--config", &file]].concat()).exits(1);
            assert!(refused.stderr.starts_with("error: "), "{refused:?}");
            for part in ["obol.toml", line, word] {
                assert!(refused.stderr.contains(part), "{part}: {refused:?}");
            }
        }
    }
}

#[test]
fn a_missing_configuration_file_is_refused() {
    let installation = obol!().installation();
    let refused = installation.run(&["serve", "--config", "nowhere.toml"]);
    assert!(matches!(refused.code, Some(1 | 2)), "{refused:?}");
    assert!(refused.stderr.contains("nowhere.toml"), "{refused:?}");
}

#[test]
fn the_command_line_comes_before_the_environment_and_that_before_the_file() {
    let issuer_of =
        |server: &Server| server.http().get(obol_testkit::METADATA).send().json()["issuer"].clone();
    let installation = obol!().installation();
    let file = installation.write("obol.toml", "issuer = \"https://file.test\"\n");
    let with_file = installation.server().option("--config", &file);
    let from_file = with_file.start();
    assert_eq!(issuer_of(&from_file), "https://file.test");

    let start = |command_line: bool| {
        let installation = obol!().installation();
        let file = installation.write("obol.toml", "issuer = \"https://file.test\"\n");
        let server = installation
            .server()
            .environment("OBOL_CONFIG", &file)
            .environment("OBOL_ISSUER", "https://environment.test");
        if command_line { server.option("--issuer", "https://command.test").start() } else { server.start() }
    };
    assert_eq!(issuer_of(&start(false)), "https://environment.test");
    assert_eq!(issuer_of(&start(true)), "https://command.test");
}

#[test]
fn an_error_in_the_environment_names_the_variable() {
    let installation = obol!().installation();
    let environment = [("OBOL_LISTEN", "nowhere")];
    let refused = installation.program().run(installation.folder(), &["serve"], &environment, "");
    assert!(matches!(refused.code, Some(1 | 2)), "{refused:?}");
    assert!(refused.stderr.contains("OBOL_LISTEN"), "{refused:?}");
}

#[test]
fn completions_are_written_for_the_usual_shells() {
    let installation = obol!().installation();
    for shell in ["bash", "zsh", "fish"] {
        assert!(installation.run(&["completions", shell]).exits(0).stdout.contains("obol"), "{shell}");
    }
    installation.run(&["completions", "nonesuch"]).exits(2);
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let installation = obol!().installation();
    for arguments in [
        &["unheard-of"][..],
        &["client", "add"],
        &["client", "add", "--id", "x", "--type", "secretive"],
        &["token", "verify", "x"],
        &["user", "add"],
        &["serve", "--listen"],
        &["serve", "--unheard-of"],
        &["serve", "--tls-cert", "only-half.pem"],
    ] {
        let wrong = installation.run(arguments);
        assert_eq!(wrong.code, Some(2), "{arguments:?}: {wrong:?}");
        assert!(wrong.stderr.starts_with("error: "), "{arguments:?}: {wrong:?}");
        assert_eq!(wrong.stdout, "");
    }
}

#[test]
fn help_is_exit_code_0_and_tells_units_and_defaults() {
    let installation = obol!().installation();
    let help = |arguments: &[&str]| {
        installation.program().run(installation.folder(), arguments, &[], "").exits(0).stdout
    };
    for command in ["serve", "client", "user", "token", "revoke", "config", "completions"] {
        assert!(help(&["--help"]).contains(command), "{command}");
        assert!(!help(&[command, "--help"]).is_empty());
    }
    let serve = help(&["serve", "--help"]);
    for said in ["--listen", "127.0.0.1:8080", "--tls-self-signed", "OBOL_DATA"] {
        assert!(serve.contains(said), "{said}");
    }
    assert!(help(&["--version"]).contains("obol"));
}

// obol serve

#[test]
fn serve_refuses_a_listener_that_is_not_loopback_and_names_the_three_ways() {
    let installation = obol!().installation();
    let refused = installation.run(&["serve", "--listen", "0.0.0.0:0"]).exits(1);
    assert!(refused.stderr.starts_with("error: "), "{refused:?}");
    for way in ["tls-cert", "tls-self-signed", "behind-proxy"] {
        assert!(refused.stderr.replace('_', "-").contains(way), "{way}: {refused:?}");
    }
}

#[test]
fn serve_takes_a_listener_that_is_not_loopback_with_tls_or_behind_a_proxy() {
    obol!().server().option("--listen", "0.0.0.0:0").tls_self_signed().start();
    let server =
        obol!().server().option("--listen", "0.0.0.0:0").option("--behind-proxy", "127.0.0.0/8").start();
    server.http().get("/readyz").send().expect(200);
}

#[test]
fn serve_takes_a_certificate_and_its_key_from_files() {
    let made = obol!().server().tls_self_signed().start();
    let pem = |label: &str| {
        let files = std::fs::read_dir(made.data()).unwrap().flatten().map(|file| file.path());
        let mut found = files.filter(|path| {
            std::fs::read(path)
                .is_ok_and(|content| content.starts_with(format!("-----BEGIN {label}").as_bytes()))
        });
        found.next().unwrap_or_else(|| panic!("no {label}")).display().to_string()
    };
    let (certificate, key) = (pem("CERTIFICATE"), pem("PRIVATE KEY"));
    let installation = obol!().installation();
    // The kit trusts what lies in the data folder.
    std::fs::create_dir(installation.data()).unwrap();
    std::fs::copy(&certificate, installation.data().join("trusted-by-the-test.pem")).unwrap();
    let server = installation.server().option("--tls-cert", &certificate).option("--tls-key", &key).start();
    server.http().get("/readyz").send().expect(200);

    let installation = obol!().installation();
    let swapped = installation.run(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--tls-cert",
        &key,
        "--tls-key",
        &certificate,
    ]);
    assert!(swapped.exits(1).stderr.starts_with("error: "));
    let missing = ["serve", "--listen", "127.0.0.1:0", "--tls-cert", "nowhere.pem", "--tls-key", &key];
    assert!(installation.run(&missing).exits(1).stderr.contains("nowhere.pem"));
}

#[test]
fn a_second_server_on_the_same_folder_refuses_to_start() {
    let server = obol!().server().start();
    let second = server.run(&["serve", "--listen", "127.0.0.1:0"]).exits(1);
    assert!(second.stderr.contains("error: "), "{second:?}");
    assert!(second.stderr.contains("server"), "{second:?}");
    server.http().get("/readyz").send().expect(200);
}

#[test]
fn serve_refuses_a_data_folder_that_it_cannot_use() {
    let installation = obol!().installation();
    let file = installation.write("a-file", "not a folder");
    for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &["client", "list"]] {
        let arguments = [arguments, &["--data", &file]].concat();
        let refused = installation.program().run(installation.folder(), &arguments, &[], "").exits(1);
        assert!(refused.stderr.contains("error: ") && refused.stderr.contains("a-file"), "{refused:?}");
    }
}

#[test]
fn serve_refuses_an_address_that_is_taken() {
    let first = obol!().server().start();
    let taken = first.http().address().to_string();
    let refused = obol!().installation().run(&["serve", "--listen", &taken]).exits(1);
    assert!(refused.stderr.contains(&taken), "{refused:?}");
}

// obol serve --dev

#[test]
fn serve_dev_prints_curl_lines_that_work_as_printed() {
    let server = obol!().server().flag("--dev").start();
    let lines = printed_commands(&server);
    // Told in its own configuration, curl also says the status; the lines stay as printed.
    server.installation().write(".curlrc", "write-out = \"%{stderr}status %{http_code}\\n\"\n");
    let home = server.installation().folder();
    // One shell runs them in order, as a person pastes them: a line may keep the token for the next.
    let ran = Command::new("sh").args(["-c", &lines.join("\n")]).env("HOME", home).current_dir(home).output();
    let ran = ran.expect("sh runs");
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    let statuses: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("status ")).collect();
    assert_eq!(statuses, ["200", "200", "200", "401"], "is `curl` installed? {said}\n{}", lines.join("\n"));
}

/// What is printed to be pasted: from the first line with `curl` on, without the comments.
fn printed_commands(server: &Server) -> Vec<String> {
    let is_verify = |line: &&String| line.contains("verify_token");
    let all = wait_until("the curl lines are printed", Duration::from_secs(20), || {
        let all = server.stdout().all();
        (all.iter().filter(is_verify).count() >= 2).then_some(all)
    });
    let first = all.iter().position(|line| line.contains("curl ")).unwrap();
    all.into_iter().skip(first).filter(|line| !line.trim_start().starts_with('#')).collect()
}

#[test]
fn serve_dev_makes_its_clients_and_its_user_once() {
    let mut server = obol!().server().flag("--dev").start();
    let ids = |server: &Server| {
        let list = server.run(&["client", "list", "--json"]).exits(0).json();
        list.as_array()
            .unwrap()
            .iter()
            .map(|client| client["client_id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&server), ["fcare", "gateway"]);
    let users = server.run(&["user", "list", "--json"]).exits(0).json();
    assert_eq!(users[0]["username"], ALICE);
    server.stop();
    server.start_again();
    assert_eq!(ids(&server), ["fcare", "gateway"]);
}
