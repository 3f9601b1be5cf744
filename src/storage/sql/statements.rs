//! The statements, which are built once for a table and an engine.

use std::sync::Arc;

use super::engine::{Delete, Dialect};

/// The columns that `read` and `list` select, in this order.
const COLUMNS: &str = "id, version, owner, created, last_seen, expires, payload";

/// Replaces a live record of a given version.
const REPLACE: &str = "UPDATE {table} SET version = ?, owner = ?, created = ?, last_seen = ?, \
    expires = ?, payload = ? WHERE id = ? AND version = ? AND expires > ?";
/// Turns a record into the mark of its end.
const END: &str =
    "UPDATE {table} SET owner = NULL, expires = ?, payload = ? WHERE id = ? AND expires >= 0";

pub(super) struct Statements {
    /// Fail if the tables do not exist or have other columns.
    pub probes: [Arc<str>; 2],
    pub insert: Arc<str>,
    pub read: Arc<str>,
    /// Replaces a record that keeps its owner.
    pub update: Arc<str>,
    /// Replaces a record and removes it from its owner.
    pub disown: Arc<str>,
    pub touch: Arc<str>,
    pub delete: Arc<str>,
    /// Turns a record into the mark of its end.
    pub end: Arc<str>,
    /// Deletes a record of the expected version. `end_expected` does the same as `end` for it.
    pub delete_expected: Arc<str>,
    pub end_expected: Arc<str>,
    /// Leaves a mark where there is no record. The later of two marks is kept.
    pub mark: Arc<str>,
    /// Selects the version and the expiry of a record or a mark.
    pub occupant: Arc<str>,
    /// Deletes an expired record or mark.
    pub delete_expired: Arc<str>,
    /// Deletes the rows whose `expires` lies in a range: records or, if negative, marks.
    pub purge: Arc<str>,
    pub purge_owners: Arc<str>,
    pub list: Arc<str>,
    /// Locks an owner's row until the transaction ends.
    pub join: Arc<str>,
    /// Locks an owner's row and begins a generation that is later than every deleted one.
    pub revoke: Arc<str>,
    pub generation: Arc<str>,
    pub count_others: Arc<str>,
    pub end_oldest: Arc<str>,
    numbered: bool,
    table: String,
}

impl Statements {
    pub fn new(dialect: &Dialect, table: &str) -> Self {
        let sql = |template: &str| fill(template, dialect, table);
        let delete = |rows: &Rows| fill(&rows.delete(dialect.delete), dialect, table);
        Self {
            probes: [
                sql("SELECT {columns} FROM {table} WHERE 1 = 0"),
                sql("SELECT owner, generation, last_used FROM {table}_owners WHERE 1 = 0"),
            ],
            insert: sql("INSERT INTO {table} ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)"),
            read: sql("SELECT {columns} FROM {table} WHERE id = ? AND expires > ?"),
            update: sql("{replace} AND owner {same} ?"),
            disown: sql("{replace}"),
            touch: sql(
                "UPDATE {table} SET last_seen = {larger}(last_seen, ?), expires = {larger}(expires, ?) \
                 WHERE id = ? AND expires > ?",
            ),
            delete_expected: sql("{delete} AND version = ?"),
            delete: sql("{delete}"),
            end_expected: sql("{end} AND version = ?"),
            end: sql("{end}"),
            mark: sql("INSERT INTO {table} ({columns}) VALUES (?, 0, NULL, 0, 0, ?, ?) \
                 {or_mark} owner = NULL, expires = {smaller}({table}.expires, ?), payload = ?"),
            occupant: sql("SELECT version, expires FROM {table} WHERE id = ?"),
            delete_expired: sql(
                "DELETE FROM {table} WHERE id = ? AND expires <= ? AND expires >= ?",
            ),
            purge: delete(&EXPIRED),
            purge_owners: delete(&UNUSED_OWNERS),
            list: sql("SELECT {columns} FROM {table} WHERE {live} AND id > ? ORDER BY id LIMIT ?"),
            join: sql(
                "INSERT INTO {table}_owners (owner, generation, last_used) VALUES (?, 0, ?) \
                 {or_update} last_used = ?",
            ),
            revoke: sql(
                "INSERT INTO {table}_owners (owner, generation, last_used) VALUES (?, ?, ?) \
                 {or_update} generation = {larger}({table}_owners.generation + 1, ?), last_used = ?",
            ),
            generation: sql("SELECT generation FROM {table}_owners WHERE owner = ?"),
            count_others: sql("SELECT COUNT(*) FROM {table} WHERE {others}"),
            end_oldest: delete(&OLDEST_OTHERS),
            numbered: dialect.numbered,
            table: table.to_owned(),
        }
    }

    /// The statement that reads so many records.
    pub fn read_many(&self, keys: usize) -> Arc<str> {
        let marks = vec!["?"; keys].join(", ");
        let table = &self.table;
        let text = format!("SELECT {COLUMNS} FROM {table} WHERE expires > ? AND id IN ({marks})");
        parameters(self.numbered, &text)
    }

    /// The statements that count an owner's live records and delete all of its records, except
    /// `exceptions` of them.
    pub fn owner_except(&self, exceptions: usize) -> (Arc<str>, Arc<str>) {
        let marks = vec!["?"; exceptions].join(", ");
        let except =
            if exceptions == 0 { String::new() } else { format!(" AND id NOT IN ({marks})") };
        let sql = |start: &str, condition: &str| {
            let text = format!("{start} FROM {} WHERE owner = ?{condition}{except}", self.table);
            parameters(self.numbered, &text)
        };
        (sql("SELECT COUNT(*)", " AND expires > ?"), sql("DELETE", ""))
    }
}

/// The first few rows in an order, which a statement deletes.
struct Rows {
    table: &'static str,
    key: &'static str,
    condition: &'static str,
    /// Rows that other transactions have locked are skipped.
    skips_locked: bool,
}

const EXPIRED: Rows = Rows {
    table: "{table}",
    key: "id",
    condition: "expires >= ? AND expires <= ? ORDER BY expires",
    skips_locked: true,
};
const UNUSED_OWNERS: Rows = Rows {
    table: "{table}_owners",
    key: "owner",
    condition: "last_used <= ? ORDER BY last_used",
    skips_locked: true,
};
const OLDEST_OTHERS: Rows = Rows {
    table: "{table}",
    key: "id",
    condition: "{others} ORDER BY created, id",
    skips_locked: false,
};

impl Rows {
    fn delete(&self, how: Delete) -> String {
        let Self { table, key, condition, .. } = self;
        let found = format!("SELECT {key} FROM {table} WHERE {condition} LIMIT ?");
        match how {
            Delete::Ordered => format!("DELETE FROM {table} WHERE {condition} LIMIT ?"),
            Delete::ByKeys => format!("DELETE FROM {table} WHERE {key} IN ({found})"),
            Delete::ByLockedKeys => {
                let skip = if self.skips_locked { " SKIP LOCKED" } else { "" };
                format!("DELETE FROM {table} WHERE {key} = ANY (ARRAY({found} FOR UPDATE{skip}))")
            }
        }
    }
}

/// Replaces the `{names}` in a template by the parts that several statements share and by those
/// that depend on the engine and the table.
fn fill(template: &str, dialect: &Dialect, table: &str) -> Arc<str> {
    let Dialect { or_update, same, larger, smaller, numbered, .. } = dialect;
    let or = |key: &str| or_update.replace("{key}", key);
    let names = [
        ("{replace}", REPLACE),
        ("{delete}", "DELETE FROM {table} WHERE id = ? AND expires >= 0"),
        ("{end}", END),
        ("{others}", "{live} AND id <> ? AND id <> ?"),
        ("{live}", "owner = ? AND expires > ?"),
        ("{columns}", COLUMNS),
        ("{same}", same),
        ("{larger}", larger),
        ("{smaller}", smaller),
        ("{or_update}", &or("owner")),
        ("{or_mark}", &or("id")),
        ("{table}", table),
    ];
    let filled = names.iter().fold(template.to_owned(), |sql, (name, is)| sql.replace(name, is));
    parameters(*numbered, &filled)
}

/// Replaces question marks by numbers if the engine requires it.
fn parameters(numbered: bool, sql: &str) -> Arc<str> {
    if !numbered {
        return sql.into();
    }
    let mut parts = sql.split('?');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (at, part) in parts.enumerate() {
        text.push('$');
        text.push_str(&(at + 1).to_string());
        text.push_str(part);
    }
    text.into()
}
