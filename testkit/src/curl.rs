//! The real `curl`, run by the shell as a person would.

use std::io::ErrorKind;
use std::process::Stdio;

use crate::Server;
use crate::program::clean_command;

impl Server {
    /// Fills host, token and client id into a `curl -v` line of the seed documents and runs it with `sh`.
    ///
    /// `fill` names what stands in the line and what to put there.
    #[track_caller]
    pub fn curl(&self, line: &str, fill: &[(&str, &str)]) -> CurlAnswer {
        let mut line = line.to_owned();
        for (placeholder, value) in fill {
            assert!(line.contains(placeholder), "{placeholder} is not in the line:\n{line}");
            line = line.replace(placeholder, value);
        }
        self.shell(&line)
    }

    /// Runs one line with `sh`.
    #[track_caller]
    pub fn shell(&self, line: &str) -> CurlAnswer {
        require_curl();
        let mut command = clean_command("sh", self.installation().folder());
        command.args(["-c", line]).stdin(Stdio::null());
        let output = command.output().expect("sh runs");
        let answer = CurlAnswer {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        assert!(output.status.success(), "{line}\n{}\n{}", answer.stdout, answer.stderr);
        answer
    }

    /// Its host and port, as in the place of `[FAC_IP]`.
    pub fn host(&self) -> String {
        self.http().address().to_string()
    }
}

/// What `curl` showed.
#[derive(Debug)]
pub struct CurlAnswer {
    /// The body.
    pub stdout: String,
    /// What `-v` said.
    pub stderr: String,
}

impl CurlAnswer {
    /// The status of the last answer, as `-v` shows it.
    #[track_caller]
    pub fn status(&self) -> u16 {
        let line = self.stderr.lines().rfind(|line| line.starts_with("< HTTP/"));
        let status = line.and_then(|line| line.split_whitespace().nth(2)).and_then(|code| code.parse().ok());
        status.unwrap_or_else(|| panic!("curl shows no status: {self:?}"))
    }
}

#[track_caller]
fn require_curl() {
    let version = clean_command("curl", "/".as_ref()).arg("--version").stdout(Stdio::null()).status();
    match version {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("this test runs the curl lines of the documents: install the Debian package `curl`")
        }
        ran => assert!(ran.is_ok_and(|status| status.success()), "curl does not run"),
    }
}
