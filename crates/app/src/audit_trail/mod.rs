//! The audit trail in the data folder: one JSON object a line, in `audit.jsonl` what was done, in
//! `audit-refused.jsonl` what was refused, and the older parts beside them. Anybody can cause refusals: apart, they can
//! neither push a revocation out of the files nor crowd it out of the queue.
//!
//! 1. Who records something hands it to a bounded queue and goes on.
//! 2. One thread of the process lets records gather for 5 ms, takes what waits and appends it as whole lines, under a
//!    lock of the file, because the command line and the server write to the same one.
//! 3. A file that has grown too large becomes `audit.jsonl.1`, and older ones move up by one.
//! 4. What did not fit or could not be written is counted, said in the log, and recorded as `audit.lost` later.

mod record;
mod rotation;
mod writer;

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use obol_store::{Audit, AuditRecord};
use obol_token::Timestamp;

use self::writer::Writer;
use crate::background::Background;

/// The most records that wait for the disk; more are counted and dropped. At most 256 characters a value, usually 300
/// bytes a record: about 5 MB.
const CAPACITY_RECORDS: usize = 16_384;

/// How long records gather before they are written: at many a second, one lock and one write for all of them.
const GATHER: Duration = Duration::from_millis(5);

/// When the file is put aside, and how many are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rotation {
    /// The size in bytes that a file does not grow beyond; 0 for no limit.
    pub(crate) max_bytes: u64,
    /// How many older files are kept.
    pub(crate) keep: u32,
}

/// The audit trail; dropping it writes what waits, for at most two seconds a file.
pub(crate) struct AuditTrail {
    done: Background<AuditRecord>,
    refused: Background<AuditRecord>,
}

impl AuditTrail {
    /// Starts to write to the files in `folder`. A folder that cannot be written is told in the log, not here: it
    /// must not stop a revocation. `now` is asked when records were lost.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(
        folder: &Path,
        rotation: Rotation,
        now: impl Fn() -> Timestamp + Clone + Send + 'static,
    ) -> anyhow::Result<Self> {
        let start = |name: &str| {
            let mut writer = Writer::new(folder.join(name), rotation, now.clone());
            Background::start("audit", CAPACITY_RECORDS, GATHER, move |batch| writer.write(batch))
                .context("the system gives no thread for the audit files")
        };
        Ok(Self { done: start("audit.jsonl")?, refused: start("audit-refused.jsonl")? })
    }

    /// Waits until all records are written or given up; `false` when that takes longer than `most`.
    pub(crate) fn flush(&self, most: Duration) -> bool {
        self.done.flush(most) & self.refused.flush(most)
    }
}

impl Audit for AuditTrail {
    fn record(&self, record: AuditRecord) {
        let file = if record.done { &self.done } else { &self.refused };
        file.offer(record::shortened(record));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use serde_json::Value;

    use obol_store::AuditEvent;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);
    const NO_LIMIT: Rotation = Rotation { max_bytes: 0, keep: 1 };

    fn start(folder: &Path, rotation: Rotation) -> AuditTrail {
        AuditTrail::start(folder, rotation, || Timestamp::from_secs(1_800_000_000)).unwrap()
    }

    fn record(number: u32) -> AuditRecord {
        let mut record = AuditRecord::new(AuditEvent::TokenIssued, Timestamp::from_secs(1_790_000_000));
        record.username = Some(format!("user-{number}"));
        record
    }

    fn read(path: PathBuf) -> Vec<Value> {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn names(records: &[Value]) -> Vec<String> {
        records.iter().map(|record| record["username"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn records_are_on_disk_when_the_file_is_dropped_and_readable_by_the_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let audit = start(folder.path(), NO_LIMIT);
        (0..100).for_each(|number| audit.record(record(number)));
        drop(audit);
        let path = folder.path().join("audit.jsonl");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(&read(path)), (0..100).map(|number| format!("user-{number}")).collect::<Vec<_>>());
    }

    #[test]
    fn the_files_belong_to_whom_the_folder_belongs() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        // Only root may give a folder away; for others it is their own already.
        std::os::unix::fs::chown(folder.path(), Some(65_534), Some(65_534)).ok();
        let audit = start(folder.path(), NO_LIMIT);
        audit.record(record(1));
        drop(audit);
        let owner = fs::metadata(folder.path()).unwrap().uid();
        assert_eq!(fs::metadata(folder.path().join("audit.jsonl")).unwrap().uid(), owner);
    }

    #[test]
    fn what_is_refused_has_a_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let audit = start(folder.path(), Rotation { max_bytes: 300, keep: 1 });
        audit.record(record(1));
        for number in 2..50 {
            audit.record(AuditRecord { done: false, ..record(number) });
        }
        drop(audit);
        assert_eq!(names(&read(folder.path().join("audit.jsonl"))), ["user-1"], "refusals push nothing out");
        assert!(names(&read(folder.path().join("audit-refused.jsonl"))).contains(&"user-49".to_owned()));
    }

    #[test]
    fn two_writers_of_one_file_lose_nothing_and_tear_no_line_through_rotations() {
        let folder = tempfile::tempdir().unwrap();
        let rotation = Rotation { max_bytes: 4_000, keep: 1_000 };
        let writers = [start(folder.path(), rotation), start(folder.path(), rotation)];
        std::thread::scope(|scope| {
            for (half, writer) in (0_u32..).zip(&writers) {
                scope.spawn(move || {
                    for number in 0..500 {
                        writer.record(record(half * 500 + number));
                        if number % 7 == 0 {
                            assert!(writer.flush(LONG));
                        }
                    }
                });
            }
        });
        drop(writers);
        let (mut all, mut files) = (Vec::new(), 0);
        for file in fs::read_dir(folder.path()).unwrap() {
            let path = file.unwrap().path();
            assert!(fs::metadata(&path).unwrap().len() <= 4_000, "{path:?}");
            all.extend(names(&read(path)));
            files += 1;
        }
        assert!(files > 10, "{files}");
        all.sort_by_key(|name| name["user-".len()..].parse::<u32>().unwrap());
        assert_eq!(all, (0..1_000).map(|number| format!("user-{number}")).collect::<Vec<_>>());
    }

    #[test]
    fn older_files_move_up_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let audit = start(folder.path(), Rotation { max_bytes: 100, keep: 2 });
        for number in 0..5 {
            audit.record(record(number));
            assert!(audit.flush(LONG));
        }
        let file = |name: &str| names(&read(folder.path().join(name)));
        assert_eq!(file("audit.jsonl"), ["user-4"]);
        assert_eq!(file("audit.jsonl.1"), ["user-3"]);
        assert_eq!(file("audit.jsonl.2"), ["user-2"]);
        assert!(!folder.path().join("audit.jsonl.3").exists());
    }

    #[test]
    fn a_file_renamed_by_somebody_else_is_left_alone_and_a_new_one_begun() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let audit = start(folder.path(), NO_LIMIT);
        audit.record(record(1));
        assert!(audit.flush(LONG));
        fs::rename(&path, folder.path().join("put-aside")).unwrap();
        audit.record(record(2));
        assert!(audit.flush(LONG));
        assert_eq!(names(&read(path)), ["user-2"]);
    }

    #[test]
    fn a_full_disk_blocks_nobody_and_is_recorded_when_there_is_room_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let audit = start(folder.path(), NO_LIMIT);
        (0..3).for_each(|number| audit.record(record(number)));
        assert!(audit.flush(LONG));
        fs::remove_file(&path).unwrap();
        audit.record(record(3));
        assert!(audit.flush(LONG));
        let records = read(path);
        assert_eq!(records[0]["event"], "audit.lost");
        assert_eq!(records[0]["lost"], 3);
        assert_eq!(records[0]["done"], false);
        assert!(records[0]["reason"].as_str().unwrap().contains("No space left"), "{records:?}");
        assert_eq!(names(&records[1..]), ["user-3"]);
    }

    #[test]
    fn a_folder_that_is_not_there_blocks_nobody_and_the_loss_is_recorded_without_a_further_record() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("later");
        let audit = start(&folder, NO_LIMIT);
        audit.record(record(1));
        assert!(audit.flush(LONG));
        fs::create_dir(&folder).unwrap();
        let path = folder.join("audit.jsonl");
        let until = std::time::Instant::now() + LONG;
        while !path.exists() || fs::metadata(&path).unwrap().len() == 0 {
            assert!(std::time::Instant::now() < until, "the loss was not recorded");
            std::thread::yield_now();
        }
        drop(audit);
        assert_eq!(read(path)[0]["lost"], 1);
    }
}
