//! Counting wrong guesses in fixed memory, and the growing delay after too many.
//!
//! A count-min sketch: every key has one slot in each of two rows and shares it with others by chance, and the more
//! lenient of its two slots speaks for it. So a key that is blocked is never let in too early, nothing is evicted
//! however many keys are invented, and a key is blocked for another's guesses only where both its slots are shared.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use obol_token::Timestamp;

/// When guessing is slowed down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuessPolicy {
    /// How many wrong guesses in a row are free.
    pub free_tries: u32,
    /// The delay after the last free one, in seconds; doubled by every further wrong guess.
    pub first_delay_secs: u32,
    /// The delay grows no further than this, in seconds.
    pub longest_delay_secs: u32,
    /// Guesses are forgotten when none was wrong for this long, in seconds.
    pub forget_after_secs: u32,
}

impl Default for GuessPolicy {
    /// 10 free tries, then 30 s, 1 min, 2 min, … up to 1 h; forgotten after 24 h without a wrong one.
    fn default() -> Self {
        Self {
            free_tries: 10,
            first_delay_secs: 30,
            longest_delay_secs: 3_600,
            forget_after_secs: 24 * 3_600,
        }
    }
}

impl GuessPolicy {
    /// How long the next try must wait after `failures` wrong ones; `None` while they are free.
    fn delay_secs(&self, failures: u32) -> Option<i64> {
        let beyond = failures.checked_sub(self.free_tries)?;
        let doubled = u64::from(self.first_delay_secs) << beyond.min(32);
        i64::try_from(doubled.min(self.longest_delay_secs.into())).ok()
    }
}

/// Counts of wrong guesses, by anything that can be hashed: a name, a client and its source.
///
/// Takes 2 rows × `slots` × 16 bytes, whatever happens: 1 MiB for the usual [`Guesses::SLOTS`]. Which slots a key has is
/// decided by SipHash with random keys of this process, so nobody outside can choose keys that meet.
///
/// `now` had best come from a clock that nobody sets (`CLOCK_BOOTTIME`): a clock set back makes a delay begin anew, but
/// one set forward ends it early, and nothing here could tell.
pub struct Guesses {
    policy: GuessPolicy,
    hashers: [RandomState; 2],
    shards: Box<[Mutex<Shard>]>,
}

/// Too many wrong guesses: the next try is accepted at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many wrong guesses")]
pub struct BlockedUntil(pub Timestamp);

impl Guesses {
    /// The usual number of slots in a row.
    pub const SLOTS: usize = 32_768;

    /// Counts of nothing yet, in two rows of `slots` slots, rounded up to a multiple of 16.
    pub fn new(policy: GuessPolicy, slots: usize) -> Self {
        let slots = slots.div_ceil(SHARDS).max(1);
        let shard = || Mutex::new(Shard { rows: [vec![Slot::EMPTY; slots], vec![Slot::EMPTY; slots]] });
        Self {
            policy,
            hashers: [RandomState::new(), RandomState::new()],
            shards: std::iter::repeat_with(shard).take(SHARDS).collect(),
        }
    }

    /// Until when a try for `key` is refused at `now`, if it is.
    pub fn blocked_until(&self, key: &(impl Hash + ?Sized), now: Timestamp) -> Option<Timestamp> {
        self.at(key).blocked_until(&self.policy, now)
    }

    /// Begins a try that takes long: counts it as wrong at once, so that tries in parallel cannot outnumber the
    /// limit. [`Try::succeeded`] takes that back; dropping the try leaves it counted.
    ///
    /// # Errors
    /// [`BlockedUntil`]: the try may not be made, and it was not counted.
    pub fn begin_try<K: Hash + ?Sized>(&self, key: &K, now: Timestamp) -> Result<Try<'_>, BlockedUntil> {
        let place = self.place(key);
        let mut slots = self.slots(place);
        if let Some(until) = slots.blocked_until(&self.policy, now) {
            return Err(BlockedUntil(until));
        }
        slots.fail(&self.policy, now);
        Ok(Try { guesses: self, place })
    }

    /// A try for `key` was wrong.
    pub fn failed(&self, key: &(impl Hash + ?Sized), now: Timestamp) {
        self.at(key).fail(&self.policy, now);
    }

    /// A try for `key` was right: its wrong ones are forgotten.
    pub fn succeeded(&self, key: &(impl Hash + ?Sized)) {
        self.at(key).forget();
    }

    fn at(&self, key: &(impl Hash + ?Sized)) -> Slots<'_> {
        self.slots(self.place(key))
    }

    fn place(&self, key: &(impl Hash + ?Sized)) -> Place {
        let [first, second] = &self.hashers;
        Place { first: first.hash_one(key), second: second.hash_one(key) }
    }

    fn slots(&self, place: Place) -> Slots<'_> {
        let shard = &self.shards[place.first as usize % SHARDS];
        let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let slots = shard.rows[0].len();
        let index = [(place.first as usize / SHARDS) % slots, place.second as usize % slots];
        Slots { shard, index }
    }
}

/// A try that counts as wrong until it has succeeded.
#[must_use = "a try that is dropped stays counted as wrong"]
pub struct Try<'a> {
    guesses: &'a Guesses,
    place: Place,
}

impl Try<'_> {
    /// It was right: it and the wrong ones before it are forgotten.
    pub fn succeeded(self) {
        self.guesses.slots(self.place).forget();
    }
}

/// Locks are spread over this many parts; both slots of a key are in one part.
const SHARDS: usize = 16;

struct Shard {
    rows: [Vec<Slot>; 2],
}

#[derive(Clone, Copy)]
struct Place {
    first: u64,
    second: u64,
}

#[derive(Clone, Copy)]
struct Slot {
    failures: u32,
    last: Timestamp,
}

impl Slot {
    const EMPTY: Self = Self { failures: 0, last: Timestamp::from_secs(0) };

    /// Brings the slot to `now`. A clock that was set back is met by beginning the delay anew: it ends no earlier than
    /// promised and lasts no longer than one delay.
    fn settle(&mut self, policy: &GuessPolicy, now: Timestamp) {
        self.last = self.last.min(now);
        if now.has_reached(self.last.plus_secs(policy.forget_after_secs.into())) {
            self.failures = 0;
        }
    }
}

/// The two slots of one key, locked.
struct Slots<'a> {
    shard: MutexGuard<'a, Shard>,
    index: [usize; 2],
}

impl Slots<'_> {
    fn each(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.shard.rows.iter_mut().zip(self.index).map(|(row, index)| &mut row[index])
    }

    fn blocked_until(&mut self, policy: &GuessPolicy, now: Timestamp) -> Option<Timestamp> {
        let mut earliest = None;
        for slot in self.each() {
            slot.settle(policy, now);
            let until = slot.last.plus_secs(policy.delay_secs(slot.failures)?);
            earliest = Some(earliest.map_or(until, |earliest: Timestamp| earliest.min(until)));
        }
        earliest.filter(|until| !now.has_reached(*until))
    }

    fn fail(&mut self, policy: &GuessPolicy, now: Timestamp) {
        for slot in self.each() {
            slot.settle(policy, now);
            *slot = Slot { failures: slot.failures.saturating_add(1), last: now };
        }
    }

    /// Takes the key's own count out of both slots and leaves what others put there: a success of one key must not
    /// unblock another that shares a slot with it.
    fn forget(&mut self) {
        let own = self.each().map(|slot| slot.failures).min().unwrap_or(0);
        self.each().for_each(|slot| slot.failures -= own);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const START: i64 = 1_800_000_000;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(START + secs)
    }

    fn guesses() -> Guesses {
        Guesses::new(GuessPolicy::default(), Guesses::SLOTS)
    }

    fn blocked_after(failures: u32) -> Guesses {
        let guesses = guesses();
        (0..failures).for_each(|_| guesses.failed("alice", at(0)));
        guesses
    }

    #[test]
    fn nine_wrong_guesses_are_free_and_the_tenth_starts_the_delay() {
        assert_eq!(blocked_after(9).blocked_until("alice", at(0)), None);
        assert_eq!(blocked_after(10).blocked_until("alice", at(0)), Some(at(30)));
        assert_eq!(blocked_after(10).blocked_until("bob", at(0)), None);
    }

    #[test]
    fn the_delay_doubles_up_to_an_hour() {
        let expected = [30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600];
        for (failures, delay) in (10..).zip(expected) {
            assert_eq!(blocked_after(failures).blocked_until("alice", at(0)), Some(at(delay)), "{failures}");
        }
        assert_eq!(blocked_after(1_000).blocked_until("alice", at(0)), Some(at(3_600)));
    }

    #[test]
    fn the_delay_is_tested_one_second_before_at_and_after() {
        for (secs, may) in [(29, false), (30, true), (31, true)] {
            let guesses = blocked_after(10);
            assert_eq!(guesses.blocked_until("alice", at(secs)).is_none(), may, "{secs}");
            assert_eq!(guesses.begin_try("alice", at(secs)).is_ok(), may, "{secs}");
        }
    }

    #[test]
    fn after_the_delay_there_is_one_try_and_then_twice_the_delay() {
        let guesses = blocked_after(10);
        drop(guesses.begin_try("alice", at(30)).unwrap());
        assert_eq!(guesses.begin_try("alice", at(30)).err(), Some(BlockedUntil(at(90))));
    }

    #[test]
    fn a_refused_try_is_not_counted() {
        let guesses = blocked_after(10);
        (0..100).for_each(|_| assert!(guesses.begin_try("alice", at(1)).is_err()));
        assert_eq!(guesses.blocked_until("alice", at(1)), Some(at(30)));
    }

    #[test]
    fn success_forgets_the_wrong_guesses() {
        let guesses = blocked_after(9);
        guesses.begin_try("alice", at(0)).unwrap().succeeded();
        (0..9).for_each(|_| drop(guesses.begin_try("alice", at(0)).unwrap()));
        assert_eq!(guesses.blocked_until("alice", at(0)), None);

        let guesses = blocked_after(20);
        guesses.succeeded("alice");
        assert_eq!(guesses.blocked_until("alice", at(0)), None);
    }

    #[test]
    fn guesses_are_forgotten_after_a_day_without_a_wrong_one() {
        for (secs, still) in [(86_399, true), (86_400, false), (86_401, false)] {
            let guesses = blocked_after(10);
            drop(guesses.begin_try("alice", at(secs)).unwrap());
            assert_eq!(guesses.blocked_until("alice", at(secs)).is_some(), still, "{secs}");
        }
    }

    #[test]
    fn a_clock_set_back_neither_unlocks_early_nor_locks_for_ever() {
        for back in [1, 300, 86_400, START, i64::MAX] {
            let guesses = blocked_after(10);
            let now = Timestamp::from_secs(START.saturating_sub(back));
            assert_eq!(guesses.blocked_until("alice", now), Some(now.plus_secs(30)), "{back}");
            assert_eq!(guesses.blocked_until("alice", now.plus_secs(29)), Some(now.plus_secs(30)), "{back}");
            assert_eq!(guesses.blocked_until("alice", now.plus_secs(30)), None, "{back}");
        }
    }

    #[test]
    fn filling_the_table_evicts_nothing() {
        let guesses = Guesses::new(GuessPolicy::default(), 1_024);
        (0..10).for_each(|_| guesses.failed("alice", at(0)));
        (0..100_000).for_each(|name| guesses.failed(&name, at(1)));
        assert!(guesses.blocked_until("alice", at(29)).is_some());
    }

    #[test]
    fn a_success_of_a_key_that_shares_a_slot_does_not_unblock() {
        let guesses = blocked_after(10);
        let slots_of = |place: Place| (place.first as usize % SHARDS, guesses.slots(place).index);
        let (shard, [first, second]) = slots_of(guesses.place("alice"));
        let shares_one = |name: &u32| {
            let (their_shard, theirs) = slots_of(guesses.place(name));
            their_shard == shard && (theirs[0] == first) != (theirs[1] == second)
        };
        let neighbours: Vec<u32> = (0..).filter(shares_one).take(20).collect();
        for name in neighbours {
            guesses.failed(&name, at(0));
            guesses.succeeded(&name);
        }
        assert_eq!(guesses.blocked_until("alice", at(0)), Some(at(30)));
    }

    #[test]
    fn a_thousand_guessed_names_block_hardly_any_other() {
        let guesses = guesses();
        for name in 0..1_000 {
            (0..10).for_each(|_| guesses.failed(&name, at(0)));
        }
        let blocked = (1_000..11_000).filter(|name| guesses.blocked_until(name, at(0)).is_some()).count();
        assert!(blocked < 100, "expected about 9 of 10,000, found {blocked}");
    }

    #[test]
    fn parallel_tries_never_outnumber_the_limit() {
        let guesses = guesses();
        let (barrier, begun) = (Barrier::new(8), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    barrier.wait();
                    for _ in 0..100 {
                        let granted = guesses.begin_try("alice", at(0)).is_ok();
                        begun.fetch_add(granted.into(), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(begun.into_inner(), 10);
    }

    #[test]
    fn a_slot_takes_16_bytes_and_no_number_of_slots_panics() {
        assert_eq!(size_of::<Slot>(), 16);
        for slots in [0, 1, 15, 17] {
            Guesses::new(GuessPolicy::default(), slots).failed("alice", at(0));
        }
    }
}
