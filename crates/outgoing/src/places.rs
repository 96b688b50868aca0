//! How much may be asked at once: over all, for strangers, and of one host. Who finds no place is told so at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use obol_oauth::NamedBy;

use crate::trouble::Trouble;

/// A host, for strangers and for the rest apart: where both name it, neither closes it to the other.
type Asked = (NamedBy, String);

/// The places, and who has one: as many entries as places at most.
#[derive(Debug)]
pub(crate) struct Places {
    all: usize,
    of_strangers: usize,
    of_a_host: usize,
    taken: Mutex<HashMap<Asked, usize>>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    asked: Asked,
}

impl Places {
    pub(crate) fn new(all: usize, of_strangers: usize, of_a_host: usize) -> Arc<Self> {
        Arc::new(Self { all, of_strangers, of_a_host, taken: Mutex::default() })
    }

    /// A place for asking `host`.
    ///
    /// # Errors
    /// [`Trouble::Busy`]
    pub(crate) fn take(self: &Arc<Self>, named_by: NamedBy, host: String) -> Result<Place, Trouble> {
        let asked = (named_by, host);
        let mut taken = self.lock();
        let of_this_host = taken.get(&asked).copied().unwrap_or(0);
        let strangers = taken.iter().filter(|((named_by, _), _)| *named_by == NamedBy::Stranger);
        let of_strangers = strangers.map(|(_, count)| count).sum::<usize>();
        let is_full = of_this_host >= self.of_a_host
            || (named_by == NamedBy::Stranger && of_strangers >= self.of_strangers)
            || taken.values().sum::<usize>() >= self.all;
        if is_full {
            return Err(Trouble::Busy);
        }
        taken.insert(asked.clone(), of_this_host + 1);
        drop(taken);
        Ok(Place { places: Arc::clone(self), asked })
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.lock().values().sum()
    }

    /// Every change is whole, so a panic elsewhere spoils nothing.
    fn lock(&self) -> MutexGuard<'_, HashMap<Asked, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        match taken.get_mut(&self.asked) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&self.asked)),
        }
    }
}
