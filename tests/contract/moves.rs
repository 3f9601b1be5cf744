//! A session whose id has no part to replace gets another id by a move: the record
//! under the new id is written, then the one under the old id is ended. Whatever
//! breaks that off, the client holds a session that goes on, or there is none; and
//! nothing is left alive that nobody holds.

use std::time::Duration;

use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::tokio::time::{sleep, timeout};
use rocket::{State, get, routes};
use rocket_typed_sessions::storage::StorageError;
use rocket_typed_sessions::{Session, SessionError, Sessions};

use crate::support::*;

/// The two steps of a move.
const STEPS: [Operation; 2] = [Operation::Create, Operation::Invalidate];

/// How a step is broken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    /// It did nothing, and an error came.
    Failed,
    /// It did nothing, and the future that waited for it was dropped.
    Dropped,
    /// It did its work, and an error came instead of the answer.
    Unanswered,
    /// It did its work, and the future that waited for the answer was dropped.
    UnansweredDropped,
}

/// What the request does then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Nothing,
    Save,
    Discard,
    Fail,
}

const BROKEN: [Broken; 4] =
    [Broken::Failed, Broken::Dropped, Broken::Unanswered, Broken::UnansweredDropped];
const THEN: [Then; 4] = [Then::Nothing, Then::Save, Then::Discard, Then::Fail];

impl Broken {
    fn fault(self) -> Fault {
        let unavailable = StorageError::Unavailable("on demand".into(), None);
        match self {
            Self::Failed => Fault::Fails(unavailable),
            Self::Dropped => Fault::Hangs,
            Self::Unanswered => Fault::FailsAfterwards(unavailable),
            Self::UnansweredDropped => Fault::SlowAnswer(Duration::from_secs(60)),
        }
    }

    fn did_its_work(self) -> bool {
        matches!(self, Self::Unanswered | Self::UnansweredDropped)
    }
}

type Case = (Operation, Broken, Then);

#[get("/move")]
async fn move_it(
    session: Session<User>,
    storage: &State<Faulty>,
    case: &State<Case>,
) -> Result<(), Status> {
    let (step, broken, then) = **case;
    session.update(|user| user.count += 1);
    session.renew();
    storage.set(step, broken.fault());
    let broken = timeout(Duration::from_millis(80), session.save()).await;
    assert!(matches!(broken, Err(_) | Ok(Err(SessionError::Storage(_)))), "{broken:?}");
    storage.mend();
    match then {
        Then::Nothing => {}
        Then::Save => session.save().await.map_err(|cause| cause.status())?,
        Then::Discard => session.discard(),
        Then::Fail => return Err(Status::InternalServerError),
    }
    Ok(())
}

/// How the request ended, and what the old id, the new one and the storage hold then.
#[derive(Debug, PartialEq)]
struct Left {
    status: u16,
    old: String,
    new: Option<String>,
    live: usize,
}

async fn break_one(case: Case) -> Left {
    let storage = faulty();
    let fairing = Sessions::fairing().storage("fault", storage.clone());
    let figment = figment("fault")
        .merge(("sessions.user.format", "ktor"))
        .merge(("sessions.user.protect", "sign"))
        .merge(("sessions.user.sign_key", KEY));
    let rocket = build(figment, fairing, routes![move_it]).manage(storage.clone()).manage(case);
    let client = Client::untracked(rocket).await.expect("a rocket");
    let before = logged_in(&client, "ann").await;
    let response = with_cookie(&client, "/move", &before).await;
    let (status, sent) = (response.status().code, sent(&response));
    let new = match &sent {
        Some(token) => Some(text(&client, "/get", token).await),
        None => None,
    };
    let old = text(&client, "/get", &before).await;
    // What nobody waited for is ended soon.
    let expected = expected(case).live;
    let mut live = live_records(&storage).await;
    for _ in 0..100 {
        if live == expected {
            break;
        }
        sleep(Duration::from_millis(20)).await;
        live = live_records(&storage).await;
    }
    Left { status, old, new, live }
}

fn expected((step, broken, then): Case) -> Left {
    let left = |status, old: &str, new: Option<&str>, live| Left {
        status,
        old: old.into(),
        new: new.map(str::to_owned),
        live,
    };
    // An end without an answer cannot be told from somebody else's logout.
    let over = step == Operation::Invalidate && broken.did_its_work();
    match then {
        Then::Save if over => left(401, "absent", None, 0),
        Then::Fail if over => left(500, "absent", None, 0),
        _ if over => left(200, "absent", None, 0),
        Then::Nothing | Then::Save => left(200, "absent", Some("ann 1"), 1),
        Then::Discard => left(200, "ann 0", None, 1),
        Then::Fail => left(500, "ann 0", None, 1),
    }
}

#[tokio::test]
async fn a_move_that_is_broken_off_leaves_nothing_alive_that_nobody_holds() {
    for step in STEPS {
        for broken in BROKEN {
            for then in THEN {
                let case = (step, broken, then);
                assert_eq!(break_one(case).await, expected(case), "{case:?}");
            }
        }
    }
}
