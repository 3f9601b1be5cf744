//! Records, their secrets, and what a token stands for.

use super::rules::Rules;

pub type Key = usize;
pub type Secret = usize;
/// A request's place in the world.
pub type Index = usize;
pub type Tick = u8;

/// How long the id before a completed renewal opens its session.
pub const GRACE: Tick = 1;
/// How long a record says that it was replaced, and a secret that it was: two minutes.
pub const MARK: Tick = 3;
/// How long after a renewal the next one is due.
const RENEW_AFTER: Tick = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token {
    pub key: Key,
    pub secret: Secret,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    Victim,
    Attacker,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Secrets {
    pub current: Secret,
    /// Those before, the latest last, and until when each opens the session.
    pub previous: Vec<(Secret, Tick)>,
    /// The current one has not been shown.
    pub open: bool,
    /// When it was drawn or first shown; none if that is long ago.
    pub renewed: Option<Tick>,
    /// The CSRF generation.
    pub rotations: u8,
}

/// With which of its secrets a session is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admitted {
    Current,
    BeforeRenewal,
    InGrace,
    Over,
}

impl Secrets {
    pub fn of(secret: Secret, renewed: Option<Tick>) -> Self {
        Self { current: secret, previous: Vec::new(), open: false, renewed, rotations: 0 }
    }

    /// Takes another secret. The present one opens the session until then.
    pub fn take(&mut self, secret: Secret, until: Tick, now: Tick, rules: &Rules) {
        if !rules.every_previous_is_nobody {
            self.previous.clear();
        }
        // What opened the session so far does so until now.
        if let Some((_, until)) = self.previous.last_mut() {
            *until = if self.open { now } else { now.min(*until) };
        }
        self.previous.retain(|(_, until)| now < until + MARK);
        self.previous.push((self.current, until));
        (self.current, self.renewed) = (secret, Some(now));
    }

    /// The next secret has been shown.
    pub fn complete(&mut self, now: Tick, rules: &Rules) {
        if let Some((_, until)) = self.previous.last_mut()
            && rules.grace_from_first_showing
        {
            *until = now + GRACE;
        }
        (self.open, self.renewed) = (false, Some(now));
    }

    fn admit(&self, secret: Secret, now: Tick, rules: &Rules) -> Option<Admitted> {
        if secret == self.current {
            return Some(Admitted::Current);
        }
        let at = self.previous.iter().position(|(before, _)| *before == secret)?;
        let until = self.previous[at].1;
        let is_open = self.open && at + 1 == self.previous.len();
        if is_open && (rules.grace_from_first_showing || now < until) {
            return Some(Admitted::BeforeRenewal);
        }
        match now {
            now if now < until => Some(Admitted::InGrace),
            now if now < until + MARK && rules.previous_is_nobody => Some(Admitted::Over),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Session,
    Replaced { by: Key, at: Tick },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    pub version: u8,
    pub kind: Kind,
    pub owner: Option<Client>,
    pub secrets: Secrets,
}

impl Record {
    pub fn is_session(&self) -> bool {
        self.kind == Kind::Session
    }
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    Cleared,
    /// By a limit, for another login of the same owner.
    Limit,
    Revoked,
    /// The login that began it failed.
    Failed,
    /// A login replaced it and left nothing.
    Replaced,
}

/// What somebody did who did not show the login's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Harm {
    Ended,
    Changed,
}

/// A record, and what happened under its key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Slot {
    pub record: Option<Record>,
    /// The first of the sessions over each of which a login began the next one: its origin.
    pub first: Key,
    /// The login whose session this is.
    pub login: Option<Index>,
    pub ended: Option<End>,
    pub harm: Option<Harm>,
    /// When a login replaced it.
    pub replaced: Option<Tick>,
    /// The owner's generation when the session began.
    pub generation: u8,
}

/// A session as a request found it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    /// What the client showed.
    pub shown: Token,
    /// What it is to hold: during an open renewal the next one.
    pub token: Token,
    pub version: u8,
    pub in_grace: bool,
    /// A renewal is open, and the client has shown the secret before.
    pub untold: bool,
    /// A renewal is open, and the client has shown the next secret.
    pub completes: bool,
    pub due: bool,
}

impl Session {
    /// Another login's, whose id the request does not show.
    pub fn of(token: Token, version: u8) -> Self {
        let (in_grace, untold, completes, due) = (false, false, false, false);
        Self { shown: token, token, version, in_grace, untold, completes, due }
    }
}

/// What a token stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Found {
    Nobody,
    /// A login has replaced the session, and its successor; or a renewal the secret.
    Replaced(Option<Key>),
    Session(Session),
}

impl Slot {
    /// What `shown` stands for.
    pub fn find(&self, shown: Token, now: Tick, rules: &Rules) -> Found {
        let Some(record) = &self.record else { return Found::Nobody };
        let Some(admitted) = record.secrets.admit(shown.secret, now, rules) else {
            return Found::Nobody;
        };
        match record.kind {
            Kind::Replaced { at, .. } if now >= at + MARK => return Found::Nobody,
            _ if admitted == Admitted::Over => return Found::Replaced(None),
            Kind::Replaced { by, .. } => return Found::Replaced(Some(by)),
            Kind::Session => {}
        }
        let secrets = &record.secrets;
        let rests = secrets.renewed.is_some_and(|at| now < at + RENEW_AFTER);
        let in_grace = admitted == Admitted::InGrace;
        let untold = admitted == Admitted::BeforeRenewal;
        Found::Session(Session {
            shown,
            token: if untold { Token { secret: secrets.current, ..shown } } else { shown },
            version: record.version,
            in_grace,
            untold,
            completes: secrets.open && admitted == Admitted::Current,
            due: !rests && !in_grace && !secrets.open,
        })
    }

    /// Ends what is there.
    pub fn end(&mut self, why: End) {
        if self.record.take().is_some_and(|record| record.is_session()) {
            self.ended = Some(why);
        }
    }
}
