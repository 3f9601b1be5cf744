//! The configuration that all engines share: the name of the tables and the limit of connections.

use crate::storage::EngineTable;

/// The default of `max_connections`.
const CONNECTIONS: u32 = 10;
const MOST_CONNECTIONS: u32 = 65_535;

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

    pub fn read(table: &mut EngineTable<'_, '_, '_>) -> Self {
        let name = table.config.table.clone().unwrap_or_else(|| "sessions".into());
        if !is_table(&name) {
            table.problem("table", "must be letters, digits and `_`, at most 40, and begin with a letter; write table = \"sessions\"");
        }
        let number = table.config.max_connections;
        let max_connections = number.map_or(CONNECTIONS, |n| u32::try_from(n).unwrap_or(u32::MAX));
        if !(1..=MOST_CONNECTIONS).contains(&max_connections) {
            let message = format!(
                "must be at least 1 and at most {MOST_CONNECTIONS}; write e.g. {CONNECTIONS}"
            );
            table.problem("max_connections", message);
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
