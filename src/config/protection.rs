//! `protect`, `suite`, Ktor's format and the keys, which determine who can read and make a token.

use figment::value::Value;

use super::key_source::Root;
use super::ktor::{self, KtorUse};
use super::lifetimes::read_duration_or_never;
use super::storage::Tracking;
use super::types::{KeyReload, KtorConfig, KtorTransform, Protection};
use super::{key_source, keys};
use crate::crypto::Protect;
use crate::crypto::aead::Suite;
use crate::crypto::keys::KeyMaterial;
use crate::table::Table;

/// Reads the protection of the session `name`.
pub(super) fn read(
    table: &mut Table<'_, '_>,
    name: &str,
    tracking: &Tracking,
    in_cookie: bool,
    root: &Root,
) -> Protection {
    let on_server = tracking.is_on_server();
    let protect = read_protect(table, on_server);
    let suites = [Suite::A128CbcHs256, Suite::A192CbcHs384, Suite::A256CbcHs512]
        .map(|suite| (suite.name(), suite));
    let suite = table.choice("suite", &suites).unwrap_or(Suite::A128CbcHs256);
    let allow_insecure = table.flag("allow_insecure").unwrap_or(false);
    if protect == Protect::None && !table.context.debug && !allow_insecure {
        table.problem("protect", "\"none\" is refused outside the debug profile, unless the same table says `allow_insecure = true`");
    }
    let ktor_use = ktor::read_use(table);
    let mut ktor = read_ktor(table, ktor_use, protect, in_cookie);
    let session = key_source::KeyNeeds { name, protect, suite, on_server, ktor_use };
    let keys = key_source::read(table, &session, root, ktor.as_mut());
    let key_reload = read_key_reload(table, keys.csrf_keys());
    let writes_ktor = ktor_use == KtorUse::Written;
    if writes_ktor {
        refuse_with_ktor(table, tracking.revocation.is_some(), key_reload.is_some());
    }
    Protection { protect, suite, allow_insecure, keys, key_reload, ktor, writes_ktor }
}

fn read_protect(table: &mut Table<'_, '_>, on_server: bool) -> Protect {
    let choices = [("encrypt", Protect::Encrypt), ("sign", Protect::Sign), ("none", Protect::None)];
    let default = if on_server { Protect::Sign } else { Protect::Encrypt };
    let protect = table.choice("protect", &choices).unwrap_or(default);
    let is_ktor = matches!(table.value("format"), Some(Value::String(_, word)) if word == "ktor");
    if on_server && protect == Protect::Encrypt && !is_ktor {
        table.problem("protect", "an id needs no encryption: with server storage write \"sign\"");
        return Protect::Sign;
    }
    protect
}

/// Reads the `ktor` table if Ktor's format is written or accepted.
fn read_ktor(
    table: &mut Table<'_, '_>,
    ktor_use: KtorUse,
    protect: Protect,
    in_cookie: bool,
) -> Option<KtorConfig> {
    if ktor_use == KtorUse::Never {
        if table.value("ktor").is_some() {
            table.problem("ktor", "would be ignored; write `format = \"ktor\"` or `accept = [\"ktor\"]`, or remove it");
        }
        return None;
    }
    let ktor = ktor::read(table.table_or_empty("ktor"), protect, in_cookie);
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

/// Refuses keys that Ktor's format has no room for.
fn refuse_with_ktor(table: &mut Table<'_, '_>, revocation: bool, key_reload: bool) {
    let why = "Ktor's format has no room for it; remove it, or write `format = \"native\"`";
    let grace = table.has("renewal_grace")
        && !table.duration_or_zero("renewal_grace").unwrap_or_default().is_zero();
    for (key, set) in [
        ("revocation", revocation),
        ("key_reload", key_reload),
        ("renewal_grace", grace),
        ("renew_after", read_duration_or_never(table, "renew_after").is_some()),
        ("suite", table.has("suite")),
    ] {
        if set {
            table.problem(key, why);
        }
    }
}

/// How often the key files are read again. `None` means never.
fn read_key_reload(table: &mut Table<'_, '_>, keys: &[KeyMaterial]) -> Option<KeyReload> {
    let every = read_duration_or_never(table, "key_reload")?;
    let own = ["secret_file", "sign_key_file", "encrypt_key_file"];
    if table.context.root_file.is_none() && !own.iter().any(|file| table.has(file)) {
        table.problem("key_reload", "reads files again, and no key comes from one; write `secret_file = \"…\"` or remove it");
    }
    Some(KeyReload { every, files: keys::files(table, keys) })
}
