//! A model of logins and renewals: what a client and an attacker hold, and what it opens.
//!
//! `worlds.rs` says what runs, `rules.rs` what can be left out, `properties.rs` what is
//! promised. See `docs/model.md`.

mod login;
mod properties;
mod record;
mod rules;
mod server;
mod world;
mod worlds;

use properties::*;
use rules::Rules;
use world::{Late, World};

use crate::check::{breaks, holds};

/// No promise but this one is looked at.
fn only(claim: &'static [Claim], rules: Rules, world: World) -> World {
    World { rules, promises: claim, witnesses: &[], ..world }
}

/// Each rule is left out alone.
macro_rules! needed {
    ($($rule:ident: [$($claim:ident),+], $world:expr;)*) => {$(
        #[test]
        fn $rule() {
            let rules = Rules { $rule: false, ..Rules::CODE };
            $(breaks($claim.name, &only(&[$claim], rules, $world));)+
        }
    )*};
}

mod the_rules_hold {
    use super::worlds::*;
    use super::*;

    holds! {
        for_a_planted_cookie: planted();
        for_a_planted_cookie_longer_than_a_mark: planted_long_ago();
        for_a_planted_cookie_with_renewals: planted_renewals();
        for_a_planted_cookie_with_renewals_and_grace: planted_renewals_later();
        for_a_cookie_that_was_seen: seen();
        for_a_cookie_that_was_seen_and_grace: seen_later();
        for_two_logins_and_an_attacker: two_logins_attacked();
        for_renew_and_an_attacker: renewed_attacked();
        for_a_double_click: double_click();
        for_a_login_whose_answer_is_lost: lost_login();
        for_a_login_a_clear_and_a_write: cleared_and_written();
        for_a_client_without_a_session: fresh();
        for_logins_that_fail: failing();
        for_periodic_renewals: periodic();
        for_renew: renewed();
        for_writes_during_periodic_renewals: periodic_writes();
        for_a_login_and_a_clear: cleared();
        for_renew_twice: renewed_twice();
        for_renew_during_a_renewal: renewed_meanwhile();
        for_a_login_during_a_renewal: login_meanwhile();
        for_a_limit_that_refuses: limit_refuses();
        for_a_limit_that_ends_the_oldest: limit_ends_oldest();
        for_a_second_click: World { promises: &[SECOND_CLICK], ..clicks(2) };
        for_clicks: clicks(3);
        for_clicks_on_a_storage_that_logs_in_at_once: clicks_at_once(4);
        for_clicks_beside_somebody_elses: clicks_attacked();
        for_clicks_beside_somebody_elses_at_once: World { at_once: true, ..clicks_attacked() };
        for_a_limit_and_an_attacker_on_one: World { at_once: true, ..limit_refuses() };
        for_a_revocation: revoked();
    }
}

mod each_rule_is_needed {
    use super::worlds::*;
    use super::*;

    needed! {
        login_takes_new_locator: [NOT_ENDED], planted();
        login_replaces: [OPENS_NOTHING, REPLACED_IS_TERMINAL], planted();
        replaced_says_so: [KEPT], double_click();
        login_swaps_again: [OPENS_NOTHING, REPLACED_IS_TERMINAL], planted();
        login_replaces_renewed: [REPLACED_IS_TERMINAL], planted_renewals();
        failed_login_ends: [FAILED_LEAVES_NOTHING], failing();
        generation_compared: [REVOKED], revoked();
        replaced_begins_nothing: [KEPT], double_click();
        replaced_removes_nothing: [KEPT], cleared();
        replaced_tells_nothing: [HELD_BY_ITS_CLIENT, NOT_FORGED], planted();
        successor_outlives_clear: [NOT_ENDED], planted();
        successor_is_not_counted: [SECOND_CLICK], clicks(2);
        same_owner_takes_place: [NOT_ENDED], limit_refuses();
        limit_knows_kin: [NOT_LOCKED_OUT], clicks(2);
        swap_is_settled: [KEPT], failing();
        compare_and_swap: [OPENS_NOTHING, REPLACED_IS_TERMINAL], planted();
        renewal_stays_open: [NOT_LOGGED_OUT], periodic();
        grace_from_first_showing: [NOT_LOGGED_OUT], periodic();
        same_next_secret: [KEPT, NOT_LOGGED_OUT], periodic();
        previous_is_nobody: [KEPT], renewed();
        every_previous_is_nobody: [KEPT], renewed_twice();
        csrf_under_server_key: [NOT_FORGED_AFTER_RENEW], renewed_attacked();
        renew_rotates_csrf: [NOT_FORGED_AFTER_RENEW], renewed_attacked();
        replayed_under_shown_id: [NOT_LOGGED_OUT], periodic_writes();
        end_leaves_replaced: [SAYS_SO], cleared();
    }

    /// Either of the two is enough.
    #[test]
    fn new_locator_or_compare_and_swap() {
        let rules =
            Rules { login_takes_new_locator: false, compare_and_swap: false, ..Rules::CODE };
        breaks(NOT_CHANGED.name, &only(&[NOT_CHANGED], rules, planted()));
        let rules = Rules { compare_and_swap: true, ..rules };
        holds(only(&[NOT_CHANGED], rules, planted()));
    }

    /// Either of the two is enough.
    #[test]
    fn new_locator_or_server_key() {
        let rules =
            Rules { login_takes_new_locator: false, csrf_under_server_key: false, ..Rules::CODE };
        breaks(NOT_FORGED.name, &only(&[NOT_FORGED], rules, planted()));
        let rules = Rules { login_takes_new_locator: true, ..rules };
        holds(only(&[NOT_FORGED], rules, planted()));
    }

    /// Where a storage does both writes at once, either of the two is enough.
    #[test]
    fn last_login_is_followed_or_limit_knows_kin() {
        let rules = Rules { last_login_is_followed: false, limit_knows_kin: false, ..Rules::CODE };
        breaks(NOT_LOCKED_OUT.name, &only(&[NOT_LOCKED_OUT], rules, clicks_at_once(3)));
        for rules in [
            Rules { limit_knows_kin: true, ..rules },
            Rules { last_login_is_followed: true, ..rules },
        ] {
            holds(only(&[NOT_LOCKED_OUT], rules, clicks_at_once(3)));
        }
    }

    /// The same.
    #[test]
    fn refused_looks_again_or_limit_knows_kin() {
        let rules = Rules { refused_looks_again: false, limit_knows_kin: false, ..Rules::CODE };
        breaks(NOT_LOCKED_OUT.name, &only(&[NOT_LOCKED_OUT], rules, clicks_at_once(2)));
        for rules in
            [Rules { limit_knows_kin: true, ..rules }, Rules { refused_looks_again: true, ..rules }]
        {
            holds(only(&[NOT_LOCKED_OUT], rules, clicks_at_once(2)));
        }
    }

    /// Also where each click comes after the one before has been answered, if somebody
    /// else's comes first.
    #[test]
    fn limit_knows_kin_beside_somebody_elses() {
        let rules = Rules { limit_knows_kin: false, ..Rules::CODE };
        let world = World { promises: &[SECOND_CLICK], at_once: true, ..clicks_attacked() };
        breaks(SECOND_CLICK.name, &only(&[SECOND_CLICK], rules, world));
    }

    #[test]
    fn every_previous_is_nobody_during_a_renewal() {
        let rules = Rules { every_previous_is_nobody: false, ..Rules::CODE };
        breaks(KEPT.name, &only(&[KEPT], rules, renewed_meanwhile()));
    }

    /// A request is under way for less than half of a mark's life.
    #[test]
    fn mark_outlives_two_requests() {
        let world = World { delay: 2, ..double_click() };
        breaks(KEPT.name, &only(&[KEPT], Rules::CODE, world));
    }
}

mod the_exceptions_are_needed {
    use super::worlds::*;
    use super::*;

    fn needed(late: Late, world: World) {
        let rest: &[Late] = match late {
            Late::Removal => &[Late::Renewal, Late::Beginning],
            Late::Renewal => &[Late::Removal, Late::Beginning],
            Late::Beginning => &[Late::Removal, Late::Renewal],
        };
        breaks(KEPT.name, &only(&[KEPT], Rules::CODE, World { allowed: rest, ..world }));
    }

    #[test]
    fn a_late_removal() {
        needed(Late::Removal, cleared());
    }

    #[test]
    fn a_late_renewal() {
        needed(Late::Renewal, login_meanwhile());
        needed(Late::Renewal, renewed_meanwhile());
    }

    #[test]
    fn a_session_that_begins_late() {
        needed(Late::Beginning, fresh());
        needed(Late::Beginning, lost_login());
        needed(Late::Beginning, ended_by_attacker());
    }
}
