//! What the application registers on the fairing.

use crate::table::Context;

/// The words of `storage` and `revocation` that need no other keys.
const STORAGES: [&str; 3] = ["client", "memory", "none"];
const TRANSPORTS: [&str; 2] = ["cookie", "header"];

/// Refuses registered parts that Rocket.toml cannot name, because the word is a built-in part.
pub(super) fn refuse_shadowed(context: &mut Context<'_>) {
    let registered = context.registered;
    let parts = [
        ("storage", &registered.storages, &STORAGES[..]),
        ("transport", &registered.transports, &TRANSPORTS[..]),
    ];
    for (method, names, built_in) in parts {
        for name in names.iter().filter(|name| built_in.contains(&name.as_str())) {
            let message = format!(
                "{name:?} is the name of a built-in {method}, so Rocket.toml cannot name the registered one; register it under another name"
            );
            context.problem(&format!(".{method}({name:?}, …)"), method, message, None);
        }
    }
}

/// Refuses sessions that the code configures more than once.
pub(super) fn refuse_configured_twice(context: &mut Context<'_>) {
    for name in &context.registered.configured_twice {
        let message = "`configure` was called twice for it; call it once";
        context.problem(&format!("sessions.{name}"), "", message, None);
    }
}
