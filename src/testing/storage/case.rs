//! A case of the conformance kit: one promise, and how it is tried.

use rocket::futures::future::BoxFuture;

use super::subject::Subject;
use crate::storage::StorageError;

/// What a case found: how the promise broke, unless it holds.
pub(super) type Check<T = ()> = Result<T, Broken>;

/// How a promise broke.
pub(super) struct Broken(pub String);

impl<W: Into<String>> From<W> for Broken {
    fn from(what: W) -> Self {
        Self(what.into())
    }
}

impl From<StorageError> for Broken {
    fn from(cause: StorageError) -> Self {
        Self(format!("it answered with an error: {cause}"))
    }
}

/// One promise and how to try it.
pub(super) struct Case {
    pub name: &'static str,
    pub promise: &'static str,
    pub run: fn(Subject) -> BoxFuture<'static, Check>,
}

/// A table of cases; each is an async function of the same name.
macro_rules! cases {
    ($table:ident; $($name:ident: $promise:literal,)*) => {
        pub(super) const $table: &[Case] = &[
            $(Case { name: stringify!($name), promise: $promise, run: |subject| Box::pin($name(subject)) },)*
        ];
    };
}

/// Says how a promise broke, unless it holds.
macro_rules! holds {
    ($condition:expr, $($what:tt)+) => {
        if !$condition {
            return Err(format!($($what)+).into());
        }
    };
}

pub(super) use {cases, holds};
