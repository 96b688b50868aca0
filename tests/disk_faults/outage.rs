//! One outage of the disk, from before to after, under the eyes of a history.

use std::time::{Duration, Instant};

use obol_testkit::{
    ALICE, Answer, Client, ClientSpec, History, PASSWORD, RFC_TOKEN, Server, ServerBuilder, Tokens, vouched,
    wait_until,
};
use rusqlite::{Connection, OpenFlags};

/// Much longer than the lease, so that answers given meanwhile are given on renewed leases.
const OUTAGE: Duration = Duration::from_secs(6);

/// A server with tokens of every kind, and what may be answered about them.
pub(crate) struct DiskHouse {
    pub(crate) server: Server,
    pub(crate) fcare: Client,
    pub(crate) gateway: Client,
    pub(crate) history: History,
}

impl DiskHouse {
    #[track_caller]
    pub(crate) fn start(builder: ServerBuilder) -> Self {
        let builder = builder.alice();
        let fcare = builder.add_client(&ClientSpec::public("fcare"));
        let gateway = builder.add_client(&ClientSpec::confidential("gateway").introspection());
        Self { server: builder.start(), fcare, gateway, history: History::default() }
    }

    /// Breaks the disk for longer than a lease, mends it, kills the server and starts it again.
    #[track_caller]
    pub(crate) fn suffer(&mut self, what: &str, break_disk: impl FnOnce(), mend_disk: impl FnOnce()) {
        let of_person = self.sign_in("line");
        let of_client = self.issue(Some("of client"));
        let revoked = self.issue(Some("revoked"));
        self.revoke(&revoked, "revoked").expect(200);

        break_disk();
        let began = Instant::now();
        let (mut rounds, mut slow) = (0, 0);
        while began.elapsed() < OUTAGE {
            slow += self.expect_unwritten(&of_person, &of_client);
            self.expect_answered(&of_client);
            rounds += 1;
        }
        assert!(slow <= 1, "refused within a second, but when the machine stands still: {slow} were not");
        println!("{what}: {rounds} rounds of refused writes and good answers in {:?}", began.elapsed());
        mend_disk();

        self.expect_normal(&of_person, &of_client);
        self.server.kill();
        self.server.start_again();
        self.judge();
        self.check_integrity();
        assert!(!self.server.log().all().iter().any(|line| line.contains("panicked")));
    }

    /// Everything that has to be written is 503. Gives how often that took longer than a second.
    fn expect_unwritten(&self, of_person: &Tokens, of_client: &str) -> usize {
        let unwritten = [
            self.revoke(of_client, "of client"),
            self.revoke_in_line(of_person.refresh()),
            self.revoke_in_line(&of_person.access),
            self.server.refresh(&self.fcare, of_person.refresh()),
            self.server.ask_by_password(&self.fcare, ALICE, PASSWORD),
        ];
        for answer in &unwritten {
            let answer = answer.clone().expect(503);
            assert!(answer.header("retry-after").is_some(), "{answer:?}");
        }
        unwritten.iter().filter(|answer| answer.took > Duration::from_secs(1)).count()
    }

    /// Everything that needs no writing is answered, and truly.
    fn expect_answered(&self, of_client: &str) {
        self.judge();
        let active = vouched(|| self.server.introspect(&self.gateway, of_client)).expect(200);
        assert_eq!(active.json()["active"], self.server.verify(&self.gateway, of_client).status == 200);
        for path in ["/healthz", "/readyz"] {
            vouched(|| self.server.http().get(path).send()).expect(200);
        }
        self.issue(None);
    }

    /// The disk works again: so does everything, within five seconds.
    fn expect_normal(&self, of_person: &Tokens, of_client: &str) {
        let mended = Instant::now();
        wait_until("a revocation is written again", Duration::from_secs(5), || {
            (self.revoke(of_client, "of client").status == 200).then_some(())
        });
        self.history.ended("of client");
        println!("normal again after {:?}", mended.elapsed());
        let again = self.sign_in("again");
        let answer = self.server.refresh(&self.fcare, again.refresh());
        let next = self.history.presented(again.refresh(), &answer).expect("a refresh token works again");
        self.history.issued(&self.fcare, &next.access, &["again"]);
        // That its revocation was answered 503 leaves open whether it was done; to ask again settles it.
        self.revoke_in_line(of_person.refresh()).expect(200);
        self.history.ended("line");
        self.server.refresh(&self.fcare, of_person.refresh()).expect_error(400, "invalid_grant");
        self.server.run(&["token", "verify", &next.access, "--client", "fcare"]).exits(0);
        self.server.run(&["client", "add", "--id", "later", "--type", "confidential"]).exits(0);
        self.judge();
    }

    /// A token of a client for itself, which takes no write. It ends with the group, or with itself.
    #[track_caller]
    pub(crate) fn issue(&self, group: Option<&str>) -> String {
        let answer = self.server.post_form(RFC_TOKEN, &self.gateway, &[("grant_type", "client_credentials")]);
        let token = answer.expect(200).text("access_token");
        self.history.issued(&self.gateway, &token, &[group.unwrap_or(&token)]);
        token
    }

    #[track_caller]
    fn sign_in(&self, group: &str) -> Tokens {
        let tokens = self.server.token_by_password(&self.fcare, ALICE, PASSWORD);
        self.history.issued(&self.fcare, &tokens.access, &[group]);
        tokens
    }

    fn revoke(&self, token: &str, group: &str) -> Answer {
        self.history.ending(group);
        let answer = self.server.rfc_revoke(&self.gateway, token);
        if answer.status == 200 {
            self.history.ended(group);
        }
        answer
    }

    fn revoke_in_line(&self, token: &str) -> Answer {
        self.history.ending("line");
        self.server.revoke(&self.fcare, token)
    }

    /// Asks about every token.
    #[track_caller]
    pub(crate) fn judge(&self) {
        self.history.ask_about_all(&self.server, 0);
        let breaches = self.history.breaches();
        assert!(breaches.is_empty(), "{breaches:#?}\n{}", self.server.log().all().join("\n"));
    }

    #[track_caller]
    pub(crate) fn check_integrity(&self) {
        let database = self.server.data().join("obol.db");
        let db = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY);
        let db = db.expect("the database can be read beside the server");
        let verdict: String =
            db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("the check runs");
        assert_eq!(verdict, "ok");
    }
}
