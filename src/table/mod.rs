//! The table of one session, merged from all of its sources.

mod context;
mod field;
mod file;
mod key;
mod schema;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use figment::value::{Dict, Value};

pub(crate) use context::{Context, Problem, Registered};
pub use field::{CookieMaxAge, OneOrMore, Timeout, Urls};
pub(crate) use field::{Field, duration_text, words_of};
pub(crate) use key::{Example, Key};
pub(crate) use schema::{SINCE, key_name, schema, table_field};
pub(crate) use words::{Words, words};

/// For which sessions a layer was written. A later scope is stronger, whatever its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// The application's code, for one session.
    Code,
    /// `[default.sessions]`, for all sessions.
    All,
    /// The session's own table or variables.
    Own,
}

/// The keys that one source has for a session.
#[derive(Clone)]
pub(crate) struct Layer {
    pub scope: Scope,
    pub dict: Dict,
    /// The variable that the keys come from. `None` for a file and for code.
    pub variable: Option<String>,
}

/// The path of a key in the table at `path`.
pub(crate) fn join(path: &str, key: &str) -> String {
    match (path, key) {
        ("", key) => key.to_owned(),
        (path, "") => path.to_owned(),
        (path, key) => format!("{path}.{key}"),
    }
}

/// The heading's anchor of a key in the reference, which ends at the keys of the tables and shows
/// those of `revocation` as those of `storage`.
pub(crate) fn anchor(key: &str) -> String {
    match key.split_once('.') {
        None => key.to_owned(),
        Some((table, key)) => {
            let table = if table == "revocation" { "storage" } else { table };
            format!("{table}{}", key.split('.').next().unwrap_or_default())
        }
    }
}

/// A session's table. Keys are named by their paths in it, such as `cookie.max_age`.
pub(crate) struct Table<'t, 'f> {
    pub context: &'t mut Context<'f>,
    name: String,
    /// From the weakest to the strongest.
    layers: Vec<Layer>,
    /// The layers, merged.
    dict: Dict,
    /// The keys that the table may have.
    keys: &'static [&'static [Key]],
    /// The keys that have a problem.
    unsound: BTreeSet<String>,
    /// The keys that have no effect in this session, and may have one in others.
    idle: BTreeSet<String>,
}

impl<'t, 'f> Table<'t, 'f> {
    /// `dict` is what the layers are merged to, the weakest of which comes first.
    pub fn new(
        context: &'t mut Context<'f>,
        name: &str,
        layers: Vec<Layer>,
        dict: Dict,
        keys: &'static [&'static [Key]],
    ) -> Self {
        let (name, unsound, idle) = (name.to_owned(), BTreeSet::new(), BTreeSet::new());
        Self { context, name, layers, dict, keys, unsound, idle }
    }

    /// The full path of a key, as it is written where its value comes from.
    pub fn path(&self, key: &str) -> String {
        match self.layer(key) {
            Some(Layer { scope: Scope::All, .. }) => format!("sessions.{key}"),
            _ => format!("sessions.{}.{key}", self.name),
        }
    }

    /// The name of a key in a message about another one: its path, if one of the two was written
    /// for all sessions and the other one was not.
    pub fn beside(&self, key: &str, other: &str) -> String {
        let is_apart = self.has(key) && self.is_for_all(key) != self.is_for_all(other);
        if is_apart { self.path(key) } else { key.to_owned() }
    }

    pub fn value(&self, key: &str) -> Option<&Value> {
        find(&self.dict, key)
    }

    pub fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// The strongest layer that has the key.
    fn layer(&self, key: &str) -> Option<&Layer> {
        self.rank(key).and_then(|rank| self.layers.get(rank))
    }

    fn rank(&self, key: &str) -> Option<usize> {
        self.value(key)?;
        self.layers.iter().rposition(|layer| find(&layer.dict, key).is_some())
    }

    /// Where a key's value was written: a file, a variable, or the code.
    pub fn source(&self, key: &str) -> Option<String> {
        let layer = self.layer(key)?;
        if layer.scope == Scope::Code {
            return Some(format!("`configure` of `{}`", self.name));
        }
        let known = || self.context.source(find(&layer.dict, key)?.tag());
        layer.variable.clone().or_else(known)
    }

    /// The keys that are set, by where they were written.
    pub fn written(&self) -> BTreeMap<String, Vec<String>> {
        let mut written = BTreeMap::<_, Vec<_>>::new();
        for key in keys_of(&self.dict, "") {
            let source = self.source(&key).unwrap_or_else(|| "the code".into());
            let for_all = if self.is_for_all(&key) { ", for all sessions" } else { "" };
            let is_idle = self.idle.iter().any(|idle| is_within(&key, idle));
            let idle = if is_idle { ", without effect here" } else { "" };
            written.entry(format!("{source}{for_all}{idle}")).or_default().push(key);
        }
        written
    }

    pub fn problem(&mut self, key: &str, message: impl Into<String>) {
        let (path, source) = (self.path(key), self.source(key));
        self.context.problem(&path, key, message, source);
        self.unsound.insert(key.to_owned());
    }

    /// Whether no problem with these keys or those of their tables was found, so that others can
    /// be judged by them.
    pub fn is_sound(&self, keys: &[&str]) -> bool {
        !self.unsound.iter().any(|unsound| keys.iter().any(|key| is_within(unsound, key)))
    }

    pub fn weakness(&mut self, key: &str, message: &str) {
        if self.context.debug {
            self.warning(key, message);
        } else {
            self.problem(key, message);
        }
    }

    /// Warns of a setting that works but may surprise.
    pub fn warning(&mut self, key: &str, message: &str) {
        let path = self.path(key);
        self.context.warn(&path, message);
    }

    /// Says that a key has no effect because of another one. It is not a problem if the key was
    /// written for all sessions, or in a weaker place than the other: it has an effect elsewhere,
    /// or would have it without the stronger key.
    pub fn no_effect(&mut self, key: &str, because: &str, message: impl Into<String>) {
        let Some(layer) = self.layer(key) else { return };
        if layer.scope != Scope::All
            && !self.unsound.contains(key)
            && self.rank(key) >= self.rank(because)
        {
            self.problem(key, message);
        } else {
            self.idle(key);
        }
    }

    /// Remembers that a key has no effect in this session.
    pub fn idle(&mut self, key: &str) {
        self.idle.insert(key.to_owned());
    }

    /// Whether a key is set to anything but its word or number for "off".
    pub fn is_on(&self, key: &str) -> bool {
        match self.value(key) {
            None | Some(Value::Bool(_, false)) => false,
            Some(Value::String(_, word)) => !["never", "none"].contains(&word.as_str()),
            Some(Value::Num(_, number)) => number.to_u128_lossy() != Some(0),
            Some(_) => true,
        }
    }

    /// Whether any place has the key, in force or not.
    pub fn was_given(&self, key: &str) -> bool {
        self.layers.iter().any(|layer| find(&layer.dict, key).is_some())
    }

    /// Whether a key was written for all sessions.
    pub fn is_for_all(&self, key: &str) -> bool {
        self.layer(key).is_some_and(|layer| layer.scope == Scope::All)
    }

    /// The path of a file or a folder. A relative path starts at the folder of the file in which
    /// it is written; a path from the environment or the code is returned unchanged.
    pub fn resolve(&self, key: &str, path: &str) -> PathBuf {
        let tag = self.value(key).map(Value::tag).unwrap_or_default();
        let metadata = self.context.figment.get_metadata(tag);
        let file = metadata.and_then(|metadata| metadata.source.as_ref()?.file_path());
        file.and_then(|file| file.parent()).map_or_else(|| path.into(), |folder| folder.join(path))
    }

    /// Refuses a value that is not a table, and the keys of the table that do not exist. `None` if
    /// there is no table.
    pub fn is_table(&mut self, key: &str, known: &'static [Key]) -> Option<()> {
        let value = self.value(key)?;
        let Value::Dict(_, dict) = value else {
            let message = expected_table(value);
            self.problem(key, message);
            return None;
        };
        let names: Vec<_> = dict.keys().cloned().collect();
        self.refuse_unknown_of(key, &names, known.iter());
        Some(())
    }

    /// Refuses the keys of the session's table that do not exist.
    pub fn refuse_unknown(&mut self) {
        let names: Vec<_> = self.dict.keys().cloned().collect();
        self.refuse_unknown_of("", &names, self.keys.iter().copied().flatten());
    }

    fn refuse_unknown_of(
        &mut self,
        table: &str,
        names: &[String],
        known: impl Iterator<Item = &'static Key> + Clone,
    ) {
        for name in names.iter().filter(|name| !known.clone().any(|key| key.name == **name)) {
            let message = unknown_key(name, table, known.clone(), self.keys);
            let key = join(table, name);
            let (path, source) = (self.path(&key), self.source(&key));
            self.context.problem(&path, table, message, source);
        }
    }
}

/// A text in quotes, as messages show it. What may be a key or a URL with a password is not shown.
pub(crate) fn quoted(text: &str) -> String {
    if text.len() > LONGEST_QUOTED || text.contains(['@', '{']) || text.contains("://") {
        return "\"…\"".into();
    }
    format!("{text:?}")
}

/// A key of 32 bytes has 43 characters in base64.
const LONGEST_QUOTED: usize = 40;

/// Whether a key is `table` or one of its keys.
fn is_within(key: &str, table: &str) -> bool {
    key.strip_prefix(table).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// What to write instead of a value that is not a table.
fn expected_table(value: &Value) -> &'static str {
    match value.as_str().map(str::trim) {
        Some("") => "empty; remove it, or write a table: { … }",
        Some(text) if text.starts_with('{') => {
            "not a table as TOML has it; write { a = 1, b = \"x\" }, with `=` and with all brackets closed"
        }
        _ => "expected a table: { … }",
    }
}

/// The paths of all values that are not tables.
fn keys_of(dict: &Dict, path: &str) -> Vec<String> {
    let key = |(name, value): (&String, &Value)| match value {
        Value::Dict(_, inner) => keys_of(inner, &join(path, name)),
        _ => vec![join(path, name)],
    };
    dict.iter().flat_map(key).collect()
}

fn find<'v>(dict: &'v Dict, key: &str) -> Option<&'v Value> {
    match key.split_once('.') {
        None => dict.get(key),
        Some((first, rest)) => match dict.get(first)? {
            Value::Dict(_, inner) => find(inner, rest),
            _ => None,
        },
    }
}

/// What other libraries write as keys of their own.
const PARTS_OF_URL: [&str; 7] =
    ["database", "host", "hostname", "password", "port", "user", "username"];

/// What to write instead of a key that the table `table` does not have. `known` are the table's
/// keys and `all` those of a session.
pub(crate) fn unknown_key(
    name: &str,
    table: &str,
    known: impl Iterator<Item = &'static Key>,
    all: &[&'static [Key]],
) -> String {
    let names = |keys: &mut dyn Iterator<Item = &'static Key>| keys.map(|key| key.name).collect();
    let known: Vec<&str> = names(&mut { known });
    let session: Vec<&str> = names(&mut all.iter().copied().flatten());
    let tables = || all.iter().copied().flatten().filter(|key| key.name != table);
    let of_table = |key: &'static Key| {
        let inner = name.strip_prefix(key.name).and_then(|rest| rest.strip_prefix(['_', '-', '.']));
        let name = nearest(inner.unwrap_or(name), key.keys.iter().map(|key| key.name))?;
        Some(format!("`{} = {{ {name} = … }}`", key.name))
    };
    if ["backend", "driver", "engine", "kind"].contains(&name) && known.contains(&"type") {
        "unknown key; write `type`".into()
    } else if PARTS_OF_URL.contains(&name) && known.contains(&"url") {
        "unknown key; it is a part of `url`: redis://user:password@host:port/".into()
    } else if let Some(nearest) = nearest(name, known.into_iter()) {
        format!("unknown key; did you mean `{nearest}`?")
    } else if let Some(key) = nearest(name, session.into_iter()) {
        format!("unknown key here; `{key}` belongs in the session's table itself")
    } else if let Some(place) = tables().find_map(of_table) {
        format!("unknown key here; write {place}")
    } else {
        "unknown key; remove it".into()
    }
}

/// The known word that was probably meant: at most every fourth letter differs. The way of
/// writing several words makes no difference.
pub(crate) fn nearest<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let plain = |text: &str| text.replace(['_', '-', ' '], "").to_lowercase();
    let word = plain(word);
    let distance = |known| (strsim::osa_distance(&word, &plain(known)), known);
    let (distance, nearest) = known.map(distance).min_by_key(|(distance, _)| *distance)?;
    (distance <= (word.len() / 4).max(1) && distance < word.len()).then_some(nearest)
}
