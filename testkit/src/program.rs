//! The program under test, run as a command.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::{Installation, ServerBuilder};

/// Where the `obol` binary is.
#[derive(Debug, Clone)]
pub struct Program(PathBuf);

impl Program {
    /// The binary at `path`; tests say `obol!()`.
    pub fn at(path: &str) -> Self {
        Self(path.into())
    }

    /// A server to be, on a new data folder.
    pub fn server(self) -> ServerBuilder {
        ServerBuilder::new(Installation::new(self))
    }

    /// A new data folder on which nothing runs yet.
    pub fn installation(self) -> Installation {
        Installation::new(self)
    }

    /// Runs the program to its end in `folder`, with a clean environment.
    pub fn run(&self, folder: &Path, arguments: &[&str], environment: &[(&str, &str)], stdin: &str) -> Ran {
        let mut command = clean_command(self.path(), folder);
        command.args(arguments).envs(environment.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut pipe = child.stdin.take().expect("its input was asked for");
        // A program that refuses before it reads its input closes the pipe; that is its right.
        let _ = pipe.write_all(stdin.as_bytes());
        drop(pipe);
        let output = child.wait_with_output().expect("the program can be waited for");
        Ran {
            arguments: arguments.join(" "),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Where the binary is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// A command in `folder` that inherits nothing of the environment but the path.
pub(crate) fn clean_command(program: impl AsRef<OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
    command
}

/// What a finished command said.
#[derive(Debug)]
pub struct Ran {
    arguments: String,
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Ran {
    /// Fails the test unless the exit code is `code`.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "obol {}\nstdout: {}\nstderr: {}",
            self.arguments,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!("obol {}: {error}\nstdout: {}\nstderr: {}", self.arguments, self.stdout, self.stderr)
        })
    }
}
