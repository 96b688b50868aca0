//! Configuration: where values come from, what is said of wrong ones; help, completions and wrong usage.

use std::fs;

use obol_testkit::{METADATA, Server, obol};

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
fn a_file_of_authorities_is_read_before_anything_is_served() {
    let installation = obol!().installation();
    let file = installation.write("authorities.pem", "no certificate");
    for (path, reason) in [(&*file, "no usable certificate"), ("nowhere.pem", "cannot read")] {
        for command in [&["config", "check"][..], &["serve"]] {
            let refused = installation.run(&[command, &["--outgoing-ca", path]].concat()).exits(1);
            assert!(refused.stderr.contains("outgoing_ca") && refused.stderr.contains(path), "{refused:?}");
            assert!(refused.stderr.contains(reason), "{refused:?}");
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
    let issuer_of = |server: &Server| server.http().get(METADATA).send().json()["issuer"].clone();
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
fn every_command_has_a_manual_page() {
    let installation = obol!().installation();
    let folder = installation.folder().join("man1");
    let written = installation.run(&["manual", folder.to_str().unwrap(), "--json"]).exits(0);
    assert_eq!(written.json()["folder"], folder.to_str().unwrap());
    for (page, said) in [("obol.1", "Exit codes"), ("obol-serve.1", "refresh"), ("obol-keys-rotate.1", "key")]
    {
        let text = fs::read_to_string(folder.join(page)).unwrap();
        assert!(text.contains(".TH") && text.contains(said), "{page}");
    }
    let file = installation.write("a-file", "");
    assert!(installation.run(&["manual", &file]).exits(1).stderr.contains("a-file"));
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
