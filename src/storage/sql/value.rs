//! The values that statements bind.

use crate::storage::Timestamp;

/// A value that a statement binds.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    Number(i64),
    Bytes(&'a [u8]),
    Nothing,
}

pub(super) fn millis(time: Timestamp) -> Value<'static> {
    Value::Number(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}

pub(super) fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The `expires` of a mark that is valid until `until`.
pub(super) fn mark_until(until: Timestamp) -> Value<'static> {
    Value::Number(i64::try_from(until.as_millis()).map_or(-i64::MAX, |until| -until))
}
