//! `protect`, `suite`, Ktor's format, and the keys: who can read and who can make a token.

use figment::value::{Dict, Value};

use super::key_source::Root;
use super::ktor::{self, KtorUse};
use super::lifetimes::read_duration_or_never;
use super::types::{KeyReload, KtorConfig, KtorTransform};
use super::{key_source, keys};
use crate::crypto::Protect;
use crate::crypto::aead::Suite;
use crate::crypto::keys::KeyMaterial;
use crate::table::Table;

/// How the tokens of a session are protected.
pub(super) struct Protection {
    pub protect: Protect,
    pub suite: Suite,
    pub allow_insecure: bool,
    pub ktor: Option<KtorConfig>,
    pub writes_ktor: bool,
    pub keys: key_source::Keys,
    pub key_reload: Option<KeyReload>,
}

impl Protection {
    /// Reads the protection of the session `name`.
    pub fn read(
        table: &mut Table<'_, '_>,
        name: &str,
        (on_server, in_cookie): (bool, bool),
        root: &Root,
    ) -> Self {
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
        let session = key_source::Session { name, protect, suite, on_server, ktor_use };
        let keys = key_source::read(table, &session, root, ktor.as_mut());
        let key_reload = read_key_reload(table, keys.all());
        let writes_ktor = ktor_use == KtorUse::Written;
        Self { protect, suite, allow_insecure, ktor, writes_ktor, keys, key_reload }
    }
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

/// The `ktor` table, where Ktor's format is used at all.
fn read_ktor(
    table: &mut Table<'_, '_>,
    ktor_use: KtorUse,
    protect: Protect,
    in_cookie: bool,
) -> Option<KtorConfig> {
    let path = table.path("ktor");
    let dict = table.table("ktor").map(Table::rest).map(Dict::from_iter);
    if ktor_use == KtorUse::Never {
        if dict.is_some() {
            table.problem("ktor", "would be ignored; write `format = \"ktor\"` or `accept = [\"ktor\"]`, or remove it");
        }
        return None;
    }
    let ktor_table = Table::new(table.context, path, dict.unwrap_or_default());
    let ktor = ktor::read(ktor_table, protect, in_cookie);
    if ktor.transform.is_empty() && !table.context.debug && protect != Protect::None {
        table.problem("ktor.transform", "[] leaves the token to everybody; write [\"mac\"] or [\"encrypt\"], or `protect = \"none\"` with `allow_insecure = true`");
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

/// When to read the files of the keys again; `None` for never.
fn read_key_reload(table: &mut Table<'_, '_>, keys: &[KeyMaterial]) -> Option<KeyReload> {
    let every = read_duration_or_never(table, "key_reload")?;
    let own = ["secret_file", "sign_key_file", "encrypt_key_file"];
    if table.context.root_file.is_none() && !own.iter().any(|file| table.has(file)) {
        table.problem("key_reload", "reads files again, and no key comes from one; write `secret_file = \"…\"` or remove it");
    }
    Some(KeyReload { every, files: keys::files(table, keys) })
}
