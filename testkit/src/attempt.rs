//! A start that may be refused.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::program::clean_command;
use crate::{Http, Installation, Lines};

const DECIDES_WITHIN: Duration = Duration::from_secs(20);

/// What became of a start.
pub enum Attempt {
    /// It listens.
    Listens(Attempted),
    /// It ended by itself.
    Refused(Refused),
}

/// A server that was started without knowing whether it would. Killed when dropped.
pub struct Attempted {
    child: Child,
    http: Http,
    log: Lines,
}

/// A start that was refused.
#[derive(Debug)]
pub struct Refused {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard error.
    pub stderr: Vec<String>,
}

impl Installation {
    /// Starts `obol serve` on `data`, wherever that is, and waits until it listens or ends.
    #[track_caller]
    pub fn attempt_to_serve(&self, data: &Path, environment: &[(String, String)]) -> Attempt {
        let mut child = self.spawn(data, environment);
        let log = Lines::of(child.stderr.take().expect("its log was asked for"));
        let began = Instant::now();
        let Some(record) = log.wait_for_record(DECIDES_WITHIN, "listening") else {
            if began.elapsed() >= DECIDES_WITHIN {
                let _ = child.kill();
                panic!("neither listening nor refused:\n{}", log.all().join("\n"));
            }
            let status = child.wait().expect("an own child can be waited for");
            return Attempt::Refused(Refused { code: status.code(), stderr: log.to_the_end() });
        };
        let url = record["url"].as_str().expect("`listening` says the url");
        let address = url.trim_start_matches("http://").parse().expect("an address and its port");
        Attempt::Listens(Attempted { child, http: Http::new(address, None), log })
    }

    /// Starts `obol serve` on the data folder and waits for nothing.
    #[track_caller]
    pub fn spawn_serve(&self) -> Child {
        let mut child = self.spawn(&self.data(), &[]);
        // Nobody reads its log, and it must not wait for that.
        drop(child.stderr.take());
        child
    }

    #[track_caller]
    fn spawn(&self, data: &Path, environment: &[(String, String)]) -> Child {
        let mut command = clean_command(self.program().path(), self.folder());
        command.arg("serve").arg("--data").arg(data).args(["--listen", "127.0.0.1:0"]);
        command.envs(environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().expect("the program starts")
    }
}

impl Attempt {
    /// The refusal; fails the test if the server listens.
    #[track_caller]
    pub fn refused(self) -> Refused {
        match self {
            Self::Refused(refused) => refused,
            Self::Listens(server) => panic!("it listens:\n{}", server.log.all().join("\n")),
        }
    }

    /// The server; fails the test if the start was refused.
    #[track_caller]
    pub fn listens(self) -> Attempted {
        match self {
            Self::Listens(server) => server,
            Self::Refused(refused) => panic!("{refused:?}"),
        }
    }
}

impl Attempted {
    /// A client for its HTTP.
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// Kills it, and gives what it had logged.
    pub fn kill(mut self) -> Vec<String> {
        let _ = self.child.kill();
        self.log.to_the_end()
    }
}

impl Drop for Attempted {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Refused {
    /// The one sentence after `error: `; fails the test unless the refusal is that and exit code 1.
    #[track_caller]
    pub fn sentence(&self) -> &str {
        assert_eq!(self.code, Some(1), "{self:?}");
        let mut errors = self.stderr.iter().filter_map(|line| line.strip_prefix("error: "));
        let (Some(sentence), None) = (errors.next(), errors.next()) else {
            panic!("one sentence says why: {self:?}");
        };
        sentence
    }
}
