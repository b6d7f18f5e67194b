//! The macros that make a named test of every case of a contract.
//!
//! Each takes the path of a function that makes what is tested, anew for each test. The calling crate needs `tokio` with
//! `macros` and `rt-multi-thread`: the races are real.
//!
//! A case is listed once, here. `@each` hands the lists to another macro: to one that makes tests, or to one that exports
//! the cases from [`contract`](crate::contract). A case that is not listed does not compile, see `cases.rs`.

/// One named test for each case of the storage ports' contract, grouped in modules.
///
/// `$fresh` is an async function that answers a [`Storage`](crate::Storage) over empty storage (but for the built-in
/// roles), its trail sealed by a [`ToySealer`](crate::ToySealer), and a guard that keeps it alive for the test.
#[macro_export]
macro_rules! storage_contract {
    ($fresh:path) => {
        $crate::storage_contract!(@each $crate::storage_tests, $fresh);
    };
    (@each $make:path $(, $fresh:path)?) => {
        $make!($($fresh,)? users: [
            a_stored_user_is_found_by_login,
            a_login_nobody_has_is_not_found,
            a_login_is_kept_as_typed_and_found_by_its_canonical_form,
            a_login_is_taken_in_every_spelling,
            one_of_many_concurrent_inserts_of_a_login_stores_a_user,
            a_user_with_an_unknown_role_is_not_stored,
            a_user_may_have_no_roles_or_many,
            there_is_an_admin_while_an_active_user_is_one,
        ]);
        $make!($($fresh,)? replace_hash: [
            a_hash_is_replaced_only_while_it_is_the_old_one,
            one_of_many_concurrent_replacements_of_a_hash_wins,
        ]);
        $make!($($fresh,)? change_roles: [
            a_change_gives_exactly_those_roles_and_raises_the_epoch,
            a_change_ends_all_live_sessions,
            a_change_that_keeps_sessions_leaves_them_alive_with_the_new_roles,
            a_change_happens_only_while_its_caller_stands,
            nobody_changes_roles_from_a_session_that_is_over,
            callers_who_change_each_other_both_get_an_answer,
            one_of_many_concurrent_changes_of_ones_own_happens,
            no_change_of_many_concurrent_ones_is_lost,
            a_change_to_an_unknown_role_changes_nothing,
            a_change_for_nobody_changes_nothing,
            the_last_active_admin_keeps_the_role,
            of_two_admins_who_demote_each_other_one_is_left,
        ]);
        $make!($($fresh,)? change_password: [
            a_change_replaces_the_hash_and_raises_the_epoch,
            a_change_ends_all_sessions_and_opens_one_at_the_new_epoch,
            a_stale_change_changes_nothing,
            a_disabled_user_cannot_change_their_password,
            nobody_changes_a_password_from_a_session_that_is_over,
            nobody_cannot_change_a_password,
            one_of_many_concurrent_changes_happens,
        ]);
        $make!($($fresh,)? set_status: [
            disabling_raises_the_epoch_and_ends_all_live_sessions,
            enabling_brings_no_session_back,
            a_status_that_is_already_as_asked_changes_nothing,
            many_concurrent_disablings_disable_once,
            nobody_has_a_status,
            the_last_active_admin_cannot_be_disabled,
            of_two_admins_who_disable_each_other_one_is_left,
            of_two_admins_one_demoted_and_one_disabled_at_once_one_is_left,
        ]);
        $make!($($fresh,)? sessions: [
            an_opened_session_is_found_with_its_holder,
            a_session_that_never_was_is_not_found,
            opening_a_session_sets_the_last_login_and_nothing_else,
            a_session_is_not_opened_at_another_epoch,
            a_disabled_user_opens_no_session,
            nobody_opens_no_session,
            a_session_beyond_the_limit_ends_the_oldest,
            only_live_sessions_take_up_room,
            concurrent_logins_keep_to_the_limit,
            a_login_that_races_a_change_of_roles_does_not_come_out_alive,
            live_sessions_are_listed_newest_first,
            a_listed_session_tells_where_it_came_from,
        ]);
        $make!($($fresh,)? rotation: [
            a_rotation_takes_one_step,
            a_rotation_answers_the_roles_and_epoch_as_they_are_now,
            a_rotation_from_another_generation_is_lost,
            a_rotation_with_another_secret_is_lost,
            a_rotation_never_outlives_the_session,
            a_session_that_ended_does_not_rotate,
            a_session_rotates_until_the_instant_it_expires,
            a_disabled_users_session_does_not_rotate,
            one_of_many_concurrent_rotations_wins,
            a_rotation_that_races_an_end_brings_nothing_back,
        ]);
        $make!($($fresh,)? ending: [
            a_session_ends_once,
            a_session_keeps_why_it_ended_first,
            one_of_many_concurrent_ends_wins,
            a_session_that_has_expired_does_not_end,
            nobody_ends_anothers_session,
            all_live_sessions_of_a_user_end_together,
            dead_sessions_are_removed_and_live_ones_stay,
            no_more_dead_sessions_are_removed_than_asked,
        ]);
        $make!($($fresh,)? session_snapshots: [
            a_view_shows_the_session_its_user_and_what_they_may_do,
            permissions_are_those_of_all_roles_together,
            sessions_that_ended_or_expired_are_seen_as_such,
            a_session_that_never_was_is_not_seen,
            a_view_shows_every_change_of_the_user_that_was_answered,
            a_view_shows_every_change_of_the_session_that_was_answered,
            what_is_read_is_of_one_instant,
            a_token_is_refused_only_by_what_is_so_now,
        ]);
        $make!($($fresh,)? roles: [
            the_built_in_roles_are_there_from_the_start,
            roles_that_do_not_exist_are_left_out,
            a_role_that_is_put_is_in_the_catalogue,
            what_a_role_allows_is_in_force_at_once_for_every_holder,
            admin_has_every_permission_that_a_role_has_and_no_other,
            a_role_at_another_revision_is_left_alone,
            a_catalogue_that_is_full_takes_changes_but_no_more_roles,
            rehearsing_answers_what_would_happen_and_changes_nothing,
            rights_to_the_catalogue_are_those_of_the_moment,
            a_role_is_removed_once_nobody_has_it,
            nobody_has_a_role_that_was_removed_at_that_moment,
            the_catalogue_leaves_an_event_for_each_change,
        ]);
        $make!($($fresh,)? administer: [
            a_reset_password_must_be_changed_and_ends_all_sessions,
            a_password_of_ones_own_choice_need_not_be_changed,
            a_deleted_user_is_gone_and_the_trail_stays,
            nothing_is_done_to_nobody,
            nothing_is_done_to_a_user_at_another_revision,
            rights_are_those_of_the_moment_of_the_deed,
            nobody_does_anything_from_a_session_that_is_over,
            everybody_may_delete_their_own_account,
            the_last_active_admin_is_not_deleted,
            of_fifty_admins_removed_at_once_one_is_left,
        ]);
        $make!($($fresh,)? revoke_sessions: [
            all_live_sessions_are_ended_and_the_event_is_written_in_any_case,
            nobody_is_forced_out_who_never_was,
            nobody_is_forced_out_without_the_right,
        ]);
        $make!($($fresh,)? audit_log: [
            sessions_leave_a_row_for_each_event,
            a_registration_leaves_a_row,
            users_leave_a_row_for_each_change,
            a_session_that_makes_room_leaves_no_row_of_its_own,
        ]);
        $make!($($fresh,)? listing: [
            users_are_listed_in_pages_in_the_order_of_their_canonical_logins,
            a_filter_holds_for_whoever_meets_all_of_its_parts,
            pages_are_stable_while_users_come_and_go,
            a_listed_user_is_whole,
            an_export_has_everybody_with_their_hash,
        ]);
        $make!($($fresh,)? import: [
            an_imported_user_is_as_they_were_elsewhere,
            whoever_is_refused_keeps_out_no_other,
            an_import_of_many_or_none_is_answered_in_order,
        ]);
        $make!($($fresh,)? assign: [
            roles_of_a_user_at_another_revision_are_left_alone,
            a_rehearsal_answers_what_would_happen_and_changes_nothing,
            everybody_drops_roles_and_takes_those_that_are_self_assignable,
            rights_are_those_of_the_moment_of_the_change,
        ]);
        $make!($($fresh,)? audit_chain: [
            a_trail_begins_empty,
            an_event_without_a_change_is_kept_whole,
            fifty_concurrent_writers_leave_a_chain_without_gaps,
            what_was_refused_leaves_no_event,
            pages_are_newest_first_and_stable_while_events_come,
            a_filter_of_events_holds_for_those_that_meet_all_of_its_parts,
            rows_are_read_upwards_as_they_stand,
            a_trimmed_trail_is_a_chain_from_the_last_event_that_went,
            the_last_event_stays,
            an_event_that_is_young_keeps_those_behind_it,
        ]);
        $make!($($fresh,)? storage_health: [
            a_storage_within_reach_answers_within_a_second,
        ]);
    };
}

/// One named test for each case of the contract of password hashers. `$fresh` is a function that answers one, with room for
/// the work of one caller.
#[macro_export]
macro_rules! password_hasher_contract {
    ($fresh:path) => {
        $crate::password_hasher_contract!(@each $crate::async_tests, $fresh);
    };
    (@each $make:path $(, $fresh:path)?) => {
        $make!($($fresh,)? password_hasher: [
            two_hashes_of_a_password_differ_and_both_verify,
            another_password_is_wrong,
            nothing_of_a_password_is_cut_off,
            without_a_hash_every_password_is_wrong,
            without_a_hash_the_work_is_the_same,
            a_hash_that_cannot_be_used_is_wrong_for_every_password,
        ]);
    };
}

/// One named test for each case of the contract of password meters. `$fresh` is a function that answers one, with room for
/// the work of one caller.
#[macro_export]
macro_rules! password_meter_contract {
    ($fresh:path) => {
        $crate::password_meter_contract!(@each $crate::async_tests, $fresh);
    };
    (@each $make:path $(, $fresh:path)?) => {
        $make!($($fresh,)? password_meter: [
            every_password_gets_a_score_of_0_to_4,
            a_word_that_is_known_is_weak,
            advice_never_repeats_the_password,
        ]);
    };
}

/// One named test for each case of the contract of access tokens. `$fresh` is a function that answers
/// [`Tokens`](crate::Tokens).
#[macro_export]
macro_rules! token_contract {
    ($fresh:path) => {
        $crate::token_contract!(@each $crate::sync_tests, $fresh);
    };
    (@each $make:path $(, $fresh:path)?) => {
        $make!($($fresh,)? tokens: [
            what_was_signed_is_what_is_verified,
            time_plays_no_part,
            a_header_names_algorithm_key_and_type_and_nothing_else,
            published_keys_have_no_private_part,
            texts_that_are_no_tokens_are_malformed,
            a_token_cut_short_or_added_to_is_refused,
            a_token_with_any_character_changed_is_refused,
            a_signature_of_other_claims_is_invalid,
            a_token_under_another_header_is_refused,
            a_token_of_an_unknown_key_is_invalid,
        ]);
    };
}

/// One named test for each case of the contract of refresh tokens' MACs. `$fresh` is a function that answers one.
#[macro_export]
macro_rules! refresh_token_mac_contract {
    ($fresh:path) => {
        $crate::refresh_token_mac_contract!(@each $crate::sync_tests, $fresh);
    };
    (@each $make:path $(, $fresh:path)?) => {
        $make!($($fresh,)? refresh_token_mac: [
            one_input_has_one_mac,
            other_inputs_have_other_macs,
            a_mac_verifies_its_own_input,
            no_other_mac_verifies,
            one_secret_has_one_digest,
            a_digest_is_of_all_of_its_secret,
            a_digest_is_not_the_secret_itself,
        ]);
    };
}

/// One named test for each case of the contract of throttles. `$fresh` is a function that answers a
/// [`FreshThrottle`](crate::contract::throttle::FreshThrottle).
#[macro_export]
macro_rules! throttle_contract {
    ($fresh:path) => {
        $crate::throttle_contract!(@each $crate::async_tests, $fresh);
    };
    (@each $make:path $(, $fresh:path)?) => {
        $make!($($fresh,)? throttle: [
            attempts_beyond_the_budget_are_refused_with_a_time_to_wait,
            keys_do_not_share_budgets,
            an_ipv6_network_shares_one_budget,
            a_refused_attempt_does_not_lengthen_the_wait,
            concurrent_attempts_share_one_budget,
        ]);
    };
}

/// One named test for each case of the contract of invalidation buses. `$fresh` is a function that answers a
/// [`FreshBus`](crate::contract::invalidation_bus::FreshBus).
#[macro_export]
macro_rules! invalidation_bus_contract {
    ($fresh:path) => {
        $crate::invalidation_bus_contract!(@each $crate::async_tests, $fresh);
    };
    (@each $make:path $(, $fresh:path)?) => {
        $make!($($fresh,)? invalidation_bus: [
            a_message_reaches_every_open_subscription,
            a_message_arrives_as_it_was_sent,
            a_dropped_wait_loses_nothing,
            messages_without_a_subscriber_are_accepted,
            a_dropped_subscription_does_not_affect_others,
        ]);
    };
}

/// One named test for each case of the contract of replicas' leases. `$fresh` is an async function that answers a
/// [`FreshLeases`](crate::contract::replica_leases::FreshLeases) and a guard that keeps them alive for the test.
#[macro_export]
macro_rules! replica_leases_contract {
    ($fresh:path) => {
        $crate::replica_leases_contract!(@each $crate::storage_tests, $fresh);
    };
    (@each $make:path $(, $fresh:path)?) => {
        $make!($($fresh,)? replica_leases: [
            an_acquired_lease_is_held,
            a_lease_is_not_acquired_twice,
            a_renewed_lease_lasts_and_another_expires,
            an_unknown_lease_is_not_renewed,
            an_evicted_lease_is_not_renewed_and_is_held_until_it_expires,
            releasing_a_lease_affects_no_other,
        ]);
    };
}

/// One named test for each case of the contract of monotonic clocks. `$fresh` is a function that answers one.
#[macro_export]
macro_rules! monotonic_clock_contract {
    ($fresh:path) => {
        $crate::monotonic_clock_contract!(@each $crate::async_tests, $fresh);
    };
    (@each $make:path $(, $fresh:path)?) => {
        $make!($($fresh,)? monotonic_clock: [
            time_never_decreases,
            no_sleep_ends_early,
            a_past_time_is_not_waited_for,
        ]);
    };
}

/// One named test for each case of the contract of sources of randomness. `$fresh` is a function that answers one.
#[macro_export]
macro_rules! randomness_contract {
    ($fresh:path) => {
        $crate::randomness_contract!(@each $crate::sync_tests, $fresh);
    };
    (@each $make:path $(, $fresh:path)?) => {
        $make!($($fresh,)? randomness: [
            no_two_calls_answer_the_same,
            no_two_ids_of_one_instant_are_the_same,
            ids_are_version_7_of_their_instant,
        ]);
    };
}

/// One named test for each case of the contract of clocks. `$fresh` is a function that answers one.
#[macro_export]
macro_rules! clock_contract {
    ($fresh:path) => {
        $crate::clock_contract!(@each $crate::sync_tests, $fresh);
    };
    (@each $make:path $(, $fresh:path)?) => {
        $make!($($fresh,)? clock: [
            the_time_is_in_whole_microseconds,
        ]);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! storage_tests {
    ($fresh:path, $contract:ident: [$($case:ident),* $(,)?]) => {
        mod $contract {
            use super::*;

            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                let (storage, _guard) = $fresh().await;
                $crate::contract::$contract::$case(&storage).await;
            })*
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! async_tests {
    ($fresh:path, $contract:ident: [$($case:ident),* $(,)?]) => {
        mod $contract {
            use super::*;

            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                $crate::contract::$contract::$case(&$fresh()).await;
            })*
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! sync_tests {
    ($fresh:path, $contract:ident: [$($case:ident),* $(,)?]) => {
        mod $contract {
            use super::*;

            $(#[test]
            fn $case() {
                $crate::contract::$contract::$case(&$fresh());
            })*
        }
    };
}
