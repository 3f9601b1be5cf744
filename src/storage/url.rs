//! The URLs of servers, which are shown without their passwords.

use std::fmt;

use super::EngineTable;

/// A URL that may contain a password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Url(pub String);

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[provided]")
    }
}

impl EngineTable<'_, '_, '_> {
    /// Reads `url` or the file that `url_file` names, one URL a line. The list is empty if there
    /// is neither, or after a problem. The second value is the key that holds them.
    pub fn urls(&mut self) -> (Vec<Url>, &'static str) {
        match (&self.config.url, &self.config.url_file) {
            (None, None) => (Vec::new(), "url"),
            (Some(urls), None) => (urls.0.iter().cloned().map(Url).collect(), "url"),
            (None, Some(_)) => {
                let path = format!("{}.url_file", self.key);
                let lines = self.table.lines_of_file(&path, "the URL").unwrap_or_default();
                (lines.iter().map(|line| Url(line.to_string())).collect(), "url_file")
            }
            (Some(_), Some(_)) => {
                self.problem("url_file", "cannot be combined with `url`; keep one of them");
                (Vec::new(), "url_file")
            }
        }
    }

    /// Whether nothing is wrong with the table so far.
    pub fn is_sound(&self) -> bool {
        self.table.is_sound(&[self.key])
    }
}
