//! What stands through all kills, and what was acknowledged on it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use obol_testkit::{ALICE, Client, ClientSpec, History, PASSWORD, Program, Server};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

/// A server, its clients, and everything that it acknowledged.
pub(crate) struct CrashHouse {
    pub(crate) server: Server,
    /// Public: password and refresh.
    pub(crate) fcare: Client,
    /// Confidential: client credentials.
    pub(crate) gateway: Client,
    pub(crate) history: History,
    /// Clients that were added, and whether they were last enabled.
    pub(crate) clients: Register,
    /// The same of people.
    pub(crate) users: Register,
    pub(crate) acknowledged: Acknowledged,
}

/// How many operations of each kind were acknowledged.
#[derive(Default)]
pub(crate) struct Acknowledged {
    pub(crate) issues: AtomicU64,
    pub(crate) rotations: AtomicU64,
    pub(crate) revocations: AtomicU64,
    pub(crate) commands: AtomicU64,
    /// Calls that were cut off.
    pub(crate) unknown: AtomicU64,
}

/// Names that were added, and whether each was last enabled.
#[derive(Default)]
pub(crate) struct Register(Mutex<BTreeMap<String, bool>>);

impl CrashHouse {
    #[track_caller]
    pub(crate) fn start(program: Program, grace_secs: u32) -> Self {
        let builder = program.server().alice().option("--refresh-grace", &grace_secs.to_string());
        // Longer than a busy machine stands still: a 503 would be true, and is not what is tested here.
        let builder = builder.option("--lease-ms", "30000");
        let fcare = builder.add_client(&ClientSpec::public("fcare"));
        let gateway = builder.add_client(&ClientSpec::confidential("gateway"));
        let house = Self {
            server: builder.start(),
            fcare,
            gateway,
            history: History::default(),
            clients: Register::default(),
            users: Register::default(),
            acknowledged: Acknowledged::default(),
        };
        house.clients.set("fcare", true);
        house.clients.set("gateway", true);
        house.users.set(ALICE, true);
        house
    }

    /// Every token from this one on, every client, every person, and the database as a whole.
    #[track_caller]
    pub(crate) fn ask_about_everything_since(&self, first_token: usize) {
        self.history.ask_about_all(&self.server, first_token);
        self.clients.compare(&self.server.run(&["client", "list", "--json"]).exits(0).json(), "client_id");
        self.users.compare(&self.server.run(&["user", "list", "--json"]).exits(0).json(), "username");
        let answer = self.server.ask_by_password(&self.fcare, ALICE, PASSWORD).expect(200);
        self.history.issued(&self.fcare, &answer.text("access_token"), &[]);
        self.check_integrity();
    }

    #[track_caller]
    pub(crate) fn expect_no_breach(&self, when: &str) {
        let breaches = self.history.breaches();
        assert!(breaches.is_empty(), "{when}: {breaches:#?}\n{}", self.server.log().all().join("\n"));
    }

    /// What was done and asked, for the person who reads the run.
    pub(crate) fn figures(&self) -> String {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Acknowledged { issues, rotations, revocations, commands, unknown } = &self.acknowledged;
        format!(
            "acknowledged: {} issues, {} rotations, {} revocations, {} commands; cut off: {}; answers judged: {}, \
             breaches: {}",
            count(issues),
            count(rotations),
            count(revocations),
            count(commands),
            count(unknown),
            self.history.asked(),
            self.history.breaches().len()
        )
    }

    #[track_caller]
    fn check_integrity(&self) {
        let database = self.server.data().join("obol.db");
        let db = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY);
        let db = db.expect("the database can be read beside the server");
        let verdict: String =
            db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("the check runs");
        assert_eq!(verdict, "ok");
    }
}

impl Acknowledged {
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl Register {
    pub(crate) fn set(&self, name: &str, enabled: bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), enabled);
    }

    /// The listing of the command line says the same.
    #[track_caller]
    fn compare(&self, listed: &Value, key: &str) {
        let entries = listed.as_array().expect("a list");
        let listed: BTreeMap<String, bool> = entries
            .iter()
            .map(|entry| (entry[key].as_str().unwrap().to_owned(), entry["enabled"].as_bool().unwrap()))
            .collect();
        assert_eq!(listed, *self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
