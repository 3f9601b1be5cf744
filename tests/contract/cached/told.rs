//! A storage that tells what has changed.

use std::time::Duration;

use rocket::futures::stream;
use rocket::futures::stream::BoxStream;
use rocket_typed_sessions::storage::{Cached, Change, SessionStorage};
use tokio::sync::broadcast::{Sender, channel};

use super::*;
use crate::support::*;

/// A storage that is told of changes, here by the test.
#[derive(Clone)]
struct Telling(Faulty, Sender<Change>);

impl Telling {
    fn new() -> (Self, Sender<Change>) {
        let (tell, _) = channel(16);
        (Self(faulty(), tell.clone()), tell)
    }
}

storage_over! {
    Telling.0;

    fn changes(&self) -> Option<BoxStream<'static, Change>> {
        let changes = stream::unfold(self.1.subscribe(), async |mut told| {
            told.recv().await.ok().map(|change| (change, told))
        });
        Some(Box::pin(changes))
    }
}

async fn heard(tell: &Sender<Change>, change: Change) {
    tell.send(change).expect("somebody listens");
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_storage_tells_of_is_read_again_and_nothing_else() {
    let (far, tell) = Telling::new();
    let near = Cached::new(far.clone(), 1000, TTL);
    for name in [1, 2] {
        create(&far, name, record("x", None)).await;
        assert!(payload(&near, name).await.is_some());
        far.invalidate(&key(name), None, None).await.expect("an answer");
    }
    heard(&tell, Change::Record(key(1))).await;
    assert_eq!(payload(&near, 1).await, None);
    assert!(payload(&near, 2).await.is_some(), "a copy");
    heard(&tell, Change::Any).await;
    assert_eq!(payload(&near, 2).await, None);
    drop(near);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(tell.receiver_count(), 0, "nobody listens any more");
}

#[tokio::test(start_paused = true)]
async fn what_is_told_while_an_answer_is_on_its_way_makes_it_no_copy() {
    for change in [Change::Record(key(1)), Change::Any] {
        let (far, tell) = Telling::new();
        let near = Cached::new(far.clone(), 1000, TTL);
        create(&far, 1, record("x", None)).await;
        far.0.set(Operation::Read, Fault::SlowAnswer(Duration::from_millis(100)));
        let read = tokio::spawn({
            let near = near.clone();
            async move { payload(&near, 1).await }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        far.invalidate(&key(1), None, None).await.expect("an answer");
        heard(&tell, change).await;
        assert!(read.await.expect("no panic").is_some(), "what was, when it was asked");
        far.0.mend();
        assert_eq!(payload(&near, 1).await, None);
    }
}
