//! Every statement, tried as a list: the house rules for SQL that other databases accept too, and that none reads a
//! whole table where it need not.

use rusqlite::types::Null;
use rusqlite::{Connection, params_from_iter};

use crate::{
    assertions, change_log, clients, codes, consents, denials, families, keys, log_head, logout_notices,
    migrations, nodes, pushed_requests, sessions, sweep, users,
};

/// The statements of each module, and its source.
const MODULES: [(&[&str], &str); 15] = [
    (assertions::STATEMENTS, include_str!("assertions.rs")),
    (change_log::STATEMENTS, include_str!("change_log.rs")),
    (clients::STATEMENTS, include_str!("clients.rs")),
    (codes::STATEMENTS, include_str!("codes.rs")),
    (consents::STATEMENTS, include_str!("consents.rs")),
    (denials::STATEMENTS, include_str!("denials.rs")),
    (families::STATEMENTS, include_str!("families.rs")),
    (log_head::STATEMENTS, include_str!("log_head.rs")),
    (logout_notices::STATEMENTS, include_str!("logout_notices.rs")),
    (nodes::STATEMENTS, include_str!("nodes.rs")),
    (keys::STATEMENTS, include_str!("keys.rs")),
    (pushed_requests::STATEMENTS, include_str!("pushed_requests.rs")),
    (sessions::STATEMENTS, include_str!("sessions.rs")),
    (sweep::STATEMENTS, include_str!("sweep.rs")),
    (users::STATEMENTS, include_str!("users.rs")),
];

/// Statements about all clients, people, families, sessions, notices or pushed requests: they read the table, and say so in their name.
const WHOLE_TABLES: [&str; 9] = [
    "SELECT COUNT(*) FROM families WHERE ended IS NULL AND (leaves_at > $1 OR leaves_at IS NULL)",
    "UPDATE families SET ended = $1 WHERE ended IS NULL",
    "FROM clients WHERE deleted_at IS NULL ORDER BY id",
    "FROM users WHERE deleted_at IS NULL ORDER BY username",
    "DELETE FROM consents",
    "DELETE FROM pushed_requests",
    "DELETE FROM session_clients",
    "FROM clients WHERE clients.id = session_clients.client_id)",
    "FROM logout_notices GROUP BY client_id ORDER BY client_id",
];

fn statements() -> impl Iterator<Item = &'static str> {
    MODULES.iter().flat_map(|(statements, _)| statements.iter().copied())
}

fn migrated() -> Connection {
    let db = Connection::open_in_memory().unwrap();
    migrations::migrate(&db).unwrap();
    db
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
fn every_statement_can_be_prepared() {
    let db = migrated();
    for statement in statements() {
        db.prepare(statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
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
        assert!(!statement.contains('?'), "{statement}");
    }
}

#[test]
fn statements_keep_to_what_other_databases_accept() {
    for statement in statements() {
        for word in ["::", "now()", "FOR UPDATE", "ANY(", "OR REPLACE", "OR IGNORE", "rowid", "IFNULL"] {
            assert!(!statement.contains(word), "{word} in {statement}");
        }
    }
}

#[test]
fn no_statement_reads_a_whole_table_where_it_need_not() {
    let db = migrated();
    for statement in statements().filter(|statement| !WHOLE_TABLES.iter().any(|all| statement.ends_with(all)))
    {
        let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
        let values = params_from_iter(vec![Null; plan.parameter_count()]);
        let steps = plan.query_map(values, |row| row.get::<_, String>(3)).unwrap();
        for step in steps.map(Result::unwrap) {
            let big = [
                "assertions",
                "families",
                "change_log",
                "clients",
                "users",
                "sessions",
                "codes",
                "consents",
                "pushed_requests",
                "session_clients",
                "logout_notices",
            ];
            assert!(
                !big.iter().any(|table| step.starts_with(&format!("SCAN {table}"))),
                "{step} in {statement}"
            );
        }
    }
}
