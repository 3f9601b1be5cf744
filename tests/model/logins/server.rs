//! What the server does with a request: it loads the session, decides, writes, answers.

use super::record::{
    Client, End, Found, Harm, Index, Key, Kind, Record, Secrets, Session, Slot, Token,
};
use super::world::{Answer, Phase, State, Task, Why, World};

/// How a write changes the id.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Renewal {
    None,
    Periodic,
    AtOnce,
}

/// The key under which a request's session begins.
pub fn own_key(request: Index) -> Key {
    request + 1
}

impl World {
    pub fn load(&self, state: &mut State, request: Index) {
        let shown = state.requests[request].shown;
        let found = self.find(state, shown);
        if let Some(token) = shown {
            let shows_session = matches!(found, Found::Session(_));
            let asked = &mut state.requests[request];
            asked.under = state.slots[token.key].login.filter(|_| shows_session);
            asked.found_session = shows_session;
            asked.origin = (found != Found::Nobody).then_some(token.key);
            asked.over =
                matches!(found, Found::Session(_) | Found::Replaced(Some(_))).then_some(token.key);
            if asked.over.is_some() {
                self.show_form(state, request, token.key);
            }
        }
        state.requests[request].phase = Phase::Loaded(found);
    }

    pub fn step(&self, state: &mut State, request: Index) {
        match state.requests[request].phase.clone() {
            Phase::Loaded(found) => self.decide(state, request, found),
            Phase::Created(old) => self.swap(state, request, old),
            _ => {}
        }
    }

    /// The table of `src/plan.rs`.
    fn decide(&self, state: &mut State, request: Index, found: Found) {
        match (self.task(request), found) {
            (Task::Login, Found::Session(old)) if !self.rules.login_takes_new_locator => {
                self.write(state, request, &old);
            }
            (Task::Login, found) => self.begin_login(state, request, found),
            (task, Found::Replaced(by)) => self.decide_replaced(state, request, task, by),
            (Task::Set, Found::Nobody) => self.begin(state, request),
            (Task::Clear, Found::Nobody) => {
                let presents = state.requests[request].shown.is_some();
                let answer = if presents { Answer::Removal } else { Answer::Nothing };
                self.answer(state, request, answer);
            }
            (Task::Clear, Found::Session(session)) => {
                let key = session.token.key;
                self.end(state, request, key, End::Cleared);
                // What says that a login has replaced it stays, and the cookie, too.
                let replaced = state.slots[key].record.is_some();
                let answer = if replaced { Answer::Nothing } else { Answer::Removal };
                self.answer(state, request, answer);
            }
            (_, Found::Nobody) => self.answer(state, request, Answer::Nothing),
            (_, Found::Session(session)) => self.write(state, request, &session),
        }
    }

    /// Of a session that a login replaced, and of an id that a renewal did.
    fn decide_replaced(&self, state: &mut State, request: Index, task: Task, by: Option<Key>) {
        let rules = &self.rules;
        if let Some(by) = by.filter(|_| task == Task::Clear && !rules.successor_outlives_clear) {
            self.end(state, request, by, End::Cleared);
        }
        let successor = by.filter(|_| !rules.replaced_tells_nothing);
        if let Some(record) = successor.and_then(|by| state.slots[by].record.as_ref()) {
            let token = Token { key: successor.unwrap_or(0), secret: record.secrets.current };
            return self.answer(state, request, Answer::Token(token, Why::Renewal));
        }
        match task {
            Task::Set if !rules.replaced_begins_nothing => self.begin(state, request),
            Task::Clear if !rules.replaced_removes_nothing => {
                self.answer(state, request, Answer::Removal);
            }
            _ => self.answer(state, request, Answer::Nothing),
        }
    }

    /// A session begins that belongs to nobody.
    fn begin(&self, state: &mut State, request: Index) {
        let token = state.create(request, None);
        self.answer(state, request, Answer::Token(token, Why::Beginning));
    }

    /// Writes what was asked for, or what happens by itself, if there is anything.
    fn write(&self, state: &mut State, request: Index, session: &Session) {
        let task = self.task(request);
        let asked = task != Task::Read;
        let renewal = match task {
            Task::Renew | Task::Login if !session.in_grace => Renewal::AtOnce,
            _ if session.due => Renewal::Periodic,
            _ => Renewal::None,
        };
        let writes = asked && !(task == Task::Renew && session.in_grace);
        if renewal == Renewal::None && !writes && !session.untold && !session.completes {
            return self.answer(state, request, Answer::Nothing);
        }
        let key = session.token.key;
        let stands = |record: &Record| record.is_session() && record.version == session.version;
        let writable = |record: &&Record| stands(record) || !self.rules.compare_and_swap;
        let Some(record) = state.slots[key].record.clone().filter(|record| writable(&record))
        else {
            return self.again(state, request, session, asked);
        };
        let secrets = self.secrets_after(state, request, &record.secrets, session, renewal);
        let token = Token { key, secret: secrets.current };
        let record = Record { version: record.version + 1, kind: Kind::Session, secrets, ..record };
        let slot = &mut state.slots[key];
        if slot.login.is_some() && slot.login != state.requests[request].under {
            slot.harm = Some(Harm::Changed);
        }
        slot.record = Some(record);
        if task == Task::Login {
            slot.login = Some(request);
        }
        let tells = renewal != Renewal::None || session.untold;
        let why = if task == Task::Login { Why::Login } else { Why::Renewal };
        self.answer(
            state,
            request,
            if tells { Answer::Token(token, why) } else { Answer::Nothing },
        );
    }

    fn secrets_after(
        &self,
        state: &State,
        request: Index,
        before: &Secrets,
        session: &Session,
        renewal: Renewal,
    ) -> Secrets {
        let (mut secrets, now, rules) = (before.clone(), state.now, &self.rules);
        let drawn = own_key(request);
        match renewal {
            Renewal::AtOnce => {
                secrets.take(drawn, now, now, rules);
                secrets.open = false;
                secrets.rotations += u8::from(rules.renew_rotates_csrf);
            }
            Renewal::Periodic => {
                secrets.take(drawn, now + super::record::GRACE, now, rules);
                secrets.open = rules.renewal_stays_open;
            }
            Renewal::None if session.completes => secrets.complete(now, rules),
            Renewal::None if session.untold && !rules.same_next_secret => secrets.current = drawn,
            Renewal::None => {}
        }
        secrets
    }

    /// After a conflict: what was asked for is replayed on what is there.
    fn again(&self, state: &mut State, request: Index, before: &Session, asked: bool) {
        let shown = if self.rules.replayed_under_shown_id { before.shown } else { before.token };
        match self.find(state, Some(shown)) {
            Found::Session(found) if asked => {
                let found = Session { shown: before.shown, ..found };
                state.requests[request].phase = Phase::Loaded(Found::Session(found));
            }
            _ => self.answer(state, request, Answer::Nothing),
        }
    }

    pub fn end(&self, state: &mut State, request: Index, key: Key, why: End) {
        let under = state.requests[request].under;
        let slot = &mut state.slots[key];
        let Some(record) = &slot.record else { return };
        if !record.is_session() {
            if !self.rules.end_leaves_replaced {
                slot.record = None;
            }
            return;
        }
        let is_own = match why {
            End::Limit => record.owner == Some(self.client(request)),
            _ => slot.login == under,
        };
        if slot.login.is_some() && !is_own {
            slot.harm = Some(Harm::Ended);
        }
        slot.end(why);
    }

    /// The attacker has his answer at once. One that says nothing changes no cookie.
    pub fn answer(&self, state: &mut State, request: Index, answer: Answer) {
        let is_attack = self.client(request) == Client::Attacker;
        let asked = &mut state.requests[request];
        let says_nothing = matches!(answer, Answer::Nothing | Answer::Refused);
        let arrives = is_attack || says_nothing;
        asked.phase = if arrives { Phase::Arrived(answer) } else { Phase::Answered(answer) };
        // They make no difference any more.
        (asked.generation, asked.under) = (0, None);
        if arrives {
            asked.sent = 0;
        }
        if let Answer::Token(token, _) = answer {
            if is_attack {
                state.attacker.tokens.insert(token);
            }
            self.show_form(state, request, token.key);
        }
    }

    /// The attacker is shown a form, with the CSRF token of the session or of the one
    /// that was replaced.
    fn show_form(&self, state: &mut State, request: Index, key: Key) {
        let record = state.slots[key].record.as_ref();
        if let Some(record) = record.filter(|_| self.client(request) == Client::Attacker) {
            state.attacker.csrf.insert((key, record.secrets.rotations));
        }
    }
}

impl State {
    /// A session begins.
    pub fn create(&mut self, request: Index, owner: Option<Client>) -> Token {
        let key = own_key(request);
        let secrets = Secrets::of(0, Some(self.now));
        let record = Record { version: 0, kind: Kind::Session, owner, secrets };
        self.slots[key] = Slot {
            record: Some(record),
            first: self.requests[request].origin.map_or(key, |origin| self.slots[origin].first),
            login: owner.map(|_| request),
            generation: self.requests[request].generation,
            ..Slot::default()
        };
        Token { key, secret: 0 }
    }

    pub fn revoke(&mut self) {
        self.revocations -= 1;
        self.generation += 1;
        let owned: Vec<Key> = self.sessions_of(Client::Victim).collect();
        for key in owned {
            self.slots[key].end(End::Revoked);
        }
    }

    /// The owner's live sessions.
    pub fn sessions_of(&self, owner: Client) -> impl Iterator<Item = Key> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(move |(key, slot)| {
            let record = slot.record.as_ref()?;
            (record.is_session() && record.owner == Some(owner)).then_some(key)
        })
    }

    /// Whether nobody has written it since.
    pub fn is_as_found(&self, old: &Session) -> bool {
        let record = self.slots[old.token.key].record.as_ref();
        record.is_some_and(|record| record.version == old.version)
    }

    /// The session under `old` is replaced by the one under `by`.
    pub fn replace(&mut self, old: Key, by: Key, says_so: bool) {
        let (slot, at) = (&mut self.slots[old], self.now);
        let Some(record) = slot.record.as_mut().filter(|_| says_so) else {
            return slot.end(End::Replaced);
        };
        record.kind = Kind::Replaced { by, at };
        record.version += 1;
        record.owner = None;
        slot.replaced = Some(at);
    }
}
