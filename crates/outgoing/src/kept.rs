//! Documents from before, and those under way: so much and no more, and each address asked by one request at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use obol_oauth::{Freshness, OutgoingError};
use tokio::sync::watch;

use crate::exchange::Document;
use crate::places::Place;
use crate::trouble::Trouble;

const DEFAULT_AGE: Duration = Duration::from_secs(5 * 60);
const LEAST_AGE: Duration = Duration::from_secs(60);
const GREATEST_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// What came of asking stands for so long: a failure, and a document that was to be new.
const PAUSE: Duration = Duration::from_secs(10);

/// A document, or why there is none.
pub(crate) type Outcome = Result<Arc<str>, OutgoingError>;

/// The documents of one node, by address.
#[derive(Debug)]
pub(crate) struct Kept {
    most: usize,
    most_bytes: usize,
    shelf: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    pages: HashMap<String, Page>,
    /// Counts up with every use: what was not used for longest leaves first.
    uses: u64,
}

#[derive(Debug)]
struct Page {
    document: Option<(Arc<str>, Instant)>,
    /// What came of asking last, if that was no document; and when.
    asked: Option<(Option<OutgoingError>, Instant)>,
    flight: Option<watch::Receiver<Option<Outcome>>>,
    used: u64,
}

/// What there is of an address.
#[derive(Debug)]
pub(crate) enum Found {
    Known(Outcome),
    /// Somebody else is asking.
    UnderWay(Flight),
    /// To be asked, by whoever gets this.
    Absent(Departure),
}

/// A request that somebody else has begun.
#[derive(Debug)]
pub(crate) struct Flight(watch::Receiver<Option<Outcome>>);

/// A request that is to be made; dropped, it was given up.
#[derive(Debug)]
pub(crate) struct Departure {
    kept: Arc<Kept>,
    url: String,
    outcome: watch::Sender<Option<Outcome>>,
    /// Until it has landed.
    _place: Place,
}

impl Kept {
    /// At most `most` documents, of `most_bytes` together.
    pub(crate) fn new(most: usize, most_bytes: usize) -> Arc<Self> {
        Arc::new(Self { most, most_bytes, shelf: Mutex::default() })
    }

    /// Looks for a document; `place` is taken if it has to be fetched.
    ///
    /// # Errors
    /// Those of `place`.
    pub(crate) fn find(
        self: &Arc<Self>,
        url: &str,
        freshness: Freshness,
        now: Instant,
        place: impl FnOnce() -> Result<Place, Trouble>,
    ) -> Result<Found, Trouble> {
        let mut shelf = self.lock();
        let page = shelf.page(url);
        if let Some(known) = page.as_ref().and_then(|page| page.known(freshness, now)) {
            return Ok(Found::Known(known));
        }
        if let Some(flight) = page.and_then(|page| page.flight()) {
            return Ok(Found::UnderWay(flight));
        }
        let place = place()?;
        let (outcome, flight) = watch::channel(None);
        shelf.page_to_fill(url).flight = Some(flight);
        shelf.trim(self.most, self.most_bytes);
        Ok(Found::Absent(Departure { kept: Arc::clone(self), url: url.to_owned(), outcome, _place: place }))
    }

    /// Every change is whole, so a panic elsewhere spoils nothing.
    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    /// What comes of it.
    pub(crate) async fn landed(mut self) -> Outcome {
        let outcome = self.0.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone());
        outcome.unwrap_or_else(|| Err(Trouble::GivenUp.about(None)))
    }
}

impl Departure {
    /// For waiting until it lands.
    pub(crate) fn flight(&self) -> Flight {
        Flight(self.outcome.subscribe())
    }

    /// Keeps what came of it, and tells those who wait. That there was no room says nothing about the address.
    pub(crate) fn land(self, fetched: Result<Document, OutgoingError>, now: Instant) {
        let mut shelf = self.kept.lock();
        let page = shelf.page_to_fill(&self.url);
        page.flight = None;
        if !matches!(fetched, Err(OutgoingError::Busy(_))) {
            page.asked = Some((fetched.as_ref().err().cloned(), now));
        }
        let outcome = fetched.map(|document| {
            let age = document.max_age.unwrap_or(DEFAULT_AGE).clamp(LEAST_AGE, GREATEST_AGE);
            let text: Arc<str> = document.text.into();
            page.document = Some((Arc::clone(&text), now + age));
            text
        });
        shelf.trim(self.kept.most, self.kept.most_bytes);
        drop(shelf);
        self.outcome.send_replace(Some(outcome));
    }
}

impl Shelf {
    fn page(&mut self, url: &str) -> Option<&mut Page> {
        self.uses += 1;
        let page = self.pages.get_mut(url)?;
        page.used = self.uses;
        Some(page)
    }

    fn page_to_fill(&mut self, url: &str) -> &mut Page {
        self.uses += 1;
        let used = self.uses;
        let new = Page { document: None, asked: None, flight: None, used };
        let page = self.pages.entry(url.to_owned()).or_insert(new);
        page.used = used;
        page
    }

    /// The page that was used last stays.
    fn trim(&mut self, most: usize, most_bytes: usize) {
        while self.pages.len() > 1 && (self.pages.len() > most || self.bytes() > most_bytes) {
            let oldest = self.pages.iter().min_by_key(|(_, page)| page.used).map(|(url, _)| url.clone());
            oldest.and_then(|url| self.pages.remove(&url));
        }
    }

    fn bytes(&self) -> usize {
        let document = |page: &Page| page.document.as_ref().map_or(0, |(text, _)| text.len());
        self.pages.iter().map(|(url, page)| url.len() + document(page)).sum()
    }
}

impl Page {
    fn known(&self, freshness: Freshness, now: Instant) -> Option<Outcome> {
        let document = self.document.as_ref().map(|(text, until)| (Ok(Arc::clone(text)), now < *until));
        if let (Freshness::Kept, Some((document, true))) = (freshness, &document) {
            return Some(document.clone());
        }
        match self.asked.as_ref().filter(|(_, at)| now < *at + PAUSE)? {
            (Some(failure), _) => Some(Err(failure.clone())),
            (None, _) => document.map(|(document, _)| document),
        }
    }

    /// The one under way, unless whoever began it is gone.
    fn flight(&self) -> Option<Flight> {
        self.flight.clone().filter(|flight| flight.has_changed().is_ok()).map(Flight)
    }
}

#[cfg(test)]
mod tests;
