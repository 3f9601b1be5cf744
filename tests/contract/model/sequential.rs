//! The model: what each request finds, what its commit leaves, and what its client is sent.

use proptest::prelude::*;
use proptest::sample::Index;

pub const IDLE: u64 = 100;

pub const ABSOLUTE: u64 = 250;

pub const TOUCH_AFTER: u64 = 10;

/// How long a record says that a login replaced its session, or a renewal its id.
pub const REPLACED: u64 = 120;

/// Of so many ids before the present one a session says that they were its own.
pub const REMEMBERED: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    Nothing,
    Count,
    Set(u32),
    Login(u32),
    Renew,
    CountAndRenew,
    Clear,
}

#[derive(Clone, Debug)]
pub enum Step {
    /// A request with one of the tokens given out so far, or with none.
    Start(Change, Option<Index>),
    /// One of the requests under way commits.
    Finish(Index),
    /// Seconds pass.
    Wait(u64),
}

pub fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        2 => Just(Change::Nothing),
        6 => Just(Change::Count),
        2 => (0..5_u32).prop_map(Change::Set),
        2 => (0..5_u32).prop_map(Change::Login),
        2 => Just(Change::Renew),
        1 => Just(Change::CountAndRenew),
        1 => Just(Change::Clear),
    ]
}

pub fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (change(), proptest::option::weighted(0.9, any::<Index>())).prop_map(|(change, token)| Step::Start(change, token)),
        5 => any::<Index>().prop_map(Step::Finish),
        2 => (1..60_u64).prop_map(Step::Wait),
    ]
}

/// A record as the model sees it. A token's number is its secret.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub secret: usize,
    pub count: u32,
    pub created: u64,
    pub seen: u64,
    pub expires: u64,
    /// When a login replaced it.
    pub replaced: Option<u64>,
}

impl Row {
    pub fn begin(secret: usize, count: u32, now: u64) -> Self {
        let expires = now + IDLE + TOUCH_AFTER;
        Self { secret, count, created: now, seen: now, expires, replaced: None }
    }

    pub fn lives(&self, now: u64) -> bool {
        self.replaced.is_none() && now < self.expires
    }

    pub fn expiry(&self) -> u64 {
        (self.seen + IDLE + TOUCH_AFTER).min(self.created + ABSOLUTE)
    }
}

/// What a request found when it started.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    pub record: usize,
    pub row: Row,
    pub token: usize,
}

/// What a request's token stood for, if for no session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Presented {
    Nothing,
    /// A session that a login replaced.
    Replaced,
    Anything,
}

#[derive(Debug, PartialEq)]
pub enum Sent {
    Nothing,
    Removal,
    Token,
}

/// One record a session; one token after another leads to it.
#[derive(Default)]
pub struct Model {
    pub now: u64,
    pub rows: Vec<Option<Row>>,
    /// Those given out.
    pub tokens: Vec<Token>,
}

#[derive(Clone, Copy, Debug)]
pub struct Token {
    pub record: usize,
    /// When a renewal replaced it.
    pub renewed: Option<u64>,
}

impl Model {
    pub fn load(&self, token: Option<usize>) -> Option<Found> {
        let token = token?;
        let Token { record, .. } = self.tokens[token];
        let row = self.rows[record].filter(|row| row.lives(self.now))?;
        (row.secret == token).then_some(Found { record, row, token })
    }

    /// Whether a token stands for a session that a login replaced lately, or for one of
    /// the last ids before a renewal.
    pub fn is_replaced(&self, token: Option<usize>) -> bool {
        let Some(token) = token else { return false };
        let Token { record, renewed } = self.tokens[token];
        let Some(row) = self.rows[record] else { return false };
        let lately = |at: u64| self.now - at < REPLACED;
        let replaced = self.was_replaced_lately(record);
        let later = self.tokens[token + 1..].iter().filter(|later| later.record == record);
        let renewed = renewed.is_some_and(lately) && later.count() <= REMEMBERED;
        (replaced || row.lives(self.now)) && renewed || replaced && row.secret == token
    }

    pub fn was_replaced_lately(&self, record: usize) -> bool {
        let replaced = self.rows[record].and_then(|row| row.replaced);
        replaced.is_some_and(|at| self.now - at < REPLACED)
    }

    pub fn presented(&self, token: Option<usize>) -> Presented {
        match token {
            None => Presented::Nothing,
            Some(_) if self.is_replaced(token) => Presented::Replaced,
            Some(_) => Presented::Anything,
        }
    }

    /// The number of the token that is given out next.
    pub fn next_token(&self) -> usize {
        self.tokens.len()
    }

    pub fn create(&mut self, count: u32) -> Sent {
        self.rows.push(Some(Row::begin(self.next_token(), count, self.now)));
        self.tokens.push(Token { record: self.rows.len() - 1, renewed: None });
        Sent::Token
    }

    /// The record as the request may write it now: it lives, under the request's id.
    pub fn present(&self, found: Found) -> Option<Row> {
        let row = self.rows[found.record].filter(|row| row.lives(self.now))?;
        (row.secret == found.token).then_some(row)
    }

    /// Unchanged content is not written; the expiry may be due.
    pub fn touch(&mut self, record: usize, seen: Row) -> Sent {
        let now = self.now;
        let due = now - seen.seen >= TOUCH_AFTER;
        if let Some(row) = &mut self.rows[record]
            && due
            && row.lives(now)
        {
            let touched = Row { seen: now, ..seen };
            row.seen = row.seen.max(now);
            row.expires = row.expires.max(touched.expiry());
        }
        Sent::Nothing
    }

    /// A login begins a session of its own, and replaces the one that is there,
    /// whatever id that has by now.
    pub fn login(&mut self, over: usize, count: u32) -> Sent {
        let now = self.now;
        if let Some(row) = self.rows[over].as_mut().filter(|row| row.lives(now)) {
            row.replaced = Some(now);
        }
        self.create(count)
    }

    pub fn commit(&mut self, change: Change, found: Option<Found>, presented: Presented) -> Sent {
        let now = self.now;
        let Some(found) = found else {
            return match change {
                Change::Login(count) => self.create(count),
                _ if presented == Presented::Replaced => Sent::Nothing,
                Change::Set(count) => self.create(count),
                Change::Clear if presented == Presented::Anything => Sent::Removal,
                _ => Sent::Nothing,
            };
        };
        let value = |before: u32| match change {
            Change::Count | Change::CountAndRenew => before + 1,
            Change::Set(count) => count,
            _ => before,
        };
        let renews = matches!(change, Change::Renew | Change::CountAndRenew);
        if change == Change::Clear {
            if self.was_replaced_lately(found.record) {
                // An id that a renewal replaced too long ago stands for nothing.
                let known = self.is_replaced(Some(found.token));
                return if known { Sent::Nothing } else { Sent::Removal };
            }
            self.rows[found.record] = None;
            return Sent::Removal;
        }
        if let Change::Login(count) = change {
            return self.login(found.record, count);
        }
        if !renews && value(found.row.count) == found.row.count {
            return self.touch(found.record, found.row);
        }
        let Some(row) = self.present(found) else { return Sent::Nothing };
        let count = value(row.count);
        if !renews && count == row.count {
            return self.touch(found.record, row);
        }
        let mut next = Row { count, seen: now.max(row.seen), ..row };
        next.secret = if renews { self.next_token() } else { row.secret };
        next.expires = next.expiry();
        self.rows[found.record] = Some(next);
        if renews {
            self.tokens[row.secret].renewed = Some(now);
            self.tokens.push(Token { record: found.record, renewed: None });
            Sent::Token
        } else {
            Sent::Nothing
        }
    }
}
