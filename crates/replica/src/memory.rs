//! The memory of a node: a function of the change log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use obol_keys::{
    AccessTokenKeys, ImportError, KeyRing, MasterKey, PlainSecret, SigningRing, VerifiedSignatures,
    WrappedSigningKey, WrongMasterKey,
};
use obol_store::{
    Appended, Change, ChangeLog, Client, Entry, NewKey, Page, ReadFrom, StoreError, Timeline, WrappedKey,
};
use obol_token::{
    Algorithm, Asked, Claims, ClientId, CredentialKind, DenyList, KeyId, KeyKind, Position, Refusal, Scratch,
    SealFailed, SessionId, SubjectId, Timestamp,
};

use crate::clients::Clients;

/// Deny list, keys and clients as of [`Memory::applied`].
pub struct Memory {
    master: MasterKey,
    deny_list: DenyList,
    keys: ArcSwap<Keys>,
    /// No state: it is found again, and asks the keys each time.
    verified: VerifiedSignatures,
    clients: ArcSwap<Clients>,
    applied: AtomicU64,
    /// The number of the timeline on which it has read.
    timeline: AtomicU64,
    /// How far the log was kept when that one was first met.
    kept_to: AtomicU64,
    applying: Mutex<()>,
}

/// The keys that seal and those that sign, and what the log says of all of them, each with the position of its entry.
#[derive(Clone, Default)]
struct Keys {
    ring: KeyRing,
    signing: SigningRing,
    stored: BTreeMap<KeyId, (Position, WrappedKey)>,
}

/// Why the memory could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The log could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key could not be unwrapped.
    #[error(transparent)]
    Key(#[from] WrongMasterKey),
    /// Entries that this memory has applied are gone from the log.
    #[error("the store has lost what stood in the change log after position {kept_to}")]
    Lost {
        /// What stood up to here is there still.
        kept_to: Position,
        /// Where it is gone.
        timeline: Timeline,
    },
}

impl LoadError {
    /// Whether nothing was learnt of the log: this memory is as true as it was, and getting older.
    pub(crate) fn is_silence(&self) -> bool {
        match self {
            Self::Store(StoreError::Unavailable(_)) => true,
            Self::Store(StoreError::Conflict(_) | StoreError::Corrupt(_))
            | Self::Key(_)
            | Self::Lost { .. } => false,
        }
    }
}

/// Why a token could not be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The installation has no sealing key yet.
    #[error("there is no sealing key yet; start the server once")]
    NoKey,
    /// The installation has no key that signs so.
    #[error(
        "there is no key that signs with {name}; add one with `obol keys rotate --kind signing --algorithm {name} --now`",
        name = .0.name()
    )]
    NoSigningKey(Algorithm),
    /// The claims do not fit, or the library refuses.
    #[error(transparent)]
    Failed(#[from] SealFailed),
}

impl Memory {
    /// Entries read from the log at a time.
    const PAGE: usize = 4_096;

    /// A memory that has read nothing yet.
    pub fn new(master: MasterKey) -> Self {
        Self {
            master,
            deny_list: DenyList::default(),
            keys: ArcSwap::default(),
            verified: VerifiedSignatures::default(),
            clients: ArcSwap::default(),
            applied: AtomicU64::new(Position::START.number()),
            timeline: AtomicU64::new(Timeline::NONE.number()),
            kept_to: AtomicU64::new(Position::END.number()),
            applying: Mutex::default(),
        }
    }

    /// Reads the log to its end and applies it; returns the position reached.
    ///
    /// # Errors
    /// [`LoadError`]; what was applied until then stays.
    pub async fn catch_up(&self, log: &dyn ChangeLog) -> Result<Position, LoadError> {
        while !self.take_in(&log.read_page(self.reads_from()).await?)? {}
        Ok(self.applied())
    }

    /// From where to read on.
    pub(crate) fn reads_from(&self) -> ReadFrom {
        let known = Timeline::new(self.timeline.load(Ordering::Acquire));
        ReadFrom { after: self.applied(), limit: Self::PAGE, known }
    }

    /// Applies a page that was read from where this memory is, or was before. Says whether it reached the end.
    ///
    /// # Errors
    /// [`LoadError`]; what was applied until then stays.
    pub(crate) fn take_in(&self, page: &Page) -> Result<bool, LoadError> {
        // Readings overlap when the store is slow; what they found is applied one after the other.
        let _one = self.applying.lock().unwrap_or_else(PoisonError::into_inner);
        if page.timeline.number() < self.timeline.load(Ordering::Acquire) {
            return Err(
                StoreError::Unavailable("this was read on a former line of descent".to_owned()).into()
            );
        }
        if page.kept_to < self.applied() {
            return Err(LoadError::Lost { kept_to: page.kept_to, timeline: page.timeline });
        }
        // What an overlapping reading has applied may have been replaced since.
        let known = page.entries.partition_point(|entry| entry.position <= self.applied());
        self.apply(page.entries.get(known..).unwrap_or_default())?;
        self.follow_on(page.timeline, page.kept_to);
        Ok(page.entries.len() < Self::PAGE)
    }

    /// Becomes a function of the log again after entries were lost, on the timeline that lacks them: reads the states of
    /// clients and keys anew. Denials stay, and so does the position: what stood there is not given to another entry.
    ///
    /// # Errors
    /// [`LoadError`]; nothing has changed then.
    pub(crate) async fn read_anew(
        &self,
        log: &dyn ChangeLog,
        lacking: Timeline,
        kept_to: Position,
    ) -> Result<(), LoadError> {
        let (mut clients, mut keys) = (Clients::default(), Keys::default());
        let mut after = Position::START;
        loop {
            let page = log.read_page(ReadFrom { after, limit: Self::PAGE, known: lacking }).await?;
            for entry in &page.entries {
                self.apply_one(entry, &mut clients, &mut keys)?;
                after = entry.position;
            }
            if page.entries.len() < Self::PAGE {
                break;
            }
        }
        let _one = self.applying.lock().unwrap_or_else(PoisonError::into_inner);
        self.clients.store(Arc::new(clients));
        self.keys.store(Arc::new(keys));
        self.applied.fetch_max(after.number(), Ordering::AcqRel);
        self.follow_on(lacking, kept_to);
        Ok(())
    }

    /// Whether an entry that was appended when this memory read on `since`, or before, may be gone: then who has applied
    /// later ones need not know it.
    pub(crate) fn may_have_lost(&self, position: Position, since: Timeline) -> bool {
        let timeline = self.timeline.load(Ordering::Acquire);
        let failovers = timeline.saturating_sub(since.number());
        failovers > 1 || failovers == 1 && position.number() > self.kept_to.load(Ordering::Acquire)
    }

    fn follow_on(&self, timeline: Timeline, kept_to: Position) {
        if self.timeline.load(Ordering::Acquire) != timeline.number() {
            self.kept_to.store(kept_to.number(), Ordering::Release);
            self.timeline.store(timeline.number(), Ordering::Release);
        }
    }

    /// How far this memory has read the log.
    pub fn applied(&self) -> Position {
        Position::new(self.applied.load(Ordering::Acquire))
    }

    /// The client with this id, disabled ones included.
    pub fn client(&self, id: &str) -> Option<Arc<Client>> {
        self.clients.load().find(id).cloned()
    }

    /// How many clients are of this kind, disabled ones included.
    pub fn count_clients(&self, kind: impl Fn(&Client) -> bool) -> usize {
        self.clients.load().iter().filter(|client| kind(client)).count()
    }

    /// Whether a public client that is enabled has its pages at this origin.
    pub(crate) fn is_client_origin(&self, origin: &str) -> bool {
        self.clients.load().have_origin(origin)
    }

    /// The one decision whether a token stands: [`obol_token::verify`] with this memory.
    ///
    /// # Errors
    /// [`Refusal`]
    pub fn verify<'a>(
        &self,
        presented: &str,
        asked: Asked<'_>,
        now: Timestamp,
        scratch: &'a mut Scratch,
    ) -> Result<Claims<'a>, Refusal> {
        let keys = self.keys.load();
        let keys = keys.of_access_tokens(&self.verified);
        obol_token::verify(presented, asked, &keys, &self.deny_list, now, scratch)
    }

    /// Whether the log has said anything of the keys with which a token says that it was sealed and signed, be it that they are
    /// retired.
    pub(crate) fn has_heard_of_keys(&self, presented: &str) -> bool {
        let keys = self.keys.load();
        let heard_of = |key: KeyId| keys.stored.contains_key(&key);
        obol_token::claimed_signing_key(presented).is_none_or(heard_of)
            && obol_token::claimed_key(presented).is_some_and(heard_of)
    }

    /// Opens the seal only, and checks the signature: says what a token says, not whether it stands.
    ///
    /// # Errors
    /// [`Refusal`]
    pub fn open<'a>(&self, presented: &str, scratch: &'a mut Scratch) -> Result<Claims<'a>, Refusal> {
        let keys = self.keys.load();
        obol_token::open(presented, &keys.of_access_tokens(&self.verified), scratch)
    }

    /// Seals a token with the key that was promoted last. A nonce is 12 fresh random bytes.
    ///
    /// # Errors
    /// [`SealError`]
    pub fn seal(&self, claims: &Claims<'_>, nonce: [u8; 12]) -> Result<String, SealError> {
        let keys = self.keys.load();
        let key = keys.ring.current().ok_or(SealError::NoKey)?;
        Ok(obol_token::seal(claims, key, nonce)?)
    }

    /// [`MasterKey::pairwise_subject`] of this installation.
    pub fn pairwise_subject(&self, sector: &str, subject: SubjectId) -> String {
        self.master.pairwise_subject(sector, subject)
    }

    /// [`MasterKey::pairwise_session`] of this installation.
    pub fn pairwise_session(&self, sector: &str, session: SessionId) -> String {
        self.master.pairwise_session(sector, session)
    }

    /// Seals a token and signs it, with the keys that were promoted last (RFC 9068). `said` is what it says to others: a JSON
    /// object of one member or more. A nonce is 12 fresh random bytes.
    ///
    /// # Errors
    /// [`SealError`]
    pub fn seal_and_sign(
        &self,
        claims: &Claims<'_>,
        said: &str,
        algorithm: Algorithm,
        nonce: [u8; 12],
    ) -> Result<String, SealError> {
        let keys = self.keys.load();
        let sealing = keys.ring.current().ok_or(SealError::NoKey)?;
        let signing = keys.signing.current(algorithm).and_then(|key| key.access_token_signer(algorithm));
        let signing = signing.ok_or(SealError::NoSigningKey(algorithm))?;
        Ok(obol_token::seal_and_sign(claims, said, sealing, &signing, nonce)?)
    }

    /// A ticket: `plain` under the seal of the key that was promoted last, for nobody but the nodes to read.
    ///
    /// # Errors
    /// [`SealError`]
    pub fn seal_ticket(&self, plain: Vec<u8>) -> Result<String, SealError> {
        let keys = self.keys.load();
        let key = keys.ring.current().ok_or(SealError::NoKey)?;
        Ok(obol_token::seal_bytes(CredentialKind::Ticket, plain, key, obol_keys::random_bytes())?)
    }

    /// What [`Self::seal_ticket`] of any node has sealed, with a key that is not retired.
    ///
    /// # Errors
    /// [`Refusal`]
    pub fn open_ticket(&self, ticket: &str) -> Result<Vec<u8>, Refusal> {
        let mut buffer = vec![0; ticket.len()];
        let plain =
            obol_token::open_bytes(CredentialKind::Ticket, ticket, &self.keys.load().ring, &mut buffer)?;
        Ok(plain.to_vec())
    }

    /// Proof of an append at `position`, which this memory has applied; `None` if it has not got that far. What is
    /// in the log is on stable storage.
    pub fn applied_append(&self, position: Position) -> Option<Appended> {
        (position <= self.applied()).then(|| Appended::danger_committed(position))
    }

    /// What must be refused.
    pub fn deny_list(&self) -> &DenyList {
        &self.deny_list
    }

    /// Whether a token can be sealed.
    pub fn has_key(&self) -> bool {
        self.keys.load().ring.current().is_some()
    }

    /// [`MasterKey::wrap_client_secret`] of this installation.
    pub fn wrap_client_secret(&self, client_id: &ClientId, secret: &PlainSecret) -> Option<Vec<u8>> {
        self.master.wrap_client_secret(client_id.as_str(), secret)
    }

    /// [`MasterKey::unwrap_client_secret`] of this installation.
    pub fn unwrap_client_secret(&self, client_id: &ClientId, wrapped: &[u8]) -> Option<PlainSecret> {
        self.master.unwrap_client_secret(client_id.as_str(), wrapped)
    }

    /// A new sealing key, wrapped by the master key that unwraps those that are there: not stored yet. `None` if the
    /// cryptographic library makes none.
    pub fn new_sealing_key(&self, created_at: Timestamp) -> Option<NewKey> {
        let (id, wrapped) = self.master.new_sealing_key()?;
        Some(NewKey { id, kind: KeyKind::Sealing, wrapped, created_at })
    }

    /// A new signing key, wrapped as [`Self::new_sealing_key`] does.
    pub fn new_signing_key(&self, kind: KeyKind, created_at: Timestamp) -> Option<NewKey> {
        let WrappedSigningKey { id, kind, wrapped } = self.master.new_signing_key(kind)?;
        Some(NewKey { id, kind, wrapped, created_at })
    }

    /// The signing key in this PEM text, wrapped as [`Self::new_sealing_key`] does.
    ///
    /// # Errors
    /// [`ImportError`]
    pub fn import_signing_key(&self, pem: &[u8], created_at: Timestamp) -> Result<NewKey, ImportError> {
        let WrappedSigningKey { id, kind, wrapped } = self.master.import_signing_key(pem)?;
        Ok(NewKey { id, kind, wrapped, created_at })
    }

    /// Algorithms by which clients have things signed, and for which there is no key.
    pub(crate) fn algorithms_without_key(&self) -> Vec<Algorithm> {
        let (clients, keys) = (self.clients.load(), self.keys.load());
        let of_clients = clients.iter().flat_map(|client| client.settings.algorithms());
        let wanted: BTreeSet<_> = of_clients.chain([Algorithm::Es256]).collect();
        wanted.into_iter().filter(|algorithm| keys.signing.current(*algorithm).is_none()).collect()
    }

    /// The signing keys: those that wait, the ones that sign, and those that verify until they are retired.
    pub fn signing_keys(&self) -> SigningRing {
        self.keys.load().signing.clone()
    }

    /// The entry that told this memory of the present state of a key, if one has.
    pub fn told_of_key(&self, id: KeyId) -> Option<Appended> {
        let told_at = self.keys.load().stored.get(&id).map(|(told_at, _)| *told_at);
        told_at.and_then(|position| self.applied_append(position))
    }

    /// What the log said of keys beyond `position`, in that order.
    pub(crate) fn keys_beyond(&self, position: Position) -> Vec<WrappedKey> {
        let keys = self.keys.load();
        let mut beyond: Vec<_> = keys.stored.values().filter(|(told_at, _)| *told_at > position).collect();
        beyond.sort_by_key(|(told_at, _)| *told_at);
        beyond.into_iter().map(|(_, key)| key.clone()).collect()
    }

    /// Applies entries in order; the position moves only after what they say counts.
    fn apply(&self, entries: &[Entry]) -> Result<(), WrongMasterKey> {
        let states = |change: &Change| !matches!(change, Change::Denied(_));
        let (mut clients, mut keys) = (Clients::default(), Keys::default());
        let any_state = entries.iter().any(|entry| states(&entry.change));
        if any_state {
            (clients, keys) = (Clients::clone(&self.clients.load()), Keys::clone(&self.keys.load()));
        }
        for entry in entries {
            self.apply_one(entry, &mut clients, &mut keys)?;
        }
        if any_state {
            self.clients.store(Arc::new(clients));
            self.keys.store(Arc::new(keys));
        }
        if let Some(last) = entries.last() {
            self.applied.fetch_max(last.position.number(), Ordering::AcqRel);
        }
        Ok(())
    }

    fn apply_one(&self, entry: &Entry, clients: &mut Clients, keys: &mut Keys) -> Result<(), WrongMasterKey> {
        match &entry.change {
            #[cfg(feature = "planted-bugs")]
            Change::Denied(_)
                if obol_planted::Bug::ServesBeforeCaughtUp.is_on() && obol_planted::is_young() => {}
            Change::Denied(denial) => self.deny_list.insert(denial),
            Change::Client(client) => clients.insert(Client::clone(client)),
            Change::ClientDeleted(id) => clients.remove(id),
            Change::Key(key) => {
                keys.take_in(key, &self.master)?;
                keys.stored.insert(key.id, (entry.position, key.clone()));
            }
        }
        Ok(())
    }
}

impl Keys {
    fn of_access_tokens<'a>(&'a self, verified: &'a VerifiedSignatures) -> AccessTokenKeys<'a> {
        AccessTokenKeys { sealing: &self.ring, signing: &self.signing, verified }
    }

    fn take_in(&mut self, key: &WrappedKey, master: &MasterKey) -> Result<(), WrongMasterKey> {
        let WrappedKey { id, kind, wrapped, created_at: _, promoted, retired_at } = key;
        let promoted = promoted.map(|promoted| promoted.position);
        match (kind.signs(), retired_at) {
            (false, Some(_)) => self.ring = self.ring.without(*id),
            (false, None) => self.ring = self.ring.with(master.unwrap_key(*id, wrapped, promoted)?),
            (true, Some(_)) => self.signing = self.signing.without(*id),
            (true, None) => {
                let wrapped = WrappedSigningKey { id: *id, kind: *kind, wrapped: wrapped.clone() };
                self.signing = self.signing.with(master.unwrap_signing_key(&wrapped, promoted)?);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Memory {
        let text = format!("obol-master-key-1 {}", "A".repeat(43));
        Memory::new(MasterKey::parse(text.into()).unwrap())
    }

    fn page(timeline: u64, kept_to: Position) -> Page {
        Page { entries: Vec::new(), timeline: Timeline::new(timeline), kept_to }
    }

    #[test]
    fn a_log_that_was_read_and_cannot_be_followed_is_no_silence() {
        let store = |make: fn(String) -> StoreError| LoadError::Store(make("why".to_owned()));
        let lost = memory();
        lost.take_in(&page(1, Position::END)).unwrap();
        lost.applied.store(9, Ordering::Release);
        for (error, silence) in [
            (store(StoreError::Unavailable), true),
            (store(StoreError::Conflict), false),
            (store(StoreError::Corrupt), false),
            (lost.take_in(&page(2, Position::new(5))).unwrap_err(), false),
            (lost.take_in(&page(0, Position::END)).unwrap_err(), true),
        ] {
            assert_eq!(error.is_silence(), silence, "{error}");
        }
    }

    #[test]
    fn what_a_failover_did_not_keep_is_not_known_to_who_has_applied_later_entries() {
        let memory = memory();
        let (kept, lost) = (Position::new(5), Position::new(6));
        let mut before = Vec::new();
        for (read, lost_since) in [
            (page(1, Position::END), vec![]),
            (page(2, kept), vec![true]),
            (page(2, Position::END), vec![true, false]),
            (page(3, lost), vec![true, false, false]),
        ] {
            memory.take_in(&read).unwrap();
            let found: Vec<bool> = before.iter().map(|since| memory.may_have_lost(lost, *since)).collect();
            assert_eq!(found, lost_since, "{read:?}");
            before.push(memory.reads_from().known);
        }
        let memory = self::memory();
        memory.take_in(&page(1, Position::END)).unwrap();
        memory.take_in(&page(2, kept)).unwrap();
        assert!(!memory.may_have_lost(kept, Timeline::new(1)), "it was kept");
    }
}
