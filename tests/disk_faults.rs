//! Disks that are full, read-only, broken or lying: 503 for what must be written, true answers to everything else, and
//! nothing corrupt when the disk works again.
//!
//! `OBOL_TEST_FLIPS` sets how many damaged databases are tried, `OBOL_TEST_SEED` repeats a run's choices.

#[path = "disk_faults/damage.rs"]
mod damage;
#[path = "disk_faults/flapping.rs"]
mod flapping;
#[path = "disk_faults/outage.rs"]
mod outage;
#[path = "disk_faults/starts.rs"]
mod starts;

use std::io::Write;

use obol_testkit::{Fault, FaultyDisk, SmallDisk, obol};

use self::outage::DiskHouse;

/// Room for a database, its log and some more.
const SMALL_KIB: u32 = 4 * 1024;

#[test]
fn on_a_full_disk_writes_are_503_and_verify_goes_on_until_there_is_room() {
    outage_of(Fault::Full);
}

#[test]
fn on_a_read_only_file_system_writes_are_503_and_verify_goes_on() {
    outage_of(Fault::ReadOnly);
}

#[test]
fn on_a_broken_disk_writes_are_503_and_verify_goes_on() {
    outage_of(Fault::Broken);
}

#[test]
fn r06_what_could_not_be_synced_is_503_and_never_called_good_later() {
    outage_of(Fault::SyncFails);
}

#[test]
fn r06_what_a_failed_sync_lost_is_never_called_good_later() {
    outage_of(Fault::SyncLoses);
}

#[test]
fn on_a_real_small_file_system_that_is_full_writes_are_503_and_verify_goes_on() {
    let installation = obol!().installation();
    let Some(disk) = small_disk(&installation.data()) else { return };
    let mut house = DiskHouse::start(installation.server());
    house.suffer("a full tmpfs", || disk.fill(), || disk.free());
    drop(house);
}

fn outage_of(fault: Fault) {
    let installation = obol!().installation();
    let disk = FaultyDisk::below(&installation);
    let mut house = DiskHouse::start(disk.beneath(installation.server()));
    house.suffer(&format!("{fault:?}"), || disk.fail(fault), || disk.heal());
}

/// A tmpfs on this folder; `None`, and said in the open, when this user may not mount.
fn small_disk(folder: &std::path::Path) -> Option<SmallDisk> {
    match SmallDisk::mount(folder, SMALL_KIB) {
        Ok(disk) => Some(disk),
        Err(reason) => {
            // Past the test harness, which shows what is printed only when a test fails.
            let said = "disk_faults: NOT RUN on a real file system, only with the preloaded library; mounting a tmpfs: ";
            let _ = writeln!(std::io::stderr(), "{said}{reason}");
            None
        }
    }
}
