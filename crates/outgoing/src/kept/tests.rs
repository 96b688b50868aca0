use obol_oauth::NamedBy;

use super::*;
use crate::places::Places;

const URL: &str = "https://app.example/keys";

struct Shelves {
    kept: Arc<Kept>,
    places: Arc<Places>,
    begun: Instant,
}

impl Shelves {
    fn new(most: usize, most_bytes: usize) -> Self {
        Self { kept: Kept::new(most, most_bytes), places: Places::new(64, 64, 64), begun: Instant::now() }
    }

    fn find(&self, url: &str, freshness: Freshness, millis: u64) -> Found {
        let place = || self.places.take(NamedBy::Operator, "app.example".to_owned());
        self.kept.find(url, freshness, self.at(millis), place).unwrap()
    }

    fn at(&self, millis: u64) -> Instant {
        self.begun + Duration::from_millis(millis)
    }

    /// Whether it would be asked for now; if so, it is, and this comes of it.
    fn asks(
        &self,
        freshness: Freshness,
        millis: u64,
        outcome: Result<&str, &str>,
        max_age: Option<u64>,
    ) -> bool {
        let Found::Absent(departure) = self.find(URL, freshness, millis) else { return false };
        let document = |text: &str| Document { text: text.into(), max_age: max_age.map(Duration::from_secs) };
        let failed = |text: &str| OutgoingError::Failed(text.into());
        departure.land(outcome.map(document).map_err(failed), self.at(millis));
        true
    }

    fn known(&self, freshness: Freshness, millis: u64) -> Option<Result<String, String>> {
        match self.find(URL, freshness, millis) {
            Found::Known(outcome) => {
                Some(outcome.map(|text| text.to_string()).map_err(|error| error.to_string()))
            }
            _ => None,
        }
    }
}

fn document(text: &str) -> Option<Result<String, String>> {
    Some(Ok(text.to_owned()))
}

fn failure(text: &str) -> Option<Result<String, String>> {
    Some(Err(text.to_owned()))
}

#[test]
fn a_document_is_kept_as_long_as_its_server_says_within_limits() {
    for (max_age, secs) in [
        (None, 300),
        (Some(0), 60),
        (Some(59), 60),
        (Some(61), 61),
        (Some(86_400), 86_400),
        (Some(u64::MAX), 86_400),
    ] {
        let shelves = Shelves::new(8, 1_000);
        assert!(shelves.asks(Freshness::Kept, 0, Ok("{}"), max_age));
        assert_eq!(shelves.known(Freshness::Kept, secs * 1_000 - 1), document("{}"), "{max_age:?}");
        assert_eq!(shelves.known(Freshness::Kept, secs * 1_000), None, "{max_age:?}");
    }
}

#[test]
fn a_failure_stands_for_ten_seconds() {
    let shelves = Shelves::new(8, 1_000);
    assert!(shelves.asks(Freshness::Kept, 0, Err("down"), None));
    for freshness in [Freshness::Kept, Freshness::Renewed] {
        assert_eq!(shelves.known(freshness, 9_999), failure("down"));
    }
    assert!(shelves.asks(Freshness::Kept, 10_000, Ok("{}"), None));
}

#[test]
fn that_there_was_no_room_is_not_kept() {
    let shelves = Shelves::new(8, 1_000);
    let Found::Absent(departure) = shelves.find(URL, Freshness::Kept, 0) else { panic!() };
    departure.land(Err(OutgoingError::Busy("busy".into())), shelves.at(0));
    assert!(shelves.asks(Freshness::Kept, 1, Ok("{}"), None));
}

#[test]
fn a_document_is_renewed_at_most_every_ten_seconds() {
    let shelves = Shelves::new(8, 1_000);
    assert!(shelves.asks(Freshness::Kept, 0, Ok("1"), None));
    assert_eq!(shelves.known(Freshness::Renewed, 9_999), document("1"));
    assert!(shelves.asks(Freshness::Renewed, 10_000, Ok("2"), None));
    assert_eq!(shelves.known(Freshness::Renewed, 19_999), document("2"));
    assert_eq!(shelves.known(Freshness::Kept, 19_999), document("2"));
}

#[test]
fn a_renewal_that_fails_leaves_what_is_still_good() {
    let shelves = Shelves::new(8, 1_000);
    assert!(shelves.asks(Freshness::Kept, 0, Ok("1"), None));
    assert!(shelves.asks(Freshness::Renewed, 10_000, Err("down"), None));
    assert_eq!(shelves.known(Freshness::Renewed, 11_000), failure("down"));
    assert_eq!(shelves.known(Freshness::Kept, 299_999), document("1"));
    assert!(shelves.asks(Freshness::Kept, 300_000, Err("still down"), None));
    assert_eq!(shelves.known(Freshness::Kept, 300_001), failure("still down"));
}

#[test]
fn one_asks_and_the_others_wait() {
    let shelves = Shelves::new(8, 1_000);
    let Found::Absent(departure) = shelves.find(URL, Freshness::Kept, 0) else { panic!() };
    for freshness in [Freshness::Kept, Freshness::Renewed] {
        assert!(matches!(shelves.find(URL, freshness, 1), Found::UnderWay(_)));
    }
    assert_eq!(shelves.places.taken(), 1);
    drop(departure);
    assert_eq!(shelves.places.taken(), 0);
    assert!(shelves.asks(Freshness::Kept, 2, Ok("{}"), None));
}

#[tokio::test]
async fn who_waits_hears_that_it_was_given_up() {
    let shelves = Shelves::new(8, 1_000);
    let Found::Absent(departure) = shelves.find(URL, Freshness::Kept, 0) else { panic!() };
    let Found::UnderWay(flight) = shelves.find(URL, Freshness::Kept, 1) else { panic!() };
    drop(departure);
    assert_eq!(flight.landed().await.unwrap_err().to_string(), "the attempt was given up.");
}

#[test]
fn what_was_not_used_for_longest_leaves_first() {
    let fill = |shelves: &Shelves, url: &str, size: usize| {
        if let Found::Absent(departure) = shelves.find(url, Freshness::Kept, 0) {
            departure.land(Ok(Document { text: "x".repeat(size), max_age: None }), shelves.at(0));
        }
    };
    let there = |shelves: &Shelves| {
        let mut urls: Vec<_> = shelves.kept.lock().pages.keys().cloned().collect();
        urls.sort();
        urls.concat()
    };
    let by_count = Shelves::new(3, 1_000);
    let by_bytes = Shelves::new(100, 3 * 101);
    for shelves in [by_count, by_bytes] {
        for url in ["a", "b", "c", "a", "d"] {
            fill(&shelves, url, 100);
        }
        assert_eq!(there(&shelves), "acd");
        fill(&shelves, "e", 2_000);
        assert!(there(&shelves).contains('e'));
    }
}

#[test]
fn names_that_strangers_invent_fill_nothing() {
    let shelves = Shelves::new(16, 100_000);
    for number in 0..1_000 {
        let Found::Absent(departure) = shelves.find(&number.to_string(), Freshness::Kept, 0) else {
            panic!()
        };
        departure.land(Err(OutgoingError::Failed("down".into())), shelves.at(0));
        // Nor those that find no place, or are given up.
        drop(shelves.find(&format!("{number} again"), Freshness::Kept, 0));
        assert!(shelves.kept.find("busy", Freshness::Kept, shelves.at(0), || Err(Trouble::Busy)).is_err());
    }
    let shelf = shelves.kept.lock();
    assert!(shelf.pages.len() <= 16 && !shelf.pages.contains_key("busy"));
}
