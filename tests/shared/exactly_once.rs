//! Every update counts once, whatever became of its write and of the answer to it.
//! For any storage: what the contract says of one, it says of all.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rocket::figment::Figment;
use rocket::http::{Header, Status};
use rocket::local::asynchronous::Client;
use rocket::tokio::sync::{Notify, oneshot};
use rocket::tokio::time::timeout;
use rocket::{State, get, routes};
use rocket_typed_sessions::storage::StorageError;
use rocket_typed_sessions::storage::{SessionStorage, Timestamp};
use rocket_typed_sessions::testing::storage::{Fault, Faulty, Operation};
use rocket_typed_sessions::{Session, SessionData, SessionError, Sessions};
use serde::{Deserialize, Serialize};

/// The most writes of others after which a lost one can still be found.
const LONGEST_TRAIL: u32 = 16;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Counter(u32);

impl SessionData for Counter {
    const NAME: &'static str = "counter";
}

/// How a write is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lost {
    /// It was applied, and an error came instead of the answer.
    Answer,
    /// It was applied, and the future that waited for it was dropped.
    AnswerDropped,
    /// It was not applied, and an error came.
    Write,
    /// It was not applied, and the future that waited for it was dropped.
    WriteDropped,
}

/// What the request does then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Nothing,
    Save,
    UpdateNow,
    Refresh,
    Discard,
    Fail,
    Clear,
}

const LOST: [Lost; 4] = [Lost::Answer, Lost::AnswerDropped, Lost::Write, Lost::WriteDropped];
const THEN: [Then; 7] = [
    Then::Nothing,
    Then::Save,
    Then::UpdateNow,
    Then::Refresh,
    Then::Discard,
    Then::Fail,
    Then::Clear,
];

impl Lost {
    fn is_applied(self) -> bool {
        matches!(self, Self::Answer | Self::AnswerDropped)
    }

    /// How long the request waits for it: an answer that is dropped must have been on
    /// its way.
    fn patience(self, storage: &Faulty) -> Duration {
        Duration::from_millis(match self {
            Self::Answer | Self::Write => 10_000,
            Self::AnswerDropped if storage.inner().loses_answers() => 400,
            Self::AnswerDropped | Self::WriteDropped => 80,
        })
    }

    fn fault(self) -> Fault {
        let down = || StorageError::Unavailable("on demand".into(), None);
        match self {
            Self::Answer => Fault::FailsAfterwards(down()),
            Self::AnswerDropped => Fault::SlowAnswer(Duration::from_secs(60)),
            Self::Write => Fault::Fails(down()),
            Self::WriteDropped => Fault::Hangs,
        }
    }
}

/// Lets the test act in the middle of a request.
struct Stage {
    storage: Faulty,
    lost: Lost,
    then: Then,
    reached: Notify,
    go_on: Notify,
}

/// Loses an update, waits for what others do, and goes on.
#[get("/lose")]
async fn lose(session: Session<Counter>, stage: &State<Arc<Stage>>) -> Result<(), Status> {
    stage.storage.set(Operation::Update, stage.lost.fault());
    let patience = stage.lost.patience(&stage.storage);
    let lost = timeout(patience, session.update_now(|counter| counter.0 += 1));
    let lost = lost.await;
    assert!(matches!(lost, Err(_) | Ok(Err(SessionError::Storage(_)))), "{lost:?}");
    stage.storage.mend();
    stage.reached.notify_one();
    stage.go_on.notified().await;
    let failed = |cause: SessionError| cause.status();
    match stage.then {
        Then::Nothing => {}
        Then::Save => session.save().await.map_err(failed)?,
        Then::UpdateNow => {
            session.update_now(|counter| counter.0 += 100).await.map_err(failed)?;
        }
        Then::Refresh => drop(session.refresh().await.map_err(failed)?),
        Then::Discard => session.discard(),
        Then::Fail => return Err(Status::InternalServerError),
        Then::Clear => session.clear(),
    }
    Ok(())
}

#[get("/begin")]
fn begin(session: Session<Counter>) {
    session.set(Counter(0));
}

#[get("/add")]
async fn add(session: Session<Counter>) -> Result<(), SessionError> {
    session.update_now(|counter| counter.0 += 10_000).await.map(drop)
}

#[get("/read")]
fn read(session: Session<Counter>) -> Option<String> {
    session.get().map(|counter| counter.0.to_string())
}

async fn node(storage: impl SessionStorage, stage: Option<Arc<Stage>>) -> Client {
    let figment = Figment::from(rocket::Config::default())
        .select("release")
        .merge(("log_level", "off"))
        .merge(("sessions.secret", format!("hex:{}", "8f2a6c1e5b7d9043".repeat(4))))
        .merge(("sessions.counter.storage", "tried"))
        // A busy machine's disk may need more than the default.
        .merge(("sessions.counter.storage_timeout", "30 seconds"));
    let mut rocket = rocket::custom(figment)
        .attach(Sessions::fairing().storage("tried", storage))
        .mount("/", routes![begin, add, read]);
    if let Some(stage) = stage {
        rocket = rocket.manage(stage).mount("/", routes![lose, lose_begin]);
    }
    Client::untracked(rocket).await.expect("a valid configuration")
}

async fn ask(client: &Client, uri: &'static str, cookie: &str) -> (Status, Option<String>) {
    let request = client.get(uri).header(Header::new("Cookie", cookie.to_owned()));
    let response = request.dispatch().await;
    (response.status(), response.into_string().await)
}

/// One update that is lost, so many writes of others, and what the request does then.
/// Says how the request ended, and what is left of the session.
async fn lose_one(
    storage: impl SessionStorage + Clone,
    (lost, others, then): (Lost, u32, Then),
) -> (Status, Option<u32>) {
    let faulty = Faulty::new(storage.clone());
    let (reached, go_on) = (Notify::new(), Notify::new());
    let stage = Arc::new(Stage { storage: faulty.clone(), lost, then, reached, go_on });
    let here = Arc::new(node(faulty, Some(Arc::clone(&stage))).await);
    let there = node(Faulty::new(storage), None).await;
    let begun = there.get("/begin").dispatch().await;
    let cookie = begun.headers().get_one("Set-Cookie").expect("a token").to_owned();
    let cookie = cookie.split(';').next().expect("a pair").to_owned();
    let (done, is_done) = oneshot::channel();
    let request = async {
        let (client, cookie) = (Arc::clone(&here), cookie.clone());
        let _ = done.send(ask(&client, "/lose", &cookie).await);
    };
    let meanwhile = async {
        stage.reached.notified().await;
        for _ in 0..others {
            assert_eq!(ask(&there, "/add", &cookie).await.0, Status::Ok);
        }
        stage.go_on.notify_one();
    };
    rocket::tokio::join!(request, meanwhile);
    let (status, _) = is_done.await.expect("an answer");
    let (read, value) = ask(&there, "/read", &cookie).await;
    let value = (read == Status::Ok).then(|| value?.parse().ok()).flatten();
    (status, value)
}

/// What the contract says of it.
fn expected((lost, others, then): (Lost, u32, Then)) -> (Status, Option<u32>) {
    let theirs = others * 10_000;
    let applied = theirs + u32::from(lost.is_applied());
    match then {
        Then::Clear => (Status::Ok, None),
        Then::Discard => (Status::Ok, Some(applied)),
        Then::Fail => (Status::InternalServerError, Some(applied)),
        _ if others > LONGEST_TRAIL => (Status::ServiceUnavailable, Some(applied)),
        Then::Nothing | Then::Save | Then::Refresh => (Status::Ok, Some(theirs + 1)),
        Then::UpdateNow => (Status::Ok, Some(theirs + 101)),
    }
}

/// Every way to lose a write, with none to forty others in between.
pub async fn every_update_counts_once(storage: impl SessionStorage + Clone, others: &[u32]) {
    for lost in LOST {
        for &others in others {
            for then in THEN {
                let case = (lost, others, then);
                assert_eq!(lose_one(storage.clone(), case).await, expected(case), "{case:?}");
            }
        }
    }
}

/// Begins a session whose `create` is lost, and goes on as the stage says.
#[get("/lose-begin")]
async fn lose_begin(session: Session<Counter>, stage: &State<Arc<Stage>>) -> Result<(), Status> {
    session.set(Counter(7));
    let told = session.id();
    stage.storage.set(Operation::Create, stage.lost.fault());
    let lost = timeout(stage.lost.patience(&stage.storage), session.save()).await;
    assert!(matches!(lost, Err(_) | Ok(Err(SessionError::Storage(_)))), "{lost:?}");
    stage.storage.mend();
    if stage.then == Then::Fail {
        return Err(Status::InternalServerError);
    }
    assert_ne!(session.id(), told, "a create is never sent again");
    if stage.then == Then::Save {
        session.save().await.map_err(|cause| cause.status())?;
    }
    Ok(())
}

/// A `create` that is lost leaves nothing, and the session begins under another id.
pub async fn a_lost_create_leaves_nothing(storage: impl SessionStorage + Clone) {
    for lost in LOST {
        for then in [Then::Nothing, Then::Save, Then::Fail] {
            let faulty = Faulty::new(storage.clone());
            let (reached, go_on) = (Notify::new(), Notify::new());
            let stage = Stage { storage: faulty.clone(), lost, then, reached, go_on };
            let client = node(faulty.clone(), Some(Arc::new(stage))).await;
            let response = client.get("/lose-begin").dispatch().await;
            let sent = response.headers().get_one("Set-Cookie").map(str::to_owned);
            assert_eq!(sent.is_some(), then != Then::Fail, "{lost:?}, {then:?}");
            if let Some(cookie) = sent.as_deref().and_then(|cookie| cookie.split(';').next()) {
                let read = ask(&client, "/read", cookie).await;
                assert_eq!(read, (Status::Ok, Some("7".into())), "{lost:?}, {then:?}");
            }
            // What nobody waited for is ended soon.
            let expected = usize::from(sent.is_some());
            let mut live = usize::MAX;
            for _ in 0..500 {
                live = live_records(&faulty).await;
                if live == expected {
                    break;
                }
                rocket::tokio::time::sleep(Duration::from_millis(20)).await;
            }
            assert_eq!(live, expected, "{lost:?}, {then:?}");
        }
    }
}

async fn live_records(storage: &Faulty) -> usize {
    let (mut live, now) = (0, Timestamp::from(SystemTime::now()));
    for key in storage.created() {
        live += usize::from(storage.inner().read(&key, now).await.expect("it answers").is_some());
    }
    live
}
