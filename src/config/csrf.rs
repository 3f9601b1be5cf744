//! The `csrf` table: the names of the field and of the header, and the trusted origins.

use std::collections::BTreeMap;

use figment::value::Value;

use super::names;
use super::origin::Origin;
use super::types::{CsrfConfig, SessionConfig, TransportConfig};
use crate::table::{Context, Table};

/// The default name of the form field that [`CsrfForm`](crate::csrf::CsrfForm) reads. A session's
/// table can configure another name: `csrf = { field = "…" }`.
pub const CSRF_FIELD: &str = "csrf_token";
/// The default name of the header that [`CsrfHeader`](crate::csrf::CsrfHeader) and
/// [`CsrfForm`](crate::csrf::CsrfForm) read. A session's table can configure another name:
/// `csrf = { header = "…" }`.
pub const CSRF_HEADER: &str = "X-CSRF-Token";

/// The form field in which Rocket reads a method other than `POST`.
const METHOD_FIELD: &str = "_method";

/// Reads the `csrf` table of a session.
pub(super) fn read(table: &mut Table<'_, '_>) -> CsrfConfig {
    let mut table = table.table_or_empty("csrf");
    let rules = CsrfConfig {
        field: field(&mut table).into(),
        header: header(&mut table),
        trusted: read_trusted_origins(&mut table),
    };
    table.finish();
    rules
}

fn field(table: &mut Table<'_, '_>) -> String {
    let Some(field) = table.text("field") else { return CSRF_FIELD.into() };
    if field.is_empty() || field.contains(char::is_control) {
        table.problem("field", "cannot be a form field's name; write one like \"csrf_token\"");
    } else if field == METHOD_FIELD {
        table.problem("field", "Rocket reads the method in a field of this name; choose another");
    }
    field
}

fn header(table: &mut Table<'_, '_>) -> String {
    let Some(header) = table.text("header") else { return CSRF_HEADER.into() };
    if names::check_header(table, "header", &header) && header.contains('_') {
        table
            .warning("header", "nginx drops headers with `_` in their names by default; write `-`");
    }
    header
}

fn read_trusted_origins(table: &mut Table<'_, '_>) -> Vec<Origin> {
    const EXPECTED: &str =
        "expected a list of origins, scheme://host[:port]: [\"https://pay.example\"]";
    let values = match table.value("trusted_origins") {
        None => return Vec::new(),
        Some(Value::Array(_, values)) => values,
        Some(_) => {
            table.problem("trusted_origins", EXPECTED);
            return Vec::new();
        }
    };
    let mut origins = Vec::new();
    for value in values {
        match value.as_str().map(|text| (text, Origin::parse(text))) {
            Some((_, Some(origin))) => origins.push(origin),
            Some((text, None)) => table.problem(
                "trusted_origins",
                format!("{text:?} is not an origin; write scheme://host[:port] without a path, like \"https://pay.example\", and names in other scripts as xn--…"),
            ),
            None => table.problem("trusted_origins", EXPECTED),
        }
    }
    origins
}

/// Refuses a CSRF header that already carries a session.
pub(super) fn refuse_headers_of_sessions(
    context: &mut Context<'_>,
    sessions: &BTreeMap<String, SessionConfig>,
) {
    let taken = |header: &str| {
        sessions.iter().find(|(_, session)| {
            matches!(session.transport, TransportConfig::Header)
                && session.wire_name.eq_ignore_ascii_case(header)
        })
    };
    for (name, session) in sessions {
        if let Some((other, _)) = taken(&session.csrf.header) {
            let message = format!(
                "{:?} is the header that carries `sessions.{other}`; choose another",
                session.csrf.header
            );
            context.problem(&format!("sessions.{name}.csrf.header"), message, None);
        }
    }
}
