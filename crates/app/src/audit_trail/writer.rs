//! The thread that appends audit records.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use obol_store::{AuditEvent, AuditRecord};
use obol_token::Timestamp;

use super::Rotation;
use super::record::line;
use super::rotation::put_aside;
use crate::background::Batch;

/// How often a loss is said in the log, and how soon writing is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// How often a file that another process puts aside meanwhile is opened anew before the batch is given up.
const MOST_OPENINGS: u32 = 100;

/// What the thread knows.
pub(super) struct Writer<N> {
    path: PathBuf,
    rotation: Rotation,
    now: N,
    file: Option<File>,
    /// Records lost since the last `audit.lost` was written, and why the last of them was.
    lost: u64,
    why: String,
    said_at: Option<Instant>,
}

impl<N: Fn() -> Timestamp> Writer<N> {
    /// A writer of the file at `path`, which it opens with the first record.
    pub(super) fn new(path: PathBuf, rotation: Rotation, now: N) -> Self {
        Self { path, rotation, now, file: None, lost: 0, why: String::new(), said_at: None }
    }

    /// Appends what waits, after the record of what was lost before. While that cannot be written, it asks to be
    /// called again.
    pub(super) fn write(&mut self, batch: Batch<AuditRecord>) -> Option<Duration> {
        if batch.turned_away > 0 {
            self.lose(batch.turned_away, "more records came at once than the disk took");
        }
        let lines: Vec<String> = batch.things.iter().map(|record| line(record, None)).collect();
        if let Err(failed) = self.report_lost().and_then(|()| self.append(&lines)) {
            self.file = None;
            let written = lines.len() - failed.unwritten.min(lines.len());
            self.lose((lines.len() - written) as u64, &failed.error.to_string());
        }
        (self.lost > 0).then_some(PAUSE)
    }

    fn report_lost(&mut self) -> Result<(), Failed> {
        if self.lost == 0 {
            return Ok(());
        }
        let mut record = AuditRecord::new(AuditEvent::AuditLost, (self.now)());
        record.done = false;
        record.reason = Some(self.why.clone().into());
        // Without this line none of the batch is tried: it would stand before the gap.
        self.append(&[line(&record, Some(self.lost))])
            .map_err(|failed| Failed { unwritten: usize::MAX, ..failed })?;
        tracing::info!(lost = self.lost, "the audit file is written again");
        self.lost = 0;
        self.said_at = None;
        Ok(())
    }

    fn lose(&mut self, count: u64, why: &str) {
        self.lost = self.lost.saturating_add(count);
        why.clone_into(&mut self.why);
        if self.said_at.is_none_or(|at| at.elapsed() >= PAUSE) {
            self.said_at = Some(Instant::now());
            tracing::warn!(lost = self.lost, why, path = %self.path.display(), "audit records were lost");
        }
    }

    fn append(&mut self, lines: &[String]) -> Result<(), Failed> {
        let mut rest = lines;
        while !rest.is_empty() {
            let (written, outcome) = match self.locked_file() {
                Ok(file) => self.append_some(file, rest),
                Err(error) => (0, Err(error)),
            };
            rest = rest.get(written..).unwrap_or_default();
            outcome.map_err(|error| Failed { unwritten: rest.len(), error })?;
        }
        Ok(())
    }

    /// Appends as many lines as the file has room for; none when it was put aside.
    fn append_some(&mut self, file: File, lines: &[String]) -> (usize, io::Result<()>) {
        let size = match file.metadata() {
            Ok(metadata) => metadata.len(),
            Err(error) => return (0, Err(error)),
        };
        let mut count = fitting(self.rotation.max_bytes, size, lines);
        if count == 0 {
            match put_aside(&self.path, self.rotation.keep) {
                Ok(()) => return (0, Ok(())),
                Err(error) => tracing::warn!(%error, "the audit file cannot be put aside and grows on"),
            }
            count = lines.len();
        }
        let (written, outcome) = {
            let whole_file = |bytes| file.set_len(size + bytes);
            write_lines(&mut &file, lines.get(..count).unwrap_or_default(), whole_file)
        };
        if outcome.is_ok() && file.unlock().is_ok() {
            self.file = Some(file);
        }
        (written, outcome)
    }

    /// Opens the file, or makes it. A command that root runs must not take it from the server's own user.
    fn open(&self) -> io::Result<File> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
        if let Some(folder) = self.path.parent().and_then(|folder| folder.metadata().ok())
            && file.metadata()?.uid() != folder.uid()
        {
            std::os::unix::fs::fchown(&file, Some(folder.uid()), Some(folder.gid())).ok();
        }
        Ok(file)
    }

    /// The file that has the name now, locked against other processes. Dropping it ends the lock.
    fn locked_file(&mut self) -> io::Result<File> {
        for _ in 0..MOST_OPENINGS {
            let file = match self.file.take() {
                Some(file) => file,
                None => self.open()?,
            };
            match file.lock() {
                Err(error) if error.kind() != ErrorKind::Unsupported => return Err(error),
                _ => {}
            }
            if has_name(&file, &self.path)? {
                return Ok(file);
            }
        }
        Err(io::Error::other("another process keeps renaming the file"))
    }
}

/// How many of the lines to be appended were not, and why.
struct Failed {
    unwritten: usize,
    error: io::Error,
}

/// How many of the lines a file of this size takes; an empty one takes at least one.
fn fitting(max_bytes: u64, size: u64, lines: &[String]) -> usize {
    if max_bytes == 0 {
        return lines.len();
    }
    let mut end = size;
    let fits = |line: &&String| {
        end += line.len() as u64;
        end <= max_bytes
    };
    let count = lines.iter().take_while(fits).count();
    if size == 0 { count.max(1) } else { count }
}

/// Whether the path still names this file.
fn has_name(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((open.dev(), open.ino()) == (named.dev(), named.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// What a full disk cut is taken off again, so that the next line begins a line: `shorten` is told how many bytes of
/// `lines` stay.
fn write_lines(
    to: &mut impl Write,
    lines: &[String],
    shorten: impl FnOnce(u64) -> io::Result<()>,
) -> (usize, io::Result<()>) {
    let (bytes, outcome) = write_whole(to, lines.concat().as_bytes());
    let Err(error) = outcome else { return (lines.len(), Ok(())) };
    let (whole, whole_bytes) = whole_lines(lines, bytes);
    let cut = match bytes > whole_bytes {
        true => shorten(whole_bytes as u64),
        false => Ok(()),
    };
    (whole, cut.and(Err(error)))
}

/// Writes all of it, or says how many bytes were written before it failed.
fn write_whole(to: &mut impl Write, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match to.write(rest) {
            Ok(0) => return (written, Err(ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

/// How many lines are whole within the first `bytes`, and how many bytes they have.
fn whole_lines(lines: &[String], bytes: usize) -> (usize, usize) {
    let mut end = 0;
    let count = lines
        .iter()
        .take_while(|line| {
            end + line.len() <= bytes && {
                end += line.len();
                true
            }
        })
        .count();
    (count, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes and is then full.
    struct Room(Vec<u8>, usize);

    impl Write for Room {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.1.min(bytes.len()) {
                0 => Err(ErrorKind::StorageFull.into()),
                count => {
                    self.1 -= count;
                    self.0.extend(&bytes[..count]);
                    Ok(count)
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_disk_that_fills_up_says_how_far_it_came() {
        let mut room = Room(Vec::new(), 5);
        let (written, outcome) = write_whole(&mut room, b"one\ntwo\n");
        assert_eq!((written, outcome.unwrap_err().kind()), (5, ErrorKind::StorageFull));
        let mut room = Room(Vec::new(), 8);
        assert!(matches!(write_whole(&mut room, b"one\ntwo\n"), (8, Ok(()))));
    }

    #[test]
    fn only_whole_lines_count_as_written() {
        let lines = lines(&["one\n", "two\n", "three\n"]);
        for (bytes, whole) in [(0, (0, 0)), (3, (0, 0)), (4, (1, 4)), (7, (1, 4)), (8, (2, 8)), (14, (3, 14))]
        {
            assert_eq!(whole_lines(&lines, bytes), whole, "{bytes}");
        }
    }

    #[test]
    fn a_file_takes_no_line_beyond_its_limit_but_an_empty_one_takes_one() {
        let lines = lines(&["one\n", "two\n"]);
        for (max_bytes, size, count) in
            [(0, 99, 2), (8, 0, 2), (7, 0, 1), (8, 1, 1), (3, 0, 1), (3, 1, 0), (8, 8, 0)]
        {
            assert_eq!(fitting(max_bytes, size, &lines), count, "{max_bytes} {size}");
        }
    }

    #[test]
    fn a_line_that_a_full_disk_cut_is_taken_off_again() {
        let lines = lines(&["one\n", "two\n"]);
        for (room, whole, kept) in [(6, 1, Some(4)), (4, 1, None), (2, 0, Some(0)), (0, 0, None)] {
            let mut shortened_to = None;
            let (written, outcome) = write_lines(&mut Room(Vec::new(), room), &lines, |bytes| {
                shortened_to = Some(bytes);
                Ok(())
            });
            assert_eq!((written, shortened_to), (whole, kept), "{room}");
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::StorageFull);
        }
        let (written, outcome) =
            write_lines(&mut Room(Vec::new(), 8), &lines, |_| Err(ErrorKind::Other.into()));
        assert!(outcome.is_ok());
        assert_eq!(written, 2);
    }
}
