//! The applications under test, started as their documentation says, each its own process.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use obol_testkit::Lines;

use crate::fetched;

/// What the applications present: they start before the server knows them, since only then their port is known.
pub(crate) const SECRET: &str = "known-to-the-application-and-the-server";

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// A running application. Ended when dropped.
pub(crate) struct Application {
    child: Child,
    errors: Lines,
    pub(crate) url: String,
}

/// Starts an application for this issuer, with this client id.
pub(crate) type Start = fn(&str, &str) -> Application;

impl Application {
    /// `examples/web-app`, built from what is checked in.
    #[track_caller]
    pub(crate) fn example(issuer: &str, client_id: &str) -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("examples");
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--locked", "--manifest-path"]);
        build.arg(format!("{ROOT}/examples/web-app/Cargo.toml")).arg("--target-dir").arg(&target);
        fetched::done(
            build,
            "the example needs its dependencies from crates.io: run `cargo fetch` in examples/web-app",
        );
        Self::start(Command::new(target.join("debug/obol-example-web-app")), issuer, client_id)
    }

    /// An application on PyPI's Authlib.
    #[track_caller]
    pub(crate) fn authlib(issuer: &str, client_id: &str) -> Self {
        Self::python("authlib_app.py", issuer, client_id)
    }

    /// An application on PyPI's requests-oauthlib and PyJWT.
    #[track_caller]
    pub(crate) fn requests_oauthlib(issuer: &str, client_id: &str) -> Self {
        Self::python("requests_oauthlib_app.py", issuer, client_id)
    }

    /// An application on npm's openid-client.
    #[track_caller]
    pub(crate) fn openid_client(issuer: &str, client_id: &str) -> Self {
        Self::node("openid_client.mjs", &[], issuer, client_id)
    }

    /// The same, which hands its authorization requests in first.
    #[track_caller]
    pub(crate) fn openid_client_that_pushes(issuer: &str, client_id: &str) -> Self {
        Self::node("openid_client.mjs", &["push"], issuer, client_id)
    }

    /// The same, which has a key instead of a secret, and publishes it at `/jwks`.
    #[track_caller]
    pub(crate) fn openid_client_with_a_key(issuer: &str, client_id: &str) -> Self {
        Self::node("openid_client.mjs", &["push", "sign"], issuer, client_id)
    }

    /// An application on npm's oauth4webapi.
    #[track_caller]
    pub(crate) fn oauth4webapi(issuer: &str, client_id: &str) -> Self {
        Self::node("oauth4webapi.mjs", &[], issuer, client_id)
    }

    /// The same, which hands its authorization requests in first.
    #[track_caller]
    pub(crate) fn oauth4webapi_that_pushes(issuer: &str, client_id: &str) -> Self {
        Self::node("oauth4webapi.mjs", &["push"], issuer, client_id)
    }

    /// The same, which has a key instead of a secret, and publishes it at `/jwks`.
    #[track_caller]
    pub(crate) fn oauth4webapi_with_a_key(issuer: &str, client_id: &str) -> Self {
        Self::node("oauth4webapi.mjs", &["push", "sign"], issuer, client_id)
    }

    #[track_caller]
    fn python(file: &str, issuer: &str, client_id: &str) -> Self {
        let mut command = Command::new(fetched::python());
        // Whatever is installed beside the virtual environment stays out of it.
        command.args(["-E", "-s", "-B"]).arg(format!("{ROOT}/tests/interop/python/{file}"));
        Self::start(command, issuer, client_id)
    }

    #[track_caller]
    fn node(file: &str, arguments: &[&str], issuer: &str, client_id: &str) -> Self {
        let mut command = Command::new("node");
        command.arg(fetched::node_folder().join(file)).args(arguments);
        Self::start(command, issuer, client_id)
    }

    #[track_caller]
    fn start(mut command: Command, issuer: &str, client_id: &str) -> Self {
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.env("LISTEN", "127.0.0.1:0").env("ISSUER", issuer);
        command.env("CLIENT_ID", client_id).env("CLIENT_SECRET", SECRET);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let output = Lines::of(child.stdout.take().expect("its output was asked for"));
        let errors = Lines::of(child.stderr.take().expect("its errors were asked for"));
        let url =
            output.wait_for(STARTS_WITHIN, |line| line.strip_prefix("listening at ").map(str::to_owned));
        // Made first, so that a test which fails here ends the process.
        let mut application = Self { child, errors, url: String::new() };
        application.url = url.unwrap_or_else(|| panic!("{command:?} does not listen: {}", application.log()));
        application
    }

    /// What it wrote to standard error.
    pub(crate) fn log(&self) -> String {
        self.errors.all().join("\n")
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
