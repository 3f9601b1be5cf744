//! Variables such as `ROCKET_SESSIONS__USER_SESSION__SIGN_KEY=…`. Rocket keeps each as one flat
//! key of its figment. This file moves its value to its place in the table.

use rocket::figment::value::{Dict, Value};

use crate::table::Context;

/// The merged `sessions` table. A flat key overrides the table, and a deeper flat key overrides a
/// shallower one.
pub(super) fn sessions(context: &mut Context<'_>) -> Dict {
    let mut sessions = match context.figment.find_value("sessions") {
        Ok(Value::Dict(_, sessions)) => sessions,
        Ok(other) => {
            context.problem(
                "sessions",
                "expected a table: write [default.sessions.user_session]",
                Some(&other),
            );
            Dict::new()
        }
        Err(_) => Dict::new(),
    };
    let Ok(top) = context.figment.extract::<Dict>() else { return sessions };
    let mut flat: Vec<(Vec<String>, String)> = top
        .into_keys()
        .filter_map(|key| {
            let path = key.strip_prefix("sessions__")?.split("__").map(str::to_owned).collect();
            Some((path, key))
        })
        .collect();
    flat.sort_by_key(|(path, _)| path.len());
    for (path, key) in flat {
        // `find_value` returns a value that knows its source, which `extract` does not.
        if let Ok(value) = context.figment.find_value(&key) {
            insert(&mut sessions, &path, value);
        }
    }
    sessions
}

fn insert(dict: &mut Dict, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        dict.insert(first.clone(), value);
        return;
    }
    let inner = dict.remove(first);
    let tag = value.tag();
    let mut inner = match inner {
        Some(Value::Dict(_, inner)) => inner,
        // `STORAGE=memory` and `STORAGE__CAPACITY=…` may be set together.
        Some(text @ Value::String(..)) if first == "storage" => {
            Dict::from([("type".to_owned(), text)])
        }
        _ => Dict::new(),
    };
    insert(&mut inner, rest, value);
    dict.insert(first.clone(), Value::Dict(tag, inner));
}
