//! What waits for the writer: one caller's write, whatever the type of its answer.

use std::pin::Pin;

use obol_store::{Appended, StoreError};
use obol_token::{Expiry, FamilyId, Timestamp, TokenId};
use tokio::sync::oneshot;

use crate::connection::Connection;
use crate::error::{Result, leaves_connection_sound, store_error};

/// A write on its way.
pub(crate) type Run<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// A request and its moment, if it lets rows go.
pub(crate) struct Pending {
    pub(crate) now: Option<Timestamp>,
    pub(crate) request: Request,
}

/// What is asked for.
pub(crate) enum Request {
    /// A denial of a token, which goes together with others.
    Token { id: TokenId, leaves_at: Expiry, answer: Answer<Appended> },
    /// The end of a family, which goes together with others.
    Family { id: FamilyId, answer: Answer<Option<Appended>> },
    /// Anything else.
    Work(Box<dyn Work>),
}

impl Request {
    /// Whether nobody waits for the answer any more.
    pub(crate) fn is_given_up(&self) -> bool {
        match self {
            Self::Token { answer, .. } => answer.is_given_up(),
            Self::Family { answer, .. } => answer.is_given_up(),
            Self::Work(work) => work.is_given_up(),
        }
    }

    /// Gives the outcome to the caller, or the reason why nothing was committed.
    pub(crate) fn answer(self, not_committed: Option<&StoreError>) {
        match self {
            Self::Token { answer, .. } => answer.give(not_committed),
            Self::Family { answer, .. } => answer.give(not_committed),
            Self::Work(work) => work.answer(not_committed),
        }
    }
}

/// Who waits, and the outcome before the commit.
pub(crate) struct Answer<T> {
    to: oneshot::Sender<Result<T, StoreError>>,
    outcome: Option<Result<T, StoreError>>,
}

impl<T> Answer<T> {
    /// To be given to `to`.
    pub(crate) fn to(to: oneshot::Sender<Result<T, StoreError>>) -> Self {
        Self { to, outcome: None }
    }

    /// Keeps the outcome until the commit.
    pub(crate) fn keep(&mut self, outcome: Result<T, StoreError>) {
        self.outcome = Some(outcome);
    }

    fn is_given_up(&self) -> bool {
        self.to.is_closed()
    }

    fn give(self, not_committed: Option<&StoreError>) {
        let outcome = match (not_committed, self.outcome) {
            (None, Some(outcome)) => outcome,
            (Some(error), _) => Err(error.clone()),
            (None, None) => Err(StoreError::Unavailable("the write was not begun".to_owned())),
        };
        // The caller may have gone; the write stands all the same.
        let _ = self.to.send(outcome);
    }
}

/// A write of any type.
pub(crate) trait Work: Send {
    /// Whether nobody waits for the answer any more.
    fn is_given_up(&self) -> bool;
    /// Does it, and keeps the outcome; `Err` when what was done has to be undone.
    fn run<'a>(
        &'a mut self,
        db: &'a Connection,
    ) -> Pin<Box<dyn Future<Output = Result<(), Undo>> + Send + 'a>>;
    /// Gives the outcome to the caller, or the reason why nothing was committed.
    fn answer(self: Box<Self>, not_committed: Option<&StoreError>);
}

/// A part of the transaction has failed.
pub(crate) struct Undo {
    /// Whether the connection may be used for the next transaction.
    pub(crate) sound: bool,
}

/// A write with an answer of type `T`.
pub(crate) struct Unit<T, W> {
    work: Option<W>,
    answer: Answer<T>,
}

impl<T, W> Unit<T, W> {
    /// This work, answered to this caller.
    pub(crate) fn new(work: W, answer: Answer<T>) -> Self {
        Self { work: Some(work), answer }
    }
}

impl<T, W> Work for Unit<T, W>
where
    T: Send + 'static,
    W: for<'a> FnOnce(&'a Connection) -> Run<'a, T> + Send,
{
    fn is_given_up(&self) -> bool {
        self.answer.is_given_up()
    }

    fn run<'a>(
        &'a mut self,
        db: &'a Connection,
    ) -> Pin<Box<dyn Future<Output = Result<(), Undo>> + Send + 'a>> {
        let work = self.work.take();
        Box::pin(async move {
            let Some(work) = work else { return Ok(()) };
            let outcome = work(db).await;
            let undo = outcome.as_ref().err().map(|error| Undo { sound: leaves_connection_sound(error) });
            self.answer.keep(outcome.map_err(|error| store_error(&error)));
            undo.map_or(Ok(()), Err)
        })
    }

    fn answer(self: Box<Self>, not_committed: Option<&StoreError>) {
        self.answer.give(not_committed);
    }
}
