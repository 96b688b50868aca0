//! Making a cluster, and what can happen to its server: stopped, killed, paused, started again.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::programs::{Programs, output};
use super::{Postgres, PostgresBuilder, Running};
use crate::{Port, wait_until};

/// Starting and stopping, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who may connect how; the first line that fits counts.
const ACCESS: &str = "\
host all guarded 127.0.0.1/32 scram-sha-256
local all all trust
host all all 127.0.0.1/32 trust
local replication all trust
host replication all 127.0.0.1/32 trust
";

/// Makes a cluster with these settings and starts it.
pub(super) fn make(builder: &PostgresBuilder) -> Result<Postgres, String> {
    let programs = Programs::find()?;
    let folder = programs.folder()?;
    let data = folder.path().join("data");
    let mut initdb = programs.command("initdb");
    initdb.args(["--no-sync", "-U", "postgres", "-E", "UTF8", "--locale=C", "--auth=trust", "-D"]).arg(&data);
    output(initdb)?;
    fs::write(data.join("pg_hba.conf"), ACCESS).map_err(|error| error.to_string())?;
    configure(&data, &builder.settings)?;
    if let Some((certificate, key)) = &builder.tls {
        speak_tls(&programs, &data, certificate, key)?;
    }
    let mut made = Postgres::in_folder(programs, folder);
    if let Some(time) = builder.flush_takes {
        made.environment = slow_flush(made.folder.path(), time)?;
    }
    made.start_server();
    made.sql("postgres", &format!("CREATE ROLE {} LOGIN", Postgres::OWNER));
    let (guarded, password) = (Postgres::GUARDED, Postgres::GUARDED_PASSWORD);
    made.sql("postgres", &format!("CREATE ROLE {guarded} LOGIN PASSWORD '{password}'"));
    Ok(made)
}

/// Gives the server a certificate. It refuses a key that others may read.
fn speak_tls(programs: &Programs, data: &Path, certificate: &str, key: &str) -> Result<(), String> {
    for (name, pem) in [("server.crt", certificate), ("server.key", key)] {
        let file = data.join(name);
        fs::write(&file, pem).map_err(|error| error.to_string())?;
        fs::set_permissions(&file, Permissions::from_mode(0o600)).map_err(|error| error.to_string())?;
        programs.give(&file)?;
    }
    configure(data, &[("ssl".to_owned(), "on".to_owned())])
}

/// What the server needs in its environment so that its flushes take this long.
fn slow_flush(folder: &Path, time: Duration) -> Result<Vec<(&'static str, OsString)>, String> {
    let (source, library) = (folder.join("slow_flush.c"), folder.join("slow_flush.so"));
    fs::write(&source, include_str!("slow_flush.c")).map_err(|error| error.to_string())?;
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl");
    output(compiler)?;
    Ok(vec![("LD_PRELOAD", library.into()), ("OBOL_FLUSH_MICROS", time.as_micros().to_string().into())])
}

/// Appends settings to `postgresql.conf`; the last one of a name counts.
pub(super) fn configure(data: &Path, settings: &[(String, String)]) -> Result<(), String> {
    let file = data.join("postgresql.conf");
    let read = |error: std::io::Error| format!("{}: {error}", file.display());
    let mut text = fs::read_to_string(&file).map_err(read)?;
    for (name, value) in settings {
        text += &format!("\n{name} = '{}'", value.replace('\'', "''"));
    }
    fs::write(&file, text + "\n").map_err(read)
}

impl Postgres {
    /// A server that is not running yet, for the cluster in `folder/data`.
    pub(super) fn in_folder(programs: Programs, folder: tempfile::TempDir) -> Self {
        Self {
            programs,
            folder,
            port: Port::claim(),
            running: Mutex::default(),
            environment: Vec::new(),
            databases: AtomicU32::new(0),
        }
    }

    /// Starts the server, which must not be running, and waits until it answers.
    #[track_caller]
    pub fn start_server(&self) {
        let log = fs::File::options().create(true).append(true).open(self.log());
        let log = log.expect("the test may write its own folder");
        let mut command = self.programs.command("postgres");
        command.arg("-D").arg(self.data()).arg("-p").arg(self.port.number().to_string());
        command.arg("-k").arg(self.folder.path()).args(["-c", "listen_addresses=127.0.0.1"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let postmaster = command.spawn().expect("postgres can be started");
        let guard = self.guard(postmaster.id()).spawn().expect("a shell can be started");
        *self.running() = Some(Running { postmaster, guard });
        wait_until("PostgreSQL answers", PATIENCE, || {
            let ended =
                self.running().as_mut().and_then(|running| running.postmaster.try_wait().ok()).flatten();
            assert!(ended.is_none(), "PostgreSQL did not start:\n{}", self.log_text());
            self.try_sql("postgres", "SELECT 1").ok()
        });
    }

    /// Stops the server as an operator does (`fast`): open transactions are rolled back.
    pub fn stop(&self) {
        self.end(Signal::INT);
    }

    /// Kills every process of the server with SIGKILL.
    pub fn kill(&self) {
        self.signal_all(Signal::KILL);
        self.end(Signal::KILL);
    }

    /// Kills one process of the server with SIGKILL, as the system does when it is out of memory: the others end too,
    /// and the server recovers by itself.
    #[track_caller]
    pub fn kill_backend(&self, process: u32) {
        let process = i32::try_from(process).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(process, Signal::KILL).expect("the backend runs");
    }

    /// Pauses every process of the server.
    pub fn pause(&self) {
        self.signal_all(Signal::STOP);
    }

    /// Lets a paused server go on.
    pub fn resume(&self) {
        self.signal_all(Signal::CONT);
    }

    /// What the server has logged.
    pub fn log_text(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn log(&self) -> std::path::PathBuf {
        self.folder.path().join("log")
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the end of its input, which comes with the end of the test, however that ends.
    fn guard(&self, postmaster: u32) -> Command {
        let mut shell = self.programs.shell();
        let wait =
            format!("cat; kill -QUIT {postmaster}; kill -CONT {postmaster}; pkill -CONT -P {postmaster}");
        shell.args(["-c", &wait]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        shell
    }

    fn end(&self, signal: Signal) {
        self.resume();
        if let Some(mut running) = self.running().take() {
            // First: it must not signal whoever gets the number next.
            let _gone = running.guard.kill();
            let _ended = running.guard.wait();
            let _gone = kill_process(Pid::from_child(&running.postmaster), signal);
            let _ended = running.postmaster.wait();
        }
    }

    /// The postmaster first, so that it starts no process meanwhile.
    fn signal_all(&self, signal: Signal) {
        let Some(postmaster) = self.running().as_ref().map(|running| Pid::from_child(&running.postmaster))
        else {
            return;
        };
        let mut processes = vec![postmaster];
        let _gone = kill_process(postmaster, if signal == Signal::CONT { signal } else { Signal::STOP });
        processes.extend(children(postmaster));
        for process in processes {
            let _gone = kill_process(process, signal);
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // At once: what it holds is thrown away.
        self.end(Signal::QUIT);
    }
}

fn children(parent: Pid) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_child = |process: &i32| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // The parent's id is the second word after the name, which stands in parentheses.
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        after_name.split_ascii_whitespace().nth(1) == Some(parent.as_raw_nonzero().to_string().as_str())
    };
    processes.filter(is_child).filter_map(Pid::from_raw).collect()
}
