//! What is checked: a few requests of one client, and what an attacker sends meanwhile.

use super::properties::*;
use super::record::MARK;
use super::rules::Rules;
use super::world::Task::{Clear, Login, Read, Renew, Set};
use super::world::{Late, Limit, World};

const WORLD: World = World {
    rules: Rules::CODE,
    tasks: Vec::new(),
    attacks: Vec::new(),
    session: Some(false),
    planted: false,
    sees: false,
    renews: false,
    limit: Limit::None,
    at_once: false,
    ticks: 0,
    delay: 1,
    lost: 0,
    fails: 0,
    revocations: 0,
    allowed: &[],
    promises: &SAFETY,
    witnesses: &[],
};

/// What must hold where no attacker and nobody on purpose ends a session.
const ACCIDENTS: [Claim; 10] = also(KEPT);

const fn also(claim: Claim) -> [Claim; 10] {
    let [one, two, three, four, five, six, seven, eight, nine] = SAFETY;
    [one, two, three, four, five, six, seven, eight, nine, claim]
}

/// A planted cookie: the attacker writes, clears, renews and logs in with it.
pub fn planted() -> World {
    World {
        tasks: vec![Login, Set],
        attacks: vec![Set, Clear, Login],
        planted: true,
        witnesses: &[ATTACKED, SLOW_SET],
        ..WORLD
    }
}

/// The same for longer than a mark lives.
pub fn planted_long_ago() -> World {
    World { tasks: vec![Login], ticks: MARK + 1, witnesses: &[ATTACKED], ..planted() }
}

/// A planted cookie, and renewals.
pub fn planted_renewals() -> World {
    World {
        tasks: vec![Login, Read],
        attacks: vec![Read, Renew, Login],
        planted: true,
        renews: true,
        witnesses: &[ATTACKED],
        ..WORLD
    }
}

/// The same with a grace that ends.
pub fn planted_renewals_later() -> World {
    World { tasks: vec![Login], ticks: 1, ..planted_renewals() }
}

/// The attacker sees one of the client's cookies from before the login.
pub fn seen() -> World {
    World {
        tasks: vec![Read, Login, Set],
        attacks: vec![Set, Clear],
        sees: true,
        renews: true,
        witnesses: &[SLOW_SET],
        ..WORLD
    }
}

/// The same with a grace that ends.
pub fn seen_later() -> World {
    World { attacks: vec![Set], ticks: 1, ..seen() }
}

/// Two logins, one over the other's session or beside it, and an attacker.
pub fn two_logins_attacked() -> World {
    World {
        tasks: vec![Login, Login],
        attacks: vec![Clear, Login],
        planted: true,
        witnesses: &[TWO_LOGINS, ATTACKED],
        ..WORLD
    }
}

/// `renew`, and an attacker who saw the cookie before.
pub fn renewed_attacked() -> World {
    World {
        tasks: vec![Renew, Read],
        attacks: vec![Read, Set],
        sees: true,
        promises: &[NOT_FORGED_AFTER_RENEW, END_IS_TERMINAL],
        ..WORLD
    }
}

/// A double click, and a slow write from before, for longer than a mark lives.
pub fn double_click() -> World {
    World {
        tasks: vec![Login, Login, Set],
        ticks: MARK + 1,
        promises: &ACCIDENTS,
        witnesses: &[TWO_LOGINS, SLOW_SET],
        ..WORLD
    }
}

/// The same where an answer is lost, so that the second login may come after the mark.
pub fn lost_login() -> World {
    World { lost: 1, allowed: &[Late::Beginning], ..double_click() }
}

/// A login, and a slow `clear` from before.
pub fn cleared() -> World {
    World {
        tasks: vec![Login, Clear, Read],
        allowed: &[Late::Removal],
        witnesses: &[LATE_REMOVAL],
        ..double_click()
    }
}

/// And a slow write, for which nothing is left.
pub fn cleared_and_written() -> World {
    World {
        tasks: vec![Login, Clear, Set],
        allowed: &[Late::Removal, Late::Beginning],
        witnesses: &[LATE_REMOVAL, LATE_BEGINNING],
        ..double_click()
    }
}

/// A client without a session.
pub fn fresh() -> World {
    World {
        session: None,
        allowed: &[Late::Beginning],
        witnesses: &[LATE_BEGINNING],
        ..double_click()
    }
}

/// Logins whose swap may have no answer.
pub fn failing() -> World {
    World { fails: 1, ticks: 1, witnesses: &[FAILS, TWO_LOGINS], ..double_click() }
}

/// Periodic renewals whose answers are lost or late.
pub fn periodic() -> World {
    World {
        tasks: vec![Read; 3],
        renews: true,
        ticks: MARK + 2,
        lost: 2,
        promises: &[KEPT, NOT_LOGGED_OUT, END_IS_TERMINAL],
        witnesses: &[TOLD_AGAIN, IN_GRACE, RENEWED_TWICE],
        ..WORLD
    }
}

/// Two writes beside a renewal.
pub fn periodic_writes() -> World {
    World { tasks: vec![Read, Set, Set], ..periodic() }
}

/// `renew`, and a write from before it.
pub fn renewed() -> World {
    World { tasks: vec![Renew, Set, Read], lost: 1, witnesses: &[], ..double_click() }
}

/// `renew` twice.
pub fn renewed_twice() -> World {
    World { tasks: vec![Renew, Renew, Set], witnesses: &[RENEWED_TWICE], ..renewed() }
}

/// A periodic renewal, and `renew` meanwhile.
pub fn renewed_meanwhile() -> World {
    World {
        tasks: vec![Read, Renew, Set],
        renews: true,
        allowed: &[Late::Renewal],
        witnesses: &[LATE_RENEWAL_OF_RENEWED],
        ..renewed()
    }
}

/// A periodic renewal, and a login meanwhile.
pub fn login_meanwhile() -> World {
    World {
        tasks: vec![Read, Login, Set],
        renews: true,
        lost: 1,
        allowed: &[Late::Renewal],
        witnesses: &[SLOW_SET, LATE_RENEWAL],
        ..double_click()
    }
}

/// A limit of one session that refuses, and an attacker.
pub fn limit_refuses() -> World {
    World {
        tasks: vec![Login, Login, Clear],
        attacks: vec![Login, Clear],
        planted: true,
        limit: Limit::OneOrRefuse,
        promises: &LIMITED,
        witnesses: &[TAKES_PLACE],
        ..WORLD
    }
}

/// A limit of one session that ends the oldest, and an attacker.
pub fn limit_ends_oldest() -> World {
    World { limit: Limit::OneEndsOldest, ..limit_refuses() }
}

/// Clicks on one button, under a limit of one session that refuses.
pub fn clicks(logins: usize) -> World {
    World { tasks: vec![Login; logins], attacks: Vec::new(), promises: &CLICKED, ..limit_refuses() }
}

/// The same where the storage does both writes of a login in one step.
pub fn clicks_at_once(logins: usize) -> World {
    World { at_once: true, ..clicks(logins) }
}

/// Clicks of two owners who show the same id.
pub fn clicks_attacked() -> World {
    World { attacks: vec![Login, Login], ..clicks(2) }
}

const LIMITED: [Claim; 10] = also(ONE_SESSION);
const CLICKED: [Claim; 3] = [NOT_LOCKED_OUT, ONE_SESSION, END_IS_TERMINAL];

/// The client's owner is revoked meanwhile.
pub fn revoked() -> World {
    World {
        tasks: vec![Login, Login, Set],
        attacks: vec![Login],
        session: Some(true),
        planted: true,
        revocations: 1,
        ..WORLD
    }
}

/// An attacker ends the planted session, so that nothing is left of it.
pub fn ended_by_attacker() -> World {
    World { tasks: vec![Login, Set], attacks: vec![Clear], planted: true, ..double_click() }
}
