//! Builds [`Tokens`], which seals and opens tokens, from the configured keys.

use crate::config::{
    KtorKeys, KtorSettings, KtorTransform, Protection, SessionSettings, TransportSettings,
};
use crate::crypto::keys::{Binding, TransportBinding};
use crate::crypto::mac::Mac;
use crate::ktor::{Cipher, Ktor, Transform};
use crate::token::{CsrfKeys, Sealer, TokenKind, Tokens};

/// Builds the [`Tokens`] of a session, with every key derived.
pub(super) fn build_tokens(
    app: &str,
    name: &str,
    config: &SessionSettings,
) -> Result<Tokens, String> {
    let transport = match &config.transport {
        TransportSettings::Cookie(_) => TransportBinding::Cookie,
        TransportSettings::Header => TransportBinding::Header,
        TransportSettings::Custom(transport) => TransportBinding::Custom(transport),
    };
    let binding = Binding { app, session: name, transport };
    let Protection { protect, suite, keys, .. } = &config.protection;
    let ktor = config.protection.ktor.as_ref().map(ktor).transpose()?;
    if config.protection.writes_ktor
        && let Some(ktor) = ktor
    {
        let csrf = CsrfKeys::ktor(&binding, keys.csrf_keys()).ok_or(UNDERIVABLE)?;
        return Ok(Tokens::ktor(ktor, csrf));
    }
    let kind = match config.storage {
        Some(_) => TokenKind::id(*protect),
        None => TokenKind::payload(*protect),
    };
    let native = Sealer::new(&binding, kind, *suite, &keys.tokens)?;
    let csrf = CsrfKeys::native(&binding, kind, *suite, keys.csrf_keys()).ok_or(UNDERIVABLE)?;
    Ok(Tokens::native(native, ktor, csrf))
}

const UNDERIVABLE: &str = "the keys of CSRF tokens cannot be derived";

/// Builds Ktor's transformers: a chain for each entry of the list of keys.
fn ktor(config: &KtorSettings) -> Result<Ktor, String> {
    let chain = |keys: &KtorKeys| -> Option<Vec<Transform>> {
        let mac = Mac::new(config.mac, keys.sign.bytes())?;
        let step = |step: &KtorTransform| match (step, &keys.encrypt) {
            (KtorTransform::Mac, _) => Some(Transform::Mac(Box::new(mac.clone()))),
            (KtorTransform::Encrypt, key) => {
                let key = key.as_ref()?.bytes();
                Cipher::new(key, mac.clone(), config.backward_compatible_read)
                    .map(|cipher| Transform::Encrypt(Box::new(cipher)))
            }
        };
        config.transform.iter().map(step).collect()
    };
    let chains: Option<Vec<_>> = config.keys.iter().map(chain).collect();
    let mut chains = chains.ok_or("Ktor's keys do not fit its algorithms")?;
    if config.transform.is_empty() {
        chains.push(Vec::new());
    }
    Ok(Ktor::new(chains, config.cookie_encoding, config.serializer))
}
