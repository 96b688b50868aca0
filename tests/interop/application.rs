//! The applications under test, started as their documentation says, each its own process.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use obol_testkit::Lines;

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

impl Application {
    /// `examples/web-app`, built from what is checked in.
    #[track_caller]
    pub(crate) fn example(issuer: &str, client_id: &str) -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("examples");
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--locked", "--manifest-path"]);
        build.arg(format!("{ROOT}/examples/web-app/Cargo.toml")).arg("--target-dir").arg(&target);
        done(
            build,
            "the example needs its dependencies from crates.io: run `cargo fetch` in examples/web-app",
        );
        Self::start(Command::new(target.join("debug/obol-example-web-app")), issuer, client_id)
    }

    /// `tests/interop/authlib_app.py` on the Authlib that `requirements.txt` pins.
    #[track_caller]
    pub(crate) fn authlib(issuer: &str, client_id: &str) -> Self {
        let mut command = Command::new(python_with_authlib());
        command.args(["-I", "-B"]).arg(format!("{ROOT}/tests/interop/authlib_app.py"));
        Self::start(command, issuer, client_id)
    }

    #[track_caller]
    fn start(mut command: Command, issuer: &str, client_id: &str) -> Self {
        command.env_clear().env("LISTEN", "127.0.0.1:0").env("ISSUER", issuer);
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

/// The Python of a virtual environment with what `requirements.txt` names. Made once, and anew when that changes.
#[track_caller]
fn python_with_authlib() -> PathBuf {
    let requirements = format!("{ROOT}/tests/interop/requirements.txt");
    let wanted = fs::read_to_string(&requirements).expect("requirements.txt is checked in");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interop-venv");
    // Tests may be processes of their own.
    let lock = File::create(folder.with_extension("lock")).expect("the build folder can be written");
    lock.lock().expect("the file system locks files");
    let (python, installed) = (folder.join("bin/python"), folder.join("installed"));
    if fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return python;
    }
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(&folder);
    done(make, "this test runs PyPI's Authlib: install the Debian package `python3-venv`");
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    install.arg(&requirements);
    done(install, "this test runs PyPI's Authlib: pip has to reach PyPI or a mirror of it (PIP_INDEX_URL)");
    fs::write(&installed, wanted).expect("the build folder can be written");
    python
}

#[track_caller]
fn done(mut command: Command, else_say: &str) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{else_say}\n{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{else_say}\n{command:?}\n{errors}");
}
