//! An installation of our own: a data folder that leaves with the benchmark, with one client and one person.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::load::{Endpoint, Protocol, Wire};
use crate::process::{Child, Running};
use crate::target::Target;
use crate::tls::Trust;
use crate::{BenchError, Cores, Credentials, Person};

const CLIENT: &str = "bench";
const PERSON: &str = "bench";
const PASSWORD: &str = "as fast as the socket lets it";

/// A data folder and what may ask there.
pub(crate) struct Installation {
    program: PathBuf,
    folder: TempDir,
    protocol: Protocol,
    tls: bool,
    /// The client and the person.
    pub(crate) credentials: Credentials,
}

impl Installation {
    /// Makes one within `place`, with the commands of `program`.
    ///
    /// # Errors
    /// [`BenchError`]
    pub(crate) fn new(
        program: &Path,
        place: Option<&Path>,
        protocol: Protocol,
        tls: bool,
    ) -> Result<Self, BenchError> {
        let mut new = Self::empty(program, place, protocol, tls)?;
        let client = "client add --json --type confidential --allow-introspection --access-token-ttl 86400 \
                      --grant password --grant refresh_token --grant client_credentials --id bench";
        let added = new.run(&client.split_whitespace().collect::<Vec<_>>(), "")?;
        let secret = added["client_secret"].as_str().unwrap_or_default().to_owned();
        new.run(&["user", "add", PERSON, "--password-stdin", "--json"], PASSWORD)?;
        new.credentials = Credentials {
            client_id: CLIENT.to_owned(),
            client_secret: secret,
            person: Some(Person { username: PERSON.to_owned(), password: PASSWORD.to_owned() }),
        };
        Ok(new)
    }

    /// A folder in which nothing was done yet.
    ///
    /// # Errors
    /// When no folder can be made.
    pub(crate) fn empty(
        program: &Path,
        place: Option<&Path>,
        protocol: Protocol,
        tls: bool,
    ) -> Result<Self, BenchError> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("obol-bench-");
        let folder = match place {
            Some(place) => builder.tempdir_in(place),
            None => builder.tempdir(),
        };
        let folder = folder.map_err(BenchError::system("make a folder for the benchmark"))?;
        Ok(Self { program: program.to_owned(), folder, protocol, tls, credentials: Credentials::default() })
    }

    /// Where the data is.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A folder on the same file system, for files of the benchmark.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the server on it, and waits until it is ready.
    ///
    /// # Errors
    /// [`BenchError`]
    pub(crate) fn serve(&self, name: &'static str, cores: &Cores) -> Result<Target, BenchError> {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0", "--log-format", "json"]);
        if self.tls {
            command.arg("--tls-self-signed");
        }
        let Running { child, url, started } = Child::start(name, &mut command, "", cores)?;
        let trust = self.tls.then(|| Trust::in_folder(&self.data())).transpose();
        let trust = trust.map_err(BenchError::system("read the certificate of the server"))?;
        let wire = Wire { protocol: self.protocol, authority: "localhost".to_owned() };
        let endpoint = Endpoint { address: address_of(&url)?, wire, tls: trust };
        Target::started(name, endpoint, child, started)
    }

    /// Runs a command on the folder to its end.
    fn run(&self, arguments: &[&str], stdin: &str) -> Result<Value, BenchError> {
        let failed =
            |what: String| BenchError::Program { program: format!("obol {}", arguments.join(" ")), what };
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        if let Some(mut pipe) = child.stdin.take() {
            // A program that refuses before it reads closes the pipe; then its answer says why.
            let _ = std::io::Write::write_all(&mut pipe, stdin.as_bytes());
        }
        let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
        match output.status.success() {
            true => serde_json::from_slice(&output.stdout).map_err(|error| failed(error.to_string())),
            false => Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
        }
    }

    /// The program without any setting of whoever runs the benchmark.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().current_dir(self.folder.path()).args(arguments).arg("--data").arg(self.data());
        command
    }
}

/// The address in the URL of a server on this machine.
pub(crate) fn address_of(url: &str) -> Result<std::net::SocketAddr, BenchError> {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest).trim_end_matches('/');
    authority.parse().map_err(|_| BenchError::Program {
        program: "the server".to_owned(),
        what: format!("says that it listens on `{url}`, which has no address"),
    })
}
