//! Nanoseconds for one look-up in the deny list, by how many live denials it holds.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion};
use obol_token::{Claims, Denial, Denied, DenyList, FamilyId, Position, TokenId};

use crate::samples::{EXPIRY, claims, id, mix};

const SIZES: [u64; 4] = [0, 10_000, 1_000_000, 10_000_000];

/// What a test goes through: a run through it shall take no time.
const TESTED: &[u64] = &[0, 10_000];

/// From here on numbers are of ids that nobody denies.
const NOT_DENIED: u64 = 1 << 32;

/// - `deny_list/miss/<entries>`: what each verify of a good token pays: its token, family and person are looked for.
/// - `deny_list/hit/<entries>`: what each verify of a revoked token pays; half of the denials are of families.
///
/// Each asks about another id, so that no cache holds its place. A few nanoseconds go into making the id; the list
/// without entries says how many.
pub(crate) fn bench(criterion: &mut Criterion, measured: bool) {
    let mut group = criterion.benchmark_group("deny_list");
    let list = DenyList::default();
    let mut held = 0;
    for &size in if measured { &SIZES } else { TESTED } {
        (held..size).for_each(|number| list.insert(&denial(number)));
        held = size;
        assert_eq!(list.len() as u64, size, "every denial is an entry of its own");
        let missed = |turn: u64| asked(NOT_DENIED + mix(turn) % NOT_DENIED);
        look_up(&mut group, BenchmarkId::new("miss", size), &list, false, missed);
        if size > 0 {
            look_up(&mut group, BenchmarkId::new("hit", size), &list, true, |turn| asked(mix(turn) % size));
        }
    }
    group.finish();
}

fn look_up(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: BenchmarkId,
    list: &DenyList,
    refused: bool,
    asked: impl Fn(u64) -> Claims<'static>,
) {
    let mut turn = 0;
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            turn += 1;
            assert_eq!(list.refusing(&asked(turn)).is_some(), refused);
        });
    });
}

/// Of a token by even numbers, of a family by odd ones.
fn denial(number: u64) -> Denial {
    let id = id(number);
    let what = match number % 2 {
        0 => Denied::Token(TokenId::from_bytes(id)),
        _ => Denied::Family(FamilyId::from_bytes(id)),
    };
    Denial { what, position: Position::new(number + 1), leaves_at: EXPIRY }
}

/// A token that `denial` of the same number refuses.
fn asked(number: u64) -> Claims<'static> {
    match number % 2 {
        0 => claims(id(number), id(!number)),
        _ => claims(id(!number), id(number)),
    }
}
