//! The URLs of servers, which are shown without their passwords.

use std::fmt;

use zeroize::Zeroizing;

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
            (None, Some(path)) => (self.urls_of_file(path), "url_file"),
            (Some(_), Some(_)) => {
                self.problem("url_file", "cannot be combined with `url`; keep one of them");
                (Vec::new(), "url_file")
            }
        }
    }

    fn urls_of_file(&mut self, path: &str) -> Vec<Url> {
        let path = self.resolve("url_file", path);
        match std::fs::read_to_string(&path).map(Zeroizing::new) {
            Ok(text) => {
                let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
                lines.map(|line| Url(line.to_owned())).collect()
            }
            Err(cause) => {
                // The path is not shown: it may be the URL itself, by mistake.
                let message = format!(
                    "the file cannot be read: {cause}; write the path of a file with the URL"
                );
                self.problem("url_file", message);
                Vec::new()
            }
        }
    }

    /// Whether nothing is wrong with the table so far.
    pub fn is_sound(&self) -> bool {
        self.table.is_sound(&[self.key])
    }
}
