//! What the applications need of PyPI and npm, each version and hash pinned: fetched into the build folder, once.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const REQUIREMENTS: &str = include_str!("python/requirements.txt");

/// The applications have to be in the folder from which they import.
const NODE_FILES: [(&str, &str); 6] = [
    ("package.json", include_str!("node/package.json")),
    ("package-lock.json", include_str!("node/package-lock.json")),
    ("key.mjs", include_str!("node/key.mjs")),
    ("web.mjs", include_str!("node/web.mjs")),
    ("openid_client.mjs", include_str!("node/openid_client.mjs")),
    ("oauth4webapi.mjs", include_str!("node/oauth4webapi.mjs")),
];

/// The Python of a virtual environment with what `requirements.txt` names.
#[track_caller]
pub(crate) fn python() -> PathBuf {
    let folder = made("interop-venv", REQUIREMENTS, |folder| {
        let mut make = Command::new("python3");
        make.args(["-m", "venv"]).arg(folder);
        done(make, "this test runs Python: install the Debian package `python3-venv`");
        let requirements = folder.join("requirements.txt");
        fs::write(&requirements, REQUIREMENTS).expect("the build folder can be written");
        let mut install = Command::new(folder.join("bin/python"));
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]);
        install.arg("--requirement").arg(requirements);
        done(install, "pip has to reach PyPI or a mirror of it (PIP_INDEX_URL)");
    });
    folder.join("bin/python")
}

/// The folder with the applications in JavaScript and the libraries that they import.
#[track_caller]
pub(crate) fn node_folder() -> PathBuf {
    let wanted = NODE_FILES.map(|(_, text)| text).concat();
    made("interop-node", &wanted, |folder| {
        for (name, text) in NODE_FILES {
            fs::write(folder.join(name), text).expect("the build folder can be written");
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder);
        done(npm, "npm has to be installed, and to reach its registry or a mirror of it");
    })
}

/// Ends well, or fails the test with what is to be done about it.
#[track_caller]
pub(crate) fn done(mut command: Command, else_say: &str) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{else_say}\n{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{else_say}\n{command:?}\n{errors}");
}

/// A folder of the build, made of what is `wanted`. Made once, and anew when that changes.
#[track_caller]
fn made(name: &str, wanted: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // Tests may be processes of their own.
    let lock = File::create(folder.with_extension("lock")).expect("the build folder can be written");
    lock.lock().expect("the file system locks files");
    let made_of = folder.join("made-of");
    if !fs::read_to_string(&made_of).is_ok_and(|text| text == wanted) {
        if folder.exists() {
            fs::remove_dir_all(&folder).expect("the build folder can be written");
        }
        fs::create_dir_all(&folder).expect("the build folder can be written");
        make(&folder);
        fs::write(&made_of, wanted).expect("the build folder can be written");
    }
    folder
}
