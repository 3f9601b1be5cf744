//! The statements, put together once for a table and an engine.

use std::sync::Arc;

use super::engine::{Delete, Dialect};

/// What `read` and `list` select, in this order.
const COLUMNS: &str = "id, version, owner, created, last_seen, expires, payload";

pub(super) struct Statements {
    /// Fail if the tables are not there, or are others.
    pub probes: [Arc<str>; 2],
    pub insert: Arc<str>,
    pub read: Arc<str>,
    /// Replaces a record that keeps its owner.
    pub update: Arc<str>,
    /// Replaces a record whosever it is. It is nobody's from now on.
    pub disown: Arc<str>,
    pub touch: Arc<str>,
    pub delete: Arc<str>,
    /// Makes a record the mark of its end.
    pub end: Arc<str>,
    /// The same two, of one version of the record.
    pub delete_expected: Arc<str>,
    pub end_expected: Arc<str>,
    /// Leaves a mark where no record is; the later of two counts.
    pub mark: Arc<str>,
    /// The version and the expiry of what is under a key.
    pub occupant: Arc<str>,
    /// What has expired, a mark too.
    pub delete_expired: Arc<str>,
    /// What expires within a span: records, or marks.
    pub purge: Arc<str>,
    pub purge_owners: Arc<str>,
    pub list: Arc<str>,
    /// Locks an owner's row until the transaction ends.
    pub join: Arc<str>,
    /// That, and begins a new generation, later than any that was ever forgotten.
    pub revoke: Arc<str>,
    pub generation: Arc<str>,
    pub count_others: Arc<str>,
    pub end_oldest: Arc<str>,
    numbered: bool,
    table: String,
}

impl Statements {
    pub fn new(dialect: &Dialect, table: &str) -> Self {
        let owners = format!("{table}_owners");
        let Dialect { same, larger, smaller, or_update, .. } = dialect;
        let [or_update, or_mark] = ["owner", "id"].map(|key| or_update.replace("{key}", key));
        let sql = |text: String| parameters(dialect.numbered, &text);
        let live = "owner = ? AND expires > ?";
        // Than the new one, and the one that it replaces.
        let others = format!("{live} AND id <> ? AND id <> ?");
        let replace = format!(
            "UPDATE {table} SET version = ?, owner = ?, created = ?, last_seen = ?, expires = ?, payload = ? \
             WHERE id = ? AND version = ? AND expires > ?"
        );
        let delete = format!("DELETE FROM {table} WHERE id = ? AND expires >= 0");
        let end = format!(
            "UPDATE {table} SET owner = NULL, expires = ?, payload = ? WHERE id = ? AND expires >= 0"
        );
        let first = |table: &str, key: &str, condition: &str, skip: bool| match dialect.delete {
            Delete::Ordered => format!("DELETE FROM {table} WHERE {condition} LIMIT ?"),
            Delete::ByKeys => format!(
                "DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE {condition} LIMIT ?)"
            ),
            Delete::ByLockedKeys => format!(
                "DELETE FROM {table} WHERE {key} = ANY (ARRAY(SELECT {key} FROM {table} WHERE {condition} LIMIT ? FOR UPDATE{}))",
                if skip { " SKIP LOCKED" } else { "" }
            ),
        };
        Self {
            probes: [
                sql(format!("SELECT {COLUMNS} FROM {table} WHERE 1 = 0")),
                sql(format!("SELECT owner, generation, last_used FROM {owners} WHERE 1 = 0")),
            ],
            insert: sql(format!("INSERT INTO {table} ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)")),
            read: sql(format!("SELECT {COLUMNS} FROM {table} WHERE id = ? AND expires > ?")),
            update: sql(format!("{replace} AND owner {same} ?")),
            disown: sql(replace),
            touch: sql(format!(
                "UPDATE {table} SET last_seen = {larger}(last_seen, ?), expires = {larger}(expires, ?) \
                 WHERE id = ? AND expires > ?"
            )),
            delete_expected: sql(format!("{delete} AND version = ?")),
            delete: sql(delete),
            end_expected: sql(format!("{end} AND version = ?")),
            end: sql(end),
            mark: sql(format!(
                "INSERT INTO {table} ({COLUMNS}) VALUES (?, 0, NULL, 0, 0, ?, ?) \
                 {or_mark} owner = NULL, expires = {smaller}({table}.expires, ?), payload = ?"
            )),
            occupant: sql(format!("SELECT version, expires FROM {table} WHERE id = ?")),
            delete_expired: sql(format!(
                "DELETE FROM {table} WHERE id = ? AND expires <= ? AND expires >= ?"
            )),
            purge: sql(first(table, "id", "expires >= ? AND expires <= ? ORDER BY expires", true)),
            purge_owners: sql(first(&owners, "owner", "last_used <= ? ORDER BY last_used", true)),
            list: sql(format!(
                "SELECT {COLUMNS} FROM {table} WHERE {live} AND id > ? ORDER BY id LIMIT ?"
            )),
            join: sql(format!(
                "INSERT INTO {owners} (owner, generation, last_used) VALUES (?, 0, ?) {or_update} last_used = ?"
            )),
            revoke: sql(format!(
                "INSERT INTO {owners} (owner, generation, last_used) VALUES (?, ?, ?) \
                 {or_update} generation = {larger}({owners}.generation + 1, ?), last_used = ?"
            )),
            generation: sql(format!("SELECT generation FROM {owners} WHERE owner = ?")),
            count_others: sql(format!("SELECT COUNT(*) FROM {table} WHERE {others}")),
            end_oldest: sql(first(table, "id", &format!("{others} ORDER BY created, id"), false)),
            numbered: dialect.numbered,
            table: table.to_owned(),
        }
    }

    /// Counts an owner's live records, and deletes all of them, but so many.
    pub fn of_owner_except(&self, exceptions: usize) -> (Arc<str>, Arc<str>) {
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

/// Question marks become numbers where the engine wants them.
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
