//! `docs/conformance.md` cannot rot: what it names exists, what was rehearsed stands in it, and its commands work.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use obol_testkit::obol;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn page() -> String {
    fs::read_to_string(root().join("docs/conformance.md")).expect("the page is there")
}

/// What stands between back quotes, outside of blocks of code.
fn quoted(page: &str) -> Vec<String> {
    let prose: Vec<_> = page.split("```").step_by(2).collect();
    prose.concat().split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The tests of a file: functions that follow `#[test]`.
fn tests_of(file: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let functions = text.split("#[test]\n").skip(1).filter_map(|after| after.split_once("fn "));
    functions.filter_map(|(_, rest)| rest.split_once('(')).map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn every_file_and_test_that_the_page_names_exists() {
    let mut tests = 0;
    for name in quoted(&page()) {
        if let Some((file, test)) = name.split_once(".rs::") {
            let file = root().join(format!("{file}.rs"));
            assert!(tests_of(&file).contains(test), "{name}");
            tests += 1;
        } else if name.starts_with("tests/") || name.starts_with("crates/") {
            assert!(root().join(&name).exists(), "{name}");
        }
    }
    assert!(tests > 70, "{tests}");
}

/// The first cells of the tables: the modules.
fn modules() -> BTreeSet<String> {
    let page = page();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `oidcc-")?.split_once('`'));
    rows.map(|(name, _)| format!("oidcc-{name}")).collect()
}

#[test]
fn every_module_stands_once_in_the_page_and_all_but_one_are_rehearsed() {
    let modules = modules();
    assert_eq!(page().lines().filter(|line| line.starts_with("| `oidcc-")).count(), modules.len());
    let folder = fs::read_dir(root().join("tests/conformance_plans")).expect("the folder is there");
    let rehearsed: BTreeSet<_> = folder
        .flat_map(|file| tests_of(&file.expect("it can be read").path()))
        .map(|name| name.replace('_', "-"))
        .collect();
    let of_config = BTreeSet::from(["oidcc-discovery-endpoint-verification".to_owned()]);
    // Three modules of Dynamic OP are of Basic OP, too.
    let (basic, dynamic, logout) = (35, 22, 13);
    assert_eq!(rehearsed.len(), basic + dynamic - 3 + logout);
    assert_eq!(modules, &rehearsed | &of_config);
}

#[test]
fn every_module_says_which_result_to_expect() {
    for (plan, of_plan) in [
        ("Config OP", [1, 0, 0]),
        ("Basic OP and Form Post OP", [30, 3, 2]),
        ("Dynamic OP", [11, 6, 2]),
        ("RP-Initiated Logout OP", [3, 8, 0]),
        ("Back-Channel Logout OP", [2, 0, 0]),
    ] {
        assert_eq!(expected_of(plan), of_plan, "PASSED, REVIEW, SKIPPED of {plan}");
    }
}

/// How many modules in the section of a plan are expected to come to each result.
fn expected_of(plan: &str) -> [usize; 3] {
    let page = page();
    let section = page.split("\n## ").find(|section| section.starts_with(plan)).expect("its section");
    let mut counted = [("PASSED", 0), ("REVIEW", 0), ("SKIPPED", 0)];
    for line in section.lines().filter(|line| line.starts_with("| `oidcc-")) {
        let expected = line.trim_end_matches(" |").rsplit(" | ").next().expect("a last cell");
        let found = counted.iter_mut().find(|(result, _)| expected.starts_with(result));
        found.unwrap_or_else(|| panic!("{line}")).1 += 1;
    }
    counted.map(|(_, count)| count)
}

#[test]
fn the_commands_of_the_page_make_the_clients_and_the_person() {
    let page = page();
    let block = page.split("```sh\n").find(|block| block.contains("obol client add")).expect("the block");
    let commands = block.split("```").next().expect("it ends");
    let installation = obol!().installation();
    let script = "set -eu\nobol() { \"$OBOL\" \"$@\" --data \"$DATA\"; }\n".to_owned() + commands;
    let ran = Command::new("sh")
        .args(["-c", &script])
        .env("OBOL", installation.program().path())
        .env("DATA", installation.data())
        .output()
        .expect("a shell is there");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let clients = installation.run(&["client", "list", "--json"]).exits(0).json();
    let ids: Vec<_> = clients.as_array().expect("a list").iter().map(|client| &client["client_id"]).collect();
    assert_eq!(ids, ["conformance-1", "conformance-2", "conformance-post"]);
    let json =
        page.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the configuration");
    let configuration: serde_json::Value = serde_json::from_str(json).expect("it is JSON");
    let named = ["client", "client2", "client_secret_post"].map(|name| &configuration[name]["client_id"]);
    assert_eq!(named, ["conformance-1", "conformance-2", "conformance-post"]);
    let person = installation.run(&["user", "show", "erika", "--json"]).exits(0).json();
    assert_eq!(person["email"], "erika@example.org", "{person}");
}
