//! A login: it begins its session, then replaces the one before.

use super::record::{Client, End, Found, Harm, Index, Key, Kind, Record, Session, Token};
use super::server::own_key;
use super::world::{Answer, Limit, Phase, State, Why, World};

impl World {
    /// Creates the login's session, within the limit.
    pub fn begin_login(&self, state: &mut State, request: Index, found: Found) {
        let owner = self.client(request);
        let revoked = state.requests[request].generation < state.generation;
        if owner == Client::Victim && revoked && self.rules.generation_compared {
            return self.answer(state, request, Answer::Nothing);
        }
        let over = match &found {
            Found::Session(old) => Some(old.clone()),
            Found::Replaced(by) => by
                .and_then(|by| self.last_login(state, request, by))
                .or_else(|| self.kin(state, request, None)),
            Found::Nobody => None,
        };
        let counts = matches!(found, Found::Replaced(_)) && !self.rules.successor_is_not_counted;
        let replaces = over.as_ref().map(|old| old.token.key).filter(|_| !counts);
        let others: Vec<Key> =
            state.sessions_of(owner).filter(|key| Some(*key) != replaces).collect();
        if !others.is_empty()
            && let Some(found) = self.another_place(state, request, over.as_ref())
        {
            state.requests[request].phase = Phase::Loaded(found);
            return;
        }
        match self.limit {
            Limit::OneOrRefuse if !others.is_empty() => {
                return self.answer(state, request, Answer::Refused);
            }
            Limit::OneEndsOldest => {
                for other in others {
                    self.end(state, request, other, End::Limit);
                }
            }
            _ => {}
        }
        let token = state.create(request, Some(owner));
        match over {
            Some(old) if self.at_once => self.swap(state, request, old),
            Some(old) => state.requests[request].phase = Phase::Created(old),
            None => self.answer(state, request, Answer::Token(token, Why::Login)),
        }
    }

    /// Where the login is tried again that is one too many: in the place of the login that
    /// has replaced what this one was to replace, or of its kin. That one has replaced it
    /// then, if nothing else has.
    fn another_place(
        &self,
        state: &mut State,
        request: Index,
        over: Option<&Session>,
    ) -> Option<Found> {
        if let Some(by) = self.replaced_meanwhile(state, over)
            && (self.last_login(state, request, by).is_some() || !self.rules.limit_knows_kin)
        {
            return Some(Found::Replaced(Some(by)));
        }
        let kin = self.kin(state, request, over)?;
        if let Some(old) = over {
            if state.is_as_found(old) {
                self.replace(state, request, old.token.key, kin.token.key);
            } else if let Some(there) = self.look_again(state, request, old) {
                return Some(Found::Session(there));
            }
        }
        Some(Found::Session(kin))
    }

    /// By what another login has replaced what this one was to replace.
    fn replaced_meanwhile(&self, state: &State, over: Option<&Session>) -> Option<Key> {
        let looks = self.limit != Limit::None && self.rules.refused_looks_again;
        let record = state.slots[over.filter(|_| looks)?.token.key].record.as_ref()?;
        match record.kind {
            Kind::Replaced { by, .. } => Some(by),
            Kind::Session => None,
        }
    }

    /// The session in whose place a login comes that another one was before, where there
    /// is a limit: that of the last login of the same owner.
    fn last_login(&self, state: &State, request: Index, by: Key) -> Option<Session> {
        let record = state.slots[by].record.as_ref().filter(|_| self.limit != Limit::None)?;
        if let Kind::Replaced { by, .. } = record.kind {
            let follows = self.rules.last_login_is_followed;
            return if follows { self.last_login(state, request, by) } else { None };
        }
        let is_own = record.owner == Some(self.client(request));
        let token = Token { key: by, secret: record.secrets.current };
        let takes_place = is_own || !self.rules.same_owner_takes_place;
        // Its own may be the last one already.
        (takes_place && by != own_key(request)).then(|| Session::of(token, record.version))
    }

    /// Another session of the owner's that has the origin of what the request shows.
    fn kin(&self, state: &State, request: Index, over: Option<&Session>) -> Option<Session> {
        let knows = self.limit != Limit::None && self.rules.limit_knows_kin;
        let first = state.slots[state.requests[request].origin.filter(|_| knows)?].first;
        let mut sessions = state.sessions_of(self.client(request));
        let key = sessions.find(|key| {
            state.slots[*key].first == first && over.is_none_or(|old| old.token.key != *key)
        })?;
        let record = state.slots[key].record.as_ref()?;
        let token = Token { key, secret: record.secrets.current };
        Some(Session::of(token, record.version))
    }

    /// The login replaces the session before.
    pub fn swap(&self, state: &mut State, request: Index, old: Session) {
        let key = old.token.key;
        if state.is_as_found(&old) && self.rules.login_replaces {
            self.replace(state, request, key, own_key(request));
        } else if let Some(there) = self.look_again(state, request, &old) {
            state.requests[request].phase = Phase::Created(there);
            return;
        }
        self.logged_in(state, request);
    }

    /// What a login leaves of the session before. If that is another owner's login, it
    /// has ended it.
    fn replace(&self, state: &mut State, request: Index, old: Key, by: Key) {
        let slot = &mut state.slots[old];
        let owner = slot.record.as_ref().and_then(|record| record.owner);
        if slot.login.is_some() && owner != Some(self.client(request)) {
            slot.harm = Some(Harm::Ended);
        }
        state.replace(old, by, self.rules.replaced_says_so);
    }

    /// What the login is to replace after a conflict; nothing if that is over.
    fn look_again(&self, state: &State, request: Index, old: &Session) -> Option<Session> {
        let record = state.slots[old.token.key].record.as_ref()?;
        if let Kind::Replaced { by, .. } = record.kind {
            // Its kin may have taken its own place.
            let own = state.slots[own_key(request)].record.as_ref();
            let lives = own.is_some_and(Record::is_session);
            return self.last_login(state, request, by).filter(|_| lives);
        }
        let replaces = self.rules.login_swaps_again
            && self.rules.login_replaces
            && (self.rules.login_replaces_renewed
                || matches!(self.find(state, Some(old.token)), Found::Session(_)));
        replaces.then(|| Session { version: record.version, ..old.clone() })
    }

    fn logged_in(&self, state: &mut State, request: Index) {
        let token = Token { key: own_key(request), secret: 0 };
        self.answer(state, request, Answer::Token(token, Why::Login));
    }

    /// The storage gives no answer to the swap: the login's session ends, and the answer
    /// is 503.
    pub fn fail(&self, state: &mut State, request: Index, applied: bool) {
        state.fails -= 1;
        let Phase::Created(old) = state.requests[request].phase.clone() else { return };
        let key = old.token.key;
        let record = state.slots[key].record.as_ref();
        let lands = applied && record.is_some_and(|record| record.version == old.version);
        if lands {
            self.replace(state, request, key, own_key(request));
        }
        if lands && self.rules.swap_is_settled {
            return self.logged_in(state, request);
        }
        if self.rules.failed_login_ends {
            state.slots[own_key(request)].end(End::Failed);
        }
        self.answer(state, request, Answer::Nothing);
    }
}
