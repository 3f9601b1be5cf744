//! What is checked: a few requests that meet, each time with other things that can go wrong.

use crate::properties::*;
use crate::request::{Cut, Known, Task};
use crate::rules::Rules;
use crate::storage::{MARK, Tick};
use crate::world::World;

/// Longer than any run.
const FOREVER: Tick = 100;

const WORLD: World = World {
    rules: Rules::CONTRACT,
    tasks: Vec::new(),
    sessions: 1,
    keys: 1,
    cached: false,
    cut: Cut::Bounded { longest: usize::MAX, window: FOREVER },
    clocks: [0, 0],
    lost: 1,
    doubled: 1,
    replays: 2,
    ticks: 0,
    delay: FOREVER,
    also: &[],
    witnesses: &[],
};

const fn update(node: usize) -> Task {
    Task::Update { key: 0, node, known: Known::Always }
}

/// Three updates of one session.
pub fn updates() -> World {
    World {
        tasks: vec![update(0); 3],
        lost: 2,
        doubled: 2,
        also: &[WITHIN_IS_KNOWN],
        witnesses: &[FOUND_IN_TRAIL, SENT_AGAIN, MEETS_ITSELF, REPLAYED_TWICE, ALL_SUCCEED],
        ..WORLD
    }
}

/// Updates that may not be replayed often enough.
pub fn few_replays() -> World {
    World { replays: 1, doubled: 1, witnesses: &[GIVES_UP, ALL_SUCCEED], ..updates() }
}

/// Four updates, with less going wrong.
pub fn four_updates() -> World {
    World { tasks: vec![update(0); 4], lost: 1, doubled: 1, replays: 3, ..updates() }
}

/// Three updates on a storage in the process.
pub fn in_process() -> World {
    World {
        rules: Rules::IN_PROCESS,
        lost: 0,
        doubled: 0,
        witnesses: &[REPLAYED_TWICE, ALL_SUCCEED],
        ..updates()
    }
}

/// Two nodes, whose copies of the session may be as old as can be.
pub fn caches() -> World {
    World {
        tasks: vec![update(0), update(1), update(0)],
        cached: true,
        lost: 2,
        doubled: 2,
        also: &[WITHIN_IS_KNOWN],
        witnesses: &[STALE_COPY, ALL_SUCCEED],
        ..WORLD
    }
}

/// A session that ends while it is updated.
pub fn ends() -> World {
    let end = Task::End { key: 0, known: Known::Always };
    World {
        tasks: vec![update(0), update(0), end],
        cached: true,
        lost: 2,
        doubled: 2,
        also: &[WITHIN_IS_KNOWN],
        witnesses: &[SESSION_ENDS, ALL_SUCCEED],
        ..WORLD
    }
}

/// Every write cuts the trail where it likes: whatever limits and clocks there are.
pub fn any_trail() -> World {
    World {
        tasks: vec![update(0); 3],
        cut: Cut::Anywhere,
        lost: 2,
        witnesses: &[BEYOND, FOUND_IN_TRAIL, ALL_SUCCEED],
        ..WORLD
    }
}

/// A short trail, and nodes whose clocks differ.
pub fn clocks() -> World {
    World {
        tasks: vec![update(0), update(1), update(0)],
        cut: Cut::Bounded { longest: 2, window: 0 },
        clocks: [1, 0],
        lost: 2,
        doubled: 0,
        ticks: 2,
        witnesses: &[BEYOND, FOUND_IN_TRAIL, ALL_SUCCEED],
        ..WORLD
    }
}

/// A login, its session's first update and two ends of it, and "log out everywhere",
/// longer than a mark lives, with messages that are under way no longer than that.
pub fn logins() -> World {
    World {
        tasks: vec![
            Task::Login { key: 0 },
            Task::Update { key: 0, node: 0, known: Known::From(0) },
            Task::End { key: 0, known: Known::Listed },
            Task::End { key: 0, known: Known::From(0) },
            Task::RevokeOwner,
        ],
        sessions: 0,
        ticks: MARK + 1,
        delay: MARK,
        witnesses: &[REFUSED_BY_MARK, REFUSED_BY_GENERATION, CREATE_FAILS, MARK_IS_OVER],
        ..WORLD
    }
}

/// The same with messages that may be under way for ever.
pub fn late_logins() -> World {
    World { delay: FOREVER, ..logins() }
}

/// Logins on a node whose clock is ahead of the others'.
pub fn logins_ahead() -> World {
    World { clocks: [MARK + 1, 0], ticks: 0, witnesses: &[REFUSED_BY_MARK], ..logins() }
}

/// A login over a session that is updated and may end.
pub fn logins_over() -> World {
    World {
        tasks: vec![
            Task::LoginOver { key: 1, old: 0 },
            update(0),
            Task::End { key: 1, known: Known::Listed },
            Task::RevokeOwner,
        ],
        keys: 2,
        lost: 2,
        witnesses: &[REFUSED_BY_MARK, REFUSED_BY_GENERATION, CREATE_FAILS, SWAP_SETTLED],
        ..WORLD
    }
}

/// The same, where nobody ends the login.
pub fn login_over_alone() -> World {
    World {
        tasks: vec![Task::LoginOver { key: 1, old: 0 }, update(0)],
        witnesses: &[CREATE_FAILS],
        ..logins_over()
    }
}

/// A login after "log out everywhere".
pub fn login_after() -> World {
    World {
        tasks: vec![Task::RevokeOwner, Task::Login { key: 0 }],
        sessions: 0,
        witnesses: &[ALL_SUCCEED],
        ..WORLD
    }
}

/// Somebody who lists the owner's sessions updates them all.
pub fn listed() -> World {
    World {
        tasks: vec![Task::Login { key: 0 }, Task::Update { key: 0, node: 0, known: Known::Listed }],
        sessions: 0,
        witnesses: &[ALL_SUCCEED],
        ..WORLD
    }
}

/// An update that is discarded, beside one that is not.
pub fn discards() -> World {
    World {
        tasks: vec![Task::Discard { key: 0, node: 0 }, update(0)],
        lost: 2,
        witnesses: &[KEPT, DROPPED],
        ..WORLD
    }
}
