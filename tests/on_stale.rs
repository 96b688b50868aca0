//! The policy `on_stale` on one server: how it is set, and who says that the promise is given up by it. What it does:
//! `cluster/on_stale.rs`.

use obol_testkit::obol;

const SERVE: [(&str, &str); 2] = [("OBOL_ON_STALE", "serve"), ("OBOL_ON_STALE_MAX_AGE_MS", "60000")];

#[test]
fn a_policy_without_an_age_that_makes_sense_is_refused_at_start() {
    let installation = obol!().installation();
    for (content, parts) in [
        ("on_stale = 'serve'", ["line 1, on_stale: ", "set on_stale_max_age_ms as well"]),
        ("on_stale = 'perhaps'", ["line 1, on_stale: ", "refuse, serve"]),
        ("on_stale_max_age_ms = 60000", ["line 1, on_stale_max_age_ms: ", "on_stale = serve"]),
        (
            "on_stale = 'refuse'\non_stale_max_age_ms = 60000",
            ["line 2, on_stale_max_age_ms: ", "on_stale = serve"],
        ),
        (
            "on_stale = 'serve'\non_stale_max_age_ms = 0",
            ["line 2, on_stale_max_age_ms: ", "milliseconds from 1 to 3600000"],
        ),
        (
            "on_stale = 'serve'\non_stale_max_age_ms = 3600001",
            ["line 2, on_stale_max_age_ms: ", "milliseconds from 1 to 3600000"],
        ),
        (
            "on_stale = 'serve'\non_stale_max_age_ms = 2000",
            ["line 2, on_stale_max_age_ms: ", "must be more than lease_ms"],
        ),
    ] {
        let file = installation.write("obol.toml", content);
        for command in [&["config", "check"][..], &["serve", "--listen", "127.0.0.1:0"]] {
            let refused = installation.run(&[command, &["--config", &file]].concat()).exits(1);
            for part in parts {
                assert!(refused.stderr.contains(part), "{content}: {part:?} is missing in {refused:?}");
            }
        }
    }
    for content in ["on_stale = 'refuse'", "on_stale = 'serve'\non_stale_max_age_ms = 3600000"] {
        let file = installation.write("obol.toml", content);
        installation.run(&["config", "check", "--config", &file]).exits(0);
    }
}

#[test]
fn who_may_serve_what_is_stale_says_so_at_start_and_in_readyz() {
    for (settings, promise, warnings) in [(&[][..], "held", 0), (&SERVE, "not held", 1)] {
        let server =
            settings.iter().fold(obol!().server(), |server, (name, value)| server.environment(name, value));
        let server = server.start();
        let said = server.http().get("/readyz").send().expect(200).json();
        assert_eq!((&said["promise"], &said["stale"]), (&promise.into(), &false.into()), "{said}");
        assert_eq!(
            said["promise_reasons"].to_string().contains("on_stale is serve"),
            warnings == 1,
            "{said}"
        );
        let log = server.log().all();
        let warned = log.iter().filter(|line| line.contains("on_stale is serve"));
        assert_eq!(warned.count(), warnings, "{log:#?}");
    }
}

#[test]
fn doctor_warns_of_the_policy_and_calls_the_installation_sound() {
    let server = obol!().server().start();
    let installation = server.installation();
    let data = installation.data().display().to_string();
    let doctor = |environment: &[(&str, &str)]| {
        let arguments = ["doctor", "--json", "--data", &data];
        let report =
            installation.program().run(installation.folder(), &arguments, environment, "").exits(0).json();
        let checks = report["checks"].as_array().expect("a list").clone();
        checks.into_iter().filter(|check| check["warning"] == true).collect::<Vec<_>>()
    };
    assert!(doctor(&[]).is_empty());
    let warnings = doctor(&SERVE);
    let [warning] = &warnings[..] else { panic!("{warnings:?}") };
    assert_eq!((&warning["name"], &warning["sound"]), (&"policy".into(), &true.into()));
    assert!(warning["said"].as_str().is_some_and(|said| said.contains("60000 ms")), "{warning}");
}
