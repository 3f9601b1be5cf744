//! `protect`, `suite`, Ktor's format and the keys, which determine who can read and make a token.

use super::keys::{self, KINDS};
use super::ktor::{self, KtorUse};
use super::lifetimes::after;
use super::settings::{KeyReload, KtorSettings, Protection};
use super::storage::Tracking;
use super::{Format, KtorTransform, SessionConfig, key_source};
use crate::crypto::Protect;
use crate::crypto::aead::Suite;
use crate::crypto::keys::KeyMaterial;
use crate::table::Table;

/// Reads the protection of the session `name`.
pub(super) fn read(
    table: &mut Table<'_, '_>,
    name: &str,
    config: &SessionConfig,
    ktor_use: KtorUse,
    tracking: &Tracking,
) -> Protection {
    let protect = read_protect(table, config, tracking);
    let suite = config.suite.unwrap_or(Suite::A128CbcHs256);
    let writes_ktor = ktor_use == KtorUse::Written;
    if protect != Protect::Encrypt && !writes_ktor && tracking.is_known {
        table.no_effect("suite", "protect", "nothing is encrypted; remove it");
    }
    let allow_insecure = config.allow_insecure.unwrap_or(false);
    if protect == Protect::None && !table.context.debug && !allow_insecure {
        table.problem("protect", "\"none\" is refused outside the debug profile; remove it, or write `allow_insecure = true` in the session's table");
    }
    let mut ktor = read_ktor(table, config, ktor_use, protect);
    let on_server = tracking.on_server;
    let session = key_source::KeyNeeds { name, protect, suite, on_server, ktor_use };
    let is_known =
        tracking.is_known && table.is_sound(&["protect", "suite", "format", "accept", "ktor"]);
    let keys = key_source::read(table, &session, is_known, ktor.as_mut());
    let key_reload = read_key_reload(table, config, keys.csrf_keys());
    Protection { protect, suite, allow_insecure, keys, key_reload, ktor, writes_ktor }
}

fn read_protect(table: &mut Table<'_, '_>, config: &SessionConfig, tracking: &Tracking) -> Protect {
    let default = if tracking.on_server { Protect::Sign } else { Protect::Encrypt };
    let protect = config.protect.unwrap_or(default);
    let is_ktor = config.format == Some(Format::Ktor);
    if tracking.on_server && protect == Protect::Encrypt && !is_ktor {
        let message = "an id needs no encryption; with server storage write \"sign\"";
        table.no_effect("protect", "storage", message);
        return Protect::Sign;
    }
    protect
}

/// Reads the `ktor` table if Ktor's format is written or accepted.
fn read_ktor(
    table: &mut Table<'_, '_>,
    config: &SessionConfig,
    ktor_use: KtorUse,
    protect: Protect,
) -> Option<KtorSettings> {
    if ktor_use == KtorUse::Never {
        let message =
            "would be ignored; write `format = \"ktor\"` or `accept = [\"ktor\"]`, or remove it";
        if table.is_sound(&["format", "accept"]) {
            table.no_effect("ktor", "format", message);
        }
        return None;
    }
    let in_cookie = config.transport.as_deref().is_none_or(|transport| transport == "cookie");
    let ktor = ktor::read(table, config.ktor.clone().unwrap_or_default(), protect, in_cookie);
    if ktor.transform.is_empty() && !table.context.debug && protect != Protect::None {
        table.problem("ktor.transform", "[] leaves the token unprotected; write [\"mac\"] or [\"encrypt\"], or `protect = \"none\"` with `allow_insecure = true`");
    }
    if ktor.has(KtorTransform::Encrypt) {
        let message = if ktor_use == KtorUse::Written {
            "anybody can change the first 16 bytes of an encrypted Ktor session without a key: its MAC leaves out the IV. \
             Migrate: `format = \"native\"` with `accept = [\"ktor\"]`"
        } else {
            "as long as Ktor's encrypted sessions are accepted, anybody can change the first 16 bytes of one: \
             remove \"ktor\" from `accept` when everybody has migrated"
        };
        table.warning("ktor.transform", message);
    }
    Some(ktor)
}

/// How often the key files are read again. `None` means never.
fn read_key_reload(
    table: &mut Table<'_, '_>,
    config: &SessionConfig,
    keys: &[KeyMaterial],
) -> Option<KeyReload> {
    let every = after(config.key_reload)?;
    let files = KINDS.map(|kind| kind.names()[1]);
    if !files.iter().any(|file| table.has(file)) {
        // A file that a stronger key replaces would have been read again.
        if files.iter().any(|file| table.was_given(file)) {
            return None;
        }
        let given = KINDS.iter().find_map(|kind| kind.given(table));
        table.no_effect("key_reload", given.unwrap_or("secret"), "reads files again, and no key comes from one; write `secret_file = \"…\"` or remove it");
        return None;
    }
    Some(KeyReload { every, files: keys::files(table, keys) })
}
