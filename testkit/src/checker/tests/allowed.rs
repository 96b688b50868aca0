//! Near misses: histories that look like a breach and are none.

use super::*;

#[test]
fn a_verify_called_before_the_200_may_say_either() {
    let told = Told::new().token(0, "t").taking(100).revoke(100, token("t"), YES);
    told.clone().taking(500).verify(200, "n2", "t", YES).is_allowed();
    told.clone().verify(150, "n2", "t", NO).verify(150, "n3", "t", YES).is_allowed();
    told.verify(100, "n2", "t", NO).is_allowed();
}

#[test]
fn nodes_may_disagree_before_the_200_and_that_is_counted() {
    let told = Told::new().token(0, "t").taking(1_000).revoke(100, token("t"), YES);
    let told = told.verify(200, "n2", "t", NO).verify(300, "n3", "t", YES).verify(700, "n3", "t", YES);
    told.is_allowed();
    let flapping = told.judge().flapping;
    assert_eq!((flapping.count, flapping.longest), (2, ms(490)));
}

#[test]
fn a_node_may_answer_concurrent_requests_differently() {
    let told = Told::new().token(0, "t").taking(1_000).revoke(100, token("t"), YES);
    told.taking(50).verify(200, "n2", "t", NO).verify(250, "n2", "t", YES).is_allowed();
}

#[test]
fn who_does_not_vouch_says_nothing() {
    let told = Told::new().token(0, "t").revoke(100, token("t"), YES).verify(200, "n2", "t", LOST);
    told.verify(300, "n2", "t", NO).is_allowed();
    Told::new().token(0, "t").verify(200, "n2", "t", LOST).verify(300, "n2", "t", YES).is_allowed();
}

#[test]
fn an_unknown_outcome_may_have_happened_or_not() {
    for target in [token("t"), Target::User("u".into()), Target::Client("c".into()), Target::Everything] {
        let told = Told::new().token(0, "t").revoke(100, target, LOST);
        told.clone().verify(101, "n2", "t", NO).verify(9_000, "n3", "t", NO).is_allowed();
        told.clone().verify(120, "n2", "t", YES).verify(9_000, "n3", "t", YES).is_allowed();
        told.clone().verify(120, "n2", "t", NO).verify(110 + SETTLING, "n3", "t", YES).is_allowed();
        told.verify(110 + SETTLING, "n3", "t", YES).verify(110 + SETTLING + 1, "n2", "t", NO).is_allowed();
    }
}

#[test]
fn an_unknown_outcome_that_is_sent_again_has_a_new_cause() {
    let told = Told::new().token(0, "t").revoke(100, token("t"), LOST).verify(3_000, "n2", "t", YES);
    told.revoke(3_100, token("t"), YES).verify(3_200, "n2", "t", NO).is_allowed();
}

#[test]
fn of_two_unknown_outcomes_the_later_may_be_the_one() {
    let told = Told::new().token(0, "t").revoke(100, token("t"), LOST).revoke(2_000, token("t"), LOST);
    told.verify(3_000, "n2", "t", YES).verify(3_100, "n3", "t", NO).is_allowed();
}

#[test]
fn an_issue_concurrent_with_the_end_of_its_group_may_be_covered_or_not() {
    for target in group_targets() {
        let told = Told::new().token(0, "old").revoke(100, target, YES).token(105, "new");
        told.clone().verify(200, "n2", "new", NO).verify(300, "n3", "new", NO).is_allowed();
        told.verify(200, "n2", "new", YES).verify(300, "n3", "new", YES).is_allowed();
    }
}

#[test]
fn what_is_given_after_an_unknown_end_may_be_covered_until_it_has_settled() {
    for target in group_targets() {
        let told = Told::new().token(0, "old").revoke(100, target, LOST);
        told.clone().token(110 + SETTLING, "new").verify(5_000, "n2", "new", NO).is_allowed();
        told.token(110 + SETTLING + 1, "new").verify(5_000, "n2", "new", NO).breaks(Rule::H4);
    }
}

#[test]
fn what_is_given_after_the_end_of_its_group_is_good() {
    for target in group_targets() {
        let told = Told::new().token(0, "old").revoke(100, target, YES).token(111, "new").family(111, "g");
        told.verify(200, "n2", "new", YES).refresh(200, "g", 0, 1).verify(200, "n2", "old", NO).is_allowed();
    }
}

#[test]
fn expiry_is_a_cause_as_exactly_as_clocks_are() {
    let mut short = grant("t", None, None);
    short.expires_at = Some(ms(60_000));
    let told = Told::new().issue(0, short);
    told.clone().verify(58_000, "n2", "t", NO).is_allowed();
    told.clone().verify(61_000, "n2", "t", YES).is_allowed();
    told.verify(90_000, "n2", "t", NO).is_allowed();
}

#[test]
fn a_token_may_be_unknown_while_it_is_being_issued() {
    Told::new().taking(100).token(0, "t").verify(50, "n2", "t", NO).is_allowed();
}

#[test]
fn a_token_of_unknown_origin_may_be_refused() {
    Told::new().verify(50, "n2", "never issued", NO).is_allowed();
}

#[test]
fn the_same_answer_may_come_again_inside_the_window() {
    let told = Told::new().family(0, "f").refresh(100, "f", 0, 1);
    told.clone().refresh(100, "f", 0, 1).refresh(5_000, "f", 0, 1).is_allowed();
    told.clone().refresh(110 + 12_000, "f", 0, 1).is_allowed();
    let lost = Told::new().family(0, "f").refresh_fails(100, "f", 0, LOST).refresh(5_000, "f", 0, 1);
    lost.verify(5_100, "n2", "f.1", YES).is_allowed();
}

#[test]
fn a_reuse_ends_the_family_and_is_a_cause() {
    let told = Told::new().family(0, "f").refresh(100, "f", 0, 1).refresh_fails(20_000, "f", 0, NO);
    told.clone().verify(20_005, "n2", "f.1", NO).verify(20_005, "n3", "f.1", YES).is_allowed();
    told.refresh_fails(20_100, "f", 1, NO).verify(20_100, "n2", "f.0", NO).is_allowed();
}

#[test]
fn a_token_of_two_generations_ago_is_a_reuse_also_inside_the_window() {
    let told = Told::new().family(0, "f").refresh(100, "f", 0, 1).refresh(200, "f", 1, 2);
    told.refresh_fails(300, "f", 0, NO).verify(400, "n2", "f.2", NO).is_allowed();
}

#[test]
fn an_unknown_reuse_may_have_ended_the_family() {
    let told = Told::new().family(0, "f").refresh(100, "f", 0, 1).refresh_fails(20_000, "f", 0, LOST);
    told.clone().verify(30_000, "n2", "f.1", NO).is_allowed();
    told.clone().verify(30_000, "n2", "f.1", YES).is_allowed();
    told.verify(30_000, "n2", "f.1", YES).verify(30_000, "n3", "f.1", NO).breaks(Rule::H5);
}

#[test]
fn who_is_refused_because_of_an_end_under_way_need_not_wait_for_it() {
    let told = Told::new().family(0, "f").refresh(100, "f", 0, 1);
    let told = told.taking(1_500).revoke(20_000, Target::Family("f".into()), YES);
    let told = told.refresh_fails(20_100, "f", 0, NO);
    told.clone().verify(20_200, "n3", "f.1", YES).is_allowed();
    told.verify(21_501, "n3", "f.1", YES).breaks(Rule::H7);
}

#[test]
fn an_expired_refresh_token_ends_nothing() {
    let told = Told::new().family(0, "f").refresh(100, "f", 0, 1);
    let expired = Operation::Exchange {
        presented: "f.r0".into(),
        expires_at: Some(ms(20_000)),
        outcome: Outcome::Refused,
    };
    told.event(30_000, "n1", expired).verify(30_100, "n2", "f.1", YES).is_allowed();
}

#[test]
fn nothing_given_after_an_enabling_is_covered_by_what_was_disabled_before() {
    let told = Told::new().token(0, "t").disable(100, user(), YES).enable(200, user(), YES);
    let told = told.token(205, "new").verify(300, "n2", "new", YES).verify(300, "n2", "t", NO);
    told.is_allowed();
    told.token(400, "newer").verify(500, "n2", "newer", NO).breaks(Rule::H4);
}

#[test]
fn a_disabling_of_unknown_outcome_may_cover_what_is_given_until_it_happened() {
    let told = Told::new().token(0, "t").disable(100, user(), LOST).token(500, "new");
    told.clone().verify(3_000, "n2", "new", NO).is_allowed();
    told.verify(3_000, "n2", "new", YES).verify(3_000, "n2", "t", YES).is_allowed();
}
