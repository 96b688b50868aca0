//! The suite that every backend runs; it may not ask where it runs.
//!
//! A backend writes `obol_store::conformance::suite!(fresh)`, where `fresh` is an async function that gives an empty
//! store as `Arc<dyn Store>` and, beside it, whatever has to live as long as the store does. Each rule becomes a
//! test of its own, in a module named after the trait.

pub mod assertions;
pub mod change_log;
pub mod clients;
pub mod codes;
pub mod consents;
pub mod denials;
pub mod families;
pub mod keys;
pub mod logout_notices;
pub mod nodes;
pub mod pushed_requests;
pub mod redemptions;
pub mod rotations;
mod samples;
pub mod session_ends;
pub mod sessions;
mod sign_ins;
pub mod users;

pub use crate::conformance_suite as suite;

/// Makes one test of every rule of the suite. See [`crate::conformance`].
#[macro_export]
macro_rules! conformance_suite {
    ($fresh:path) => {
        $crate::conformance_suite! { @modules $fresh;
            assertions {
                an_assertion_is_used_first_and_then_again
                a_used_assertion_leaves_at_its_time_and_not_before
                using_an_assertion_tells_the_nodes_nothing
                of_50_parallel_uses_of_one_assertion_one_is_first
            }
            change_log {
                a_new_log_is_empty
                every_change_gets_a_later_position
                the_latest_entry_of_a_thing_takes_the_place_of_the_older
                pages_join_without_a_gap
                reading_to_the_end_reaches_every_acknowledged_position
                who_follows_the_log_never_meets_an_entry_behind
                an_append_wakes_who_waits
                who_waits_behind_the_end_returns_at_once
                a_denial_leaves_the_log_by_itself_when_its_time_is_over
                nothing_leaves_while_no_node_is_entered
                denying_everything_sets_swept_through_back
                swept_through_is_the_latest_moment_at_which_something_left
                of_two_ends_of_a_denial_the_later_counts
            }
            clients {
                an_added_client_is_found_as_it_was
                client_ids_are_case_sensitive
                an_added_client_is_told_to_the_nodes
                an_id_in_use_is_taken
                the_id_of_a_deleted_client_is_never_given_out_again
                clients_are_listed_by_id
                an_unknown_client_cannot_be_changed
                disabling_denies_the_tokens_and_ends_the_families
                whoever_knows_of_the_denial_knows_that_the_client_is_gone
                disabling_twice_is_changed_twice
                enabling_brings_nothing_back
                what_may_change_of_a_client_is_replaced_and_told_and_nothing_else
                a_client_that_is_not_as_it_was_read_is_not_replaced
                of_50_parallel_replacements_of_one_client_one_replaces
                a_new_secret_replaces_the_old
                a_client_without_a_secret_has_none_to_replace
                the_kind_of_a_client_without_a_secret_is_that_of_its_settings
                deleting_denies_the_tokens_and_ends_the_families
                a_deleted_client_cannot_be_changed
                so_many_clients_are_registered_and_no_more_deleted_ones_counted
                of_50_parallel_adds_of_one_id_one_adds
            }
            denials {
                each_denial_is_told_to_the_nodes
                an_unknown_family_is_not_ended_and_stores_nothing
                a_token_denied_again_keeps_its_position
                the_denial_of_a_token_leaves_with_the_token
                the_denial_of_a_family_leaves_with_its_last_access_token
                a_family_that_has_ended_is_not_denied_again
                an_unknown_family_is_denied_once
                denying_everything_covers_positions_that_a_lost_log_may_have_given
                denials_of_people_clients_unknown_families_and_everything_stay
                the_denial_of_a_person_stays_whatever_the_clock_of_the_request_says
                a_denial_ends_the_families_that_it_covers_and_no_other
                count_families_says_what_a_denial_would_end
                families_that_are_over_are_not_counted
                of_50_parallel_denials_of_one_token_all_are_at_one_position
            }
            families {
                a_begun_family_is_found
                the_families_of_a_person_that_live_are_listed_the_latest_first
                an_unknown_lineage_is_not_found
                nothing_begins_for_a_client_or_person_who_is_gone
                nothing_begins_for_a_request_from_before_a_denial
                an_id_or_lineage_in_use_begins_nothing
                a_single_family_ends_the_others_of_its_person_at_its_client
                a_single_family_with_nothing_to_replace_denies_nothing
                a_family_that_is_not_single_leaves_the_others
                no_family_begun_beside_a_disabling_lives
                a_family_leaves_when_both_its_tokens_have_expired
                a_family_without_end_stays
            }
            nodes {
                at_first_there_are_no_nodes
                a_renewed_node_is_a_peer_of_others_and_not_of_itself
                a_peer_is_never_said_to_have_applied_more_than_it_said
                a_peer_vouches_at_least_as_long_as_it_said
                a_node_that_left_is_no_peer_and_may_not_renew
                a_node_may_follow_one_that_left
                a_renewal_reads_the_log
            }
            pushed_requests {
                a_pushed_request_is_found_by_its_own_client
                nothing_is_pushed_for_a_client_who_is_gone
                so_many_requests_of_a_client_are_kept_and_no_more
                a_reference_in_use_is_a_conflict
                a_pushed_request_is_consumed_once_and_by_its_own_client
                of_50_parallel_uses_of_one_reference_one_consumes_it
                a_pushed_request_leaves_when_it_expires_unless_a_browser_has_brought_it
                a_pushed_request_is_held_by_its_own_client_while_it_is_there
                requests_that_leave_make_room_and_do_not_set_swept_through
                whatever_denies_all_tokens_of_a_client_ends_its_requests
            }
            rotations {
                the_current_token_is_replaced_by_the_next
                a_token_replaced_within_grace_gets_the_stored_answer
                a_replay_changes_nothing
                a_token_replaced_before_the_last_rotation_is_reused_also_within_grace
                a_token_that_was_never_given_is_reused
                without_grace_a_replaced_token_is_reused_at_once
                reuse_ends_the_family_and_denies_its_tokens
                a_refresh_token_expires_at_its_second
                an_expired_refresh_token_is_expired_also_when_it_was_replaced
                an_ended_family_is_ended_for_every_token
                an_unknown_lineage_is_unknown
                to_another_client_a_family_is_unknown_and_stays
                of_50_parallel_rotations_of_one_token_one_is_first
                of_50_parallel_rotations_without_grace_one_is_first_and_the_family_ends
                a_rotation_never_outlives_a_parallel_denial
            }
            keys {
                the_first_key_is_told_to_the_nodes_and_seals_at_once
                there_is_one_first_key
                where_every_key_is_retired_there_is_a_first_one_again
                of_50_parallel_first_keys_one_is_added
                an_added_key_is_told_and_waits_until_it_is_promoted
                while_a_key_waits_no_other_is_added
                a_key_is_promoted_once
                of_50_parallel_rotations_one_key_seals
                a_retired_key_is_told_and_nothing_of_it_stays_but_its_id
                the_key_that_seals_is_not_retired
                a_key_that_waits_can_be_retired_and_is_not_promoted_then
                there_are_so_many_keys_that_are_not_retired_and_no_more
                what_was_lost_of_a_key_is_put_back
                kinds_do_not_touch_each_other
            }
            sessions {
                a_begun_session_is_found_by_its_secret
                a_session_ends_at_the_second_of_either_limit
                use_moves_the_idle_limit_on_and_never_back_or_past_the_end
                nothing_begins_for_a_person_who_is_gone
                nothing_begins_for_a_request_from_before_a_denial
                an_id_or_secret_in_use_begins_nothing
                whatever_ends_a_person_s_tokens_ends_the_sessions
                a_disabled_person_has_no_session_whatever_its_position
                a_renewed_session_keeps_its_id_and_its_old_secret_is_good_for_nothing
                a_session_of_another_person_is_not_renewed_and_stays
                a_session_that_does_not_stand_is_not_renewed
                nothing_is_renewed_for_a_request_from_before_a_denial_or_a_person_who_is_gone
                a_renewed_session_counts_from_its_new_position
                the_sessions_of_a_person_are_listed_the_latest_first
                a_session_leaves_when_it_ends_in_any_case
                no_session_begun_beside_a_disabling_stands
            }
            session_ends {
                ending_a_session_ends_the_families_that_it_began_and_no_other
                a_session_is_ended_once_and_by_its_person_alone
                ending_a_session_that_gave_nothing_appends_nothing
                ending_a_session_ends_its_unused_codes_and_no_other
                ending_what_is_online_leaves_the_families_with_offline_access
                a_session_that_does_not_stand_can_still_be_ended
                no_session_of_a_deleted_person_stays
                of_50_parallel_ends_of_one_session_one_ends_it
                no_code_redeemed_beside_the_end_of_its_session_gives_a_family_that_lives
            }
            logout_notices {
                ending_a_session_leaves_a_notice_for_each_client_to_be_told_and_no_other
                whatever_ends_the_sessions_of_a_person_leaves_a_notice_for_each
                what_ends_no_session_leaves_no_notice
                a_client_that_is_gone_gets_no_notice
                a_code_that_gives_nothing_has_brought_nobody_anywhere
                what_a_client_is_told_beside_is_what_the_latest_code_said
                a_notice_is_due_at_its_second_and_once_for_each_try
                what_was_told_is_gone_and_what_was_put_off_is_due_then
                who_was_too_late_puts_nothing_off
                a_try_that_was_none_is_not_counted
                notices_of_other_clients_are_not_taken
                of_50_parallel_takers_each_notice_goes_to_one
                clients_to_tell_are_listed_with_what_is_due_first
                what_waits_is_counted_by_client
                a_notice_leaves_when_its_time_is_over
                who_waits_for_notices_is_woken_by_what_ends_sessions
                no_code_redeemed_beside_the_end_of_its_session_is_forgotten
            }
            codes {
                an_added_code_is_found
                nothing_is_added_without_a_session_of_the_person_that_stands
                nothing_is_added_without_a_consent
                nothing_is_added_for_a_client_or_person_who_is_gone
                nothing_is_added_for_a_request_from_before_a_denial
                a_code_in_use_is_a_conflict
                deleting_a_person_or_a_client_ends_the_unused_codes
                a_code_leaves_when_it_expires_or_with_the_first_tokens_it_gave
                codes_that_leave_do_not_set_swept_through
            }
            redemptions {
                a_redeemed_code_begins_its_family
                a_single_family_that_a_code_begins_ends_the_others
                a_code_expires_at_its_second
                a_second_use_within_grace_changes_nothing
                a_late_second_use_ends_the_family_and_denies_its_tokens
                a_code_whose_family_has_ended_is_reused_at_that_end
                a_code_whose_family_has_left_is_still_known_as_used
                an_unknown_code_is_unknown
                to_another_client_a_code_is_unknown_and_stays
                a_code_begins_no_family_of_another_person_or_session
                a_code_is_gone_when_its_session_reaches_a_limit
                a_code_from_before_a_denial_is_gone
                a_code_that_is_gone_leaves_when_it_expires
                a_code_of_a_session_that_was_renewed_is_good
                an_id_or_lineage_in_use_leaves_the_code_unused
                of_50_parallel_uses_of_one_code_one_is_first_and_a_late_one_ends_its_family
                of_50_parallel_uses_without_grace_one_is_first_and_the_family_ends
                no_code_redeemed_beside_a_disabling_gives_a_family_that_lives
            }
            consents {
                a_consent_adds_to_the_one_before
                what_was_withdrawn_does_not_come_back_with_the_next_consent
                the_consents_of_a_person_are_listed_by_client
                giving_a_consent_tells_the_nodes_nothing
                nothing_is_stored_for_who_is_not_there
                consents_go_with_the_person_and_with_the_client
                a_consent_outlives_what_ends_tokens
                withdrawing_ends_what_the_person_gave_the_client_and_nothing_else
                a_code_that_was_used_is_known_after_the_consent_is_withdrawn
                withdrawing_what_gave_nothing_appends_nothing
                withdrawing_ends_families_also_where_no_consent_is_stored
                no_code_redeemed_beside_a_withdrawal_gives_a_family_that_lives
                denying_everything_forgets_what_people_have_allowed
            }
            users {
                an_added_person_is_found_by_name_and_by_id
                adding_a_person_tells_the_nodes_nothing
                a_name_in_use_is_taken
                the_name_of_a_deleted_person_is_never_given_out_again
                an_id_in_use_is_a_conflict
                people_are_listed_by_name
                a_new_profile_replaces_the_old_and_ends_nothing
                the_profile_of_a_person_who_is_not_as_it_was_read_is_not_replaced
                an_unknown_person_cannot_be_changed
                disabling_denies_the_tokens_and_ends_the_families
                enabling_brings_nothing_back
                a_new_password_replaces_the_old_and_ends_what_was_given
                deleting_denies_the_tokens_and_ends_the_families
                a_deleted_person_cannot_be_changed
                of_50_parallel_adds_of_one_name_one_adds
            }
        }
    };
    (@modules $fresh:path; $($module:ident { $($rule:ident)* })*) => {
        $(mod $module { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $rule() {
                let (store, _keeps) = $fresh().await;
                $crate::conformance::$module::$rule(store).await;
            }
        )* })*
    };
}

#[cfg(test)]
mod tests {
    /// A rule that nobody lists would never run.
    #[test]
    fn every_rule_is_in_the_list() {
        let suite = include_str!("mod.rs");
        let modules = suite.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
        let modules: Vec<_> = modules.collect();
        assert!(modules.len() > 10, "{modules:?}");
        for name in modules {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/conformance");
            let source = std::fs::read_to_string(format!("{folder}/{name}.rs")).unwrap();
            let rules =
                source.lines().filter_map(|line| line.strip_prefix("pub async fn ")?.split('(').next());
            let listed = suite
                .split_once(&format!(" {name} {{\n"))
                .and_then(|(_, rest)| rest.split_once('}'))
                .map(|(list, _)| list.split_whitespace().collect::<Vec<_>>())
                .unwrap_or_default();
            let rules = rules.collect::<Vec<_>>();
            assert!(!rules.is_empty(), "{name}");
            assert_eq!(rules, listed, "{name}");
        }
    }
}
