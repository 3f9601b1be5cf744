//! What is known of one key of the configuration.

use figment::value::Value;

/// One key of a table.
// Only the test that writes and holds the reference reads most of it.
#[cfg_attr(not(test), allow(dead_code))]
pub(crate) struct Key {
    pub name: &'static str,
    /// The type's name in the reference.
    pub kind: fn() -> String,
    /// The lines of the key's documentation.
    pub meaning: &'static [&'static str],
    pub default: &'static str,
    /// What is refused in addition to values of other types.
    pub refuses: &'static str,
    /// `None` for a secret, which no field and no document holds.
    pub example: Option<Example>,
    /// The version of this crate that the key came with.
    pub since: &'static str,
    /// The keys of a table; empty for any other value.
    pub keys: &'static [Key],
}

/// An example of a key's value.
#[cfg_attr(not(test), allow(dead_code))]
pub(crate) struct Example {
    /// The name of the field of the struct.
    pub field: &'static str,
    /// The value of the field as Rust code.
    pub rust: &'static str,
    pub value: fn() -> Value,
}
