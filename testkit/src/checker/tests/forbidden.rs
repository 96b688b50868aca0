//! For each rule, histories that break it.

use super::*;

#[test]
fn h1_a_verify_called_after_the_200_of_a_revocation_says_active() {
    for node in ["n1", "n2"] {
        let told = Told::new().token(0, "t").revoke(100, token("t"), YES).verify(111, node, "t", YES);
        told.breaks(Rule::H1);
    }
}

#[test]
fn h1_holds_for_the_other_tokens_of_the_family() {
    for revoked in ["f.0", "f.r0", "f.1", "f.r1"] {
        let told = Told::new().family(0, "f").refresh(100, "f", 0, 1).revoke(200, token(revoked), YES);
        told.clone().verify(300, "n2", "f.0", YES).breaks(Rule::H1);
        told.clone().verify(300, "n2", "f.1", YES).breaks(Rule::H1);
        told.refresh(300, "f", 1, 2).breaks(Rule::H1);
    }
}

#[test]
fn h1_holds_however_late_the_verify_and_whatever_was_answered_between() {
    let told = Told::new().token(0, "t").revoke(100, token("t"), YES).verify(200, "n2", "t", NO);
    told.verify(9_000_000, "n3", "t", YES).breaks(Rule::H1);
}

#[test]
fn h1_counts_from_the_first_of_several_acknowledgements() {
    let told = Told::new().token(0, "t").revoke(100, token("t"), YES).taking(500).revoke(90, token("t"), YES);
    told.verify(200, "n2", "t", YES).breaks(Rule::H1);
}

#[test]
fn h2_a_node_that_refused_accepts() {
    let told = Told::new().token(0, "t").taking(1_000).revoke(100, token("t"), YES);
    told.verify(200, "n2", "t", NO).verify(211, "n2", "t", YES).breaks(Rule::H2);
}

#[test]
fn h2_holds_also_when_the_revocation_failed_and_for_tokens_of_unknown_origin() {
    let told = Told::new().token(0, "t").taking(1_000).revoke(100, token("t"), LOST);
    told.verify(200, "n2", "t", NO).verify(211, "n2", "t", YES).breaks(Rule::H2);
    Told::new().verify(200, "n2", "t", NO).verify(211, "n2", "t", YES).breaks(Rule::H2);
}

#[test]
fn h3_refused_before_anybody_asked() {
    let told = Told::new().token(0, "t").verify(100, "n2", "t", NO);
    told.clone().revoke(111, token("t"), YES).breaks(Rule::H3);
    told.clone().revoke(111, Target::Everything, LOST).breaks(Rule::H3);
    told.disable(111, user(), YES).breaks(Rule::H3);
}

#[test]
fn h4_an_acknowledged_issue_is_refused_somewhere() {
    Told::new().token(0, "t").verify(11, "n2", "t", NO).breaks(Rule::H4);
    let told = Told::new().token(0, "t").verify(11, "n1", "t", YES);
    told.verify(5_000, "n3", "t", NO).breaks(Rule::H4);
}

#[test]
fn h4_what_ends_others_is_no_cause() {
    let others = [
        token("other"),
        Target::User("other".into()),
        Target::Client("other".into()),
        Target::Family("other".into()),
        Target::UserAtClient("u".into(), "other".into()),
    ];
    for other in others {
        let mut other_grant = grant("other", None, Some("other"));
        (other_grant.client, other_grant.user) = ("other".into(), Some("other".into()));
        let told = Told::new().token(0, "t").issue(0, other_grant).revoke(100, other.clone(), YES);
        told.verify(200, "n2", "t", NO).breaks(Rule::H4);
    }
}

#[test]
fn h4_a_revocation_that_was_answered_before_the_issue_does_not_end_what_is_new() {
    for target in group_targets() {
        let told = Told::new().token(0, "old").revoke(100, target, YES).token(111, "new");
        told.verify(200, "n2", "new", NO).breaks(Rule::H4);
    }
}

#[test]
fn h4_a_refused_revocation_is_no_cause() {
    Told::new().token(0, "t").revoke(100, token("t"), NO).verify(200, "n2", "t", NO).breaks(Rule::H4);
}

#[test]
fn h4_a_refresh_token_is_lost() {
    Told::new().family(0, "f").refresh_fails(100, "f", 0, NO).breaks(Rule::H4);
    let told = Told::new().family(0, "f").refresh(100, "f", 0, 1);
    told.refresh_fails(200, "f", 1, NO).breaks(Rule::H4);
}

#[test]
fn h4_an_honest_retry_inside_the_window_is_refused() {
    let told = Told::new().family(0, "f").refresh(100, "f", 0, 1);
    told.refresh_fails(7_000, "f", 0, NO).breaks(Rule::H4);
    let told = Told::new().family(0, "f").refresh_fails(100, "f", 0, LOST);
    told.refresh_fails(7_000, "f", 0, NO).breaks(Rule::H4);
}

#[test]
fn h4_expiry_is_no_cause_before_its_time() {
    let mut short = grant("t", None, None);
    short.expires_at = Some(ms(60_000));
    Told::new().issue(0, short).verify(57_900, "n2", "t", NO).breaks(Rule::H4);
}

#[test]
fn h5_a_node_accepts_after_an_unknown_outcome_has_settled_and_another_refused() {
    let told = Told::new().token(0, "t").revoke(100, token("t"), LOST).verify(200, "n2", "t", NO);
    told.verify(110 + SETTLING + 1, "n3", "t", YES).breaks(Rule::H5);
}

#[test]
fn h5_nodes_that_agreed_on_active_may_not_refuse_later() {
    let told = Told::new().token(0, "t").revoke(100, token("t"), LOST);
    let told = told.verify(110 + SETTLING + 1, "n3", "t", YES);
    told.verify(9_000, "n2", "t", NO).breaks(Rule::H5);
}

#[test]
fn h5_holds_for_all_members_together() {
    for target in group_targets() {
        let told = Told::new().token(0, "t1").token(0, "t2").revoke(100, target, LOST);
        let told = told.verify(4_000, "n2", "t1", NO);
        told.verify(4_000, "n2", "t2", YES).breaks(Rule::H5);
    }
}

#[test]
fn h5_a_later_end_is_no_cause_for_an_earlier_refusal() {
    let told = Told::new().token(0, "t").revoke(100, token("t"), LOST).verify(200, "n2", "t", NO);
    let told = told.verify(3_000, "n3", "t", YES);
    told.revoke(4_000, token("t"), YES).breaks(Rule::H5);
}

#[test]
fn h5_holds_for_refresh_tokens() {
    let told = Told::new().family(0, "f").revoke(100, token("f.0"), LOST).verify(200, "n2", "f.0", NO);
    told.refresh(3_000, "f", 0, 1).breaks(Rule::H5);
}

#[test]
fn h6_one_refresh_token_gives_two_answers() {
    let told = Told::new().family(0, "f").refresh(100, "f", 0, 1);
    told.clone().refresh(105, "f", 0, 2).breaks(Rule::H6);
    told.refresh(200, "f", 0, 2).breaks(Rule::H6);
}

#[test]
fn h6_one_code_gives_two_families() {
    let given = |family| Outcome::Done(Box::new(pair(family, 0)));
    Told::new().exchange(0, "code", given("f")).exchange(5, "code", given("g")).breaks(Rule::H6);
}

#[test]
fn h6_the_same_answer_comes_after_the_window() {
    let told = Told::new().family(0, "f").refresh(100, "f", 0, 1);
    told.refresh(110 + 12_001, "f", 0, 1).breaks(Rule::H6);
}

#[test]
fn h6_without_a_window_even_the_same_answer_is_a_second_use() {
    let told = Told::new().family(0, "f").refresh(100, "f", 0, 1).refresh(105, "f", 0, 1);
    told.breaks_by(Rule::H6, &Settings { grace: Duration::ZERO, ..Settings::default() });
}

#[test]
fn h6_after_a_reuse_the_family_is_accepted() {
    let reused = Told::new().family(0, "f").refresh(100, "f", 0, 1).refresh_fails(20_000, "f", 0, NO);
    reused.clone().verify(20_011, "n2", "f.1", YES).breaks(Rule::H6);
    reused.clone().verify(20_011, "n2", "f.0", YES).breaks(Rule::H6);
    reused.refresh(20_011, "f", 1, 2).breaks(Rule::H6);
}

#[test]
fn h6_two_at_once_without_a_window_end_the_family() {
    let told = Told::new().family(0, "f").refresh(100, "f", 0, 1).refresh_fails(100, "f", 0, NO);
    let settings = Settings { grace: Duration::ZERO, ..Settings::default() };
    told.verify(200, "n2", "f.1", YES).breaks_by(Rule::H6, &settings);
}

#[test]
fn h6_the_reuse_of_a_code_ends_what_it_gave() {
    let told = Told::new().exchange(0, "code", Outcome::Done(Box::new(pair("f", 0))));
    let told = told.exchange(60_000, "code", Outcome::Refused);
    told.verify(60_011, "n2", "f.0", YES).breaks(Rule::H6);
}

#[test]
fn h7_a_member_is_accepted_after_the_end_of_its_group() {
    for target in group_targets() {
        let told = Told::new().token(0, "t").family(0, "f").revoke(100, target, YES);
        told.clone().verify(111, "n2", "t", YES).breaks(Rule::H7);
        told.clone().verify(111, "n2", "f.0", YES).breaks(Rule::H7);
        told.refresh(111, "f", 0, 1).breaks(Rule::H7);
    }
    let told = Told::new().family(0, "f").revoke(100, Target::Family("f".into()), YES);
    told.verify(111, "n2", "f.0", YES).breaks(Rule::H7);
}

#[test]
fn h7_a_later_generation_of_an_ended_family_is_accepted() {
    for target in group_targets() {
        let told = Told::new().family(0, "f").revoke(100, target, YES).taking(50).refresh(90, "f", 0, 1);
        told.verify(200, "n2", "f.1", YES).breaks(Rule::H7);
    }
}

#[test]
fn h7_while_disabled_nothing_that_was_given_is_accepted() {
    for who in [user(), Account::Client("c".into())] {
        let told = Told::new().token(0, "t").disable(100, who.clone(), YES);
        told.clone().verify(200, "n2", "t", YES).breaks(Rule::H7);
        told.clone().enable(300, who.clone(), YES).verify(400, "n2", "t", YES).breaks(Rule::H7);
        told.token(200, "given meanwhile").verify(300, "n2", "given meanwhile", YES).breaks(Rule::H7);
    }
}

#[test]
fn h7_whether_a_new_token_was_covered_is_the_same_for_all_nodes() {
    for target in group_targets() {
        let told = Told::new().token(0, "old").revoke(100, target, YES).token(105, "new");
        told.verify(200, "n2", "new", NO).verify(200, "n3", "new", YES).breaks(Rule::H7);
    }
}
