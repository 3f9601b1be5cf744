//! What the headers tell caches about a response for which a session was looked at. `caching_of` in
//! `request/entry.rs` decides what caches may keep (docs/security.md, S15).

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use rocket::Response;

use crate::request::committable::{Caching, Committable};

/// Sets `Vary`, and limits `Cache-Control` to what the sessions allow.
pub(super) fn limit(
    response: &mut Response<'_>,
    entries: &[Arc<dyn Committable>],
    mut wanted: Caching,
) {
    for entry in entries {
        let definition = entry.definition();
        let (transport, wire_name) = (&definition.transport, &definition.wire_name);
        match std::panic::catch_unwind(AssertUnwindSafe(|| transport.vary(wire_name))) {
            Ok(Some(name)) => vary(response, name),
            Ok(None) => {}
            // What the response depends on is unknown.
            Err(_) => wanted = Caching::NoStore,
        }
    }
    match wanted {
        Caching::AsItSays => {}
        Caching::Private => keep_out_of_shared_caches(response),
        Caching::NoStore => no_store(response),
    }
}

pub(super) fn no_store(response: &mut Response<'_>) {
    response.set_raw_header("Cache-Control", "no-store");
}

/// Adds a request header to those that the response depends on.
fn vary(response: &mut Response<'_>, name: &str) {
    let merged: Cow<'static, str> = match glance(response, "Vary", name) {
        Glance::Only => return,
        Glance::Absent if name == "Cookie" => "Cookie".into(),
        Glance::Absent => name.to_owned().into(),
        Glance::Other => {
            let fields = || response.headers().get("Vary").flat_map(directives);
            if fields().any(|field| field == "*" || field.eq_ignore_ascii_case(name)) {
                return;
            }
            fields().chain([name]).collect::<Vec<_>>().join(", ").into()
        }
    };
    response.set_raw_header("Vary", merged);
}

/// Limits the application's `Cache-Control` to the browser's own cache. Without one, no
/// cache may keep the response.
fn keep_out_of_shared_caches(response: &mut Response<'_>) {
    match glance(response, "Cache-Control", "no-store") {
        Glance::Only => return,
        Glance::Absent => return no_store(response),
        Glance::Other => {}
    }
    let given = || response.headers().get("Cache-Control").flat_map(directives);
    if given().next().is_none() {
        return no_store(response);
    }
    let is_private = given().any(is_private);
    if is_private && !given().any(is_for_shared_caches) {
        return;
    }
    // `private` comes first, because an unclosed quote would hide what follows it.
    let private = (!is_private).then_some("private");
    let kept = given().filter(|directive| !is_for_shared_caches(directive));
    let merged = private.into_iter().chain(kept).collect::<Vec<_>>().join(", ");
    response.set_raw_header("Cache-Control", merged);
}

/// The result of a quick look at a response header.
enum Glance {
    Absent,
    /// The usual value and nothing else.
    Only,
    Other,
}

/// Looks at a header without hashing its name: a response has few headers.
fn glance(response: &Response<'_>, name: &str, usual: &str) -> Glance {
    let mut seen = Glance::Absent;
    for header in response.headers().iter().filter(|header| header.name() == name) {
        seen = match seen {
            Glance::Absent if header.value() == usual => Glance::Only,
            _ => Glance::Other,
        };
    }
    seen
}

fn is_for_shared_caches(directive: &str) -> bool {
    let name = directive.split('=').next().unwrap_or_default().trim();
    name.eq_ignore_ascii_case("public") || name.eq_ignore_ascii_case("s-maxage")
}

/// Whether the directive keeps the whole response out of shared caches. `private` with a
/// value concerns only the headers in that value (RFC 9111 section 5.2.2.7).
fn is_private(directive: &str) -> bool {
    directive.eq_ignore_ascii_case("private") || directive.eq_ignore_ascii_case("no-store")
}

/// Splits the list in a header. A quoted value may hold a comma.
fn directives(header: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    let separates = move |character| {
        let separates = character == ',' && !quoted;
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        separates
    };
    header.split(separates).map(str::trim).filter(|directive| !directive.is_empty())
}
