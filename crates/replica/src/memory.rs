//! The memory of a node: a function of the change log.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use obol_keys::{KeyRing, MasterKey, WrongMasterKey};
use obol_store::{Appended, Change, ChangeLog, Client, Entry, StoreError};
use obol_token::{Asked, Claims, ClientId, DenyList, Position, Refusal, Scratch, SealFailed, Timestamp};

/// Deny list, sealing keys and clients as of [`Memory::applied`].
pub struct Memory {
    master: MasterKey,
    deny_list: DenyList,
    keys: ArcSwap<KeyRing>,
    clients: ArcSwap<HashMap<ClientId, Arc<Client>>>,
    applied: AtomicU64,
}

/// Why the memory could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The log could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A sealing key could not be unwrapped.
    #[error(transparent)]
    Key(#[from] WrongMasterKey),
}

/// Why a token could not be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The installation has no sealing key yet.
    #[error("there is no sealing key yet; start the server once")]
    NoKey,
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
            clients: ArcSwap::default(),
            applied: AtomicU64::new(Position::START.number()),
        }
    }

    /// Reads the log to its end and applies it; returns the position reached.
    ///
    /// # Errors
    /// [`LoadError`]; what was applied until then stays.
    pub async fn catch_up(&self, log: &dyn ChangeLog) -> Result<Position, LoadError> {
        loop {
            let entries = log.read_after(self.applied(), Self::PAGE).await?;
            self.apply(&entries)?;
            if entries.len() < Self::PAGE {
                return Ok(self.applied());
            }
        }
    }

    /// How far this memory has read the log.
    pub fn applied(&self) -> Position {
        Position::new(self.applied.load(Ordering::Acquire))
    }

    /// The client with this id, disabled ones included.
    pub fn client(&self, id: &str) -> Option<Arc<Client>> {
        self.clients.load().get(id).cloned()
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
        obol_token::verify(presented, asked, &**self.keys.load(), &self.deny_list, now, scratch)
    }

    /// Opens the seal only: says what a token says, not whether it stands.
    ///
    /// # Errors
    /// [`Refusal`]
    pub fn open<'a>(&self, presented: &str, scratch: &'a mut Scratch) -> Result<Claims<'a>, Refusal> {
        obol_token::open(presented, &**self.keys.load(), scratch)
    }

    /// Seals a token with the newest key. A nonce is 12 fresh random bytes.
    ///
    /// # Errors
    /// [`SealError`]
    pub fn seal(&self, claims: &Claims<'_>, nonce: [u8; 12]) -> Result<String, SealError> {
        let keys = self.keys.load();
        let key = keys.current().ok_or(SealError::NoKey)?;
        Ok(obol_token::seal(claims, key, nonce)?)
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
    pub(crate) fn has_key(&self) -> bool {
        self.keys.load().current().is_some()
    }

    /// The key that unwraps what the log says of sealing keys.
    pub(crate) fn master(&self) -> &MasterKey {
        &self.master
    }

    /// Applies entries in order; the position moves only after what they say counts.
    fn apply(&self, entries: &[Entry]) -> Result<(), WrongMasterKey> {
        let mut clients = None;
        let changed = || HashMap::clone(&self.clients.load());
        for entry in entries {
            match &entry.change {
                Change::Denied(denial) => self.deny_list.insert(denial),
                Change::Client(client) => {
                    let client = Arc::new(Client::clone(client));
                    clients.get_or_insert_with(changed).insert(client.id.clone(), client);
                }
                Change::ClientDeleted(id) => {
                    clients.get_or_insert_with(changed).remove(id);
                }
                Change::SealingKey(key) => {
                    let ring = self.keys.load();
                    let ring = match key.retired_at {
                        Some(_) => ring.without(key.id),
                        None => ring.with(self.master.unwrap_key(key.id, &key.wrapped, key.created_at)?),
                    };
                    self.keys.store(Arc::new(ring));
                }
            }
        }
        if let Some(clients) = clients {
            self.clients.store(Arc::new(clients));
        }
        if let Some(last) = entries.last() {
            self.applied.fetch_max(last.position.number(), Ordering::AcqRel);
        }
        Ok(())
    }
}
