//! The change log: one ordered, durable log of everything that the nodes must learn.
//!
//! A node's memory is a function of this log: reading it from [`Position::START`] to its end gives the whole memory.
//! The log keeps the **latest entry per thing**: a new entry for the same client, key or denial takes the place of the
//! older one, at a new position. Denials leave it when they can refuse nothing any more. So it grows with what there
//! is, not with what has happened. The newest entry stays, whatever it is: so a reading to the end always reaches the
//! position of the last append.

use async_trait::async_trait;
use obol_token::{ClientId, Denial, Position, Timestamp};

use crate::{Client, StoreError, WrappedKey};

/// Proof that an entry is on stable storage, with its position. Only a backend makes one, after its commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a change counts only after every node has applied it: hand the proof to obol_replica"]
pub struct Appended(Position);

impl Appended {
    /// For backends only: the transaction that holds the entry has been committed durably.
    pub const fn danger_committed(position: Position) -> Self {
        Self(position)
    }

    /// Where the entry stands.
    pub const fn position(self) -> Position {
        self.0
    }
}

/// What a node must learn.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Tokens to refuse.
    Denied(Denial),
    /// A client was added or changed; this is its present state.
    Client(Box<Client>),
    /// A client was deleted.
    ClientDeleted(ClientId),
    /// A key was added, promoted or retired; this is its present state.
    Key(WrappedKey),
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its place.
    pub position: Position,
    /// What it says.
    pub change: Change,
}

/// A line of descent of the store: another one begins when a copy takes over that may lack the latest entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timeline(u64);

impl Timeline {
    /// That of a reader who has read nothing yet.
    pub const NONE: Self = Self(0);

    /// The one with this number; later ones have greater numbers.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// From where a page of the log is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadFrom {
    /// Entries after this one.
    pub after: Position,
    /// At most so many.
    pub limit: usize,
    /// The timeline on which the reader has read before.
    pub known: Timeline,
}

/// What a reading of the log has found, all of the same moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The entries asked for.
    pub entries: Vec<Entry>,
    /// The line of descent that was read.
    pub timeline: Timeline,
    /// What stood in the log up to here on the timeline known to the reader, or is said to stand there, stands there still.
    /// What stood beyond was lost, and its positions are not given again.
    pub kept_to: Position,
}

/// Reading the log. Appending happens inside the methods that change something.
#[async_trait]
pub trait ChangeLog: Send + Sync {
    /// Up to `limit` entries after `after`, in order of position.
    ///
    /// A caller that has read up to position *n* never later meets an entry at or below *n*: positions become visible
    /// in order.
    ///
    /// # Errors
    /// [`StoreError`] when the log cannot be read.
    async fn read_after(&self, after: Position, limit: usize) -> Result<Vec<Entry>, StoreError> {
        Ok(self.read_page(ReadFrom { after, limit, known: Timeline::NONE }).await?.entries)
    }

    /// As [`Self::read_after`], and says whether what the caller has read on the timeline it knows is still there.
    ///
    /// # Errors
    /// [`StoreError`] when the log cannot be read.
    async fn read_page(&self, from: ReadFrom) -> Result<Page, StoreError>;

    /// The latest moment at which something left the store because its time was over; the epoch if nothing has. Stored
    /// with what it tells of: to a clock that is behind it, denials are gone whose tokens look unexpired. Denying everything
    /// sets it back: those tokens are refused by position then.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    async fn swept_through(&self) -> Result<Timestamp, StoreError>;

    /// Waits until there may be an entry after `after`, appended by this process or another. May return early.
    async fn wait_for_append(&self, after: Position);
}
