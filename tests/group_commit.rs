//! Revocations that come at the same time share a flush, and one that comes alone waits for nobody.
//!
//! Shown on a disk whose every flush takes two milliseconds longer, since those of test machines often take none.

#[path = "group_commit/bare_commits.rs"]
mod bare_commits;
#[path = "group_commit/revoker.rs"]
mod revoker;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use obol_testkit::{Client, ClientSpec, FaultyDisk, Server, at_once, median, obol, wait_until};

use self::bare_commits::BareCommits;
use self::revoker::Revoker;

const FLUSH: Duration = Duration::from_millis(2);
const AT_A_TIME: usize = 64;
const TOKENS_EACH: usize = 100;

/// A busy machine only takes from a rate and adds to a time, so each is measured again until it is as it should be. A
/// server that shares no flush, or waits for company, never gets there.
const WITHIN: Duration = Duration::from_secs(30);

/// Two tests that measure time at once would measure each other.
static MEASURING: Mutex<()> = Mutex::new(());

#[test]
fn sixty_four_revocations_at_a_time_are_ten_times_as_many_as_bare_commits() {
    let _alone = MEASURING.lock().unwrap_or_else(PoisonError::into_inner);
    let house = SlowHouse::start();
    wait_until("revocations a second are ten times the bare commits", WITHIN, || {
        let (bare, together) = (house.bare.per_sec(), house.revocations_per_sec());
        let times = together / bare;
        println!(
            "{together:.0} revocations a second, 64 at a time, are {times:.1} times {bare:.0} bare commits"
        );
        (times >= 10.0).then_some(())
    });
}

#[test]
fn a_revocation_alone_waits_for_nobody() {
    let _alone = MEASURING.lock().unwrap_or_else(PoisonError::into_inner);
    let house = SlowHouse::start();
    let bare = house.bare.commit;
    let allowed = bare + FLUSH.mul_f64(1.5) + Duration::from_millis(5);
    wait_until("a revocation alone takes little more than a bare commit", WITHIN, || {
        let took = median(house.revoker().revoke_all());
        println!(
            "a revocation alone takes {took:?}, {allowed:?} are allowed beside a bare commit of {bare:?}"
        );
        assert!(took >= FLUSH, "a 200 without a flush");
        (took <= allowed).then_some(())
    });
}

/// A server on the slow disk, and what a bare commit costs there.
struct SlowHouse {
    server: Server,
    robot: Client,
    bare: BareCommits,
}

impl SlowHouse {
    #[track_caller]
    fn start() -> Self {
        let installation = obol!().installation();
        let robot = installation.add_client(&ClientSpec::confidential("robot"));
        let disk = FaultyDisk::below(&installation).flush_takes(FLUSH);
        let bare = BareCommits::measure(&disk, &installation.data());
        println!("{bare:?}");
        assert!(bare.flush >= FLUSH, "the disk is not slow: {bare:?}");
        assert!(bare.commit >= FLUSH, "a bare commit is not flushed: {bare:?}");
        Self { server: disk.beneath(installation.server()).start(), robot, bare }
    }

    /// Revokes over all connections at once.
    #[track_caller]
    fn revocations_per_sec(&self) -> f64 {
        let revokers = at_once(AT_A_TIME, |_| Mutex::new(self.revoker()));
        let began = Instant::now();
        let took =
            at_once(AT_A_TIME, |number| revokers[number].lock().expect("its own").revoke_all()).concat();
        let per_sec = took.len() as f64 / began.elapsed().as_secs_f64();
        assert_eq!(took.len(), AT_A_TIME * TOKENS_EACH, "each 200 is the revocation of another token");
        let shortest = took.into_iter().min();
        assert!(shortest >= Some(FLUSH), "a 200 without a flush after the request: {shortest:?}");
        for revoker in revokers {
            revoker.into_inner().expect("its thread has ended well").expect_all_refused();
        }
        per_sec
    }

    /// A connection and tokens of its own.
    fn revoker(&self) -> Revoker<'_> {
        Revoker::with_tokens(&self.server, &self.robot, TOKENS_EACH)
    }
}
