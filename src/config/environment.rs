//! `ROCKET_SESSIONS__USER_SESSION__SIGN_KEY=…`: Rocket leaves such a variable
//! in its figment as one flat key, which is put back in its place here.

use rocket::figment::value::{Dict, Value};

use crate::table::Context;

/// The merged `sessions` table. Deeper flat keys beat shallower ones, and all
/// of them beat the table.
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
        // Looked up once more, for a value that knows where it comes from.
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
        // `STORAGE=memory` and `STORAGE__CAPACITY=…` together.
        Some(text @ Value::String(..)) if first == "storage" => {
            Dict::from([("type".to_owned(), text)])
        }
        _ => Dict::new(),
    };
    insert(&mut inner, rest, value);
    dict.insert(first.clone(), Value::Dict(tag, inner));
}
