//! `chromedriver`, and calls to it: JSON over HTTP (W3C WebDriver §6).

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::clean_command;
use crate::{Http, Lines};

const START_WITHIN: Duration = Duration::from_secs(30);

/// A running `chromedriver` with one session. Ends both when dropped.
pub(super) struct Driver {
    child: Child,
    http: Http,
    session: String,
    /// Where the browser keeps its files; removed when it has ended.
    _home: TempDir,
}

impl Driver {
    /// Starts it, and a browser with these capabilities.
    #[track_caller]
    pub(super) fn start(capabilities: &Value) -> Self {
        let home = TempDir::with_prefix("obol-browser-").expect("a temporary folder can be made");
        let mut child = spawn(home.path());
        let lines = Lines::of(child.stdout.take().expect("its output was asked for"));
        let port = lines.wait_for(START_WITHIN, |line| {
            line.rsplit_once("started successfully on port ")?.1.trim_end_matches('.').parse::<u16>().ok()
        });
        let Some(port) = port else {
            let _ = child.kill();
            panic!("chromedriver does not start: {}", lines.all().join("\n"));
        };
        let http = Http::new(([127, 0, 0, 1], port).into(), None);
        let mut driver = Self { child, http, session: String::new(), _home: home };
        let capabilities = json!({ "alwaysMatch": capabilities });
        let begun = driver.ask(&Method::POST, "/session", Some(&json!({ "capabilities": capabilities })));
        let begun = begun.unwrap_or_else(|error| panic!("Chromium does not start: {error}"));
        driver.session = begun["sessionId"].as_str().expect("a session has an id").to_owned();
        driver
    }

    /// A command of the session.
    ///
    /// # Errors
    /// What the driver says.
    pub(super) fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, String> {
        self.ask(&method, &format!("/session/{}{path}", self.session), body)
    }

    fn ask(&self, method: &Method, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let request = self.http.request(method.clone(), path);
        let request = match body {
            Some(body) => request.body("application/json", body.to_string()),
            None => request,
        };
        let answer = request.try_send().map_err(|error| format!("{method} {path}: {error}"))?;
        let value = answer.json()["value"].take();
        match answer.status {
            200 => Ok(value),
            _ => Err(format!("{method} {path}: {}: {}", value["error"], value["message"])),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Ends the browser; without an answer the driver's end does.
        let _ = self.call(Method::DELETE, "", None);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(home: &Path) -> Child {
    let mut command = clean_command("chromedriver", home);
    command.arg("--port=0").env("HOME", home).env("TMPDIR", home).env("LC_ALL", "C.UTF-8");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
        .spawn()
        .expect("this test drives a browser: install the Debian packages chromium and chromium-driver")
}
