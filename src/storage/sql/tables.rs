//! What the configuration of every engine says: the name of the tables, and how many
//! connections there may be.

use crate::table::Table;

/// Unless Rocket.toml says otherwise.
const CONNECTIONS: u32 = 10;

#[derive(Debug, PartialEq)]
pub(super) struct Tables {
    /// Of the table of records; that of owners has a longer one.
    pub name: String,
    pub max_connections: u32,
}

impl Tables {
    /// Those of an application that opens the storage itself.
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

/// Names of tables and indexes are made of it; PostgreSQL cuts them at 63.
pub(super) fn is_table(name: &str) -> bool {
    name.len() <= 40
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}
