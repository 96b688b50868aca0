//! A standby that follows a cluster, and its promotion.

use std::time::Duration;

use super::Postgres;
use super::programs::output;
use crate::wait_until;

const PATIENCE: Duration = Duration::from_secs(60);

impl Postgres {
    /// Makes and starts a standby of this server, with a replication slot, both of this name. It is asynchronous
    /// until [`Postgres::wait_for_standby`] names it.
    #[track_caller]
    pub fn standby(&self, name: &str) -> Self {
        let folder = self.programs.folder().expect("a folder can be made");
        let from =
            format!("host=127.0.0.1 port={} user=postgres application_name={name}", self.port.number());
        let mut backup = self.programs.command("pg_basebackup");
        backup.args(["-d", &from, "-R", "-C", "-S", name, "-X", "stream", "-c", "fast", "--no-sync", "-D"]);
        backup.arg(folder.path().join("data"));
        output(backup).unwrap_or_else(|error| panic!("pg_basebackup: {error}"));
        let standby = Self::in_folder(self.programs.clone(), folder);
        standby.start_server();
        standby
    }

    /// Makes commits wait for the standby of this name, and waits until it follows.
    #[track_caller]
    pub fn wait_for_standby(&self, name: &str) {
        self.sql("postgres", &format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'"));
        self.sql("postgres", "SELECT pg_reload_conf()");
        wait_until("the standby follows", PATIENCE, || {
            let state = "SELECT sync_state FROM pg_stat_replication WHERE application_name =";
            (self.sql("postgres", &format!("{state} '{name}'")) == "sync").then_some(())
        });
    }

    /// Makes a primary of this standby, on a new timeline.
    #[track_caller]
    pub fn promote(&self) {
        // It would wait for a standby that does not exist.
        self.sql("postgres", "SELECT pg_promote(true, 60)");
        self.sql("postgres", "ALTER SYSTEM RESET synchronous_standby_names");
        self.sql("postgres", "SELECT pg_reload_conf()");
    }
}
