//! Replacing what was read before, so that of two changes at the same time none is lost.

use crate::{Appended, ChangeOutcome, StoreError};

/// What became of replacing something by who has read it before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum ReplaceOutcome {
    /// It was as it had been read, and is now as asked.
    Replaced(Appended),
    /// It is not any more as it was read. Nothing is changed.
    Raced,
    /// There is none.
    Unknown,
}

impl ReplaceOutcome {
    /// Whether what a backend finds may be replaced by who has read `former`; within the transaction that replaces it.
    ///
    /// # Errors
    /// The outcome if it may not.
    pub fn check<T: PartialEq>(found: Option<&T>, former: &T) -> Result<(), Self> {
        match found {
            None => Err(Self::Unknown),
            Some(found) if found == former => Ok(()),
            Some(_) => Err(Self::Raced),
        }
    }
}

/// So often one thing is read and decided upon. Each time somebody else was faster.
const MOST_ATTEMPTS: usize = 16;

/// Replaces something: `find` reads it, `decide` says by what, and `replace` is given both. After a race it is read and decided
/// anew.
///
/// # Errors
/// Those of the three; [`StoreError::Unavailable`] when others keep changing it.
pub async fn replace<T, U, E, Found, Replaced>(
    find: impl Fn() -> Found,
    decide: impl Fn(&T) -> Result<U, E>,
    replace: impl Fn(T, U) -> Replaced,
) -> Result<ChangeOutcome, E>
where
    Found: Future<Output = Result<Option<T>, StoreError>>,
    Replaced: Future<Output = Result<ReplaceOutcome, StoreError>>,
    E: From<StoreError>,
{
    for _ in 0..MOST_ATTEMPTS {
        let Some(former) = find().await? else { return Ok(ChangeOutcome::Unknown) };
        let wanted = decide(&former)?;
        match replace(former, wanted).await? {
            ReplaceOutcome::Replaced(appended) => return Ok(ChangeOutcome::Changed(appended)),
            ReplaceOutcome::Unknown => return Ok(ChangeOutcome::Unknown),
            ReplaceOutcome::Raced => {}
        }
    }
    Err(StoreError::Unavailable("others keep changing it; try again".to_owned()).into())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn who_is_never_fast_enough_gives_up() {
        let read = Cell::new(0);
        let find = async || Ok(Some(read.replace(read.get() + 1)));
        let late = pin!(replace(find, |_| Ok::<_, StoreError>(()), async |_, ()| Ok(ReplaceOutcome::Raced)));
        let outcome = late.poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(outcome, Poll::Ready(Err(StoreError::Unavailable(_)))), "{outcome:?}");
        assert_eq!(read.get(), MOST_ATTEMPTS);
    }
}
