//! Key bytes that do not show themselves.

use std::fmt;

use zeroize::Zeroizing;

/// Key bytes: zeroed on drop, without a revealing `Debug` (checklist S52).
pub(crate) struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[provided]")
    }
}
