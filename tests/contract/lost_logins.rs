//! A login over a session whose answer is lost: if both writes were applied, the login
//! goes on. If not, nothing has happened.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::{State, get, routes};
use rocket_typed_sessions::storage::StorageError;
use rocket_typed_sessions::storage::{Memory, SessionStorage};
use rocket_typed_sessions::{Session, Sessions};

use crate::support::*;

const LONG: Duration = Duration::from_secs(60);

fn unavailable() -> StorageError {
    StorageError::Unavailable("on demand".into(), None)
}

/// What a login's answer is lost after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Nothing,
    TheFirst,
    Both,
    /// Another login has replaced the session, and this one has done nothing.
    Another,
}

/// What comes instead of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Error,
    None,
    Conflict,
}

/// A storage that does both writes of a login in one step, and may lose the answer.
#[derive(Clone)]
struct AtOnce {
    storage: Memory,
    lost: Arc<Mutex<Option<(After, Answer)>>>,
}

storage_over! {
    AtOnce.storage;

    async fn succeed(
        &self,
        new: Successor<'_>,
        old: Predecessor<'_>,
        now: Timestamp,
    ) -> Result<Succeed, StorageError> {
        let lost = *self.lost.lock();
        let Some((after, instead)) = lost else { return self.storage.succeed(new, old, now).await };
        match after {
            After::Nothing => {}
            After::TheFirst => {
                let created = self.storage.create(new.key, new.record, new.guard, now).await?;
                assert_eq!(created, Create::Created);
            }
            After::Another => {
                let mut left = old.record.payload.to_vec();
                let key = new.key.as_bytes();
                let at = left.windows(key.len()).position(|part| part == key).expect("its key");
                left[at] ^= 1;
                let record = Record { payload: left.into(), ..old.record };
                let update = self.storage.update(old.key, old.expected, record, now);
                assert_eq!(update.await?, Update::Updated);
            }
            After::Both => {
                let succeeded = self.storage.succeed(new, old, now).await?;
                assert_eq!(succeeded, Succeed::Created(Update::Updated));
            }
        }
        match instead {
            Answer::Error => Err(unavailable()),
            Answer::None => std::future::pending().await,
            Answer::Conflict => Ok(Succeed::Created(Update::Conflict)),
        }
    }

    fn owners(&self) -> Option<&dyn OwnerIndex> {
        self.storage.owners()
    }
}

async fn client_on(storage: impl SessionStorage) -> Client {
    let figment = figment("fault").merge(("sessions.user.storage_timeout", "400 ms"));
    client_with(figment, Sessions::fairing().storage("fault", storage), vec![]).await
}

/// How many sessions these have, once what nobody holds has been ended.
async fn sessions_of(client: &Client, owners: [&str; 2]) -> [usize; 2] {
    let sessions = client.rocket().state::<Sessions>().expect("the fairing").of::<User>();
    rocket::tokio::time::sleep(Duration::from_millis(50)).await;
    let mut all = [0; 2];
    for (count, owner) in all.iter_mut().zip(owners) {
        *count = sessions.list(owner).await.expect("an answer").len();
    }
    all
}

/// What becomes of ann's session and of bob's login over it.
async fn over(client: &Client, before: &str, mend: impl Fn(), applied: bool) {
    let response = with_cookie(client, "/login/bob", before).await;
    mend();
    if applied {
        assert_eq!(response.status(), Status::Ok);
        let after = sent(&response).expect("the login's token");
        assert_eq!(text(client, "/get", &after).await, "bob 0");
        assert_eq!(text(client, "/get", before).await, "absent");
        assert_eq!(sessions_of(client, ["ann", "bob"]).await, [0, 1]);
    } else {
        assert_eq!((response.status(), sent(&response)), (Status::ServiceUnavailable, None));
        assert_eq!(text(client, "/get", before).await, "ann 0");
        assert_eq!(sessions_of(client, ["ann", "bob"]).await, [1, 0]);
    }
}

#[tokio::test]
async fn a_login_in_one_step_goes_on_if_it_was_applied_and_its_answer_was_lost() {
    for after in [After::Nothing, After::TheFirst, After::Both] {
        for instead in [Answer::Error, Answer::None] {
            let storage = AtOnce { storage: Memory::new(1000), lost: Arc::default() };
            let client = client_on(storage.clone()).await;
            let before = logged_in(&client, "ann").await;
            *storage.lost.lock() = Some((after, instead));
            over(&client, &before, || *storage.lost.lock() = None, after == After::Both).await;
        }
    }
}

#[tokio::test]
async fn a_login_in_two_steps_goes_on_if_both_were_applied_and_an_answer_was_lost() {
    let cases = [
        (Operation::Create, down(), false),
        (Operation::Create, Fault::Hangs, false),
        (Operation::Create, Fault::FailsAfterwards(unavailable()), false),
        (Operation::Create, Fault::SlowAnswer(LONG), false),
        (Operation::Update, down(), false),
        (Operation::Update, Fault::Hangs, false),
        (Operation::Update, Fault::FailsAfterwards(unavailable()), true),
        (Operation::Update, Fault::SlowAnswer(LONG), true),
    ];
    for (operation, fault, applied) in cases {
        let storage = faulty();
        let client = client_on(storage.clone()).await;
        let before = logged_in(&client, "ann").await;
        storage.set(operation, fault);
        over(&client, &before, || storage.mend(), applied).await;
    }
}

#[tokio::test]
async fn a_login_that_another_one_overtook_does_not_go_on_without_an_answer() {
    let storage = AtOnce { storage: Memory::new(1000), lost: Arc::default() };
    let client = client_on(storage.clone()).await;
    let before = logged_in(&client, "ann").await;
    *storage.lost.lock() = Some((After::Another, Answer::Error));
    let response = with_cookie(&client, "/login/bob", &before).await;
    assert_eq!((response.status(), sent(&response)), (Status::ServiceUnavailable, None));
    assert_eq!(text(&client, "/get", &before).await, "absent");
    assert_eq!(sessions_of(&client, ["ann", "bob"]).await, [0, 0]);
}

/// It must not replace itself.
#[tokio::test]
async fn a_login_stays_if_the_storage_says_that_it_was_not_applied_although_it_was() {
    let storage = AtOnce { storage: Memory::new(1000), lost: Arc::default() };
    let fairing = Sessions::fairing().storage("fault", storage.clone());
    let figment = figment("fault").merge(("sessions.user.max_sessions_per_owner", 1));
    let client = client_with(figment, fairing, vec![]).await;
    let before = logged_in(&client, "ann").await;
    *storage.lost.lock() = Some((After::Both, Answer::Conflict));
    over(&client, &before, || *storage.lost.lock() = None, true).await;
}

/// D15, D23: under a limit, the next click is not refused because of a login whose answer
/// was lost, also where somebody else's login stands behind the id.
#[tokio::test]
async fn a_login_beside_somebody_elses_is_tried_again_after_a_lost_answer() {
    for lost in [Fault::FailsAfterwards(unavailable()), down()] {
        let storage = faulty();
        let fairing = Sessions::fairing().storage("fault", storage.clone());
        let figment = figment("fault")
            .merge(("sessions.user.max_sessions_per_owner", 1))
            .merge(("sessions.user.owner_limit_policy", "refuse"));
        let client = client_with(figment, fairing, vec![]).await;
        let planted = logged_in(&client, "eve").await;
        with_cookie(&client, "/login/mallory", &planted).await;
        storage.set(Operation::Create, lost);
        let response = with_cookie(&client, "/login/ann", &planted).await;
        assert_eq!((response.status(), sent(&response)), (Status::ServiceUnavailable, None));
        storage.mend();
        for _ in 0..2 {
            let login = sent(&with_cookie(&client, "/login/ann", &planted).await);
            assert_eq!(text(&client, "/get", &login.expect("a login")).await, "ann 0");
        }
        assert_eq!(sessions_of(&client, ["ann", "mallory"]).await, [1, 1]);
    }
}

/// The record is asked past every cache what became of it, however long that takes, and
/// nothing ends meanwhile.
#[tokio::test]
async fn a_login_waits_for_what_became_of_it() {
    let storage = faulty();
    let client = client_on(storage.clone()).await;
    let before = logged_in(&client, "ann").await;
    storage.set(Operation::Update, Fault::FailsAfterwards(unavailable()));
    storage.set(Operation::Read, Fault::Slow(Duration::from_millis(80)));
    let ends = storage.calls(Operation::Invalidate);
    over(&client, &before, || storage.mend(), true).await;
    assert_eq!(storage.calls(Operation::Invalidate), ends);
}

/// From now on nothing can be read.
#[get("/login-blind")]
fn login_blind(session: Session<User>, storage: &State<Faulty>) {
    session.login(user("bob"));
    storage.set(Operation::Update, Fault::FailsAfterwards(unavailable()));
    storage.set(Operation::Read, down());
}

#[tokio::test]
async fn a_login_of_which_nobody_knows_what_became_ends() {
    let storage = faulty();
    let fairing = Sessions::fairing().storage("fault", storage.clone());
    let rocket = build(figment("fault"), fairing, routes![login_blind]).manage(storage.clone());
    let client = Client::untracked(rocket).await.expect("a rocket");
    let before = logged_in(&client, "ann").await;
    let response = with_cookie(&client, "/login-blind", &before).await;
    assert_eq!((response.status(), sent(&response)), (Status::ServiceUnavailable, None));
    storage.mend();
    assert_eq!(text(&client, "/get", &before).await, "absent");
    assert_eq!(sessions_of(&client, ["ann", "bob"]).await, [0, 0]);
}
