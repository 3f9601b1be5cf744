//! A prototype of reading a session from memory. It does what costs a session of this crate time in
//! each request, and has nothing else that an application needs: no types, storages, transports,
//! key lists, errors or changes. So it gives an idea of how fast such a session can be.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use overhead::bare::{FIRST_COUNT, Found, figment};
use rocket::fairing::AdHoc;
use rocket::http::{Cookie, CookieJar, Status};
use rocket::outcome::Outcome;
use rocket::request::{self, FromRequest};
use rocket::{Build, Request, Response, Rocket, State, get, routes};
use sha2::{Digest, Sha256};

const NAME: &str = "user";
const LOCATOR: [u8; 16] = [7; 16];
const SECRET: [u8; 16] = [8; 16];
const LONGEST: Duration = Duration::from_hours(24);
const IDLE: Duration = Duration::from_hours(1);

/// The prepared key of the signature, and the records under the hashes of their locators.
struct Sessions {
    mac: Hmac<Sha256>,
    records: RwLock<HashMap<[u8; 32], Record>>,
}

#[derive(Clone)]
struct Record {
    /// The hash of the secret.
    secret: [u8; 32],
    created: SystemTime,
    seen: SystemTime,
    count: Arc<u32>,
}

#[derive(Clone)]
struct Session(Arc<Record>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Session {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, ()> {
        let found = request.local_cache(|| load(request).map(|record| Self(Arc::new(record))));
        let nobody = Outcome::Error((Status::NotFound, ()));
        found.clone().map_or(nobody, Outcome::Success)
    }
}

/// The signature is checked, the record is found by a hash, the secret is compared by its hash and
/// in constant time, and the lifetime is checked.
fn load(request: &Request<'_>) -> Option<Record> {
    let sessions = request.rocket().state::<Sessions>()?;
    let mut pairs = request.headers().get_one("Cookie")?.split(';');
    let token = pairs.find_map(|pair| pair.trim().strip_prefix(NAME)?.strip_prefix('='))?;
    let mut bytes = [0; 48];
    if BASE64_URL_SAFE_NO_PAD.decode_slice(token, &mut bytes).ok()? != bytes.len() {
        return None;
    }
    let (id, tag) = bytes.split_at(32);
    sessions.mac.clone().chain_update(id).verify_truncated_left(tag).ok()?;
    let record = sessions.records.read().ok()?.get(&key(&id[..16]))?.clone();
    let pairs = Sha256::digest(&id[16..]).into_iter().zip(record.secret);
    let is_its_secret = pairs.fold(0, |different, (one, other)| different | (one ^ other)) == 0;
    let now = SystemTime::now();
    let lives = now < record.seen + IDLE && now < record.created + LONGEST;
    (is_its_secret && lives).then_some(record)
}

fn key(locator: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(NAME).chain_update(locator).finalize().into()
}

/// Keeps the response out of caches. The clock says whether the session's expiry is due to move.
fn respond(request: &Request<'_>, response: &mut Response<'_>) {
    let Some(session) = request.local_cache(|| None::<Session>) else { return };
    if SystemTime::now() < session.0.seen + IDLE {
        response.set_raw_header("Vary", "Cookie");
        response.set_raw_header("Cache-Control", "no-store");
    }
}

#[get("/start")]
fn start(sessions: &State<Sessions>, jar: &CookieJar<'_>) {
    let (now, secret) = (SystemTime::now(), Sha256::digest(SECRET).into());
    let record = Record { secret, created: now, seen: now, count: Arc::new(FIRST_COUNT) };
    sessions.records.write().expect("no panic").insert(key(&LOCATOR), record);
    let id = [LOCATOR, SECRET].concat();
    let tag = sessions.mac.clone().chain_update(&id).finalize().into_bytes();
    let token = BASE64_URL_SAFE_NO_PAD.encode([&id, &tag[..16]].concat());
    jar.add(Cookie::new(NAME, token));
}

#[get("/read")]
fn read(session: Session) -> Found {
    (*session.0.count == FIRST_COUNT).then_some("found")
}

pub fn app(_: &Path) -> Rocket<Build> {
    let mac = Hmac::new_from_slice(&[3; 32]).expect("HMAC takes keys of any length");
    let fairing = AdHoc::on_response("Prototype", |request, response| {
        Box::pin(async move { respond(request, response) })
    });
    rocket::custom(figment())
        .manage(Sessions { mac, records: RwLock::default() })
        .attach(fairing)
        .mount("/", routes![start, read])
}
