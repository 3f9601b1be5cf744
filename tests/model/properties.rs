//! The promises, in the words of the contract, and what some run must show, so
//! that a model that does nothing does not pass.

use stateright::Property;

use crate::check;
use crate::request::{Outcome, Phase, Request, Task, version};
use crate::storage::{Record, Slot};
use crate::world::{State, World};

pub type Claim = check::Claim<World>;

const fn claim(name: &'static str, holds: fn(&World, &State) -> bool) -> Claim {
    Claim { name, holds }
}

pub const EXACTLY_ONCE: Claim =
    claim("an update that was acknowledged is applied exactly once", |world, state| {
        acknowledged(world, state).all(|(update, slot)| match &slot.record {
            Some(record) => record.payload[update] == 1,
            None => landed(update, slot),
        })
    });

pub const AT_MOST_ONCE: Claim =
    claim("an update that was not acknowledged is applied at most once", |_, state| {
        records(state).all(|record| record.payload.iter().all(|&times| times <= 1))
    });

pub const NO_FALSE_SUCCESS: Claim =
    claim("a failed save never looks like success", |world, state| {
        acknowledged(world, state).all(|(update, slot)| landed(update, slot))
    });

pub const STALE_NEVER_WINS: Claim =
    claim("a stale cached copy never wins a write", |world, state| {
        acknowledged(world, state).all(|(update, slot)| match &slot.record {
            Some(record) => record.payload[update] > 0 || !landed(update, slot),
            None => true,
        })
    });

pub const STAYS_ENDED: Claim = claim("what is ended stays ended", |_, state| {
    state.storage.slots.iter().all(|slot| !slot.ended || slot.record.is_none())
});

pub const REVOKED: Claim = claim(
    "no create that started before a revocation leaves a live record of that owner",
    |_, state| records(state).all(|record| record.began >= state.storage.generation),
);

pub const BEYOND_IS_ERROR: Claim = claim(
    "beyond the trail the outcome is an error, never a second application",
    |world, state| {
        updates(world, state).all(|(update, request, slot)| {
            let twice = slot.record.as_ref().is_some_and(|record| record.payload[update] > 1);
            !request.beyond || !twice && !request.is(Outcome::Acknowledged)
        })
    },
);

pub const LOST_CREATE_IS_ENDED: Claim =
    claim("a create whose answer was lost is ended before its error is given", |world, state| {
        logins(world, state)
            .all(|(request, slot)| !request.is(Outcome::Failed) || slot.record.is_none())
    });

pub const RESENT_CREATE: Claim =
    claim("a resent create finds its own version or the mark of its end", |world, state| {
        logins(world, state).all(|(request, _)| !request.is(Outcome::Exists))
    });

pub const PASSES_CACHES: Claim = claim(
    "settling reads past every cache, so what met a conflict is not sent again",
    |world, state| {
        updates(world, state)
            .all(|(_, request, _)| !request.conflict || request.phase != Phase::Waiting)
    },
);

pub const CONFLICT_IS_SETTLED: Claim =
    claim("a save that answers Conflict was not applied", |world, state| {
        updates(world, state)
            .all(|(update, request, slot)| !request.is(Outcome::Conflict) || !landed(update, slot))
    });

pub const NOT_SENT_AGAIN: Claim = claim("what was discarded is not sent again", |world, state| {
    updates(world, state).all(|(_, request, _)| !request.discarded || !request.resent)
});

/// Where no trail is cut too short for a run.
pub const WITHIN_IS_KNOWN: Claim =
    claim("within the trail no outcome is unknown", |world, state| {
        updates(world, state).all(|(_, request, _)| !request.beyond)
    });

pub const DROPPED_IS_FINAL: Claim =
    claim("what was discarded, and settled as not applied, is never applied", |world, state| {
        updates(world, state)
            .all(|(update, request, slot)| !request.is(Outcome::Dropped) || !landed(update, slot))
    });

pub const REVOKED_ONCE: Claim =
    claim("a revocation ends nothing that began after it", |_, state| {
        state.storage.slots.iter().all(|slot| !slot.revoked_before)
    });

pub const REPLACED_BY_CREATED: Claim =
    claim("a login that is not created replaces nothing", |world, state| {
        replacing(world, state).all(|(_, old, new)| !old.replaced || new.created)
    });

pub const FAILED_REPLACES_NOTHING: Claim =
    claim("a login that fails replaces nothing", |world, state| {
        replacing(world, state)
            .all(|(request, old, _)| !request.is(Outcome::Failed) || !old.replaced)
    });

pub const FAILED_HAD_REPLACED_NOTHING: Claim =
    claim("a login that fails has replaced nothing when it is settled", |world, state| {
        replacing(world, state)
            .all(|(request, old, _)| !request.is(Outcome::Failed) || !old.replaced || request.late)
    });

pub const SWAP_SETTLED: Claim =
    claim("a login goes on although its answer was lost", |world, state| {
        replacing(world, state)
            .any(|(request, ..)| request.settled && request.is(Outcome::Acknowledged))
    });

/// What holds in every run.
pub const PROMISES: [Claim; 14] = [
    EXACTLY_ONCE,
    AT_MOST_ONCE,
    NO_FALSE_SUCCESS,
    STALE_NEVER_WINS,
    STAYS_ENDED,
    REVOKED,
    BEYOND_IS_ERROR,
    LOST_CREATE_IS_ENDED,
    RESENT_CREATE,
    PASSES_CACHES,
    CONFLICT_IS_SETTLED,
    NOT_SENT_AGAIN,
    REPLACED_BY_CREATED,
    FAILED_HAD_REPLACED_NOTHING,
];

pub const FOUND_IN_TRAIL: Claim =
    claim("an update whose answer was lost is found in the trail", |world, state| {
        updates(world, state).any(|(update, request, slot)| {
            let own = version(update, request.drawn);
            let later = slot.record.as_ref().is_some_and(|record| record.version != own);
            request.is(Outcome::Acknowledged) && request.settled && later
        })
    });

pub const SENT_AGAIN: Claim = claim("an attempt that was sent again counts", |world, state| {
    updates(world, state).any(|(_, request, _)| request.is(Outcome::Acknowledged) && request.resent)
});

pub const MEETS_ITSELF: Claim =
    claim("a resent update meets itself as a conflict and counts", |world, state| {
        updates(world, state).any(|(_, request, _)| {
            request.is(Outcome::Acknowledged) && request.settled && request.conflict
        })
    });

pub const REPLAYED_TWICE: Claim = claim("an update counts after two replays", |world, state| {
    updates(world, state)
        .any(|(_, request, _)| request.is(Outcome::Acknowledged) && request.drawn == 3)
});

pub const STALE_COPY: Claim = claim("a write is based on a stale copy", |world, state| {
    tasks(world, state).any(|(_, task, request, slot)| {
        let copy = task.updates_on().and_then(|node| state.caches[node].as_ref());
        let stale = copy.is_some_and(|copy| slot.record.as_ref() != Some(copy));
        let base = request.attempt.as_ref().map(|attempt| attempt.expected);
        request.phase == Phase::Unsettled && stale && base == copy.map(|copy| copy.version)
    })
});

pub const GIVES_UP: Claim = claim("a save runs out of replays", |world, state| {
    updates(world, state).any(|(_, request, _)| request.is(Outcome::Conflict))
});

pub const BEYOND: Claim = claim("an update ends as unknown", |world, state| {
    updates(world, state).any(|(_, request, _)| request.is(Outcome::Unknown))
});

pub const SESSION_ENDS: Claim = claim("an update meets the end of its session", |world, state| {
    updates(world, state).any(|(_, request, _)| request.is(Outcome::Ended) && request.drawn > 0)
});

pub const ALL_SUCCEED: Claim = claim("every request succeeds", |_, state| {
    state.requests.iter().all(|request| request.is(Outcome::Acknowledged))
});

pub const REFUSED_BY_MARK: Claim = claim("a resent create is refused by a mark", |world, state| {
    logins(world, state)
        .any(|(request, _)| request.is(Outcome::Revoked) && state.storage.generation == 0)
});

pub const REFUSED_BY_GENERATION: Claim =
    claim("a create is refused by its owner's generation", |world, state| {
        logins(world, state)
            .any(|(request, slot)| request.is(Outcome::Revoked) && slot.mark.is_none())
    });

pub const CREATE_FAILS: Claim = claim("a create fails whose answer was lost", |world, state| {
    logins(world, state).any(|(request, _)| request.is(Outcome::Failed))
});

pub const MARK_IS_OVER: Claim = claim("a mark is over", |_, state| {
    state.storage.slots.iter().any(|slot| slot.mark.is_some_and(|until| until < state.now))
});

pub const KEPT: Claim = claim("a discarded update was applied before", |world, state| {
    updates(world, state).any(|(_, request, _)| request.is(Outcome::Kept))
});

pub const DROPPED: Claim = claim("a discarded update is not applied", |world, state| {
    updates(world, state)
        .any(|(update, request, slot)| request.is(Outcome::Dropped) && !landed(update, slot))
});

pub fn all(world: &World) -> Vec<Property<World>> {
    let here = |also: &&Claim| PROMISES.iter().all(|claim| claim.name != also.name);
    let promises = PROMISES.iter().chain(world.also.iter().filter(here));
    check::properties(promises, world.witnesses)
}

fn records(state: &State) -> impl Iterator<Item = &Record> {
    state.storage.slots.iter().filter_map(|slot| slot.record.as_ref())
}

fn tasks<'r>(
    world: &'r World,
    state: &'r State,
) -> impl Iterator<Item = (usize, Task, &'r Request, &'r Slot)> {
    let requests = state.requests.iter().zip(&world.tasks).enumerate();
    requests
        .map(|(index, (request, &task))| (index, task, request, &state.storage.slots[task.key()]))
}

fn updates<'r>(
    world: &'r World,
    state: &'r State,
) -> impl Iterator<Item = (usize, &'r Request, &'r Slot)> {
    tasks(world, state)
        .filter(|(_, task, ..)| task.updates_on().is_some())
        .map(|(index, _, request, slot)| (index, request, slot))
}

fn acknowledged<'r>(world: &'r World, state: &'r State) -> impl Iterator<Item = (usize, &'r Slot)> {
    updates(world, state)
        .filter(|(_, request, _)| request.is(Outcome::Acknowledged))
        .map(|(index, _, slot)| (index, slot))
}

fn logins<'r>(world: &'r World, state: &'r State) -> impl Iterator<Item = (&'r Request, &'r Slot)> {
    tasks(world, state)
        .filter(|(_, task, ..)| task.is_login())
        .map(|(_, _, request, slot)| (request, slot))
}

/// A login over a session, and the slots of both.
fn replacing<'r>(
    world: &'r World,
    state: &'r State,
) -> impl Iterator<Item = (&'r Request, &'r Slot, &'r Slot)> {
    tasks(world, state).filter_map(|(_, task, request, new)| match task {
        Task::LoginOver { old, .. } => Some((request, &state.storage.slots[old], new)),
        _ => None,
    })
}

/// Whether the update was ever in a payload under this key.
fn landed(update: usize, slot: &Slot) -> bool {
    slot.landed >> update & 1 == 1
}
