//! Starts on disks and folders that cannot be used: one sentence, exit code 1.

use std::fs;
use std::path::Path;

use obol_testkit::{Attempt, Fault, FaultyDisk, Installation, SmallDisk, obol};

use crate::small_disk;

#[test]
fn a_start_on_a_failing_disk_is_refused_and_the_next_one_on_a_good_disk_succeeds() {
    for fault in Fault::ALL {
        for before in [Before::Nothing, Before::EmptyFolder, Before::Used] {
            let installation = obol!().installation();
            let data = installation.data();
            before.prepare(&installation);
            let disk = FaultyDisk::below(&installation);
            disk.fail(fault);
            let refused = installation.attempt_to_serve(&data, &disk.environment()).refused();
            println!("{fault:?} on {before:?}: {}", refused.sentence());
            disk.heal();
            let server = installation.attempt_to_serve(&data, &disk.environment()).listens();
            server.http().get("/readyz").send().expect(200);
        }
    }
}

#[test]
fn a_command_on_a_failing_disk_is_refused_and_has_done_nothing() {
    let installation = obol!().installation();
    Before::Used.prepare(&installation);
    let disk = FaultyDisk::below(&installation);
    for fault in Fault::ALL {
        disk.fail(fault);
        let data = installation.data();
        let arguments =
            ["client", "add", "--id", "late", "--type", "confidential", "--data", data.to_str().unwrap()];
        let environment = disk.environment();
        let environment: Vec<_> =
            environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let ran = installation.program().run(installation.folder(), &arguments, &environment, "").exits(1);
        assert_eq!(
            ran.stderr.lines().filter(|line| line.starts_with("error: ")).count(),
            1,
            "{fault:?}: {ran:?}"
        );
        disk.heal();
        installation.run(&["client", "show", "late"]).exits(1);
    }
}

#[test]
fn a_start_on_a_real_read_only_or_full_file_system_is_refused() {
    let installation = obol!().installation();
    let data = installation.data();
    let Some(disk) = small_disk(&data) else { return };
    disk.fill();
    expect_named(installation.attempt_to_serve(&data, &[]).refused().sentence(), &data, "full");
    disk.free();
    drop(installation.attempt_to_serve(&data, &[]).listens());
    on_read_only(&installation, &disk, &data);
    drop(installation.attempt_to_serve(&data, &[]).listens());
}

#[test]
fn a_data_folder_that_is_a_file_or_below_one_is_refused() {
    let installation = obol!().installation();
    let file = installation.write("file", "not a folder");
    for data in [file.clone(), format!("{file}/below")] {
        let refused = installation.attempt_to_serve(Path::new(&data), &[]).refused();
        expect_named(refused.sentence(), Path::new(&file), "a file");
    }
    let data = installation.data();
    fs::create_dir_all(data.join("obol.db")).unwrap();
    expect_named(
        installation.attempt_to_serve(&data, &[]).refused().sentence(),
        &data,
        "a folder as database",
    );
}

/// What was in the data folder before.
#[derive(Debug, Clone, Copy)]
enum Before {
    Nothing,
    EmptyFolder,
    /// A server has run on it.
    Used,
}

impl Before {
    fn prepare(self, installation: &Installation) {
        match self {
            Self::Nothing => {}
            Self::EmptyFolder => fs::create_dir(installation.data()).unwrap(),
            Self::Used => match installation.attempt_to_serve(&installation.data(), &[]) {
                Attempt::Listens(server) => drop(server.kill()),
                Attempt::Refused(refused) => panic!("{refused:?}"),
            },
        }
    }
}

fn on_read_only(installation: &Installation, disk: &SmallDisk, data: &Path) {
    disk.remount(true).expect("nothing has it open");
    let refused = installation.attempt_to_serve(data, &[]).refused();
    expect_named(refused.sentence(), data, "read-only");
    disk.remount(false).expect("as it was");
}

/// The sentence says about which file or folder it is.
#[track_caller]
fn expect_named(sentence: &str, path: &Path, case: &str) {
    assert!(sentence.contains(path.to_str().unwrap()), "{case}: {sentence}");
    println!("{case}: {sentence}");
}
