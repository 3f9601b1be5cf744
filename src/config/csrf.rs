//! The `csrf` table: the names of the field and of the header, and the trusted origins.

use std::collections::BTreeMap;

use super::names;
use super::origin::Origin;
use super::schema::{CSRF_FIELD, CSRF_HEADER, CsrfConfig};
use super::settings::{CsrfSettings, SessionSettings, TransportSettings};
use crate::table::{Context, Table};

/// The form field in which Rocket reads a method other than `POST`.
const METHOD_FIELD: &str = "_method";

/// Reads the `csrf` table of a session.
pub(super) fn read(table: &mut Table<'_, '_>, config: Option<&CsrfConfig>) -> CsrfSettings {
    let CsrfConfig { field, header, trusted_origins } = config.cloned().unwrap_or_default();
    if let Some(field) = &field {
        check_field(table, field);
    }
    if let Some(header) = &header
        && names::check_header(table, "csrf.header", header)
    {
        names::warn_of_underscore(table, "csrf.header", header);
    }
    CsrfSettings {
        field: field.unwrap_or_else(|| CSRF_FIELD.into()).into(),
        header: header.unwrap_or_else(|| CSRF_HEADER.into()),
        trusted: read_trusted_origins(table, &trusted_origins.unwrap_or_default()),
    }
}

fn check_field(table: &mut Table<'_, '_>, field: &str) {
    if field.is_empty() || field.contains(char::is_control) {
        let message = "cannot be a form field's name; write one like \"csrf_token\"";
        table.problem("csrf.field", message);
    } else if field == METHOD_FIELD {
        let message = "Rocket reads the method in a field of this name; choose another";
        table.problem("csrf.field", message);
    }
}

fn read_trusted_origins(table: &mut Table<'_, '_>, texts: &[String]) -> Vec<Origin> {
    let mut origins = Vec::new();
    for text in texts {
        match Origin::parse(text) {
            Some(origin) => origins.push(origin),
            None => table.problem(
                "csrf.trusted_origins",
                format!("{text:?} is not an origin; write scheme://host[:port] without a path, like \"https://pay.example\", and names in other scripts as xn--…"),
            ),
        }
    }
    origins
}

/// Refuses a CSRF header that already carries a session.
pub(super) fn refuse_headers_of_sessions(
    context: &mut Context<'_>,
    sessions: &BTreeMap<String, SessionSettings>,
) {
    let taken = |header: &str| {
        sessions.iter().find(|(_, session)| {
            matches!(session.transport, TransportSettings::Header)
                && session.wire_name.eq_ignore_ascii_case(header)
                // This name is refused anyway.
                && !session.wire_name.eq_ignore_ascii_case(CSRF_HEADER)
        })
    };
    for (name, session) in sessions {
        if let Some((other, _)) = taken(&session.csrf.header) {
            let message = format!(
                "{:?} is the header that carries `sessions.{other}`; choose another",
                session.csrf.header
            );
            context.problem(&format!("sessions.{name}.csrf.header"), "csrf.header", message, None);
        }
    }
}
