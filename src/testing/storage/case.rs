//! A case of the conformance kit: one promise, and how it is tried.

use rocket::futures::future::BoxFuture;

use super::subject::Subject;
pub(super) use super::verdict::{Broken, Check};

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
