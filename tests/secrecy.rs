//! No log line, error, `Debug` or panic shows a key, an id, a token or a
//! payload: every path is walked at the most talkative level, with canaries.

#![allow(clippy::expect_used)]

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use rocket::figment::Figment;
use rocket::http::Header;
use rocket::local::asynchronous::Client;
use rocket::{Request, State, catch, catchers, get, routes};
use rocket_typed_sessions::storage::StorageError;
use rocket_typed_sessions::storage::{Memory, Timestamp};
use rocket_typed_sessions::testing::storage::{Fault, Faulty, Operation};
use rocket_typed_sessions::{
    DecodeError, EncodeError, Session, SessionData, SessionError, SessionId, Sessions,
};
use serde::{Deserialize, Serialize};

/// Everything that is logged in this process, from every crate, at every level.
struct Log;

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        note(format!("{} {}: {}", record.level(), record.target(), record.args()));
    }

    fn flush(&self) {}
}

fn note(line: String) {
    LINES.lock().expect("no panic").push(line);
}

const KEY: [u8; 32] = *b"xyzzy-key-plugh-key-frotz-key-32";
const PAYLOAD: &str = "quux-payload-of-a-fnord";
const OWNER: &str = "zorkmid-gnusto";

/// Whether no canary decodes any more.
static REFUSING: AtomicBool = AtomicBool::new(false);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Canary {
    payload: String,
    mood: String,
}

impl SessionData for Canary {
    const NAME: &'static str = "canary";

    fn owner(&self) -> Option<Cow<'_, str>> {
        assert_ne!(self.mood, "owner panics");
        Some(OWNER.into())
    }

    fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        match self.mood.as_str() {
            "fails" => Err(EncodeError::new("as asked")),
            "panics" => panic!("as asked"),
            "large" => Ok(PAYLOAD.repeat(10_000).into_bytes()),
            // serde's reason quotes it.
            "misread" => Ok(format!("{PAYLOAD:?}").into_bytes()),
            _ => serde_json::to_vec(self).map_err(|cause| EncodeError::caused_by("JSON", cause)),
        }
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let value: Self =
            serde_json::from_slice(bytes).map_err(|cause| DecodeError::caused_by("JSON", cause))?;
        let refused = value.mood == "unreadable" || REFUSING.load(Ordering::SeqCst);
        if refused { Err(DecodeError::new("as asked")) } else { Ok(value) }
    }
}

/// The ids and tokens that must not show.
#[derive(Default)]
struct Secrets(Mutex<Vec<Vec<u8>>>);

impl Secrets {
    fn keep(&self, secret: Vec<u8>) {
        self.0.lock().expect("no panic").push(secret);
    }

    fn keep_id(&self, id: Option<SessionId>) {
        if let Some(id) = id {
            note(format!("{id} {id:?}"));
            self.keep(URL_SAFE_NO_PAD.decode(id.to_text()).expect("base64url"));
        }
    }
}

#[get("/do/<what>")]
async fn perform(
    session: Session<Canary>,
    what: &str,
    secrets: &State<Arc<Secrets>>,
) -> Result<(), SessionError> {
    note(format!("{session:?}"));
    secrets.keep_id(session.id());
    match what {
        "clear" => session.clear(),
        "renew" => session.renew(),
        "save" => session.save().await?,
        "refresh" => drop(session.refresh().await?),
        "update" => drop(session.update_now(|canary| canary.mood.push('.')).await?),
        "panic" => panic!("in the handler"),
        "leave" => {
            // A change after the response that nobody saves.
            rocket::tokio::spawn(async move {
                rocket::tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                session.update(|canary| canary.mood.push('!'));
            });
            return Ok(());
        }
        mood => session.login(Canary { payload: PAYLOAD.into(), mood: mood.into() }),
    }
    secrets.keep_id(session.id());
    Ok(())
}

/// It takes whoever the storage cannot name for a stranger.
#[get("/maybe")]
fn maybe(session: Option<Session<Canary>>) {
    note(format!("{session:?}"));
}

#[catch(default)]
fn caught(_: &Request<'_>) {}

async fn application(storage: &str, faulty: &Faulty, secrets: &Arc<Secrets>) -> Client {
    let figment = Figment::from(rocket::Config::default())
        .merge(("log_level", "debug"))
        .merge(("sessions.secret", format!("base64:{}", STANDARD.encode(KEY))))
        .merge(("sessions.canary.storage", storage))
        .merge(("sessions.canary.touch_after", 0));
    let sessions = Sessions::fairing()
        .storage("faulty", faulty.clone())
        .on_event(|event| note(format!("{event:?}")));
    note(format!("{sessions:?}"));
    let rocket = rocket::custom(figment)
        .attach(sessions)
        .manage(Arc::clone(secrets))
        .mount("/", routes![perform, maybe])
        .register("/", catchers![caught]);
    let client = Client::untracked(rocket).await.expect("a rocket");
    note(format!("{:?}", client.rocket().state::<Sessions>()));
    client
}

async fn request(
    client: &Client,
    what: &str,
    cookies: &[String],
    secrets: &Secrets,
) -> Option<String> {
    let cookie = Header::new("Cookie", cookies.join("; "));
    let response = client.get(format!("/do/{what}")).header(cookie).dispatch().await;
    let sent = response.headers().get_one("Set-Cookie")?.split(';').next()?.to_owned();
    let token = sent.split_once('=')?.1.to_owned();
    if token.len() > 20 {
        secrets.keep(token.clone().into_bytes());
        secrets.keep(URL_SAFE_NO_PAD.decode(&token).expect("base64url"));
    }
    Some(sent)
}

/// Every path through the crate that has anything to say.
async fn walk(storage: &str, secrets: &Arc<Secrets>) {
    let faulty = Faulty::new(Memory::new(100));
    let client = application(storage, &faulty, secrets).await;
    let login = async || request(&client, "calm", &[], secrets).await.expect("a token");
    for what in [
        "calm",
        "update",
        "save",
        "refresh",
        "renew",
        "clear",
        "panic",
        "leave",
        "fails",
        "panics",
        "large",
        "misread",
        "unreadable",
        "owner panics",
    ] {
        let token = login().await;
        request(&client, what, std::slice::from_ref(&token), secrets).await;
        request(&client, "refresh", std::slice::from_ref(&token), secrets).await;
        let (half, _) = token.split_at(token.len() / 2);
        request(&client, what, &[half.to_owned()], secrets).await;
        request(&client, what, &[format!("{token}x")], secrets).await;
        let two = [token, login().await];
        request(&client, "refresh", &two, secrets).await;
    }
    let token = login().await;
    REFUSING.store(true, Ordering::SeqCst);
    request(&client, "update", &[token], secrets).await;
    REFUSING.store(false, Ordering::SeqCst);
    let fault = StorageError::Unavailable("down".into(), None);
    for operation in Operation::ALL {
        let token = login().await;
        faulty.set(operation, Fault::Fails(fault.clone()));
        for what in ["update", "renew", "clear", "calm"] {
            request(&client, what, std::slice::from_ref(&token), secrets).await;
        }
        faulty.mend();
    }
    let cookie = Header::new("Cookie", login().await);
    faulty.set(Operation::Read, Fault::Fails(fault));
    client.get("/maybe").header(cookie).dispatch().await;
    let token = login().await;
    faulty.set(Operation::Read, Fault::Fails(StorageError::Corrupt("torn")));
    request(&client, "update", &[token], secrets).await;
    faulty.mend();
    for key in faulty.created() {
        let stored = faulty.inner().read(&key, Timestamp::from(std::time::SystemTime::now())).await;
        note(format!("{key:?} {stored:?}"));
    }
    rocket::tokio::time::sleep(std::time::Duration::from_millis(50)).await;
}

/// Configurations that are refused while they hold a key.
async fn refuse() {
    let secret = format!("base64:{}", STANDARD.encode(KEY));
    for (key, value) in [
        ("sessions.canary.secret", secret.as_str()),
        ("sessions.canary.sign_key", secret.as_str()),
        ("sessions.canary.secret", "xyzzy-key-plugh-key-frotz-key-32"),
        ("sessions.canary.secrt", secret.as_str()),
        ("sessions.canary.secret_file", "/nowhere"),
        ("sessions.canary.idle_timeout", "xyzzy-key-plugh-key-frotz-key-32"),
    ] {
        let figment = Figment::from(rocket::Config::default())
            .merge(("log_level", "debug"))
            .merge(("sessions.secret", secret.as_str()))
            .merge(("sessions.canary.protect", "none"))
            .merge((key, value));
        let launched = rocket::custom(figment).attach(Sessions::fairing()).ignite().await;
        // Dropping Rocket's error would panic unless it is looked at.
        note(launched.err().map_or_else(String::new, |cause| format!("{cause} {cause:?}")));
    }
}

fn forms(secret: &[u8]) -> Vec<String> {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).expect("a digit");
    let hex: String = secret.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
    let mut forms = vec![hex.to_uppercase(), hex];
    forms.extend(
        [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD]
            .map(|base64| base64.encode(secret)),
    );
    forms.push(format!("{secret:?}").trim_matches(['[', ']']).to_owned());
    forms.extend(std::str::from_utf8(secret).ok().map(str::to_owned));
    forms
}

#[test]
fn s51_s53_no_path_shows_a_key_an_id_a_token_or_a_payload() {
    log::set_boxed_logger(Box::new(Log)).expect("the first logger");
    std::panic::set_hook(Box::new(|panic| note(format!("{panic}"))));
    let secrets = Arc::<Secrets>::default();
    let runtime = rocket::tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        for storage in ["client", "memory", "faulty"] {
            log::set_max_level(log::LevelFilter::Trace);
            walk(storage, &secrets).await;
        }
        refuse().await;
    });
    let _ = std::panic::take_hook();
    let lines = LINES.lock().expect("no panic");
    // The walk really was talkative.
    for said in [
        "several sessions",
        "a payload cannot be decoded as `",
        "corrupt",
        "could not be saved",
        "the response 200 OK would hide; it becomes 503 Service Unavailable",
        "`secrecy::Canary` does not survive encoding and decoding: invalid type: expected struct Canary at line 1 column 25",
        "never saved",
        "panicked",
        "Rejected",
        "Expired",
    ] {
        assert!(lines.iter().any(|line| line.contains(said)), "nothing said {said:?}");
    }
    let mut canaries: Vec<Vec<u8>> = secrets.0.lock().expect("no panic").clone();
    assert!(canaries.len() > 100);
    canaries.extend([KEY.to_vec(), PAYLOAD.into(), OWNER.into()]);
    for canary in &canaries {
        // Halves too: of an id, the locator and the secret.
        for part in [&canary[..], &canary[..canary.len() / 2], &canary[canary.len() / 2..]] {
            for form in forms(part) {
                let shown: Vec<_> = lines.iter().filter(|line| line.contains(&form)).collect();
                assert!(shown.is_empty(), "{form} is shown by {shown:#?}");
            }
        }
    }
    let ours: Vec<_> = lines.iter().filter(|line| line.contains("rocket_typed_sessions")).collect();
    assert!(!ours.is_empty(), "no line names its crate");
    for line in ours {
        assert!(!line.trim_end().contains('\n'), "s53: one event, one line: {line}");
    }
}
