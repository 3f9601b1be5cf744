//! What a value is in a form, and why it cannot be in one.

use std::fmt;

use serde::ser;

/// A value on its way into a form.
pub(super) enum Part {
    /// With its tag.
    Simple(String),
    List(Vec<Part>),
    Map(Vec<(Part, Part)>),
    Struct(Vec<(Part, Part)>),
}

/// Why a value has no such form; never shows the value.
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
