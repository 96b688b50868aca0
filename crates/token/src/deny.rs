//! The deny list: what a node must refuse, and nothing else.
//!
//! An entry `(what, position n)` refuses every token of that id whose position at issue is less than `n`: order comes
//! from the change log, not from a clock. An entry leaves when the last access token it could refuse has expired.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use hashbrown::HashTable;

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
///
/// A denial of a token, family or person takes 27 bytes of a table that is between 7/16 and 7/8 full: 31 to 62 bytes.
pub struct DenyList {
    tokens: Shards,
    families: Shards,
    subjects: Shards,
    clients: RwLock<HashMap<ClientId, Position>>,
    /// Whether `clients` holds anything; a look-up in an empty one touches nothing else.
    has_clients: AtomicBool,
    everything: AtomicU64,
}

impl Default for DenyList {
    fn default() -> Self {
        Self {
            tokens: Shards::new(),
            families: Shards::new(),
            subjects: Shards::new(),
            clients: RwLock::default(),
            has_clients: AtomicBool::new(false),
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
                self.has_clients.store(true, Ordering::Release);
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
            if !self.has_clients.load(Ordering::Acquire) {
                return None;
            }
            let clients = self.clients.read().unwrap_or_else(PoisonError::into_inner);
            let (client, position) = clients.get_key_value(claims.client_id)?;
            later(position).then(|| (Denied::Client(client.clone()), *position))
        })
        .or_else(|| later(&everything).then_some((Denied::Everything, everything)))
    }

    /// The denials from beyond `position`, in no order.
    pub fn beyond(&self, position: Position) -> Vec<Denial> {
        let mut found = Vec::new();
        let mut add = |shards: &Shards, what: fn([u8; 16]) -> Denied| {
            found.extend(shards.beyond(position).into_iter().map(|entry| Denial {
                what: what(entry.id),
                position: entry.position(),
                leaves_at: entry.leaves_at(),
            }));
        };
        add(&self.tokens, |id| Denied::Token(TokenId::from_bytes(id)));
        add(&self.families, |id| Denied::Family(FamilyId::from_bytes(id)));
        add(&self.subjects, |id| Denied::Subject(SubjectId::from_bytes(id)));
        let staying = |what, position| Denial { what, position, leaves_at: Expiry::Never };
        let clients = self.clients.read().unwrap_or_else(PoisonError::into_inner);
        let clients = clients.iter().filter(|(_, denied)| **denied > position);
        found.extend(clients.map(|(id, denied)| staying(Denied::Client(id.clone()), *denied)));
        let everything = Position::new(self.everything.load(Ordering::Acquire));
        found.extend((everything > position).then(|| staying(Denied::Everything, everything)));
        found
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

/// Entries of one kind, in shards, so that nothing ever stops them all.
struct Shards {
    shards: Box<[RwLock<HashTable<Entry>>]>,
    /// Of all shards together; a look-up in an empty list touches nothing else.
    len: AtomicUsize,
}

impl Shards {
    const COUNT: usize = 256;

    fn new() -> Self {
        let shards = std::iter::repeat_with(RwLock::default).take(Self::COUNT).collect();
        Self { shards, len: AtomicUsize::new(0) }
    }

    fn insert(&self, id: &[u8; 16], denial: &Denial) {
        let Some(mut shard) = self.shard(id).map(write) else { return };
        let found = shard.find_mut(hash(id), |entry| entry.id == *id);
        match found {
            Some(entry) => *entry = Entry::new(*id, denial).or_later(entry),
            None => {
                shard.insert_unique(hash(id), Entry::new(*id, denial), |entry| hash(&entry.id));
                self.len.fetch_add(1, Ordering::AcqRel);
            }
        }
    }

    fn position(&self, id: &[u8; 16]) -> Option<Position> {
        if self.len() == 0 {
            return None;
        }
        let shard = self.shard(id)?.read().unwrap_or_else(PoisonError::into_inner);
        shard.find(hash(id), |entry| entry.id == *id).map(Entry::position)
    }

    fn beyond(&self, position: Position) -> Vec<Entry> {
        let mut found = Vec::new();
        for shard in &self.shards {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            found.extend(shard.iter().filter(|entry| entry.position() > position));
        }
        found
    }

    fn sweep(&self, turn: usize, now: Timestamp) {
        let Some(mut shard) = self.shards.get(turn % Self::COUNT).map(write) else { return };
        let before = shard.len();
        shard.retain(|entry| !entry.leaves_at().is_over(now));
        self.len.fetch_sub(before.saturating_sub(shard.len()), Ordering::AcqRel);
        if shard.capacity() > 4 * shard.len() + 64 {
            shard.shrink_to_fit(|entry| hash(&entry.id));
        }
    }

    fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// The shard of an id: by its last byte, since the table within takes the first eight.
    fn shard(&self, id: &[u8; 16]) -> Option<&RwLock<HashTable<Entry>>> {
        let [.., last] = id;
        self.shards.get(usize::from(*last) % Self::COUNT)
    }
}

fn write(shard: &RwLock<HashTable<Entry>>) -> RwLockWriteGuard<'_, HashTable<Entry>> {
    shard.write().unwrap_or_else(PoisonError::into_inner)
}

/// Ids are random and reach the list only from under a seal, so their own bytes are the hash.
fn hash(id: &[u8; 16]) -> u64 {
    let [first @ .., _, _, _, _, _, _, _, _] = *id;
    u64::from_le_bytes(first)
}

/// A denial in 26 bytes: at ten million of them every byte counts.
#[derive(Clone, Copy)]
struct Entry {
    id: [u8; 16],
    /// Big-endian. 48 bits last for nine years at a million revocations a second.
    position: [u8; 6],
    /// Big-endian seconds since the epoch; the greatest is never, which is also what later moments become.
    leaves_at: [u8; 4],
}

impl Entry {
    const NEVER: u32 = u32::MAX;

    fn new(id: [u8; 16], denial: &Denial) -> Self {
        let [_, _, position @ ..] = denial.position.number().to_be_bytes();
        let leaves_at = match denial.leaves_at {
            Expiry::Never => Self::NEVER,
            Expiry::At(at) => u32::try_from(at.as_secs().max(0)).unwrap_or(Self::NEVER),
        };
        Self { id, position, leaves_at: leaves_at.to_be_bytes() }
    }

    fn position(&self) -> Position {
        let [a, b, c, d, e, f] = self.position;
        Position::new(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }

    fn leaves_at(&self) -> Expiry {
        match u32::from_be_bytes(self.leaves_at) {
            Self::NEVER => Expiry::Never,
            secs => Expiry::At(Timestamp::from_secs(secs.into())),
        }
    }

    /// This entry, with the later position and the later end of the two.
    fn or_later(self, other: &Self) -> Self {
        Self {
            id: self.id,
            position: self.position.max(other.position),
            leaves_at: self.leaves_at.max(other.leaves_at),
        }
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
    fn an_entry_is_packed_without_loss() {
        assert_eq!(size_of::<Entry>(), 26);
        let far = Position::new((1 << 48) - 1);
        for (position, leaves_at) in [
            (Position::START, Expiry::At(Timestamp::from_secs(0))),
            (far, Expiry::At(Timestamp::from_secs(i64::from(u32::MAX) - 1))),
            (Position::new(0x0102_0304_0506), Expiry::Never),
        ] {
            let denial = Denial { what: Denied::Everything, position, leaves_at };
            let entry = Entry::new([7; 16], &denial);
            assert_eq!((entry.position(), entry.leaves_at()), (position, leaves_at));
        }
        let beyond = Expiry::At(Timestamp::from_secs(i64::MAX));
        let denial = Denial { what: Denied::Everything, position: far, leaves_at: beyond };
        assert_eq!(
            Entry::new([7; 16], &denial).leaves_at(),
            Expiry::Never,
            "it may stay longer, not shorter"
        );
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

    #[test]
    fn what_was_denied_beyond_a_position_is_listed() {
        let list = DenyList::default();
        let client = ClientId::new("fcare").unwrap();
        let whats = [
            Denied::Token(TokenId::from_bytes([1; 16])),
            Denied::Family(FamilyId::from_bytes([2; 16])),
            Denied::Subject(SubjectId::from_bytes([3; 16])),
            Denied::Client(client),
            Denied::Everything,
        ];
        let denials = whats.into_iter().zip(1..).map(|(what, number)| Denial {
            what,
            position: Position::new(number),
            leaves_at: Expiry::Never,
        });
        let denials: Vec<_> = denials.collect();
        denials.iter().for_each(|denial| list.insert(denial));
        for kept_to in 0..=5 {
            let mut found = list.beyond(Position::new(kept_to));
            found.sort_by_key(|denial| denial.position);
            assert_eq!(found, denials[kept_to as usize..]);
        }
    }
}
