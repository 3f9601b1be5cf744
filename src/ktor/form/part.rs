//! The parts of a form, and the error for values that a form cannot hold.

use std::fmt;

use serde::ser;

/// A value on its way into a form.
pub(super) enum Part {
    /// The text of a simple value with its tag.
    Simple(String),
    List(Vec<Part>),
    Map(Vec<(Part, Part)>),
    Struct(Vec<(Part, Part)>),
}

/// Why the format cannot hold a value. The message never shows the value.
#[derive(Debug)]
pub(crate) struct FormError(pub(super) String);

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FormError {}

impl ser::Error for FormError {
    fn custom<M: fmt::Display>(message: M) -> Self {
        Self(message.to_string())
    }
}
