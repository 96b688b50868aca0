//! The pieces of the hot paths one by one (criterion): tokens, deny list, parsing, appending to the change log.
//!
//! `cargo bench --bench pieces` takes about two minutes, `… -- seal` measures what has that in its name. The whole of
//! a request, beside a server that does nothing, is measured by `obol bench`.

#[path = "pieces/append.rs"]
mod append;
#[path = "pieces/deny_list.rs"]
mod deny_list;
#[path = "pieces/parse.rs"]
mod parse;
#[path = "pieces/samples.rs"]
mod samples;
#[path = "pieces/token.rs"]
mod token;

use std::time::Duration;

use criterion::Criterion;

fn main() {
    let criterion = Criterion::default().warm_up_time(Duration::from_secs(1));
    let mut criterion = criterion.measurement_time(Duration::from_secs(3)).configure_from_args();
    token::bench(&mut criterion);
    deny_list::bench(&mut criterion, is_measured());
    parse::bench(&mut criterion);
    append::bench(&mut criterion);
    criterion.final_summary();
}

/// `cargo bench` says `--bench`. `cargo test` does not, and criterion then runs everything once.
fn is_measured() -> bool {
    let given = |flag: &str| std::env::args().any(|argument| argument == flag);
    given("--bench") && !given("--test") && !given("--list")
}
