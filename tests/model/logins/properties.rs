//! The promises, and what some run must show.

use stateright::Property;

use super::record::{Client, End, Found, Harm, Index, Key, Kind, MARK, Record, Slot, Token};
use super::world::{Answer, Late, Phase, Request, State, Task, Why, World};
use crate::check;

pub type Claim = check::Claim<World>;

const fn claim(name: &'static str, holds: fn(&World, &State) -> bool) -> Claim {
    Claim { name, holds }
}

pub const HELD_BY_ITS_CLIENT: Claim =
    claim("nobody but a login's own client ever holds its token", |world, state| {
        let known = state.attacker.tokens.iter().map(|token| (Client::Attacker, *token));
        given(world, state).chain(known).all(|(client, token)| {
            state.slots[token.key].login.is_none_or(|login| world.client(login) == client)
        })
    });

pub const NOT_ENDED: Claim = claim("nothing from before a login ends it", |_, state| {
    state.slots.iter().all(|slot| slot.harm != Some(Harm::Ended))
});

pub const NOT_CHANGED: Claim = claim("nothing from before a login changes it", |_, state| {
    state.slots.iter().all(|slot| slot.harm != Some(Harm::Changed))
});

/// A CSRF token can be had only by a request that shows the session.
pub const NOT_FORGED: Claim =
    claim("nothing from before a login forges its CSRF token", |world, state| {
        logins(world, state).all(|(_, key, _)| !attacker_forges(world, state, key))
    });

pub const NOT_FORGED_AFTER_RENEW: Claim = claim(
    "nothing from before `renew` forges the session's CSRF token after it",
    |world, state| {
        let renewed = state.slots[0].record.as_ref().is_some_and(|record| {
            let drawn_by = record.secrets.current.checked_sub(1);
            drawn_by.is_some_and(|request| is_renew(world, request))
        });
        !renewed || !attacker_forges(world, state, 0)
    },
);

pub const OPENS_NOTHING: Claim =
    claim("what a client held before a login opens nothing after it", |world, state| {
        let mut shown = succeeded(world, state).filter_map(|(_, request)| request.shown);
        shown.all(|token| !opens(world, state, token))
    });

pub const FAILED_LEAVES_NOTHING: Claim =
    claim("a login that fails leaves no session", |world, state| {
        logins(world, state).all(|(login, _, slot)| {
            let answer = state.requests[login].answer();
            let failed = matches!(answer, Some(Answer::Nothing | Answer::Refused));
            !failed || slot.record.is_none()
        })
    });

pub const END_IS_TERMINAL: Claim = claim("an end is terminal", |_, state| {
    state.slots.iter().all(|slot| slot.ended.is_none() || slot.record.is_none())
});

/// So no token of it opens anything, whoever holds it.
pub const REPLACED_IS_TERMINAL: Claim =
    claim("what a login replaced is no session again", |world, state| {
        succeeded(world, state).all(|(login, request)| {
            request.over.is_none_or(|key| {
                let slot = &state.slots[key];
                let is_session = slot.record.as_ref().is_some_and(Record::is_session);
                !is_session || slot.login == Some(login)
            })
        })
    });

pub const SAYS_SO: Claim = claim("what a login replaced says so for two minutes", |_, state| {
    state.slots.iter().all(|slot| {
        let is_over = slot.replaced.is_none_or(|at| state.now >= at + MARK);
        is_over || slot.record.is_some()
    })
});

pub const REVOKED: Claim =
    claim("no login that began before a revocation is alive after it", |_, state| {
        state.sessions_of(Client::Victim).all(|key| {
            state.slots[key].login.is_none() || state.slots[key].generation == state.generation
        })
    });

/// No accident but those in the world's `allowed` costs the client its session.
pub const KEPT: Claim = claim(
    "a client whose last answer was a login or a renewal has its session, but for late answers that are allowed",
    |world, state| {
        let Some(last) = state.browser.last else { return true };
        let mut cookie = state.browser.cookie.iter().filter(|cookie| cookie.key == last);
        cookie.any(|cookie| opens(world, state, *cookie))
            || is_allowed(world, state)
            || is_moving(world, state, last)
    },
);

pub const NOT_LOGGED_OUT: Claim = claim(
    "a client that loses the answer of a periodic renewal is not logged out",
    |world, state| state.browser.cookie.is_some_and(|cookie| opens(world, state, cookie)),
);

pub const ONE_SESSION: Claim =
    claim("an owner has at most one session under a limit of one", |_, state| {
        // A login's own session takes its predecessor's place in the next step.
        let takes_place = |request: &&Request| matches!(request.phase, Phase::Created(_));
        let moving = state.requests.iter().filter(takes_place).count();
        state.sessions_of(Client::Victim).count() <= 1 + moving
    });

pub const NOT_LOCKED_OUT: Claim =
    claim("a double click is not locked out by a limit of one", |_, state| {
        state.requests.iter().all(|request| request.answer() != Some(Answer::Refused))
    });

pub const SECOND_CLICK: Claim =
    claim("a login that finds its session replaced is not refused", |_, state| {
        let refused = |request: &&Request| request.answer() == Some(Answer::Refused);
        state.requests.iter().filter(refused).all(|request| request.found_session)
    });

/// Whatever an attacker and the orders of steps do.
pub const SAFETY: [Claim; 9] = [
    HELD_BY_ITS_CLIENT,
    NOT_ENDED,
    NOT_CHANGED,
    NOT_FORGED,
    OPENS_NOTHING,
    FAILED_LEAVES_NOTHING,
    END_IS_TERMINAL,
    REPLACED_IS_TERMINAL,
    REVOKED,
];

pub const TWO_LOGINS: Claim = claim("two logins over one session succeed", |world, state| {
    let over_first =
        |(_, request): &(Index, &Request)| request.shown.is_some_and(|shown| shown.key == 0);
    succeeded(world, state).filter(over_first).count() == 2
});

pub const SLOW_SET: Claim = claim("a slow write from before a login is dropped", |world, state| {
    let replaced = state.slots[0].record.as_ref().is_some_and(|record| !record.is_session());
    let dropped = |(index, request): (Index, &Request)| {
        world.task(index) == Task::Set && request.answer() == Some(Answer::Nothing)
    };
    replaced && state.requests.iter().enumerate().any(dropped)
});

pub const TOLD_AGAIN: Claim = claim("the next id is told to two requests", |_, state| {
    let told =
        |request: &&Request| matches!(request.answer(), Some(Answer::Token(_, Why::Renewal)));
    let tokens: Vec<_> = state.requests.iter().filter(told).map(Request::answer).collect();
    tokens.len() == 2 && tokens[0] == tokens[1]
});

pub const IN_GRACE: Claim = claim("the client shows an id in grace", |world, state| {
    let in_grace = |request: &Request| matches!(&request.phase, Phase::Loaded(Found::Session(session)) if session.in_grace);
    world.renews && state.requests.iter().any(in_grace)
});

pub const ATTACKED: Claim =
    claim("the attacker logs in over the client's session", |world, state| {
        let by_attacker = |(index, _): (Index, _)| world.client(index) == Client::Attacker;
        succeeded(world, state).any(by_attacker)
    });

pub const TAKES_PLACE: Claim = claim("a login takes another one's place", |_, state| {
    state.slots.iter().any(|slot| {
        slot.login.is_some() && (slot.ended == Some(End::Limit) || slot.replaced.is_some())
    })
});

pub const FAILS: Claim = claim("a login fails", |world, state| {
    logins(world, state).any(|(_, _, slot)| slot.ended == Some(End::Failed))
});

pub const RENEWED_TWICE: Claim = claim("the id is renewed twice", |_, state| {
    let renewed =
        |request: &&Request| matches!(request.answer(), Some(Answer::Token(_, Why::Renewal)));
    let tokens: Vec<_> = state.requests.iter().filter(renewed).map(Request::answer).collect();
    tokens.windows(2).any(|two| two[0] != two[1])
});

/// Each exception is one: it costs a client a session that lives.
pub const LATE_REMOVAL: Claim = claim("a late removal costs the client its login", |_, state| {
    costs_login(state, Late::Removal)
});

pub const LATE_RENEWAL: Claim = claim("a late renewal costs the client its login", |_, state| {
    costs_login(state, Late::Renewal)
});

pub const LATE_RENEWAL_OF_RENEWED: Claim =
    claim("a late renewal costs the client what `renew` gave it", |world, state| {
        let cookie = state.browser.cookie;
        state.browser.late == Some(Late::Renewal)
            && cookie.is_some_and(|cookie| !opens(world, state, cookie))
    });

pub const LATE_BEGINNING: Claim =
    claim("a session that begins late costs the client its login", |_, state| {
        costs_login(state, Late::Beginning)
    });

pub fn all(world: &World) -> Vec<Property<World>> {
    check::properties(world.promises, world.witnesses)
}

fn opens(world: &World, state: &State, token: Token) -> bool {
    matches!(world.find(state, Some(token)), Found::Session(_))
}

/// The client got a login's token, and its cookie is another one since.
fn costs_login(state: &State, late: Late) -> bool {
    let arrived = |login: Index| state.requests[login].has_arrived();
    let lives = |slot: &Slot| slot.login.is_some_and(arrived) && slot.record.is_some();
    let cookie = state.browser.cookie.map(|cookie| &state.slots[cookie.key]);
    state.browser.late == Some(late)
        && state.slots.iter().any(lives)
        && cookie.is_none_or(|slot| slot.login.is_none())
}

fn is_allowed(world: &World, state: &State) -> bool {
    state.browser.late.is_some_and(|late| world.allowed.contains(&late))
}

/// The session was ended on purpose, or goes on under a token that the client has not
/// got yet, or never will: `renew` and logins take effect at once.
fn is_moving(world: &World, state: &State, key: Key) -> bool {
    let slot = &state.slots[key];
    if slot.ended.is_some_and(|why| why != End::Replaced) {
        return true;
    }
    let Some(record) = &slot.record else { return key_is_moving(world, state, key) };
    match record.kind {
        Kind::Replaced { by, .. } => !state.requests[by - 1].has_arrived(),
        Kind::Session => {
            let drawn_by = record.secrets.current.checked_sub(1);
            drawn_by.is_some_and(|request| {
                is_renew(world, request) && !state.requests[request].has_arrived()
            })
        }
    }
}

/// Where nothing is left of a session: whether a login over it has not arrived.
fn key_is_moving(world: &World, state: &State, key: Key) -> bool {
    let over = |(_, request): (Index, &Request)| {
        request.shown.is_some_and(|shown| shown.key == key) && !request.has_arrived()
    };
    succeeded(world, state).any(over)
}

/// Whether the request is a `renew` of the client's.
fn is_renew(world: &World, request: Index) -> bool {
    world.task(request) == Task::Renew && world.client(request) == Client::Victim
}

/// Every answer with a token, and to whom it goes.
fn given<'s>(world: &'s World, state: &'s State) -> impl Iterator<Item = (Client, Token)> + 's {
    state.requests.iter().enumerate().filter_map(|(index, request)| match request.answer() {
        Some(Answer::Token(token, _)) => Some((world.client(index), token)),
        _ => None,
    })
}

/// The client's logins that have begun, and their sessions.
fn logins<'s>(world: &'s World, state: &'s State) -> impl Iterator<Item = (Index, Key, &'s Slot)> {
    let slots = state.slots.iter().enumerate();
    slots
        .filter_map(|(key, slot)| Some((slot.login?, key, slot)))
        .filter(|(login, ..)| world.client(*login) == Client::Victim)
}

/// The logins that have been answered with a token.
fn succeeded<'s>(world: &'s World, state: &'s State) -> impl Iterator<Item = (Index, &'s Request)> {
    state.requests.iter().enumerate().filter(|(index, request)| {
        let answer = request.answer();
        world.task(*index) == Task::Login && matches!(answer, Some(Answer::Token(..)))
    })
}

/// Whether the attacker has the session's present CSRF token, or can compute it.
fn attacker_forges(world: &World, state: &State, key: Key) -> bool {
    let Some(record) = &state.slots[key].record else { return false };
    let attacker = &state.attacker;
    let knows_locator = attacker.tokens.iter().any(|token| token.key == key);
    attacker.csrf.contains(&(key, record.secrets.rotations))
        || knows_locator && !world.rules.csrf_under_server_key
}
