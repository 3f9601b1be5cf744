//! The layers of a session's table, and how a stronger one is merged over a weaker one.

use figment::value::{Dict, Value};

use super::keys::{ENCRYPT, KINDS, KeyKind, SIGN};
use crate::storage::schema::storage_dict;
use crate::table::{Layer, Scope};

/// The keys that hold URLs and name their file. A stronger layer replaces both.
const URL: [&str; 2] = ["url", "url_file"];

/// The keys whose value is a storage: a word, or a table with a `type`.
const STORAGES: [&str; 2] = ["storage", "revocation"];

/// Merges the layers, the weakest first.
pub(super) fn merge(layers: &[Layer]) -> Dict {
    let mut merged = Dict::new();
    let mut scope = Scope::Code;
    for layer in layers {
        let has_secrets =
            KINDS.iter().flat_map(KeyKind::names).any(|key| layer.dict.contains_key(key));
        if layer.scope > scope && has_secrets {
            // A session's own keys replace those of all sessions together. `secret` stays for what
            // they do not protect, such as native tokens beside accepted ones of Ktor.
            [SIGN, ENCRYPT]
                .iter()
                .flat_map(KeyKind::names)
                .for_each(|key| drop(merged.remove(key)));
        }
        scope = layer.scope;
        merge_session(&mut merged, &layer.dict);
    }
    merged
}

fn merge_session(lower: &mut Dict, upper: &Dict) {
    for kind in &KINDS {
        replace(lower, upper, &kind.names());
    }
    for key in STORAGES {
        let both = (lower.get(key).and_then(storage_dict), upper.get(key).and_then(storage_dict));
        let (Some(mut below), Some(above)) = both else { continue };
        let (kind, below_kind) = (above.get("type"), below.get("type"));
        // A table without a type waits for one.
        if kind.is_some() && below_kind.is_some() && kind != below_kind {
            lower.remove(key);
        } else {
            replace(&mut below, &above, &URL);
            let tag = lower.get(key).map(Value::tag).unwrap_or_default();
            lower.insert(key.to_owned(), Value::Dict(tag, below));
        }
    }
    for (key, value) in upper {
        let value = match (lower.remove(key), value) {
            // A word of the same type changes nothing in the table.
            (Some(table @ Value::Dict(..)), Value::String(..)) if STORAGES.contains(&&**key) => {
                table
            }
            (Some(Value::Dict(_, mut below)), Value::Dict(tag, above)) => {
                merge_tables(&mut below, above);
                Value::Dict(*tag, below)
            }
            (_, value) => value.clone(),
        };
        lower.insert(key.clone(), value);
    }
}

fn merge_tables(lower: &mut Dict, upper: &Dict) {
    for (key, value) in upper {
        match (lower.get_mut(key), value) {
            (Some(Value::Dict(_, below)), Value::Dict(_, above)) => merge_tables(below, above),
            _ => drop(lower.insert(key.clone(), value.clone())),
        }
    }
}

/// Removes the weaker layer's names of a thing that the stronger layer names.
fn replace(lower: &mut Dict, upper: &Dict, names: &[&str; 2]) {
    if names.iter().any(|name| upper.contains_key(*name)) {
        for name in names {
            lower.remove(*name);
        }
    }
}
