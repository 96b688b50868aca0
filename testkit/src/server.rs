//! A running server: started, stopped, killed, paused, started again on the same folder.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::program::clean_command;
use crate::{
    ALICE, AuditLine, Client, ClientSpec, Http, Installation, Lines, PASSWORD, Ran, tls, wait_until,
};

const START_WITHIN: Duration = Duration::from_secs(60);

/// A server to be.
pub struct ServerBuilder {
    installation: Installation,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// A program and its arguments that becomes the server.
    run_by: Vec<String>,
    storage_can_fail: bool,
}

impl ServerBuilder {
    pub(crate) fn new(installation: Installation) -> Self {
        Self {
            installation,
            arguments: Vec::new(),
            environment: Vec::new(),
            run_by: Vec::new(),
            storage_can_fail: false,
        }
    }

    /// Adds the person of most tests, [`ALICE`].
    #[track_caller]
    pub fn alice(self) -> Self {
        self.user(ALICE, PASSWORD)
    }

    /// Adds a person before the start.
    #[track_caller]
    pub fn user(self, name: &str, password: &str) -> Self {
        self.installation.add_user(name, password);
        self
    }

    /// A further option of `serve` with its value.
    pub fn option(mut self, name: &str, value: &str) -> Self {
        self.arguments.extend([name.to_owned(), value.to_owned()]);
        self
    }

    /// A further flag of `serve`.
    pub fn flag(mut self, name: &str) -> Self {
        self.arguments.push(name.to_owned());
        self
    }

    /// A variable of its environment.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Started by another program, which becomes the server.
    pub(crate) fn run_by(mut self, program: &[&str]) -> Self {
        self.run_by = program.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// TLS with a certificate that the server makes for itself.
    pub fn tls_self_signed(self) -> Self {
        self.flag("--tls-self-signed")
    }

    /// The test will make writes fail with [`Server::refuse_writes`].
    pub fn storage_can_fail(mut self) -> Self {
        self.storage_can_fail = true;
        self
    }

    /// Adds a client before the start.
    #[track_caller]
    pub fn add_client(&self, spec: &ClientSpec) -> Client {
        self.installation.add_client(spec)
    }

    /// Starts it and waits until it says that it listens.
    #[track_caller]
    pub fn start(self) -> Server {
        let running = Running::start(&self);
        Server { builder: self, running: Some(running) }
    }
}

/// A server on its own folder. Killed when dropped.
pub struct Server {
    // Dropped first: the folder, which the builder holds, is removed when nobody writes to it any more.
    running: Option<Running>,
    builder: ServerBuilder,
}

impl Server {
    /// A client for its HTTP.
    #[track_caller]
    pub fn http(&self) -> &Http {
        &self.running().http
    }

    /// The address under which it says that it listens, e.g. `http://127.0.0.1:41234`.
    #[track_caller]
    pub fn url(&self) -> &str {
        &self.running().url
    }

    /// What it has written to standard error: its log.
    #[track_caller]
    pub fn log(&self) -> &Lines {
        &self.running().stderr
    }

    /// What it has written to standard error so far, or nothing when it does not run.
    pub(crate) fn last_log(&self) -> Vec<String> {
        self.running.as_ref().map(|running| running.stderr.all()).unwrap_or_default()
    }

    /// What it has written to standard output.
    #[track_caller]
    pub fn stdout(&self) -> &Lines {
        &self.running().stdout
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.builder.installation.data()
    }

    /// The folder on which it runs, for more commands and files.
    pub fn installation(&self) -> &Installation {
        &self.builder.installation
    }

    /// Runs a command on its folder.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.builder.installation.run(arguments)
    }

    /// Adds a client while it runs.
    #[track_caller]
    pub fn add_client(&self, spec: &ClientSpec) -> Client {
        self.builder.installation.add_client(spec)
    }

    /// Adds a person while it runs.
    #[track_caller]
    pub fn add_user(&self, name: &str, password: &str) -> Value {
        self.builder.installation.add_user(name, password)
    }

    /// The first audit record that `wanted` accepts; it may be written a moment after the answer.
    #[track_caller]
    pub fn await_audit(&self, what: &str, wanted: impl Fn(&AuditLine) -> bool) -> AuditLine {
        wait_until(&format!("audit record: {what}"), Duration::from_secs(10), || {
            self.builder.installation.audit().into_iter().find(&wanted)
        })
    }

    /// Asks it to end (SIGTERM) and waits up to 20 s until it has.
    #[track_caller]
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.await_end()
    }

    /// Ends it without asking (SIGKILL).
    #[track_caller]
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.await_end();
    }

    /// Starts it again on the same folder with the same options; the port may be another.
    #[track_caller]
    pub fn start_again(&mut self) {
        assert!(self.running.is_none(), "stop or kill it first");
        self.running = Some(Running::start(&self.builder));
    }

    /// Stops all its threads where they are (SIGSTOP).
    #[track_caller]
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on (SIGCONT).
    #[track_caller]
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Sends it a signal.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("an own child can be signalled");
    }

    /// Waits up to 20 s until it has ended by itself.
    #[track_caller]
    pub fn await_end(&mut self) -> ExitStatus {
        let mut running = self.running.take().expect("it runs");
        wait_until("the server ends", Duration::from_secs(20), || {
            running.child.try_wait().expect("an own child can be waited for")
        })
    }

    /// Its process id, e.g. for `/proc`.
    #[track_caller]
    pub fn process_id(&self) -> u32 {
        self.running().child.id()
    }

    #[track_caller]
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.running().child)
    }

    pub(crate) fn storage_can_fail(&self) -> bool {
        self.builder.storage_can_fail
    }

    #[track_caller]
    fn running(&self) -> &Running {
        self.running.as_ref().expect("the server runs")
    }
}

struct Running {
    child: Child,
    stderr: Lines,
    stdout: Lines,
    url: String,
    http: Http,
}

impl Running {
    #[track_caller]
    fn start(builder: &ServerBuilder) -> Self {
        let mut child = spawn(builder);
        let stderr = Lines::of(child.stderr.take().expect("its log was asked for"));
        let stdout = Lines::of(child.stdout.take().expect("its output was asked for"));
        let listening = stderr.wait_for_record(START_WITHIN, "listening");
        let Some(record) = listening else {
            let _ = child.kill();
            panic!("the server does not listen; its log:\n{}", stderr.all().join("\n"));
        };
        let url = record["url"].as_str().expect("`listening` says the url").to_owned();
        let http = http_for(&url, builder);
        Self { child, stderr, stdout, url, http }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(builder: &ServerBuilder) -> Child {
    let installation = &builder.installation;
    let program = installation.program().path();
    let mut command = if let [runner, arguments @ ..] = &builder.run_by[..] {
        let mut runner = clean_command(runner, installation.folder());
        runner.args(arguments).arg(program);
        runner
    } else if builder.storage_can_fail {
        // The shell makes the signal of the file-size limit ignored, then becomes the program.
        let mut shell = clean_command("sh", installation.folder());
        shell.args(["-c", r#"trap "" XFSZ; exec "$0" "$@""#]).arg(program);
        shell
    } else {
        clean_command(program, installation.folder())
    };
    command.arg("serve").arg("--data").arg(installation.data());
    if !builder.arguments.iter().any(|argument| argument == "--listen") {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    command.args(&builder.arguments).envs(builder.environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program starts")
}

/// Tests talk to the address that it names, and to the loopback address where it names none.
fn http_for(url: &str, builder: &ServerBuilder) -> Http {
    let (scheme, authority) = url.split_once("://").expect("an absolute url");
    let authority = authority.trim_end_matches('/');
    let port = authority.rsplit(':').next().and_then(|port| port.parse().ok());
    let loopback = || SocketAddr::from(([127, 0, 0, 1], port.expect("the url names its port")));
    let address = authority.parse().unwrap_or_else(|_| loopback());
    let tls = (scheme == "https").then(|| tls::trusting_the_folder(&builder.installation.data()));
    Http::new(address, tls)
}
