//! A model of the storage protocol, checked in every order of its steps.
//!
//! `worlds.rs` says what runs, `rules.rs` what can be left out, `properties.rs` what
//! is promised. `logins` is a model of what clients hold meanwhile. See `docs/model.md`.

#[macro_use]
mod check;
mod logins;
mod properties;
mod request;
mod rules;
mod steps;
mod storage;
mod world;
mod worlds;

use check::{breaks, holds};
use properties::*;
use rules::Rules;
use stateright::{Checker as _, Model as _};
use world::World;
use worlds::*;

/// No run breaks another promise.
fn breaks_only(claim: Claim, world: World) {
    let checker = World { witnesses: &[], ..world }.checker().spawn_bfs().join();
    assert_eq!(checker.discoveries().into_keys().collect::<Vec<_>>(), [claim.name]);
}

/// Each rule is left out alone.
macro_rules! needed {
    ($($rule:ident: [$($claim:ident),+], $world:expr;)*) => {$(
        #[test]
        fn $rule() {
            let world = World { rules: Rules { $rule: false, ..Rules::CONTRACT }, ..$world };
            $(breaks($claim.name, &world);)+
        }
    )*};
}

/// What the contract does not keep, and the rule that would.
macro_rules! lacks {
    ($($rule:ident: $claim:ident, $world:expr;)*) => {$(
        #[test]
        fn $rule() {
            let world = World { also: &[$claim], ..$world };
            breaks($claim.name, &world);
            holds(World { rules: Rules { $rule: true, ..Rules::CONTRACT }, ..world });
        }
    )*};
}

mod the_contract_holds {
    use super::*;

    holds! {
        for_updates: updates();
        for_few_replays: few_replays();
        where_no_answer_is_lost: in_process();
        with_caches: caches();
        with_ends: ends();
        wherever_a_trail_is_cut: any_trail();
        with_clocks_apart: clocks();
        for_logins: logins();
        for_logins_on_a_node_whose_clock_is_ahead: logins_ahead();
        for_logins_over_a_session: logins_over();
        for_a_login_after_a_revocation: login_after();
        for_discards: discards();
        for_sessions_that_others_change: World { also: &[RESENT_CREATE], ..listed() };
    }
}

#[test]
fn the_contract_holds_for_four_updates() {
    holds(four_updates());
}

mod each_rule_is_needed {
    use super::*;

    needed! {
        compare_and_swap: [STALE_NEVER_WINS, EXACTLY_ONCE], caches();
        update_never_inserts: [STAYS_ENDED], ends();
        end_leaves_mark: [STAYS_ENDED, LOST_CREATE_IS_ENDED], logins();
        mark_without_record: [STAYS_ENDED, LOST_CREATE_IS_ENDED], logins();
        mark_by_one_clock: [STAYS_ENDED], logins_ahead();
        created_before_replaced: [REPLACED_BY_CREATED], logins_over();
        generation_compared: [REVOKED], logins();
        trail_kept: [WITHIN_IS_KNOWN], updates();
        trail_without_holes: [AT_MOST_ONCE], clocks();
        attempt_is_kept: [AT_MOST_ONCE, EXACTLY_ONCE], updates();
        conflict_is_settled: [AT_MOST_ONCE, EXACTLY_ONCE], updates();
        settled_before_giving_up: [CONFLICT_IS_SETTLED], few_replays();
        settling_passes_cache: [PASSES_CACHES], caches();
        own_version_sought: [AT_MOST_ONCE, EXACTLY_ONCE], updates();
        only_own_version_counts: [NO_FALSE_SUCCESS], updates();
        same_attempt_again: [AT_MOST_ONCE, EXACTLY_ONCE], updates();
        unknown_is_error: [BEYOND_IS_ERROR, AT_MOST_ONCE], any_trail();
        discarded_is_not_sent: [NOT_SENT_AGAIN], discards();
        create_never_resent: [STAYS_ENDED], logins();
        lost_create_is_ended: [LOST_CREATE_IS_ENDED], logins();
        lost_swap_is_settled: [FAILED_HAD_REPLACED_NOTHING], logins_over();
        exists_is_settled: [RESENT_CREATE], World { also: &[RESENT_CREATE], ..listed() };
    }

    /// Settling is enough where a storage does not know a resent create.
    #[test]
    fn resent_create_is_known_only_to_save_a_read() {
        let rules = Rules { resent_create_is_known: false, ..Rules::CONTRACT };
        holds(World { rules, ..logins() });
        let rules = Rules { exists_is_settled: false, ..rules };
        breaks(RESENT_CREATE.name, &World { rules, ..logins() });
    }

    /// Settling is enough where a storage does not know a resent update.
    #[test]
    fn resent_update_is_known_only_to_save_a_read() {
        let rules = Rules { resent_update_is_known: false, ..Rules::CONTRACT };
        holds(World { rules, ..updates() });
        let rules = Rules { conflict_is_settled: false, ..rules };
        breaks(AT_MOST_ONCE.name, &World { rules, ..updates() });
    }

    /// Nor can it be settled where there is no trail: there it is believed.
    #[test]
    fn conflict_is_believed_in_process() {
        let rules = Rules { conflict_is_settled: true, ..Rules::IN_PROCESS };
        breaks(WITHIN_IS_KNOWN.name, &World { rules, ..in_process() });
    }

    /// A create that is sent again brings the generation of its beginning.
    #[test]
    fn generation_read_once() {
        let rules =
            Rules { create_never_resent: false, generation_read_once: false, ..Rules::CONTRACT };
        breaks(REVOKED.name, &World { rules, ..logins() });
    }

    /// Without these a save fails that could succeed, and nothing worse.
    #[test]
    fn some_only_for_success() {
        let without_trail = Rules { trail_kept: false, ..Rules::CONTRACT };
        breaks_only(WITHIN_IS_KNOWN, World { rules: without_trail, ..updates() });
        let through_cache = Rules { settling_passes_cache: false, ..Rules::CONTRACT };
        breaks_only(PASSES_CACHES, World { rules: through_cache, ..caches() });
    }
}

mod the_contract_lacks {
    use super::*;

    lacks! {
        late_create_is_refused: STAYS_ENDED, late_logins();
        lost_create_is_asked: FAILED_REPLACES_NOTHING, login_over_alone();
        revocation_names_generation: REVOKED_ONCE, login_after();
        discard_writes: DROPPED_IS_FINAL, discards();
    }

    holds! {
        nothing_with_all_of_them_for_updates: World { rules: Rules::CURED, ..updates() };
        nothing_with_all_of_them_for_logins: World { rules: Rules::CURED, ..logins() };
        nothing_with_all_of_them_for_logins_over_a_session: World { rules: Rules::CURED, ..logins_over() };
        nothing_with_all_of_them_for_discards: World { rules: Rules::CURED, ..discards() };
    }
}
