//! The deny list: what a node must refuse, and nothing else.
//!
//! An entry `(what, position n)` refuses every token of that id whose position at issue is less than `n`: order comes
//! from the change log, not from a clock. An entry leaves when the last access token it could refuse has expired.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::{Claims, ClientId, Expiry, FamilyId, Position, SubjectId, Timestamp, TokenId};

/// What is refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Denied {
    /// One access token.
    Token(TokenId),
    /// All access tokens of one line of descent.
    Family(FamilyId),
    /// All access tokens of one person.
    Subject(SubjectId),
    /// All access tokens of one client.
    Client(ClientId),
    /// All access tokens.
    Everything,
}

/// One entry of the deny list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// What is refused.
    pub what: Denied,
    /// Tokens issued before this place in the log are refused.
    pub position: Position,
    /// When the last access token that it could refuse has expired.
    pub leaves_at: Expiry,
}

/// All live denials of one node. Shared between threads; a look-up costs the same however many there are.
pub struct DenyList {
    tokens: Shards,
    families: Shards,
    subjects: Shards,
    clients: RwLock<HashMap<ClientId, Position>>,
    everything: AtomicU64,
}

impl Default for DenyList {
    fn default() -> Self {
        Self {
            tokens: Shards::new(),
            families: Shards::new(),
            subjects: Shards::new(),
            clients: RwLock::default(),
            everything: AtomicU64::new(0),
        }
    }
}

impl DenyList {
    /// Takes in a denial. Of two for the same id the later position and the later end count.
    ///
    /// Denials of clients and of everything stay: there are at most as many as clients ever made, and one.
    pub fn insert(&self, denial: &Denial) {
        match &denial.what {
            Denied::Token(id) => self.tokens.insert(id.as_bytes(), denial),
            Denied::Family(id) => self.families.insert(id.as_bytes(), denial),
            Denied::Subject(id) => self.subjects.insert(id.as_bytes(), denial),
            Denied::Client(id) => {
                let mut clients = self.clients.write().unwrap_or_else(PoisonError::into_inner);
                let position = clients.entry(id.clone()).or_insert(denial.position);
                *position = denial.position.max(*position);
            }
            Denied::Everything => {
                self.everything.fetch_max(denial.position.number(), Ordering::AcqRel);
            }
        }
    }

    /// What refuses a token that says `claims`, with its position; `None` if nothing does.
    pub fn refusing(&self, claims: &Claims<'_>) -> Option<(Denied, Position)> {
        let everything = Position::new(self.everything.load(Ordering::Acquire));
        let later = |position: &Position| claims.position < *position;
        None.or_else(|| {
            let position = self.tokens.position(claims.token_id.as_bytes()).filter(later)?;
            Some((Denied::Token(claims.token_id), position))
        })
        .or_else(|| {
            let family = claims.family?;
            Some((Denied::Family(family), self.families.position(family.as_bytes()).filter(later)?))
        })
        .or_else(|| {
            let subject = claims.subject?.id;
            Some((Denied::Subject(subject), self.subjects.position(subject.as_bytes()).filter(later)?))
        })
        .or_else(|| {
            let clients = self.clients.read().unwrap_or_else(PoisonError::into_inner);
            let (client, position) = clients.get_key_value(claims.client_id)?;
            later(position).then(|| (Denied::Client(client.clone()), *position))
        })
        .or_else(|| later(&everything).then_some((Denied::Everything, everything)))
    }

    /// Lets the entries go that can refuse nothing any more, in the `turn`-th part of the list only, so that no
    /// look-up waits for the whole. Called with 0, 1, 2, … it comes round to every part.
    pub fn sweep(&self, turn: usize, now: Timestamp) {
        for shards in [&self.tokens, &self.families, &self.subjects] {
            shards.sweep(turn, now);
        }
    }

    /// How many entries there are, without those of clients and of everything.
    pub fn len(&self) -> usize {
        [&self.tokens, &self.families, &self.subjects].iter().map(|shards| shards.len()).sum()
    }

    /// Whether there is no entry for a token, family or subject.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

type Shard = HashMap<[u8; 16], Entry, BuildHasherDefault<IdHasher>>;

#[derive(Clone, Copy)]
struct Entry {
    position: Position,
    leaves_at: Expiry,
}

struct Shards([RwLock<Shard>; Self::COUNT]);

impl Shards {
    const COUNT: usize = 64;

    fn new() -> Self {
        Self(std::array::from_fn(|_| RwLock::default()))
    }

    /// The shard of an id: by its last byte, since the hash table within takes the first eight.
    fn shard(&self, id: &[u8; 16]) -> Option<&RwLock<Shard>> {
        self.0.get(usize::from(id.last()?.to_owned()) % Self::COUNT)
    }

    fn insert(&self, id: &[u8; 16], denial: &Denial) {
        let Some(shard) = self.shard(id) else { return };
        let new = Entry { position: denial.position, leaves_at: denial.leaves_at };
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        let entry = shard.entry(*id).or_insert(new);
        entry.position = entry.position.max(new.position);
        entry.leaves_at = entry.leaves_at.max(new.leaves_at);
    }

    fn position(&self, id: &[u8; 16]) -> Option<Position> {
        let shard = self.shard(id)?.read().unwrap_or_else(PoisonError::into_inner);
        shard.get(id).map(|entry| entry.position)
    }

    fn sweep(&self, turn: usize, now: Timestamp) {
        let Some(shard) = self.0.get(turn % Self::COUNT) else { return };
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        shard.retain(|_, entry| !entry.leaves_at.is_over(now));
        if shard.capacity() > 4 * shard.len() + 64 {
            shard.shrink_to_fit();
        }
    }

    fn len(&self) -> usize {
        self.0.iter().map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }
}

/// Ids are random and reach the list only from under a seal, so their own bytes are the hash (the length that
/// arrays hash first is overwritten by them).
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::tests::sample;

    fn denial(what: Denied, position: u64) -> Denial {
        Denial { what, position: Position::new(position), leaves_at: Expiry::Never }
    }

    fn every_kind(claims: &Claims<'_>) -> [Denied; 5] {
        [
            Denied::Token(claims.token_id),
            Denied::Family(claims.family.unwrap()),
            Denied::Subject(claims.subject.unwrap().id),
            Denied::Client(ClientId::new(claims.client_id).unwrap()),
            Denied::Everything,
        ]
    }

    #[test]
    fn each_kind_refuses_what_was_issued_before_its_position_only() {
        let claims = sample();
        for what in every_kind(&claims) {
            for (position, refused) in [(41, false), (42, false), (43, true)] {
                let list = DenyList::default();
                list.insert(&denial(what.clone(), position));
                let expected = refused.then(|| (what.clone(), Position::new(position)));
                assert_eq!(list.refusing(&claims), expected, "{what:?} at {position}");
            }
        }
    }

    #[test]
    fn denials_of_others_refuse_nothing() {
        let list = DenyList::default();
        list.insert(&denial(Denied::Token(TokenId::from_bytes([9; 16])), 99));
        list.insert(&denial(Denied::Family(FamilyId::from_bytes([1; 16])), 99));
        list.insert(&denial(Denied::Subject(SubjectId::from_bytes([2; 16])), 99));
        list.insert(&denial(Denied::Client(ClientId::new("other").unwrap()), 99));
        assert_eq!(list.refusing(&sample()), None);
    }

    #[test]
    fn of_two_denials_the_later_position_and_end_count() {
        let (claims, id) = (sample(), sample().token_id);
        let list = DenyList::default();
        let at = |secs| Expiry::At(Timestamp::from_secs(secs));
        let entry = |position, secs| Denial {
            what: Denied::Token(id),
            position: Position::new(position),
            leaves_at: at(secs),
        };
        list.insert(&entry(50, 100));
        list.insert(&entry(40, 200));
        assert_eq!(list.refusing(&claims), Some((Denied::Token(id), Position::new(50))));
        (0..Shards::COUNT).for_each(|turn| list.sweep(turn, Timestamp::from_secs(199)));
        assert_eq!(list.len(), 1);
    }

    #[test]
    fn entries_leave_when_they_can_refuse_nothing_any_more() {
        let list = DenyList::default();
        for number in 0..1_000_u64 {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&number.to_le_bytes());
            id[15] = number as u8;
            let leaves_at = Expiry::At(Timestamp::from_secs(number as i64));
            list.insert(&Denial {
                what: Denied::Token(TokenId::from_bytes(id)),
                position: Position::new(1),
                leaves_at,
            });
        }
        (0..Shards::COUNT).for_each(|turn| list.sweep(turn, Timestamp::from_secs(499)));
        assert_eq!(list.len(), 500, "entries that leave at 499 or before are gone");
    }
}
