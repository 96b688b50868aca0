//! What the application remembers of browsers: in memory, at most so many, each for so long.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use openidconnect::CsrfToken;

/// Values under names that nobody can guess. When it is full, the oldest makes room.
pub struct Remembered<T> {
    limit: usize,
    lifetime: Duration,
    entries: Mutex<HashMap<String, (Instant, T)>>,
}

impl<T> Remembered<T> {
    pub fn new(limit: usize, lifetime: Duration) -> Self {
        Self { limit, lifetime, entries: Mutex::default() }
    }

    pub fn put(&self, name: String, value: T) {
        let mut entries = self.entries();
        entries.retain(|_, (since, _)| since.elapsed() < self.lifetime);
        if entries.len() >= self.limit {
            let oldest = entries.iter().min_by_key(|(_, (since, _))| *since).map(|(name, _)| name.clone());
            oldest.and_then(|name| entries.remove(&name));
        }
        entries.insert(name, (Instant::now(), value));
    }

    /// Only one caller gets it.
    pub fn take(&self, name: &str) -> Option<T> {
        let (since, value) = self.entries().remove(name)?;
        (since.elapsed() < self.lifetime).then_some(value)
    }

    /// Puts another value in the place of one that is still there; it lives no longer for that.
    pub fn replace(&self, name: &str, value: T) {
        if let Some((_, old)) = self.entries().get_mut(name) {
            *old = value;
        }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, (Instant, T)>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> Remembered<T> {
    pub fn find(&self, name: &str) -> Option<T> {
        let entries = self.entries();
        let (since, value) = entries.get(name)?;
        (since.elapsed() < self.lifetime).then(|| value.clone())
    }
}

/// A name of 256 random bits.
pub fn fresh_name() -> String {
    CsrfToken::new_random_len(32).into_secret()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_gone_and_the_oldest_makes_room() {
        let remembered = Remembered::new(2, Duration::from_secs(60));
        for name in ["first", "second", "third"] {
            remembered.put(name.to_owned(), name);
        }
        assert_eq!(remembered.find("first"), None);
        assert_eq!(remembered.take("second"), Some("second"));
        assert_eq!(remembered.take("second"), None);
        remembered.replace("second", "back");
        assert_eq!(remembered.find("second"), None);
        assert_eq!(remembered.find("third"), Some("third"));
    }

    #[test]
    fn what_has_lived_its_time_is_not_found() {
        let remembered = Remembered::new(2, Duration::ZERO);
        remembered.put("one".to_owned(), 1);
        assert_eq!((remembered.find("one"), remembered.take("one")), (None, None));
    }
}
