//! Tokens that an independent implementation has made.

use super::*;

/// The tokens of `tests/vectors/native.json`.
#[derive(serde::Deserialize)]
struct Vectors {
    tokens: Vec<Vector>,
}

#[derive(serde::Deserialize)]
struct Vector {
    app: String,
    session: String,
    transport: String,
    kind: u8,
    suite: String,
    keys: std::collections::HashMap<String, String>,
    #[serde(flatten)]
    payload: Option<Carried>,
    token: String,
}

#[derive(serde::Deserialize)]
struct Carried {
    times: [u64; 3],
    lifetime: [u64; 2],
    epoch: u64,
    incarnation: u64,
    session_id: String,
    generation: u32,
    payload: String,
}

impl Vector {
    /// What a token is bound to. A single key serves every purpose, whatever its name in the
    /// table.
    fn binding(&self) -> impl PartialEq + '_ {
        let (one, other) = match (self.keys.get("encrypt_key"), self.keys.get("sign_key")) {
            (Some(encrypt), Some(sign)) => (encrypt.as_str(), sign.as_str()),
            _ => (self.keys.values().next().map_or("", String::as_str), ""),
        };
        (self.kind, [&self.app, &self.session, &self.transport, &self.suite, one, other])
    }

    fn sealer(&self) -> Sealer {
        let kinds = [
            TokenKind::EncryptedPayload,
            TokenKind::SignedPayload,
            TokenKind::SignedId,
            TokenKind::PlainPayload,
            TokenKind::PlainId,
        ];
        let kind = kinds.into_iter().find(|kind| *kind as u8 == self.kind).unwrap();
        let suites = [Suite::A128CbcHs256, Suite::A192CbcHs384, Suite::A256CbcHs512];
        let suite = suites.into_iter().find(|suite| suite.name() == self.suite).unwrap();
        let key =
            |name: &str| self.keys.get(name).map(|key| Secret::new(hex::decode(key).unwrap()));
        let material = match (key("secret"), key("encrypt_key"), key("sign_key")) {
            (Some(secret), ..) => Some(KeyMaterial::Secret(secret)),
            (_, Some(encrypt), Some(sign)) => Some(KeyMaterial::EncryptAndSign { encrypt, sign }),
            (_, Some(encrypt), None) => Some(KeyMaterial::Encrypt(encrypt)),
            (_, None, sign) => sign.map(KeyMaterial::Sign),
        };
        let transport = match self.transport.as_str() {
            "cookie" => TransportBinding::Cookie,
            "header" => TransportBinding::Header,
            custom => TransportBinding::Custom(custom),
        };
        let binding = Binding { app: &self.app, session: &self.session, transport };
        let materials: Vec<_> = material.into_iter().collect();
        Sealer::new(&binding, kind, suite, &materials).unwrap()
    }
}

impl Carried {
    fn claims(&self) -> Claims {
        let [created, seen, authenticated] = self.times.map(Timestamp::from_millis);
        let [kind, value] = self.lifetime;
        let lifetime = OwnLifetime::from_bytes((kind << 56 | value).to_be_bytes()).unwrap();
        Claims {
            times: Times { created, seen, authenticated, lifetime },
            epoch: self.epoch,
            incarnation: self.incarnation,
            token_id: hex::decode(&self.session_id).unwrap().try_into().unwrap(),
            generation: self.generation,
        }
    }
}

#[test]
fn s27_s28_tokens_of_an_independent_implementation_open_and_are_made_byte_for_byte() {
    let Vectors { tokens: vectors } =
        serde_json::from_str(include_str!("../../../tests/vectors/native.json")).unwrap();
    assert!(vectors.len() > 50);
    for vector in &vectors {
        let sealer = vector.sealer();
        let Some(given) = &vector.payload else {
            let id = SessionId::from_bytes(&std::array::from_fn(|i| u8::try_from(i).unwrap()));
            assert_eq!(sealer.seal_id(&id).unwrap(), vector.token);
            assert!(sealer.open_id(&vector.token).unwrap().content == id);
            continue;
        };
        let (claims, payload) = (given.claims(), hex::decode(&given.payload).unwrap());
        let iv = Random::Scripted(std::sync::Arc::new(parking_lot::Mutex::new(vec![0x2a])));
        assert_eq!(sealer.seal_payload(&claims, &payload, LIMIT, &iv).unwrap(), vector.token);
        assert_eq!(open(&sealer, &vector.token), Some((claims, payload)));
    }
    // No token opens under the definition of another one.
    for (n, one) in vectors.iter().enumerate() {
        let sealer = one.sealer();
        for (m, other) in vectors.iter().enumerate().filter(|(m, _)| *m != n) {
            let opens =
                open(&sealer, &other.token).is_some() || sealer.open_id(&other.token).is_some();
            // Unprotected tokens are bound to their kind only.
            let same = one.binding() == other.binding()
                || sealer.kind.is_plain() && one.kind == other.kind;
            assert_eq!(opens, same, "{n} {m}");
        }
    }
}
