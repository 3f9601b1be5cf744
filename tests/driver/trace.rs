//! What a run showed.

use crate::kept::Lifetime;
use crate::scenario::Owner;

/// A value of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    pub owner: Owner,
    pub count: u32,
}

/// Everything that a session tells. Ids and CSRF tokens are numbered in the
/// order in which they were first seen; times are milliseconds since the run began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub value: Option<Value>,
    pub id: Option<usize>,
    pub csrf: Option<usize>,
    pub created: Option<u64>,
    pub expires: Option<u64>,
    pub lifetime: Lifetime,
}

/// What a call returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Nothing,
    Value(Option<Value>),
    Count(Option<u32>),
    Failed(Failure),
}

/// A `SessionError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    Storage,
    Ended,
    LimitReached,
    TooLate,
    Other,
}

/// What the response sent for the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    Nothing,
    Removal,
    /// The token with this number.
    Token(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub sent: Sent,
    /// Of the token's cookie.
    pub max_age: Option<u64>,
    pub upgrades: bool,
}

/// What happened beside a call, if its operation came.
#[derive(Clone, Debug)]
pub enum Nested {
    Request(Box<Trace>),
    Done,
}

#[derive(Clone, Debug)]
pub struct StepTrace {
    pub before: Option<Nested>,
    pub during: Vec<Option<Nested>>,
    pub answer: Answer,
    pub seen: Seen,
}

/// One request.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Makes the values that different requests set differ.
    pub salt: u32,
    /// It began before an operation of another request, and ended after it.
    pub late: bool,
    pub loading: Vec<Option<Nested>>,
    /// Before the first call.
    pub first: Option<Seen>,
    pub steps: Vec<StepTrace>,
    pub committing: Vec<Option<Nested>>,
    /// None if the future of the dispatch was dropped.
    pub response: Option<Response>,
}

/// A whole run.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub preparation: Vec<Trace>,
    pub request: Trace,
    /// The next request with what a browser then holds.
    pub next: Trace,
    /// A request with each token that was ever given out.
    pub tokens: Vec<Trace>,
    /// Records that are left in the storage.
    pub records: usize,
}
