//! Every statement, tried as a list: that the server accepts it, the house rules for SQL, and that the text is the one of
//! the other store wherever both databases accept it.

use std::collections::BTreeMap;

use obol_testkit::Postgres;
use tokio::time::Instant;

use crate::connection::Connection;
use crate::connector::{Connector, Use};
use crate::{
    PostgresOptions, PostgresStore, announcer, assertions, change_log, clients, codes, consents, denials,
    denials_together, durability, families, keys, known_timeline, log_head, logout_notices, migrations,
    node_rows, nodes, open, pushed_requests, sessions, sweep, users,
};

/// The statements of each module, and its source.
const MODULES: [(&[&str], &str); 21] = [
    (announcer::STATEMENTS, include_str!("announcer.rs")),
    (assertions::STATEMENTS, include_str!("assertions.rs")),
    (change_log::STATEMENTS, include_str!("change_log.rs")),
    (clients::STATEMENTS, include_str!("clients.rs")),
    (codes::STATEMENTS, include_str!("codes.rs")),
    (consents::STATEMENTS, include_str!("consents.rs")),
    (denials::STATEMENTS, include_str!("denials.rs")),
    (denials_together::STATEMENTS, include_str!("denials_together.rs")),
    (durability::STATEMENTS, include_str!("durability.rs")),
    (families::STATEMENTS, include_str!("families.rs")),
    (known_timeline::STATEMENTS, include_str!("known_timeline.rs")),
    (log_head::STATEMENTS, include_str!("log_head.rs")),
    (logout_notices::STATEMENTS, include_str!("logout_notices.rs")),
    (node_rows::STATEMENTS, include_str!("node_rows.rs")),
    (nodes::STATEMENTS, include_str!("nodes.rs")),
    (open::STATEMENTS, include_str!("open.rs")),
    (keys::STATEMENTS, include_str!("keys.rs")),
    (pushed_requests::STATEMENTS, include_str!("pushed_requests.rs")),
    (sessions::STATEMENTS, include_str!("sessions.rs")),
    (sweep::STATEMENTS, include_str!("sweep.rs")),
    (users::STATEMENTS, include_str!("users.rs")),
];

/// Modules that both stores have, each with the names of the statements whose text differs.
const SHARED: [(&str, &str, &[&str]); 13] = [
    (include_str!("assertions.rs"), include_str!("../../store-sqlite/src/assertions.rs"), &[]),
    // One statement reads all that a page needs, in one round trip.
    (include_str!("change_log.rs"), include_str!("../../store-sqlite/src/change_log.rs"), &["READ_AFTER"]),
    (include_str!("clients.rs"), include_str!("../../store-sqlite/src/clients.rs"), &[]),
    (include_str!("codes.rs"), include_str!("../../store-sqlite/src/codes.rs"), &[]),
    (include_str!("consents.rs"), include_str!("../../store-sqlite/src/consents.rs"), &[]),
    (include_str!("denials.rs"), include_str!("../../store-sqlite/src/denials.rs"), &[]),
    (include_str!("families.rs"), include_str!("../../store-sqlite/src/families.rs"), &[]),
    (include_str!("keys.rs"), include_str!("../../store-sqlite/src/keys.rs"), &[]),
    (include_str!("pushed_requests.rs"), include_str!("../../store-sqlite/src/pushed_requests.rs"), &[]),
    // `IN` would be planned as a join.
    (
        include_str!("logout_notices.rs"),
        include_str!("../../store-sqlite/src/logout_notices.rs"),
        &["NOTE_OF_SUBJECT", "FORGET_OF_SUBJECT", "TAKE"],
    ),
    (include_str!("sessions.rs"), include_str!("../../store-sqlite/src/sessions.rs"), &[]),
    (include_str!("users.rs"), include_str!("../../store-sqlite/src/users.rs"), &[]),
    // The last position given may be ahead of the newest entry here, and `IN` would be planned as a join.
    (
        include_str!("sweep.rs"),
        include_str!("../../store-sqlite/src/sweep.rs"),
        &[
            "REMOVE_ENTRIES",
            "REMOVE_FAMILIES",
            "REMOVE_SESSIONS",
            "REMOVE_CODES",
            "REMOVE_PUSHED_REQUESTS",
            "REMOVE_ASSERTIONS",
            "REMOVE_NOTICES",
        ],
    ),
];

fn statements() -> impl Iterator<Item = &'static str> {
    MODULES
        .iter()
        .flat_map(|(statements, _)| statements.iter().copied())
        .chain(migrations::STATEMENTS.iter().copied())
}

async fn migrated(server: &Postgres) -> Connection {
    let options = PostgresOptions::new(&server.database());
    PostgresStore::migrate(&options).await.unwrap();
    let connector = Connector::new(&options).unwrap();
    connector.connect(Use::Read, Instant::now() + crate::readers::DEADLINE).await.unwrap()
}

/// Declared statements by name, without line breaks.
fn declared(source: &str) -> BTreeMap<&str, String> {
    texts(source, ["\nconst ", ": &str =", ";\n"])
}

/// What several statements share, likewise.
fn parts(source: &str) -> BTreeMap<&str, String> {
    texts(source, ["\nmacro_rules! ", " {\n", "\n}\n"])
}

/// What stands between the second and the third of these, by what stands between the first and the second.
fn texts<'a>(source: &'a str, [begin, named, end]: [&str; 3]) -> BTreeMap<&'a str, String> {
    let declarations = source.split(begin).skip(1).filter_map(|rest| rest.split_once(named));
    declarations
        .map(|(name, rest)| {
            let text = rest.split(end).next().unwrap();
            (name, text.replace('\\', " ").split_whitespace().collect::<Vec<_>>().join(" "))
        })
        .collect()
}

#[test]
fn every_statement_is_in_the_list() {
    for (statements, source) in MODULES {
        let declared =
            source.lines().filter(|line| line.contains("const ") && line.contains(": &str =")).count();
        assert_eq!(declared, statements.len(), "{statements:?}");
    }
}

#[test]
fn the_text_is_the_other_store_s_wherever_both_databases_accept_it() {
    for (here, there, different) in SHARED {
        let (here, there) = (declared(here), declared(there));
        let shared = here.iter().filter(|(name, _)| there.contains_key(*name)).count();
        assert!(shared > 0 && shared >= here.len().min(3), "{:?}", here.keys());
        for (name, text) in &here {
            let same = there.get(name).is_none_or(|other| other == text);
            assert_eq!(same, !different.contains(name), "{name}: {text}");
        }
    }
    for (here, there, _) in SHARED {
        assert_eq!(parts(here), parts(there));
    }
    assert!(SHARED.iter().any(|(here, ..)| !parts(here).is_empty()), "no shared part is found");
}

#[tokio::test]
async fn every_statement_can_be_prepared() {
    let server = Postgres::shared();
    let db = migrated(&server).await;
    for statement in statements() {
        db.prepared(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

#[test]
fn parameters_are_first_used_in_ascending_order() {
    for statement in statements() {
        let mut highest = 0;
        for rest in statement.split('$').skip(1) {
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap();
            let number: u32 = digits.parse().unwrap();
            assert!((1..=highest + 1).contains(&number), "${number} in {statement}");
            highest = highest.max(number);
        }
        assert!(!statement.contains("::"), "{statement}");
    }
}

/// Statements about all clients, people, families, sessions, notices, pushed requests or nodes, which read the table and say so in
/// their name; and counts for people, who can wait.
const WHOLE_TABLES: [&str; 13] = [
    "OR leaves_at IS NULL) AND id = $2",
    "OR leaves_at IS NULL) AND subject = $2",
    "OR leaves_at IS NULL) AND client_id = $2",
    "SELECT COUNT(*) FROM families WHERE ended IS NULL AND (leaves_at > $1 OR leaves_at IS NULL)",
    "UPDATE families SET ended = $1 WHERE ended IS NULL",
    "DELETE FROM consents",
    "DELETE FROM pushed_requests",
    "DELETE FROM session_clients",
    "FROM clients WHERE clients.id = session_clients.client_id)",
    "FROM logout_notices GROUP BY client_id ORDER BY client_id",
    "FROM clients WHERE deleted_at IS NULL ORDER BY id",
    "FROM users WHERE deleted_at IS NULL ORDER BY username",
    "SELECT id, applied, lease_ms, renewals FROM nodes",
];

/// Two thousand rows of each, of which no statement with values that are NULL needs one; the notices are for nine clients.
const FILL: &str = "INSERT INTO clients SELECT 'c' || n, '', NULL, TRUE, '', '', '', '', 0, 0, FALSE, FALSE, 0, NULL \
     FROM generate_series(1, 2000) AS n; \
     INSERT INTO users SELECT decode(md5('u' || n), 'hex'), 'u' || n, NULL, '', TRUE, 0, NULL \
     FROM generate_series(1, 2000) AS n; \
     INSERT INTO families SELECT decode(md5('f' || n), 'hex'), decode(md5('l' || n), 'hex'), 'c' || n, \
     decode(md5('u' || n), 'hex'), '', '', NULL, NULL, NULL, 0, 9, 9, 9, NULL FROM generate_series(1, 2000) AS n; \
     INSERT INTO sessions SELECT decode(md5('s' || n), 'hex'), decode(md5('h' || n), 'hex'), decode(md5('u' || n), 'hex'), \
     0, '', 0, 9, 9, '', '', 0 FROM generate_series(1, 2000) AS n; \
     INSERT INTO codes SELECT decode(md5('o' || n), 'hex'), 'c' || n, decode(md5('u' || n), 'hex'), \
     decode(md5('s' || n), 'hex'), '', 0, 9, 0, NULL, NULL, 9 FROM generate_series(1, 2000) AS n; \
     INSERT INTO consents SELECT decode(md5('u' || n), 'hex'), 'c' || n, '', 0 FROM generate_series(1, 2000) AS n; \
     INSERT INTO pushed_requests SELECT decode(md5('p' || n), 'hex'), 'c' || n, '', 9, 9 \
     FROM generate_series(1, 2000) AS n; \
     INSERT INTO session_clients SELECT decode(md5('s' || n), 'hex'), 'c' || n, '' FROM generate_series(1, 2000) AS n; \
     INSERT INTO logout_notices SELECT 'c' || 1 + n % 9, decode(md5('s' || n), 'hex'), decode(md5('u' || n), 'hex'), '', 0, 0, 9, NULL, 9 \
     FROM generate_series(1, 2000) AS n; \
     INSERT INTO change_log SELECT n, 1 + n % 2, decode(md5('d' || n), 'hex'), 9 FROM generate_series(1, 2000) AS n; \
     UPDATE log_head SET position = 2000";

/// The plans are made while the tables are empty, as those of a node are that runs since the beginning.
#[tokio::test]
async fn no_statement_reads_a_whole_table_where_it_need_not() {
    let server = Postgres::shared();
    let db = migrated(&server).await;
    let planned = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"];
    let statements: Vec<_> = statements()
        .filter(|statement| planned.iter().any(|word| statement.starts_with(word)))
        .filter(|statement| !WHOLE_TABLES.iter().any(|all| statement.ends_with(all)))
        .collect();
    let execute = |number: usize| {
        let count = (1..).take_while(|value| statements[number].contains(&format!("${value}"))).count();
        let values = if count == 0 { String::new() } else { format!("({})", vec!["NULL"; count].join(",")) };
        format!("EXECUTE plan_{number}{values}")
    };
    for (number, statement) in statements.iter().enumerate() {
        db.run(&format!("PREPARE plan_{number} AS {statement}")).await.unwrap();
        db.lines(&format!("EXPLAIN {}", execute(number))).await.unwrap();
    }
    db.run("SET statement_timeout = 0").await.unwrap();
    db.run(FILL).await.unwrap();
    let mut tried = 0;
    for (number, statement) in statements.iter().enumerate() {
        db.run("BEGIN").await.unwrap();
        let explained = db.lines(&format!("EXPLAIN (ANALYZE, TIMING OFF) {}", execute(number))).await;
        db.run("ROLLBACK").await.unwrap();
        // A row of NULLs cannot be inserted.
        let Ok(lines) = explained else { continue };
        tried += 1;
        for line in lines {
            let counts = line.split("(actual rows=").skip(1).chain(line.split("Removed by Filter: ").skip(1));
            for count in counts {
                let digits = count.split(|c: char| !c.is_ascii_digit()).next().unwrap();
                assert!(digits.parse::<u32>().unwrap() < 1_000, "{line} in {statement}");
            }
        }
    }
    assert!(tried > 30, "{tried}");
}
