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
