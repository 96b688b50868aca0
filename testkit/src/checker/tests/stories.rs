//! A breach is told by the events that prove it, and by no others.

use super::*;

#[test]
fn the_story_is_what_proves_it_in_order_and_tells_tokens_apart_by_their_ends() {
    let long = format!("oba_{}", "A".repeat(140) + "theEnd123456");
    let told = Told::new().token(0, &long).token(0, "other").verify(50, "n3", &long, YES);
    let told = told.revoke(100, token(&long), YES).verify(120, "n3", "other", YES);
    let report = told.verify(130, "n2", &long, YES).verify(140, "n3", &long, YES).judge();
    let story = report.breaches[0].to_string();
    let expected = "\
H1: accepted after the 200 of its revocation
      0.000000 to     0.010000 s  n1  issue: oba_…theEnd123456, person u, client c
      0.100000 to     0.110000 s  n1  revoke token oba_…theEnd123456: done
      0.130000 to     0.140000 s  n2  verify oba_…theEnd123456: active
";
    assert_eq!(story, expected);
    assert_eq!(report.breaches.len(), 1, "one story for one token: {report}");
}

#[test]
fn the_story_of_a_reuse_says_when_the_token_was_used_before() {
    let told = Told::new().family(0, "f").refresh(100, "f", 0, 1).refresh_fails(20_000, "f", 0, NO);
    let report = told.verify(20_011, "n2", "f.0", YES).judge();
    let operations: Vec<String> =
        report.breaches[0].story.iter().map(|event| event.operation.to_string()).collect();
    let expected = [
        "issue: f.0 and f.r0, family f, person u, client c",
        "exchange f.r0: f.1 and f.r1, family f, person u, client c",
        "exchange f.r0: refused",
        "verify f.0: active",
    ];
    assert_eq!(operations, expected);
}

#[test]
fn the_story_of_a_disagreement_names_both_tokens() {
    let told = Told::new().token(0, "t1").token(1, "t2").revoke(100, Target::Everything, LOST);
    let report = told.verify(4_000, "n2", "t1", NO).verify(4_001, "n3", "t2", YES).judge();
    assert_eq!(report.breaches[0].story.len(), 5, "{report}");
}

#[test]
fn a_report_counts_what_it_judged() {
    let told = Told::new().token(0, "t").revoke(100, token("t"), LOST).verify(200, "n2", "t", LOST);
    let report = told.verify(300, "n2", "t", NO).verify(300, "n2", "t", YES).judge();
    assert_eq!((report.judged, report.unknown), (2, 2));
    assert!(report.to_string().starts_with("0 breaches in 2 answers; 2 unknown outcomes; "), "{report}");
}
