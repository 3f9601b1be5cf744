//! Holds `docs/configuration.md` equal to the schema.

// The text of the page is built line by line.
#![allow(clippy::format_push_string, clippy::format_collect)]

use figment::providers::Serialized;
use figment::value::Dict;
use rocket::figment::Figment;

use super::*;
use crate::storage::ENGINES;
use crate::table::{Example, Key, join};

const PAGE: &str = "docs/configuration.md";
const BEGIN: &str = "<!-- The rest is made from the schema in src; see CONTRIBUTING.md. -->\n";

/// A key with the names of its tables.
struct Entry {
    /// The path of its table, which is empty for the session's own.
    table: &'static str,
    /// The name of the struct that has the field.
    owner: &'static str,
    key: &'static Key,
}

impl Entry {
    fn path(&self) -> String {
        join(self.table, self.key.name)
    }
}

fn entries() -> Vec<Entry> {
    let own = schema::keys();
    let mut entries: Vec<_> =
        own.clone().map(|key| Entry { table: "", owner: owner_of(""), key }).collect();
    // `revocation` has the keys of `storage`.
    for table in own.filter(|key| !key.keys.is_empty() && key.name != "revocation") {
        let keys = table.keys.iter();
        entries.extend(keys.map(|key| Entry {
            table: table.name,
            owner: owner_of(table.name),
            key,
        }));
    }
    entries
}

pub(super) fn toml(value: &Value) -> String {
    match value {
        Value::String(_, text) => format!("{text:?}"),
        Value::Bool(_, flag) => flag.to_string(),
        Value::Num(_, number) => number.to_u128_lossy().expect("a whole number").to_string(),
        Value::Array(_, values) => {
            format!("[{}]", values.iter().map(toml).collect::<Vec<_>>().join(", "))
        }
        Value::Dict(_, dict) => {
            let pairs = dict.iter().map(|(key, value)| format!("{key} = {}", toml(value)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        other => panic!("{other:?}"),
    }
}

/// A value as the text of an environment variable.
fn variable(value: &Value) -> String {
    match value {
        Value::String(_, text) => text.clone(),
        Value::Dict(_, dict) => {
            let pairs = dict.iter().map(|(key, value)| format!("{key}={}", toml(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
        }
        other => toml(other),
    }
}

fn variable_name(path: &str) -> String {
    format!("ROCKET_SESSIONS__USER_SESSION__{}", path.replace('.', "__").to_uppercase())
}

fn in_shell(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@".contains(c);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{text}'") }
}

fn meaning(key: &Key) -> String {
    key.meaning.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// The example of a table. An empty one is shown with its first key.
fn table_value(key: &Key, value: Value) -> Value {
    let is_empty = value.as_dict().is_some_and(Dict::is_empty);
    let first = key.keys.iter().find(|_| is_empty);
    let first = first.and_then(|first| Some((first.name, first.example.as_ref()?)));
    first.map_or(value, |(name, first)| Dict::from([(name.to_owned(), (first.value)())]).into())
}

fn section(entry: &Entry) -> String {
    let (key, path) = (entry.key, entry.path());
    let mut rows = vec![("type", (key.kind)()), ("default", key.default.to_owned())];
    if !key.refuses.is_empty() {
        rows.push(("refused", key.refuses.to_owned()));
    }
    match &key.example {
        Some(Example { field, rust, value }) if key.keys.is_empty() || key.name == "storage" => {
            let value = value();
            let table = if entry.table.is_empty() { "" } else { &format!(".{}", entry.table) };
            let kind = ENGINES.iter().find(|engine| engine.keys.contains(&key.name));
            let kind = kind.filter(|_| entry.table == "storage");
            let kind = kind.map_or(String::new(), |kind| format!("`type = {:?}` ", kind.name));
            rows.push((
                "Rocket.toml",
                format!(
                    "`[default.sessions.user_session{table}]` {kind}`{} = {}`",
                    key.name,
                    toml(&value)
                ),
            ));
            let text = in_shell(&variable(&value));
            rows.push(("variable", format!("`{}={text}`", variable_name(&path))));
            rows.push(("field", format!("`{} {{ {field}: Some({rust}), … }}`", entry.owner)));
        }
        Some(Example { field, value, .. }) => {
            let value = table_value(key, value());
            let text = in_shell(&variable(&value));
            rows.push(("variable", format!("`{}={text}`", variable_name(&path))));
            let table = owner_of(key.name);
            rows.push((
                "field",
                format!("`{} {{ {field}: Some({table} {{ … }}), … }}`", entry.owner),
            ));
        }
        None if key.name.ends_with("_file") => {
            rows.push(("variable", format!("`{}=/run/secrets/session_key`", variable_name(&path))));
        }
        None => rows.push(("variable", format!("`{}=\"$(cat key)\"`", variable_name(&path)))),
    }
    if key.example.is_none() && entry.table.is_empty() {
        let name = key.name.to_uppercase();
        rows.push(("for all sessions", format!("`ROCKET_SESSIONS__{name}`")));
    }
    if entry.table.is_empty() && NOT_SHARED.contains(&key.name) {
        rows.push(("for all sessions", "no".into()));
    }
    rows.push(("since", key.since.to_owned()));
    let rows: String = rows.iter().map(|(name, text)| format!("| {name} | {text} |\n")).collect();
    format!("### `{path}`\n\n{}\n\n| | |\n|---|---|\n{rows}\n", meaning(key))
}

/// The struct whose fields are the keys of a table.
fn owner_of(table: &str) -> &'static str {
    match table {
        "" => "SessionConfig",
        "cookie" => "CookieConfig",
        "csrf" => "CsrfConfig",
        "ktor" => "KtorConfig",
        "cache" => "CacheConfig",
        _ => "StorageConfig",
    }
}

fn reference() -> String {
    let entries = entries();
    let mut text = String::from("\n## All keys\n\n| key | type | default |\n|---|---|---|\n");
    for entry in &entries {
        let (path, anchor) = (entry.path(), crate::table::anchor(&entry.path()));
        let Key { kind, default, .. } = entry.key;
        text += &format!("| [`{path}`](#{anchor}) | {} | {default} |\n", kind());
    }
    let mut table = None;
    for entry in &entries {
        if table != Some(entry.table) {
            table = Some(entry.table);
            text += &match entry.table {
                "" => "\n## A session's table\n\n".to_owned(),
                "storage" => "## The tables `storage` and `revocation`\n\n".to_owned(),
                name => format!("## The table `{name}`\n\n"),
            };
        }
        text += &section(entry);
    }
    text.trim_end().to_owned() + "\n"
}

#[test]
fn the_reference_is_equal_to_the_schema() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = std::fs::read_to_string(&path).expect("the page");
    let (prose, _) = page.split_once(BEGIN).expect("the line before the keys");
    let expected = format!("{prose}{BEGIN}{}", reference());
    if std::env::var_os("WRITE_REFERENCE").is_some() {
        std::fs::write(&path, &expected).expect("the page is written");
    } else {
        assert!(page == expected, "write it again: WRITE_REFERENCE=1 cargo test --lib reference");
    }
}

/// The example of a key in the table of a session.
fn dict_of(entry: &Entry) -> Option<Dict> {
    let value = (entry.key.example.as_ref()?.value)();
    let own = Dict::from([(entry.key.name.to_owned(), value)]);
    Some(match entry.table {
        "" => own,
        table => Dict::from([(table.to_owned(), Value::from(own))]),
    })
}

#[test]
fn every_example_is_read_in_each_form_as_the_same_value() {
    for entry in entries() {
        let Some(dict) = dict_of(&entry) else { continue };
        let typed: SessionConfig = Value::from(dict).deserialize().expect("its own form");
        let again = Value::serialize(&typed).expect("a table").deserialize::<SessionConfig>();
        assert_eq!(again.expect("its own form"), typed, "serde");
        if !entry.key.keys.is_empty() && entry.key.name != "storage" {
            continue;
        }
        let path = entry.path();
        let value = (entry.key.example.as_ref().expect("an example").value)();
        Jail::expect_with(|jail| {
            let table = if entry.table.is_empty() { "" } else { &format!(".{}", entry.table) };
            let line =
                format!("[default.sessions.user{table}]\n{} = {}", entry.key.name, toml(&value));
            jail.create_file("Rocket.toml", &line)?;
            let file = rocket::Config::figment().extract_inner::<SessionConfig>("sessions.user");
            assert_eq!(file.expect("the file"), typed, "{path} in Rocket.toml");
            jail.create_file("Rocket.toml", "")?;
            let name = variable_name(&path).replace("USER_SESSION", "USER");
            jail.set_env(name, variable(&value));
            let figment = rocket::Config::figment();
            let registered = Registered::default();
            let mut context = Context::new(&figment, &registered);
            let sources = sources::sources(&mut context);
            let dict = layers::merge(&layers_of(&context, &sources, "user"));
            let figment = Figment::from(Serialized::defaults(dict));
            let typed_again = figment.extract::<SessionConfig>();
            assert_eq!(typed_again.expect("the variable"), typed, "{path} as a variable");
            Ok(())
        });
    }
}
