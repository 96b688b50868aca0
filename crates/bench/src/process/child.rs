//! A server of our own: started on its cores, listened to until it listens, ended with us.

use std::io::{BufRead, BufReader, Write};
use std::process::{self, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{BenchError, Cores};

/// Loading ten million revocations on a slow disk has to fit.
const START_WITHIN: Duration = Duration::from_secs(120);
const STOP_WITHIN: Duration = Duration::from_secs(15);

/// A process that ends when this is dropped.
pub(crate) struct Child {
    process: process::Child,
    name: &'static str,
}

/// A child that listens.
pub(crate) struct Running {
    /// The process.
    pub(crate) child: Child,
    /// Where it listens, e.g. `http://127.0.0.1:41234`.
    pub(crate) url: String,
    /// When it was started.
    pub(crate) started: Instant,
}

impl Child {
    /// Starts `command` on the servers' cores and waits until its log on standard error says `listening`.
    ///
    /// # Errors
    /// When it ends, or does not listen in time, with the end of its log.
    pub(crate) fn start(
        name: &'static str,
        command: &mut Command,
        stdin: &str,
        cores: &Cores,
    ) -> Result<Running, BenchError> {
        let stdio = if stdin.is_empty() { Stdio::null() } else { Stdio::piped() };
        command.stdin(stdio).stdout(Stdio::null()).stderr(Stdio::piped());
        let started = Instant::now();
        let process = cores.spawn_server(command).map_err(BenchError::system(format!("start {name}")))?;
        let mut child = Self { process, name };
        child.write_stdin(stdin)?;
        let url = child.await_url()?;
        Ok(Running { child, url, started })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// When it does not end in time, or not with exit code 0.
    pub(crate) fn stop(mut self) -> Result<(), BenchError> {
        let _ = kill_process(self.pid(), Signal::TERM);
        let until = Instant::now() + STOP_WITHIN;
        loop {
            match self.process.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(self.failed(format!("ended with {status}"))),
                Ok(None) if Instant::now() < until => thread::sleep(Duration::from_millis(2)),
                Ok(None) => return Err(self.failed("does not stop".to_owned())),
                Err(cause) => return Err(BenchError::system("wait for a child")(cause)),
            }
        }
    }

    /// The pipe stays open for as long as this lives: its end tells the child that nobody wants it any more.
    fn write_stdin(&mut self, text: &str) -> Result<(), BenchError> {
        let Some(pipe) = &mut self.process.stdin else { return Ok(()) };
        pipe.write_all(text.as_bytes()).map_err(BenchError::system(format!("write to {}", self.name)))
    }

    /// Reads its log on a thread of its own, to the end, so that it never waits for us.
    fn await_url(&mut self) -> Result<String, BenchError> {
        let Some(stderr) = self.process.stderr.take() else {
            return Err(self.failed("has no log".to_owned()));
        };
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // Nobody listens any more once it listens.
                let _ = sender.send(line);
            }
        });
        let until = Instant::now() + START_WITHIN;
        let mut last = String::new();
        loop {
            match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => match listening_url(&line) {
                    Some(url) => return Ok(url),
                    None => last = line,
                },
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    return Err(self.failed("does not listen in time".to_owned()));
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    return Err(self.failed(format!("ended before it listened: {last}")));
                }
            }
        }
    }

    fn failed(&self, what: String) -> BenchError {
        BenchError::Program { program: self.name.to_owned(), what }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn listening_url(line: &str) -> Option<String> {
    let record: Value = serde_json::from_str(line).ok()?;
    (record["message"] == "listening").then(|| record["url"].as_str().map(str::to_owned))?
}
