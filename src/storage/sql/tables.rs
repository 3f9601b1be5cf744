//! The configuration that all engines share: the name of the tables and the limit of connections.

use crate::table::Table;

/// The default of `max_connections`.
const CONNECTIONS: u32 = 10;

#[derive(Debug, PartialEq)]
pub(super) struct Tables {
    /// The name of the table of records. The table of owners is `<name>_owners`.
    pub name: String,
    pub max_connections: u32,
}

impl Tables {
    /// The tables of an application that opens the storage itself.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), max_connections: CONNECTIONS }
    }

    pub fn read(table: &mut Table<'_, '_>) -> Self {
        let name = table.text("table").unwrap_or_else(|| "sessions".into());
        if !is_table(&name) {
            table.problem("table", "must be letters, digits and `_`, at most 40, and begin with a letter: write table = \"sessions\"");
        }
        let max_connections = table.integer("max_connections");
        let max_connections =
            max_connections.map_or(CONNECTIONS, |number| u32::try_from(number).unwrap_or(u32::MAX));
        if max_connections == 0 {
            table.problem("max_connections", "must be at least 1");
        }
        Self { name, max_connections }
    }
}

/// Whether a name is short and plain enough. The names of indexes are longer, and PostgreSQL cuts
/// names at 63 bytes.
pub(super) fn is_table(name: &str) -> bool {
    name.len() <= 40
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}
