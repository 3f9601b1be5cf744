//! Random configurations: each value is in force or overridden, or it is refused by its path.

// The text of a file is built line by line.
#![allow(clippy::format_push_string)]

use proptest::prelude::*;

use super::*;
use crate::table::{Key, join};

/// A key, a value for it in TOML, and the place where it is written.
#[derive(Clone, Debug)]
struct Line {
    /// The table within the session's, which may be empty.
    table: &'static str,
    key: String,
    value: String,
    /// The value as the field of a struct has it.
    typed: Option<Value>,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    InCode,
    AllInFile,
    AllInVariable,
    OwnInFile,
    OwnInProfile,
    OwnInVariable,
    OwnInLongVariable,
}

const PLACES: [Place; 7] = [
    Place::InCode,
    Place::AllInFile,
    Place::AllInVariable,
    Place::OwnInFile,
    Place::OwnInProfile,
    Place::OwnInVariable,
    Place::OwnInLongVariable,
];

/// A text that no message may show, as the value of a secret.
const CANARY: &str = "CANARYCANARYCANARYCANARYCANARYCANARY!!";

/// Values of every type, good and bad.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => any::<prop::sample::Index>().prop_map(|index| {
            let examples: Vec<_> = all_keys().filter_map(|(_, key)| key.example.as_ref()).collect();
            reference::toml(&(index.get(&examples).value)())
        }),
        1 => any::<i32>().prop_map(|number| number.to_string()),
        1 => any::<f32>().prop_filter("TOML has it", |n| n.is_finite()).prop_map(|n| format!("{n:?}")),
        1 => any::<bool>().prop_map(|flag| flag.to_string()),
        1 => "[a-zäA-Z0-9 ;:/_.-]{0,12}".prop_map(|text| format!("{text:?}")),
        1 => Just("[]".to_owned()),
        1 => Just("{}".to_owned()),
        1 => Just("[\"a\", 7]".to_owned()),
        1 => Just("{ type = \"memory\" }".to_owned()),
        1 => Just("\"never\"".to_owned()),
    ]
}

fn all_keys() -> impl Iterator<Item = (&'static str, &'static Key)> {
    let own = || schema::keys();
    let inner = own().flat_map(|table| table.keys.iter().map(|key| (table.name, key)));
    own().map(|key| ("", key)).chain(inner)
}

fn line() -> impl Strategy<Value = Line> {
    let key = any::<prop::sample::Index>();
    (key, value(), any::<bool>(), prop::sample::select(&PLACES), 0..20_u8).prop_map(
        |(index, value, own_example, place, misspelled)| {
            let keys: Vec<_> = all_keys().collect();
            let (table, key) = *index.get(&keys);
            let value = match &key.example {
                None => format!("{CANARY:?}"),
                Some(example) if own_example => reference::toml(&(example.value)()),
                Some(_) => value,
            };
            let ending = if misspelled == 0 { "x" } else { "" };
            let typed = key.example.as_ref().filter(|_| own_example && ending.is_empty());
            let typed = typed.map(|example| (example.value)());
            Line { table, key: format!("{}{ending}", key.name), value, typed, place }
        },
    )
}

/// The text of Rocket.toml, and the variables.
fn written(lines: &[Line]) -> (String, Vec<(String, String)>) {
    let (mut toml, mut variables) = (String::new(), Vec::new());
    for (place, header) in [
        (Place::AllInFile, "default.sessions"),
        (Place::OwnInFile, "default.sessions.user"),
        (Place::OwnInProfile, "debug.sessions.user"),
    ] {
        toml += &format!("[{header}]\n");
        for line in lines.iter().filter(|line| line.place == place) {
            toml += &format!("{} = {}\n", join(line.table, &line.key), line.value);
        }
    }
    for line in lines {
        let (key, value) = (&line.key, &line.value);
        let inner = if line.table.is_empty() {
            format!("{key}={value}")
        } else {
            format!("{}={{{key}={value}}}", line.table)
        };
        let path = join(line.table, key).replace('.', "__").to_uppercase();
        variables.push(match line.place {
            Place::AllInVariable => (format!("ROCKET_SESSIONS__{path}"), value.clone()),
            Place::OwnInVariable => ("ROCKET_SESSIONS".to_owned(), format!("{{user={{{inner}}}}}")),
            Place::OwnInLongVariable => (format!("ROCKET_SESSIONS__USER__{path}"), value.clone()),
            _ => continue,
        });
    }
    (toml, variables)
}

/// What the lines in the code configure.
fn in_code(lines: &[Line]) -> Registered {
    let mut dict = figment::value::Dict::new();
    for line in lines.iter().filter(|line| line.place == Place::InCode) {
        let Some(value) = line.typed.clone() else { continue };
        let inner = figment::value::Dict::from([(line.key.clone(), value.clone())]);
        match (line.table, dict.get_mut(line.table)) {
            ("", _) => drop(dict.insert(line.key.clone(), value)),
            (_, Some(Value::Dict(_, dict))) => dict.extend(inner),
            (table, _) => drop(dict.insert(table.to_owned(), inner.into())),
        }
    }
    let typed: SessionConfig = Value::from(dict).deserialize().expect("fields of the struct");
    Registered { configured: [("user".to_owned(), typed.to_dict())].into(), ..registered() }
}

/// Whether a stronger line takes the place of this one.
fn is_overridden(line: &Line, by: &Line) -> bool {
    let slot = |key: &str| key.strip_suffix("_file").unwrap_or(key).to_owned();
    let is_key = |line: &Line| ["secret", "sign_key", "encrypt_key"].contains(&&*slot(&line.key));
    let is_own = |line: &Line| line.place >= Place::OwnInFile;
    by.place > line.place
        && ((by.table == line.table && slot(&by.key) == slot(&line.key))
            // A whole table or a word in the place of a table.
            || (by.table.is_empty() && by.key == line.table)
            || (line.table.is_empty() && line.key == by.table)
            || (by.table == line.table && by.key == "type")
            || (is_key(line) && is_key(by) && is_own(by) && !is_own(line)))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases.max(400),
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_value_is_in_force_or_refused_by_its_path(lines in prop::collection::vec(line(), 0..6)) {
        // Rocket.toml and a variable hold a key, and a table or its keys, only once.
        let mut lines = lines;
        let mut seen: Vec<(Place, &str, String)> = Vec::new();
        lines.retain(|line| {
            let clash = seen.iter().any(|(place, table, key)| *place == line.place
                && (line.place == Place::OwnInVariable
                    || (*table == line.table && *key == line.key)
                    || (table.is_empty() && key == line.table)
                    || (line.table.is_empty() && line.key == *table)));
            seen.push((line.place, line.table, line.key.clone()));
            !clash && (line.place != Place::InCode || line.typed.is_some())
        });
        let (toml, variables) = written(&lines);
        let mut given: Vec<_> = variables.iter().map(|(name, value)| (&**name, &**value)).collect();
        given.push(("ROCKET_PROFILE", "debug"));
        match read_with(&in_code(&lines), &[("Rocket.toml", &toml)], &given) {
            Ok(settings) => {
                let in_force: Vec<_> = settings.sessions["user"].written.values().flatten().collect();
                for line in &lines {
                    let path = join(line.table, &line.key);
                    let is_in_force = in_force.iter().any(|key| {
                        **key == path || key.starts_with(&format!("{path}."))
                    });
                    let is_empty = line.value.replace(' ', "") == "{}";
                    let is_overridden = lines.iter().any(|by| is_overridden(line, by));
                    prop_assert!(is_in_force || is_overridden || is_empty, "{path} is lost: {toml} {variables:?}");
                }
            }
            Err(problems) => {
                let mut texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
                for text in &texts {
                    prop_assert!(text.starts_with("`sessions"), "no path: {text}");
                    prop_assert!(!text.contains("CANARY"), "s51: {text}");
                }
                let count = texts.len();
                texts.sort();
                texts.dedup();
                prop_assert_eq!(texts.len(), count, "the same message twice");
                prop_assert!(!lines.is_empty(), "{:?}", texts);
            }
        }
    }
}
