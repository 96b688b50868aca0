//! How many servers may be asked at once: over all, and one host alone. Who finds no place is told so at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::trouble::Trouble;

/// The places, and who has one: as many entries as places at most.
#[derive(Debug)]
pub(crate) struct Places {
    all: usize,
    of_a_host: usize,
    taken: Mutex<HashMap<String, usize>>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    host: String,
}

impl Places {
    pub(crate) fn new(all: usize, of_a_host: usize) -> Arc<Self> {
        Arc::new(Self { all, of_a_host, taken: Mutex::default() })
    }

    /// A place for asking `host`.
    ///
    /// # Errors
    /// [`Trouble::Busy`]
    pub(crate) fn take(self: &Arc<Self>, host: String) -> Result<Place, Trouble> {
        let mut taken = self.lock();
        let of_this_host = taken.get(&host).copied().unwrap_or(0);
        if of_this_host >= self.of_a_host || taken.values().sum::<usize>() >= self.all {
            return Err(Trouble::Busy);
        }
        taken.insert(host.clone(), of_this_host + 1);
        drop(taken);
        Ok(Place { places: Arc::clone(self), host })
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.lock().values().sum()
    }

    /// Every change is whole, so a panic elsewhere spoils nothing.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        match taken.get_mut(&self.host) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&self.host)),
        }
    }
}
