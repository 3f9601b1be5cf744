//! The keys `transport` and `name`, and their effect on the other keys.

use std::time::Duration;

use super::settings::{Protection, TransportSettings};
use super::{SessionConfig, cookie, names};
use crate::table::{Table, nearest, quoted};
use crate::transport::CookieSettings;

/// Reads the transport that `word` names, and returns it with the session's full name there.
/// `session` is the session's own name, and `max_age` is a cookie's default. `None` if there is no
/// such transport.
pub(super) fn read(
    table: &mut Table<'_, '_>,
    session: &str,
    word: &str,
    config: &SessionConfig,
    protection: &Protection,
    max_age: Duration,
) -> Option<(TransportSettings, String)> {
    if word != "cookie" {
        // A header's name with `_` does not pass nginx.
        let default = if word == "header" { session.replace('_', "-") } else { session.to_owned() };
        let name = config.name.clone().unwrap_or(default);
        let transport = read_other(table, word, &name)?;
        let message = format!("would be ignored with `transport = {word:?}`; remove it");
        table.no_effect("cookie", "transport", message);
        return Some((transport, name));
    }
    let name = config.name.clone().unwrap_or_else(|| session.to_owned());
    let attributes = config.cookie.clone().unwrap_or_default();
    let (cookie, wire_name) = cookie::read(table, attributes, &name, max_age, protection);
    let ktor_encoding = protection.written_ktor().and_then(|ktor| ktor.cookie_encoding);
    Some((TransportSettings::Cookie(CookieSettings { ktor_encoding, ..cookie }), wire_name))
}

/// Reads a header, or a transport that the application has registered.
fn read_other(table: &mut Table<'_, '_>, word: &str, name: &str) -> Option<TransportSettings> {
    if word == "header" {
        if names::check_header(table, "name", name) {
            names::warn_of_underscore(table, "name", name);
        }
        return Some(TransportSettings::Header);
    }
    let registered = &table.context.registered.transports;
    if registered.iter().any(|known| known == word) {
        return Some(TransportSettings::Custom(word.to_owned()));
    }
    let known = ["cookie", "header"].into_iter().chain(registered.iter().map(String::as_str));
    let shown = quoted(word);
    let message = match nearest(word, known) {
        Some(nearest) => format!("no transport is named {shown}; did you mean {nearest:?}?"),
        None => format!(
            "no transport is named {shown}; write \"cookie\" or \"header\", or register it: `.attach(Sessions::fairing().transport({shown}, …))`"
        ),
    };
    table.problem("transport", message);
    None
}
