//! Files that hold secrets.

use std::path::Path;

use zeroize::Zeroizing;

use super::Table;

impl Table<'_, '_> {
    /// The lines of the file that a key names, which is said to hold `what`. `None` after a
    /// problem.
    pub fn lines_of_file(&mut self, key: &str, what: &str) -> Option<Vec<Zeroizing<String>>> {
        let path = self.resolve(key, self.value(key)?.as_str()?);
        let content = match std::fs::read_to_string(&path) {
            Ok(content) => Zeroizing::new(content),
            Err(cause) => {
                // The path is not shown: it may be the secret itself, by mistake.
                let message = format!(
                    "the file cannot be read: {cause}; write the path of a file with {what}"
                );
                self.problem(key, message);
                return None;
            }
        };
        if let Some(exposure) = exposure(&path) {
            self.warning(key, &exposure);
        }
        // Editors on Windows begin a file with a byte order mark.
        let content = content.trim_start_matches('\u{feff}');
        let lines = content.lines().map(str::trim).filter(|line| !line.is_empty());
        Some(lines.map(|line| Zeroizing::new(line.to_owned())).collect())
    }
}

/// What is to be said about the other users of the machine, if they may be able to read a file.
#[cfg(unix)]
fn exposure(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).map_or(0, |about| about.permissions().mode());
    (mode & 0o077 != 0).then(|| format!("others can read {}; `chmod 600` it", path.display()))
}

#[cfg(not(unix))]
fn exposure(path: &Path) -> Option<String> {
    Some(format!(
        "this platform does not say whether others can read {}; make sure that they cannot",
        path.display()
    ))
}
