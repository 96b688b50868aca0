//! The files beside the audit file: `audit.jsonl.1` is the last one put aside, the greatest number the oldest.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Puts the file aside as number 1 after the older ones have moved up; the oldest beyond `keep` is deleted.
///
/// # Errors
/// When the file cannot be renamed; it is then still where it was.
pub(super) fn put_aside(path: &Path, keep: u32) -> io::Result<()> {
    let keep = keep.max(1);
    // A gap ends the row: what lies beyond it need not move.
    let taken = (1..keep).take_while(|&number| numbered(path, number).exists()).count();
    for number in (1..=u32::try_from(taken).unwrap_or(keep)).rev() {
        fs::rename(numbered(path, number), numbered(path, number + 1))?;
    }
    fs::rename(path, numbered(path, 1))
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_move_up_over_a_gap_and_the_oldest_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let files = |texts: [Option<&str>; 4]| {
            for (number, text) in (0..).zip(texts) {
                let found = if number == 0 { path.clone() } else { numbered(&path, number) };
                assert_eq!(fs::read_to_string(found).ok().as_deref(), text, "{number}");
            }
        };
        fs::write(&path, "new").unwrap();
        fs::write(numbered(&path, 2), "old").unwrap();
        put_aside(&path, 3).unwrap();
        files([None, Some("new"), Some("old"), None]);
        for text in ["newer", "newest"] {
            fs::write(&path, text).unwrap();
            put_aside(&path, 3).unwrap();
        }
        files([None, Some("newest"), Some("newer"), Some("new")]);
    }
}
