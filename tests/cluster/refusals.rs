//! What a node refuses to start with: one sentence each, which names the setting.

use obol_testkit::{Installation, Postgres, obol};

/// Starts a node with these options in its environment; gives the sentence with which it refuses.
#[track_caller]
fn refusal(installation: &Installation, settings: &[(&str, &str)]) -> String {
    let environment: Vec<(String, String)> =
        settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let attempt = installation.attempt_to_serve(&installation.data(), &environment);
    attempt.refused().sentence().to_owned()
}

#[track_caller]
fn says(sentence: &str, parts: &[&str]) {
    for part in parts {
        assert!(sentence.contains(part), "{part:?} is missing in: {sentence}");
    }
}

#[test]
fn a_database_that_cannot_be_used_is_refused_with_the_setting_to_correct() {
    let server = Postgres::shared();
    let url = server.database();
    let (place, port) = (obol!().installation(), server.port());
    let guarded = |password: &str| {
        let (user, name) = (Postgres::GUARDED, url.rsplit('/').next().unwrap_or_default());
        format!("postgres://{user}:{password}@127.0.0.1:{port}/{name}")
    };
    for (url, parts) in [
        ("mysql://root@db/obol".to_owned(), &["OBOL_DATABASE_URL", "postgres://"][..]),
        ("postgres://obol@127.0.0.1:nowhere/obol".to_owned(), &["--database-url"]),
        ("postgres://obol@127.0.0.1:1/obol".to_owned(), &["--database-url", "cannot be reached"]),
        (format!("postgres://obol@127.0.0.1:{port}/nowhere"), &["--database-url", "nowhere"]),
        (format!("postgres://nobody@127.0.0.1:{port}/postgres"), &["--database-url", "nobody"]),
        (guarded("wrong-coin"), &["--database-password-file", "--database-url", Postgres::GUARDED]),
    ] {
        let environment = [("OBOL_DATABASE_URL".to_owned(), url.clone())];
        let refused = place.attempt_to_serve(&place.data(), &environment).refused();
        let said = refused.stderr.join("\n");
        says(&said, parts);
        assert!(!said.contains("wrong-coin"), "no password is shown: {said}");
    }
    let file = place.write("password", "wrong-coin\n");
    let url = guarded("").replace(":@", "@");
    let said = refusal(&place, &[("OBOL_DATABASE_URL", &url), ("OBOL_DATABASE_PASSWORD_FILE", &file)]);
    says(&said, &["--database-password-file"]);
    let said =
        refusal(&place, &[("OBOL_DATABASE_URL", &url), ("OBOL_DATABASE_PASSWORD_FILE", "/nowhere/at/all")]);
    says(&said, &["--database-password-file", "/nowhere/at/all"]);
}

#[test]
fn a_schema_of_a_newer_version_is_refused() {
    let server = Postgres::shared();
    let url = server.database();
    let place = obol!().installation();
    drop(place.attempt_to_serve(&place.data(), &[("OBOL_DATABASE_URL".to_owned(), url.clone())]).listens());
    let name = url.rsplit('/').next().unwrap_or_default();
    server.sql(name, "INSERT INTO obol.migrations (number, checksum) VALUES (1000, 7)");
    let said = refusal(&place, &[("OBOL_DATABASE_URL", &url)]);
    says(&said, &["newer version", "--database-url"]);
}

#[test]
fn a_node_with_another_master_key_is_refused_and_the_others_go_on() {
    let server = Postgres::shared();
    let url = server.database();
    let (first, second) = (obol!().installation(), obol!().installation());
    let settings = [("OBOL_DATABASE_URL".to_owned(), url.clone())];
    let running = first.attempt_to_serve(&first.data(), &settings).listens();
    // It has none of its own, and none is made for it.
    says(&refusal(&second, &[("OBOL_DATABASE_URL", &url)]), &["--master-key-file"]);
    // It has that of another installation.
    let third = obol!().installation();
    drop(third.attempt_to_serve(&third.data(), &[]).listens());
    let foreign = third.data().join("master.key").display().to_string();
    let said = refusal(&second, &[("OBOL_DATABASE_URL", &url), ("OBOL_MASTER_KEY_FILE", &foreign)]);
    says(&said, &["--master-key-file"]);
    running.http().get("/readyz").send().expect(200);
    let nodes = server.sql(url.rsplit('/').next().unwrap_or_default(), "SELECT count(*) FROM obol.nodes");
    assert_eq!(nodes, "1", "no revocation waits for a node that was refused");
}
