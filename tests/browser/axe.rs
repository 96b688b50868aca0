//! axe-core, which checks whether people with any ability can use a page. Fetched from npm once, its version and hash pinned.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use obol_testkit::Chromium;
use serde_json::Value;

const MANIFEST: &str = include_str!("axe/package.json");
const LOCK: &str = include_str!("axe/package-lock.json");

/// What axe finds wrong with the page that the browser shows, whatever its impact; a line for each.
#[track_caller]
pub(crate) fn violations(browser: &Chromium) -> Vec<String> {
    // Fetching the styles again would break the page's policy; they are read where they are.
    const RUN: &str = "const done = arguments[arguments.length - 1];
        axe.run(document, { preload: false, resultTypes: ['violations'] })
            .then(results => done(results.violations), error => done([{ id: String(error) }]));";
    let found = browser.run_until_called_back(&format!("{}\n{RUN}", source()));
    let found = found.as_array().expect("axe gives a list");
    found
        .iter()
        .map(|violation| format!("{} ({}): {}", violation["id"], violation["impact"], nodes(violation)))
        .collect()
}

fn nodes(violation: &Value) -> String {
    let nodes = violation["nodes"].as_array().into_iter().flatten();
    nodes.map(|node| format!("{} {}", node["html"], node["failureSummary"])).collect::<Vec<_>>().join("\n")
}

fn source() -> &'static str {
    static SOURCE: OnceLock<String> = OnceLock::new();
    SOURCE.get_or_init(|| {
        let script = folder().join("node_modules/axe-core/axe.min.js");
        fs::read_to_string(&script).unwrap_or_else(|error| panic!("{}: {error}", script.display()))
    })
}

/// Where this version lies, in the target folder. Another test may be fetching it as well: whole folders are put in place.
fn folder() -> PathBuf {
    let manifest: Value = serde_json::from_str(MANIFEST).expect("it is JSON");
    let version = manifest["dependencies"]["axe-core"].as_str().expect("the version is pinned");
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("axe-core-{version}"));
    if place.exists() {
        return place;
    }
    let draft = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target folder can be written");
    fs::write(draft.path().join("package.json"), MANIFEST).expect("a new folder can be written");
    fs::write(draft.path().join("package-lock.json"), LOCK).expect("a new folder can be written");
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(draft.path());
    let fetched = npm.output().expect("this test fetches axe-core: install the Debian package npm");
    assert!(
        fetched.status.success(),
        "npm cannot fetch axe-core: {}",
        String::from_utf8_lossy(&fetched.stderr)
    );
    match fs::rename(draft.path(), &place) {
        Ok(()) => place,
        // The other one was quicker; this one's is as good.
        Err(_) => draft.keep(),
    }
}
