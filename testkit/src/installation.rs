//! A data folder of its own, and the commands on it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::{AuditLine, Client, ClientSpec, Program, Ran, Server, ServerBuilder};

/// A data folder that leaves with the test.
pub struct Installation {
    program: Program,
    folder: TempDir,
}

impl Installation {
    pub(crate) fn new(program: Program) -> Self {
        let folder = TempDir::with_prefix("obol-test-").expect("a temporary folder can be made");
        Self { program, folder }
    }

    /// A server to be on this folder.
    pub fn server(self) -> ServerBuilder {
        ServerBuilder::new(self)
    }

    /// Starts a server on this folder with nothing but the defaults.
    pub fn serve(self) -> Server {
        self.server().start()
    }

    /// The data folder; the first command that needs it makes it.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A folder beside the data, for files of the test; also the working folder of every command.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of the test and gives its path.
    pub fn write(&self, name: &str, content: &str) -> String {
        let path = self.folder().join(name);
        fs::write(&path, content).expect("the test may write its own folder");
        path.to_str().expect("a temporary path is text").to_owned()
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Runs `obol <arguments> --data <this folder>`.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with_input(arguments, "")
    }

    /// Runs a command with something on its standard input.
    pub fn run_with_input(&self, arguments: &[&str], stdin: &str) -> Ran {
        let data = self.data();
        let mut all = arguments.to_vec();
        all.extend(["--data", data.to_str().expect("a temporary path is text")]);
        self.program.run(self.folder(), &all, &[], stdin)
    }

    /// Adds a client with `obol client add`.
    #[track_caller]
    pub fn add_client(&self, spec: &ClientSpec) -> Client {
        let added = self.run_with_input(&spec.arguments(), spec.input()).exits(0).json();
        spec.added(&added)
    }

    /// Adds a person with `obol user add --password-stdin`.
    #[track_caller]
    pub fn add_user(&self, name: &str, password: &str) -> Value {
        self.run_with_input(&["user", "add", name, "--password-stdin", "--json"], &format!("{password}\n"))
            .exits(0)
            .json()
    }

    /// The audit records written so far, in order.
    pub fn audit(&self) -> Vec<AuditLine> {
        AuditLine::read_all(&self.data())
    }
}
