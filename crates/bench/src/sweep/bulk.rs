//! Live revocations by the million: written into the change log of a stopped server at once.
//!
//! It writes the same rows that revoking one by one leaves, without waiting for the disk at each. That they count is
//! not believed but asked: see [`super::revocations`].

use std::path::Path;

use rusqlite::Connection;

use crate::{BenchError, Stop};

const TOKEN: i64 = 1;
const FAMILY: i64 = 2;
/// How often it looks whether it was told to stop.
const LOOK_EVERY: u64 = 65_536;

/// Appends `count` denials, of tokens and of families in turn, that leave in half a day. `known` token ids are among
/// them, spread from the first to the last.
///
/// # Errors
/// [`BenchError::Sqlite`], also when the tables are not those that this was written for.
pub(super) fn append_denials(
    data: &Path,
    count: u64,
    known: &[[u8; 16]],
    stop: &Stop,
) -> Result<(), BenchError> {
    let db = Connection::open(data.join("obol.db"))?;
    // The folder leaves with the benchmark: there is nothing to protect while nobody else has it open.
    db.execute_batch(
        "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE; \
         PRAGMA cache_size = -1000000;",
    )?;
    let transaction = db.unchecked_transaction()?;
    let head: i64 = transaction.query_row("SELECT position FROM log_head", [], |row| row.get(0))?;
    {
        let mut insert = transaction.prepare(
            "INSERT INTO change_log (position, kind, id, leaves_at) VALUES ($1, $2, $3, unixepoch() + 43200 + $4)",
        )?;
        let mut chance = Chance(0x0b01);
        for number in 0..count {
            let (kind, id) = match known_at(number, count, known) {
                Some(id) => (TOKEN, id),
                None => (if number % 2 == 0 { TOKEN } else { FAMILY }, chance.id()),
            };
            let position = head + 1 + i64::try_from(number).unwrap_or(i64::MAX);
            insert.execute((position, kind, id.as_slice(), (number % 3_600) as i64))?;
            if number % LOOK_EVERY == 0 && stop.is_told() {
                return Err(BenchError::Stopped);
            }
        }
    }
    let end = head + i64::try_from(count).unwrap_or(i64::MAX);
    transaction.execute("UPDATE log_head SET position = $1", [end])?;
    transaction.commit()?;
    Ok(())
}

/// The known id whose turn it is.
fn known_at(number: u64, count: u64, known: &[[u8; 16]]) -> Option<[u8; 16]> {
    let last = (known.len() as u64).saturating_sub(1).max(1);
    (0..known.len() as u64)
        .find(|index| index * (count - 1) / last == number)
        .and_then(|index| known.get(usize::try_from(index).ok()?).copied())
}

/// Ids that look random and are the same in every run (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn id(&mut self) -> [u8; 16] {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.next().to_le_bytes());
        id[8..].copy_from_slice(&self.next().to_le_bytes());
        id
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn known_ids_stand_from_the_first_row_to_the_last() {
        let known = [[1; 16], [2; 16], [3; 16]];
        let found: Vec<u64> = (0..100).filter(|number| known_at(*number, 100, &known).is_some()).collect();
        assert_eq!(found, [0, 49, 99]);
        assert_eq!(known_at(0, 5, &[]), None);
    }

    #[test]
    fn ids_differ() {
        let mut chance = Chance(1);
        assert_eq!((0..10_000).map(|_| chance.id()).collect::<HashSet<_>>().len(), 10_000);
    }

    #[test]
    fn a_database_with_other_tables_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let refused = append_denials(folder.path(), 10, &[], &Stop::default());
        assert!(matches!(refused, Err(BenchError::Sqlite(_))), "{refused:?}");
    }
}
