//! `obol serve`: what it refuses, what it takes, and what `--dev` prints.

use std::fs;
use std::process::Command;
use std::time::Duration;

use obol_testkit::{ALICE, Client, RFC_TOKEN, Server, obol, wait_until};

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
        let files = fs::read_dir(made.data()).unwrap().flatten().map(|file| file.path());
        let mut found = files.filter(|path| {
            fs::read(path).is_ok_and(|content| content.starts_with(format!("-----BEGIN {label}").as_bytes()))
        });
        found.next().unwrap_or_else(|| panic!("no {label}")).display().to_string()
    };
    let (certificate, key) = (pem("CERTIFICATE"), pem("PRIVATE KEY"));
    let installation = obol!().installation();
    // The kit trusts what lies in the data folder.
    fs::create_dir(installation.data()).unwrap();
    fs::copy(&certificate, installation.data().join("trusted-by-the-test.pem")).unwrap();
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
    // One shell runs them in order, as a person pastes them: a line keeps the token for the next.
    let folder = server.installation().folder();
    let ran =
        Command::new("sh").args(["-c", &lines.join("\n")]).current_dir(folder).output().expect("sh runs");
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let answers: Vec<&str> = said.lines().filter(|line| !line.is_empty()).collect();
    let [token, verified, revoked, refused, introspected] = answers[..] else {
        panic!("five answers; is `curl` installed? {said}\n{}", String::from_utf8_lossy(&ran.stderr));
    };
    assert!(token.starts_with("oba_"), "{token}");
    assert!(verified.contains(r#""username""#) && verified.ends_with("200"), "{verified}");
    assert!(revoked.ends_with("200"), "{revoked}");
    assert!(refused.ends_with("401"), "{refused}");
    assert_eq!(introspected, r#"{"active":false}200"#);
}

#[test]
fn serve_dev_prints_a_line_that_starts_the_example_application() {
    let server = obol!().server().flag("--dev").start();
    let line = server.stdout().wait_for(Duration::from_secs(20), |line| {
        line.contains("examples/web-app/Cargo.toml").then(|| line.to_owned())
    });
    let line = line.expect("the line is printed");
    let value = |name: &str| line.split(' ').find_map(|word| word.strip_prefix(name)).unwrap().to_owned();
    assert_eq!(value("ISSUER="), server.url());
    let web_app = Client::bare("web-app").with_secret(&value("CLIENT_SECRET="));
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", "none"),
        ("code_verifier", "a-verifier-of-at-least-forty-three-characters"),
        ("redirect_uri", "http://127.0.0.1:3000/callback"),
    ];
    let answer = server.post_form(RFC_TOKEN, &web_app, &fields).expect(400);
    assert_eq!(answer.text("error"), "invalid_grant", "only the code is wrong, not the secret: {answer:?}");
    let query = "response_type=code&client_id=web-app&scope=openid&code_challenge_method=S256\
                 &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\
                 &redirect_uri=http%3A%2F%2F127.0.0.1%3A3000%2Fcallback";
    let page = server.http().get(&format!("/oauth2/authorize?{query}")).send().expect(200);
    assert!(String::from_utf8_lossy(&page.body).contains("The example application"), "{page:?}");
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
fn serve_dev_takes_over_nothing_that_it_did_not_make() {
    let installation = obol!().installation();
    installation.add_user("alice", "correct horse battery staple");
    let refused = installation.run(&["serve", "--dev", "--listen", "127.0.0.1:0"]).exits(1);
    assert!(refused.stderr.contains("that --dev did not make"), "{refused:?}");
    let users = installation.run(&["user", "show", "alice", "--json"]).exits(0).json();
    assert_eq!(users["email"], serde_json::Value::Null);
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
    assert_eq!(ids(&server), ["fcare", "gateway", "web-app"]);
    let users = server.run(&["user", "list", "--json"]).exits(0).json();
    assert_eq!(users[0]["username"], ALICE);
    server.stop();
    server.start_again();
    assert_eq!(ids(&server), ["fcare", "gateway", "web-app"]);
}
