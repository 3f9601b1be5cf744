//! The key `transport`, and its effect on the other keys.

use std::time::Duration;

use super::types::{Protection, TransportConfig};
use super::{cookie, names};
use crate::table::Table;
use crate::transport::CookieConfig;

/// Reads the transport that `word` names, and returns it with the session's full name there.
/// `name` is the base name, and `max_age` is a cookie's default. `None` if there is no such
/// transport.
pub(super) fn read(
    table: &mut Table<'_, '_>,
    word: &str,
    name: String,
    protection: &Protection,
    max_age: Duration,
) -> Option<(TransportConfig, String)> {
    if word != "cookie" {
        if table.value("cookie").is_some() {
            let message = format!("would be ignored with `transport = {word:?}`; remove it");
            table.problem("cookie", message);
        }
        return Some((read_other(table, word, &name)?, name));
    }
    let table = table.table_or_empty("cookie");
    let (cookie, wire_name) = cookie::read(table, &name, max_age, protection);
    let ktor_encoding = protection.written_ktor().and_then(|ktor| ktor.cookie_encoding);
    Some((TransportConfig::Cookie(CookieConfig { ktor_encoding, ..cookie }), wire_name))
}

/// Reads a header, or a transport that the application has registered.
fn read_other(table: &mut Table<'_, '_>, word: &str, name: &str) -> Option<TransportConfig> {
    if word == "header" {
        names::check_header(table, "name", name);
        return Some(TransportConfig::Header);
    }
    if table.context.registered.transports.iter().any(|known| known == word) {
        return Some(TransportConfig::Custom(word.to_owned()));
    }
    let hint = format!(
        "{word:?} is neither \"cookie\" nor \"header\" nor registered; write `.attach(Sessions::fairing().transport({word:?}, …))`"
    );
    table.problem("transport", hint);
    None
}
