//! Where the configuration of the sessions comes from: the profiles of Rocket's figment, and
//! variables such as `ROCKET_SESSIONS__USER_SESSION__SIGN_KEY=…`, each of which Rocket keeps as
//! one flat key.

use figment::Profile;
use figment::Provider;
use figment::value::{Dict, Map, Value};

use super::schema::keys;
use crate::table::{Context, Key};

/// What one source says below `sessions`.
pub(super) struct Source {
    pub dict: Dict,
    /// The variable. `None` if the values know their source.
    pub variable: Option<String>,
}

/// The sources, from the weakest to the strongest: Rocket.toml, a profile's table of it, the
/// variable `ROCKET_SESSIONS`, and variables that name a key, of which a deeper one is stronger.
pub(super) fn sources(context: &mut Context<'_>) -> Vec<Source> {
    let Ok(mut profiles) = context.figment.data() else {
        let message = "Rocket cannot read its configuration; correct Rocket.toml";
        context.problem("sessions", "", message, None);
        return Vec::new();
    };
    let selected = context.figment.profile().clone();
    let in_order = [Profile::Default, selected, Profile::Global];
    let dicts: Vec<Dict> = in_order.iter().filter_map(|profile| profiles.remove(profile)).collect();
    let mut sources = Vec::new();
    for dict in &dicts {
        match dict.get("sessions") {
            Some(Value::Dict(_, dict)) => {
                sources.push(Source { dict: dict.clone(), variable: None });
            }
            Some(other) => {
                let source = context.source(other.tag());
                let message = match context.flat_variable(other.tag(), "sessions") {
                    Some(_) => {
                        "expected a table as TOML has it; write '{user_session={…}}', with all brackets closed"
                    }
                    None => "expected a table; write [default.sessions.user_session]",
                };
                context.problem("sessions", "", message, source);
            }
            None => {}
        }
        find_misspelled(context, dict);
        refuse_two_variables_of_one_key(context, dict);
    }
    let mut flat: Vec<_> = dicts.iter().flat_map(|dict| flat_keys(context, dict)).collect();
    flat.sort_by_key(|(depth, _)| *depth);
    sources.extend(flat.into_iter().map(|(_, source)| source));
    sources
}

/// The variables that name a key, with the number of its parts.
fn flat_keys(context: &Context<'_>, dict: &Dict) -> Vec<(usize, Source)> {
    let is_type = |key: &str| key.ends_with("__type");
    // A storage's type comes first: it replaces a weaker table, and no key beside it.
    let types = dict.iter().filter(|(key, _)| is_type(key));
    let in_order = types.chain(dict.iter().filter(|(key, _)| !is_type(key)));
    let flat = in_order.filter_map(|(key, value)| {
        let path: Vec<_> = key.strip_prefix("sessions__")?.split("__").collect();
        let nest = |inner: Value, key: &&str| {
            Value::Dict(value.tag(), Map::from([((*key).to_owned(), inner)]))
        };
        let Value::Dict(_, dict) = path.iter().rev().fold(value.clone(), nest) else { return None };
        let variable = context.flat_variable(value.tag(), key);
        Some((path.len(), Source { dict, variable }))
    });
    flat.collect()
}

/// Refuses variables that give a key and a file with it: neither is stronger.
fn refuse_two_variables_of_one_key(context: &mut Context<'_>, dict: &Dict) {
    for (key, value) in dict {
        let Some(plain) = key.strip_suffix("_file") else { continue };
        if plain.starts_with("sessions__") && dict.contains_key(plain) {
            let name = |key| context.flat_variable(value.tag(), key).unwrap_or_default();
            let (file, plain) = (name(key), name(plain));
            let path = key.replace("__", ".");
            let message = format!("{file} cannot be combined with {plain}; keep one of them");
            context.problem(&path, "", message, None);
        }
    }
}

/// Finds tables and variables that were probably meant for the sessions.
fn find_misspelled(context: &mut Context<'_>, dict: &Dict) {
    for (key, value) in dict {
        let flat = ["sessions_", "session__", "session_"].iter().find_map(|start| {
            let rest = key.strip_prefix(start).filter(|_| !key.starts_with("sessions__"))?;
            parts_of(rest)
        });
        let source = context.source(value.tag());
        if let (Some(rest), Some(wrong)) = (flat, context.flat_variable(value.tag(), key)) {
            let right = context.variable(&rest.to_uppercase());
            let message = format!(
                "`{wrong}` is not read, but resembles a variable of the sessions; write {right}"
            );
            context.misspelled(key, message, None);
        } else if key == "session" && value.as_dict().is_some_and(has_key) {
            let message = "not read; write [default.sessions…], with an `s`";
            context.problem(key, "", message, source);
        } else if UNMISTAKABLE.contains(&key.as_str()) {
            let message = format!(
                "not read here; write it below [default.sessions], or as {}",
                context.variable(&key.to_uppercase())
            );
            context.misspelled(key, message, source);
        }
    }
}

/// Keys that can only be meant for sessions, wherever they are written.
const UNMISTAKABLE: [&str; 8] = [
    "absolute_timeout",
    "max_sessions_per_owner",
    "owner_limit_policy",
    "remember_client",
    "renew_after",
    "renewal_grace",
    "storage_timeout",
    "touch_after",
];

/// The parts of a variable's name, separated by `__`. `None` if it does not end in a key.
pub(super) fn parts_of(name: &str) -> Option<String> {
    let inner =
        |table: &'static Key| table.keys.iter().map(|key| format!("{}__{}", table.name, key.name));
    let all = keys().flat_map(|key| inner(key).chain([key.name.to_owned()]));
    let parted = all.filter_map(|key| {
        let rest =
            name.strip_suffix(&key).or_else(|| name.strip_suffix(&key.replace("__", "_")))?;
        let session = rest.trim_end_matches('_');
        let is_part = rest.is_empty() || (rest.ends_with('_') && !session.is_empty());
        is_part
            .then(|| (key.len(), if rest.is_empty() { key } else { format!("{session}__{key}") }))
    });
    parted.max_by_key(|(length, _)| *length).map(|(_, parts)| parts)
}

/// Whether a table, or one of its tables, has a key of the sessions.
fn has_key(dict: &Dict) -> bool {
    let is_known = |dict: &Dict| keys().any(|key| dict.contains_key(key.name));
    is_known(dict)
        || dict.values().filter_map(Value::as_dict).any(|dict| dict.is_empty() || is_known(dict))
}
