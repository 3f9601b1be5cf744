//! Ktor's old `#` format: a form in which each value states its type.
//!
//! | tag | value |
//! |---|---|
//! | `#n` | null |
//! | `#i` `#l` | integer of 32, of 64 bits |
//! | `#f` | floating point |
//! | `#bot` `#bof` | true, false |
//! | `#ch` `#s` | character; string, also an enum's name |
//! | `#bd` `#bi` | big decimal, big integer: strings here |
//! | `#om` `#op` | an optional without and with a value |
//! | `#cl` `#cs` `#m` | list, set, map |
//! | `##` | a nested form |
//!
//! A member of a sealed class has its name as the last field, untagged, under `$type`. In serde
//! this is `#[serde(tag = "$type")]`.
//!
//! The items of a collection are joined by `&`, which nothing escapes. An item that contains `&`
//! would be read as two, so this crate refuses to write it. A form that Ktor has written so is
//! read as Ktor reads it.

mod part;
mod writer;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

use super::encoding::{component_encode, uri_decode, uri_encode};
use crate::error::DecodeError;
use part::{FormError, Part};
use writer::Writer;

/// The deepest nesting of forms and collections that is read. Anything deeper is an attack.
const MAX_DEPTH: usize = 32;
/// The field that names the member of a sealed class.
const TYPE: &str = "$type";

/// The serializer of Ktor's that is imitated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// Writes fields in their order of declaration. Its reader decodes a nested form twice.
    Kotlinx,
    /// Writes fields sorted by name.
    Reflection,
}

/// Writes a struct or a map as a form.
pub(crate) fn to_form<T: Serialize>(value: &T, variant: Variant) -> Result<String, FormError> {
    match value.serialize(Writer)? {
        Part::Struct(fields) | Part::Map(fields) => form(fields, variant),
        _ => Err(FormError("only a struct has a form".into())),
    }
}

/// Reads the value of a form.
pub(crate) fn from_form<T: DeserializeOwned>(text: &str) -> Result<T, DecodeError> {
    let value =
        read_form(text, 0).ok_or_else(|| DecodeError::new("not a form in Ktor's format"))?;
    serde_json::from_value(value)
        .map_err(|cause| DecodeError::caused_by("the form of another type", cause))
}

fn read_form(text: &str, depth: usize) -> Option<Value> {
    let mut fields = Map::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (uri_decode(name, true)?, uri_decode(value, true)?);
        let value = if name == TYPE { Value::String(value) } else { read(&value, depth + 1)? };
        fields.insert(name, value);
    }
    Some(Value::Object(fields))
}

fn read(text: &str, depth: usize) -> Option<Value> {
    if depth > MAX_DEPTH {
        return None;
    }
    let tag = |tag: &str| text.strip_prefix(tag);
    let string = |rest: &str| Some(Value::String(rest.to_owned()));
    if let Some(rest) = tag("##") {
        read_form(rest, depth)
    } else if text == "#n" || text == "#om" {
        Some(Value::Null)
    } else if let Some(rest) = tag("#op") {
        read(rest, depth + 1)
    } else if let Some(rest) = tag("#ch").or_else(|| tag("#bd")).or_else(|| tag("#bi")) {
        string(rest)
    } else if let Some(rest) = tag("#cl").or_else(|| tag("#cs")) {
        let items = uri_decode(rest, false)?;
        let items = items.split('&').filter(|item| !item.is_empty());
        items.map(|item| read(&uri_decode(item, false)?, depth + 1)).collect()
    } else if let Some(rest) = tag("#bo") {
        (rest == "t" || rest == "f").then_some(Value::Bool(rest == "t"))
    } else if let Some(rest) = tag("#i").or_else(|| tag("#l")) {
        Some(Value::Number(rest.parse::<i64>().ok()?.into()))
    } else if let Some(rest) = tag("#f") {
        Number::from_f64(rest.parse().ok()?).map(Value::Number)
    } else if let Some(rest) = tag("#m") {
        read_map(&uri_decode(rest, false)?, depth)
    } else {
        string(tag("#s")?)
    }
}

fn read_map(text: &str, depth: usize) -> Option<Value> {
    let mut entries = Map::new();
    for entry in text.split('&').filter(|entry| !entry.is_empty()) {
        let (key, value) = entry.split_once('=')?;
        let key = match read(&uri_decode(key, false)?, depth + 1)? {
            Value::String(key) => key,
            Value::Number(key) => key.to_string(),
            Value::Bool(key) => key.to_string(),
            _ => return None,
        };
        entries.insert(key, read(&uri_decode(value, false)?, depth + 1)?);
    }
    Some(Value::Object(entries))
}

fn form(mut fields: Vec<(Part, Part)>, variant: Variant) -> Result<String, FormError> {
    let mut named = Vec::with_capacity(fields.len());
    for (name, value) in fields.drain(..) {
        let Part::Simple(name) = name else {
            return Err(FormError("a field's name must be a string".into()));
        };
        let name = name.strip_prefix("#s").unwrap_or(&name).to_owned();
        let value = text(value, variant, name == TYPE)?;
        named.push((name, value));
    }
    if variant == Variant::Reflection {
        named.sort();
    }
    // `$type` comes last: `false` sorts before `true`, and the sort is stable.
    named.sort_by_key(|(name, _)| name == TYPE);
    let pairs =
        named.iter().map(|(name, value)| format!("{}={}", uri_encode(name), uri_encode(value)));
    Ok(pairs.collect::<Vec<_>>().join("&"))
}

fn text(part: Part, variant: Variant, untagged: bool) -> Result<String, FormError> {
    Ok(match part {
        Part::Simple(text) if untagged => text.strip_prefix("#s").unwrap_or(&text).to_owned(),
        Part::Simple(text) => text,
        Part::List(items) => {
            let items = items.into_iter().map(|item| item_text(item, variant, &['&']));
            join("#cl", items.collect::<Result<_, _>>()?)
        }
        Part::Map(entries) => {
            let entry = |(key, value)| -> Result<String, FormError> {
                let key = item_text(key, variant, &['&', '='])?;
                Ok(format!("{key}={}", item_text(value, variant, &['&', '='])?))
            };
            join("#m", entries.into_iter().map(entry).collect::<Result<_, _>>()?)
        }
        Part::Struct(fields) => {
            if variant == Variant::Kotlinx {
                refuse_what_is_decoded_twice(&fields)?;
            }
            format!("##{}", form(fields, variant)?)
        }
    })
}

fn join(tag: &str, items: Vec<String>) -> String {
    format!("{tag}{}", component_encode(&items.join("&")))
}

fn item_text(part: Part, variant: Variant, reserved: &[char]) -> Result<String, FormError> {
    let text = text(part, variant, false)?;
    if text.contains(reserved) {
        return Err(FormError(
            "an item of a collection holds `&` or `=`, which Ktor would misread".into(),
        ));
    }
    Ok(component_encode(&text))
}

/// Refuses values that Ktor's kotlinx reader would misread, because it decodes the values of a
/// nested form twice.
fn refuse_what_is_decoded_twice(fields: &[(Part, Part)]) -> Result<(), FormError> {
    let harmless = |part: &Part| match part {
        Part::Simple(text) => !text.contains(['&', '=', '%', '+']),
        Part::List(items) => items.is_empty(),
        Part::Map(entries) | Part::Struct(entries) => entries.is_empty(),
    };
    if fields.iter().all(|(_, value)| harmless(value)) {
        return Ok(());
    }
    Err(FormError(
        "a nested value holds what Ktor would misread: collections, or `&`, `=`, `%`, `+`".into(),
    ))
}
