//! What was acknowledged is there after the process was killed, and nothing is damaged.
//!
//! The test starts itself again as a process that writes and prints what was acknowledged, and kills it.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use obol_store::{
    AddOutcome, Change, ChangeLog, Client, ClientKind, ClientSettings, Clients, Denials, Deny, Families,
    NewFamily, PasswordHash, Profile, RotateOutcome, Rotation, User, Users,
};
use obol_store_sqlite::SqliteStore;
use obol_token::{
    ClientId, Denied, Expiry, FamilyId, Lifetime, Position, Scopes, SecretHash, SubjectId, Timestamp, TokenId,
};
use rusqlite::Connection;

const KILLS: usize = 20;
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

#[test]
fn what_was_acknowledged_survives_a_kill() {
    if let Some(folder) =
        std::env::args().find_map(|argument| argument.strip_prefix("folder=").map(PathBuf::from))
    {
        return write_until_killed(&folder);
    }
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for kill in 0..KILLS {
        // Each is killed after another number of acknowledgements: the first hardly lives, the last for long.
        acknowledged.extend(killed_after(folder.path(), kill, kill * kill * 3));
        check(folder.path(), &acknowledged);
    }
    assert!(acknowledged.len() > 1_000, "{}", acknowledged.len());
}

/// An acknowledged denial, with its position, or rotation: `number` is the token's or the generation.
#[derive(Debug)]
struct Acknowledged {
    run: u8,
    what: String,
    number: u16,
    position: u64,
}

fn killed_after(folder: &Path, run: usize, count: usize) -> Vec<Acknowledged> {
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args(["what_was_acknowledged_survives_a_kill", "--nocapture"])
        .args([format!("folder={}", folder.display()), format!("run={run}")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut acknowledged: Vec<_> = lines.by_ref().filter_map(|line| parse(run, &line)).take(count).collect();
    writer.kill().unwrap();
    writer.wait().unwrap();
    // What it had printed when it was killed had been acknowledged as well.
    acknowledged.extend(lines.filter_map(|line| parse(run, &line)));
    acknowledged
}

fn parse(run: usize, line: &str) -> Option<Acknowledged> {
    let mut words = line.strip_prefix("acknowledged ")?.split(' ');
    let run = u8::try_from(run).unwrap();
    let what = words.next()?.to_owned();
    // A line that the kill cut short does not end in a full stop.
    let acknowledged = Acknowledged {
        run,
        what,
        number: words.next()?.parse().ok()?,
        position: words.next()?.parse().ok()?,
    };
    (words.next() == Some(".")).then_some(acknowledged)
}

fn check(folder: &Path, acknowledged: &[Acknowledged]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let store = SqliteStore::open(folder).unwrap();
    let entries = runtime.block_on(store.read_after(Position::START, 1_000_000)).unwrap();
    let denied: HashMap<_, _> = entries
        .into_iter()
        .filter_map(|entry| match entry.change {
            Change::Denied(denial) => Some((denial.what, denial.position.number())),
            _ => None,
        })
        .collect();
    let mut generations = HashMap::<u8, u16>::new();
    for one in acknowledged {
        match one.what.as_str() {
            "denial" => {
                let denial = denied.get(&Denied::Token(token_id(one.run, one.number)));
                assert_eq!(denial, Some(&one.position), "{one:?}");
            }
            _ => drop(generations.insert(one.run, one.number)),
        }
    }
    for (run, generation) in generations {
        let family = runtime.block_on(store.find_family(hash(run, u16::MAX))).unwrap().unwrap();
        // The rotation after the acknowledged one may have been committed and not been said.
        let possible = [hash(run, generation), hash(run, generation + 1)];
        assert!(possible.contains(&family.current), "run {run} generation {generation}");
    }
    let database = Connection::open(folder.join("obol.db")).unwrap();
    let sound: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
}

fn token_id(run: u8, number: u16) -> TokenId {
    let mut id = [run; 16];
    id[..2].copy_from_slice(&number.to_le_bytes());
    TokenId::from_bytes(id)
}

fn hash(run: u8, number: u16) -> SecretHash {
    let mut bytes = [run; 32];
    bytes[..2].copy_from_slice(&number.to_le_bytes());
    SecretHash::from_bytes(bytes)
}

fn say(what: &str, number: u16, position: u64) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nacknowledged {what} {number} {position} .").unwrap();
    out.flush().unwrap();
}

/// The process to be killed: several tasks deny tokens, one rotates a family.
fn write_until_killed(folder: &Path) {
    let run = std::env::args().find_map(|argument| argument.strip_prefix("run=")?.parse().ok()).unwrap();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let store = Arc::new(SqliteStore::open(folder).unwrap());
    for task in 0..4 {
        let store = store.clone();
        runtime.spawn(async move {
            for number in (task..).step_by(4) {
                let deny = Deny::Token { id: token_id(run, number), expires_at: Expiry::Never };
                let position = store.deny(&deny, NOW).await.unwrap().position();
                say("denial", number, position.number());
            }
        });
    }
    runtime.block_on(rotate_on(&store, run));
}

async fn rotate_on(store: &SqliteStore, run: u8) {
    let (client, user) = (client(), user());
    let added = [store.add_client(&client).await.unwrap(), store.add_user(&user).await.unwrap()];
    assert!(added.iter().all(|outcome| matches!(outcome, AddOutcome::Added(_) | AddOutcome::Taken)));
    let family = NewFamily {
        id: FamilyId::from_bytes([run; 16]),
        client_id: client.id.clone(),
        subject: user.id,
        scopes: Scopes::default(),
        lineage: hash(run, u16::MAX),
        current: hash(run, 0),
        issued_at: NOW,
        refresh_expires_at: Expiry::Never,
        access_expires_at: Expiry::Never,
        single: false,
        session: None,
        details: String::new(),
        position: Position::new(i64::MAX.unsigned_abs()),
    };
    store.begin_family(&family).await.unwrap();
    for generation in 0..u16::MAX - 1 {
        let rotation = Rotation {
            lineage: family.lineage,
            presented: hash(run, generation),
            client_id: client.id.clone(),
            next: hash(run, generation + 1),
            sealed_answer: vec![0; 300],
            now: NOW,
            grace_secs: 0,
            refresh_expires_at: Expiry::Never,
            access_expires_at: Expiry::Never,
        };
        assert_eq!(store.rotate_refresh(&rotation).await, Ok(RotateOutcome::First));
        say("rotation", generation + 1, 0);
    }
}

fn client() -> Client {
    Client {
        id: ClientId::new("fcare").unwrap(),
        name: String::new(),
        kind: ClientKind::Public,
        enabled: true,
        grants: Vec::new(),
        default_scopes: Scopes::default(),
        optional_scopes: Scopes::default(),
        redirect_uris: Vec::new(),
        access_token_lifetime: Lifetime::Never,
        refresh_token_lifetime: Lifetime::Never,
        may_introspect: false,
        single_family: false,
        settings: ClientSettings::default(),
        created_at: NOW,
    }
}

fn user() -> User {
    User {
        id: SubjectId::from_bytes([1; 16]),
        username: "alice".parse().unwrap(),
        email: None,
        profile: Profile::default(),
        password: PasswordHash::from_phc("$argon2id$"),
        enabled: true,
        created_at: NOW,
    }
}
