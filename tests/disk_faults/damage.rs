//! Damaged data folders: a clear refusal, or a server that accepts nothing that was not issued on this folder.

use std::fs;
use std::path::{Path, PathBuf};

use obol_testkit::{
    Attempt, Attempted, Chance, Client, ClientSpec, House, Installation, VERIFY, obol, run_size,
};

#[test]
fn a_file_that_is_no_database_of_obol_is_refused() {
    for (case, content) in [
        ("text", b"this is not a database".repeat(1_000)),
        ("short text", b"short".to_vec()),
        ("zeros", vec![0; 8_192]),
        ("a header and nothing", b"SQLite format 3\0".to_vec()),
    ] {
        let installation = obol!().installation();
        fs::create_dir(installation.data()).unwrap();
        fs::write(installation.data().join("obol.db"), content).unwrap();
        let refused = installation.attempt_to_serve(&installation.data(), &[]).refused();
        println!("{case}: {}", refused.sentence());
    }
}

#[test]
fn a_foreign_database_is_refused_and_left_alone() {
    let installation = obol!().installation();
    fs::create_dir(installation.data()).unwrap();
    let database = installation.data().join("obol.db");
    let db = rusqlite::Connection::open(&database).unwrap();
    db.execute_batch("CREATE TABLE invoices (id INTEGER); INSERT INTO invoices VALUES (7);").unwrap();
    drop(db);
    let before = fs::read(&database).unwrap();
    let refused = installation.attempt_to_serve(&installation.data(), &[]).refused();
    println!("{}", refused.sentence());
    assert!(fs::read(&database).unwrap() == before, "somebody else's database was changed");
}

#[test]
fn a_master_key_that_is_not_the_right_one_is_refused() {
    let template = Template::make();
    let other = Template::make();
    for (case, key) in [
        ("of another installation", fs::read(other.data().join("master.key")).unwrap()),
        ("cut", fs::read(template.data().join("master.key")).unwrap()[..20].to_vec()),
        ("empty", Vec::new()),
        ("not text", vec![0xff; 64]),
    ] {
        let data = template.copy("key");
        fs::write(data.join("master.key"), key).unwrap();
        let refused = template.installation.attempt_to_serve(&data, &[]).refused();
        println!("{case}: {}", refused.sentence());
    }
    let data = template.copy("no key");
    fs::remove_file(data.join("master.key")).unwrap();
    println!("gone: {}", template.installation.attempt_to_serve(&data, &[]).refused().sentence());
}

#[test]
fn r08_flipped_bytes_bring_a_refusal_or_a_server_that_accepts_nothing_foreign() {
    let mut chance = Chance::seeded("flipped bytes");
    let (template, foreign) = (Template::make(), Template::make());
    let (mut refused, mut serving, mut forgotten) = (0, 0, 0);
    for _ in 0..run_size("OBOL_TEST_FLIPS", 60) {
        let data = template.copy("flipped");
        let flipped = flip(&data, &mut chance);
        match template.installation.attempt_to_serve(&data, &[]) {
            Attempt::Refused(answer) => {
                refused += 1;
                assert!(!answer.sentence().is_empty(), "{flipped}");
            }
            Attempt::Listens(server) => {
                serving += 1;
                forgotten += usize::from(expect_nothing_foreign(server, &template, &foreign, &flipped));
            }
        }
    }
    // A flip in the very entry that denies a token undoes it: no row carries a checksum. Said, not asserted.
    println!(
        "{refused} starts refused; {serving} servers accepted nothing foreign, {forgotten} a revoked token"
    );
}

/// A data folder with tokens, made by a server that has stopped.
struct Template {
    installation: Installation,
    data: PathBuf,
    fcare: Client,
    token: String,
    revoked: String,
}

impl Template {
    fn make() -> Self {
        let House { mut server, fcare, .. } = obol!().house();
        let robot = server.add_client(&ClientSpec::confidential("robot"));
        let token = server.token_by_client_credentials(&robot).access;
        let revoked = server.token_by_client_credentials(&robot).access;
        server.rfc_revoke(&robot, &revoked).expect(200);
        for _ in 0..100 {
            let ended = server.token_by_client_credentials(&robot).access;
            server.rfc_revoke(&robot, &ended).expect(200);
        }
        server.stop();
        let installation = obol!().installation();
        let data = installation.folder().join("template");
        copy_folder(&server.data(), &data);
        Self { installation, data, fcare, token, revoked }
    }

    fn data(&self) -> &Path {
        &self.data
    }

    /// A new copy in the place of the last one of this name.
    fn copy(&self, name: &str) -> PathBuf {
        let copy = self.installation.folder().join(name);
        let _ = fs::remove_dir_all(&copy);
        copy_folder(&self.data, &copy);
        copy
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for file in fs::read_dir(from).unwrap().flatten() {
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// Flips one to eight bytes of a file, and says where.
fn flip(data: &Path, chance: &mut Chance) -> String {
    let mut files: Vec<PathBuf> = fs::read_dir(data)
        .unwrap()
        .flatten()
        .map(|file| file.path())
        .filter(|path| fs::metadata(path).is_ok_and(|found| found.len() > 0))
        .collect();
    files.sort();
    let database = data.join("obol.db");
    let path = if chance.once_in(4) { chance.pick(&files) } else { &database };
    let mut bytes = fs::read(path).unwrap();
    let offsets: Vec<usize> = (0..=chance.below(8)).map(|_| chance.index(bytes.len())).collect();
    for offset in &offsets {
        bytes[*offset] ^= 1 << chance.below(8);
    }
    fs::write(path, bytes).unwrap();
    format!("{} at {offsets:?}", path.display())
}

/// Gives whether the token that was revoked before the damage is accepted.
#[track_caller]
fn expect_nothing_foreign(server: Attempted, template: &Template, foreign: &Template, flipped: &str) -> bool {
    let verify = |client: &str, token: &str| {
        let path = format!("{VERIFY}?client_id={client}");
        server.http().get(&path).bearer(token).send().status
    };
    let revoked = verify("robot", &template.revoked);
    for status in [verify("robot", &template.token), revoked] {
        assert!([200, 401, 503].contains(&status), "{flipped}: {status}");
    }
    for token in [&foreign.token, &foreign.revoked, &template.token.replacen('A', "B", 1)] {
        if *token != template.token {
            assert_ne!(verify("robot", token), 200, "{flipped}: accepted what it did not issue");
        }
    }
    let fields = [("client_id", template.fcare.id.as_str()), ("token", template.token.as_str())];
    let revoke = server.http().post(obol_testkit::REVOKE).form(&fields).send();
    assert_ne!(revoke.status, 500, "{flipped}: {revoke:?}");
    let log = server.kill();
    assert!(!log.iter().any(|line| line.contains("panicked")), "{flipped}: {log:#?}");
    revoked == 200
}
