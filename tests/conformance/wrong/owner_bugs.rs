//! What a storage gets wrong of owners, limits and logins, and the cases that find it out.

use super::Bug;

pub const OWNER_BUGS: &[(Bug, &[&str])] = &[
    (
        Bug::UpdateForgetsTheIndex,
        &[
            "the_index_follows_the_owner",
            "a_replaced_session_leaves_the_index",
            "a_limit_holds_for_concurrent_logins",
        ],
    ),
    (
        Bug::InvalidateForgetsTheIndex,
        &[
            "a_create_after_the_end_is_refused",
            "a_mark_is_no_record",
            "invalidate_beats_every_update",
            "a_dropped_operation_is_whole",
            "the_index_has_no_ghosts",
            "only_a_live_session_of_the_owner_is_replaced",
            "invalidate_compares_the_version",
        ],
    ),
    (
        Bug::ListsTheExpired,
        &["list_leaves_out_the_expired", "only_a_live_session_of_the_owner_is_replaced"],
    ),
    (Bug::InvalidateOwnerCountsTheExpired, &["invalidate_owner_counts_the_living"]),
    (Bug::ListForgetsPages, &["list_goes_by_pages"]),
    (
        Bug::InvalidateOwnerTakesTheExcepted,
        &["invalidate_owner_ends_all", "a_create_after_the_end_of_its_owners_is_refused"],
    ),
    (Bug::CutsOwners, &["owners_are_apart"]),
    (
        Bug::IgnoresTheGeneration,
        &[
            "an_invalidated_owner_refuses_older_writes",
            "a_create_after_the_end_of_its_owners_is_refused",
            "a_refused_login_replaces_nothing",
            "invalidate_owner_beats_every_login",
        ],
    ),
    (Bug::ChecksTheGenerationOutsideTheWrite, &["invalidate_owner_beats_every_login"]),
    (
        Bug::IgnoresTheLimit,
        &[
            "a_limit_ends_the_oldest",
            "a_limit_refuses",
            "a_refused_login_replaces_nothing",
            "a_replaced_session_does_not_count",
            "only_a_live_session_of_the_owner_is_replaced",
            "a_limit_holds_under_concurrency",
            "a_limit_holds_for_concurrent_logins",
        ],
    ),
    (Bug::LimitEndsTheNewest, &["a_limit_ends_the_oldest", "a_replaced_session_does_not_count"]),
    (Bug::LimitCountsTheExpired, &["a_limit_counts_the_living"]),
    (Bug::UpdateChangesTheOwner, &["an_update_keeps_the_owner"]),
    (
        Bug::ChecksTheLimitOutsideTheWrite,
        &["a_limit_holds_under_concurrency", "a_limit_holds_for_concurrent_logins"],
    ),
    (
        Bug::ReplacesDespiteARefusal,
        &["a_login_that_is_not_created_replaces_nothing", "a_refused_login_replaces_nothing"],
    ),
    (
        Bug::NeverReplaces,
        &[
            "a_login_writes_both",
            "a_login_sent_again_is_one_login",
            "a_login_stays_whatever_became_of_the_session",
            "of_concurrent_logins_one_replaces",
            "a_replaced_session_leaves_the_index",
            "a_limit_holds_for_concurrent_logins",
        ],
    ),
    (
        Bug::ALoginNeedsItsPredecessor,
        &[
            "a_login_stays_whatever_became_of_the_session",
            "of_concurrent_logins_one_replaces",
            "a_limit_holds_for_concurrent_logins",
        ],
    ),
    (
        Bug::ALoginReplacesAnyVersion,
        &[
            "a_login_stays_whatever_became_of_the_session",
            "of_concurrent_logins_one_replaces",
            "a_limit_holds_for_concurrent_logins",
        ],
    ),
    (
        Bug::TheReplacedStayInTheIndex,
        &["a_replaced_session_leaves_the_index", "a_limit_holds_for_concurrent_logins"],
    ),
    (Bug::CountsTheReplaced, &["a_replaced_session_does_not_count"]),
    (Bug::PushesOutTheReplaced, &["a_replaced_session_does_not_count"]),
    (
        Bug::ReplacesWhoever,
        &["only_a_live_session_of_the_owner_is_replaced", "a_limit_holds_for_concurrent_logins"],
    ),
    (Bug::ReplacesTheDead, &["only_a_live_session_of_the_owner_is_replaced"]),
    (Bug::NoIndexAndNoGuard, &["a_guard_needs_an_index"]),
    (Bug::NoIndexAndNothingReplaced, &["a_guard_needs_an_index"]),
];
