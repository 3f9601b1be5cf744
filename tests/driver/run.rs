//! One request under way, and what happens at its storage operations.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rocket_typed_sessions::storage::{SessionStorage as _, StorageKey, Timestamp};
use rocket_typed_sessions::{Session, SessionError, Sessions};
use tokio::sync::{Notify, oneshot};

use crate::app::{self, User};
use crate::preparation::Show;
use crate::scenario::*;
use crate::storage::{Armed, Intercepted};
use crate::trace::*;
use crate::world::World;

/// How long an operation waits for a request that may itself wait for the operation.
const PATIENCE: Duration = Duration::from_millis(3);
/// The same, where operations wait for a disk.
const PATIENCE_WITH_DISKS: Duration = Duration::from_millis(20);

tokio::task_local! {
    /// Set in what happens meanwhile: nothing happens at its own operations.
    static QUIET: ();
}

/// One request under way.
pub struct Run {
    pub world: Arc<World>,
    pub scenario: Scenario,
    /// Makes the values of different requests differ.
    pub salt: u32,
    /// The first token that the main request presents.
    shown: Option<usize>,
    pub trace: Mutex<Trace>,
    pub session: Mutex<Option<Session<User>>>,
    /// The client went away.
    pub gone: Notify,
    nested: Mutex<Vec<Option<Nested>>>,
    /// What has begun at an operation; each says when that goes on.
    begun: Mutex<Vec<oneshot::Receiver<()>>>,
    /// What did not end before the operation that it came at.
    late: Mutex<Vec<(usize, oneshot::Receiver<()>)>>,
}

/// Whether things happen at the storage operations of this request.
pub fn is_watched() -> bool {
    QUIET.try_with(|()| ()).is_err()
}

impl Run {
    pub fn new(
        world: &Arc<World>,
        scenario: Scenario,
        salt: u32,
        shown: Option<usize>,
    ) -> Arc<Self> {
        let (trace, session, gone) = (Mutex::default(), Mutex::default(), Notify::new());
        let (nested, begun, late) = (Mutex::default(), Mutex::default(), Mutex::default());
        let world = Arc::clone(world);
        Arc::new(Self { world, scenario, salt, shown, trace, session, gone, nested, begun, late })
    }

    /// This is to happen at the next operations.
    pub fn plan(self: &Arc<Self>, during: &[During], fault: Fault, dropped: Option<(usize, Edge)>) {
        if !is_watched() {
            return;
        }
        *self.nested.lock() = vec![None; during.len()];
        let mut armed = Vec::new();
        for (slot, During { operation, edge, what }) in during.iter().copied().enumerate() {
            let action = Box::pin(Arc::clone(self).meanwhile_at(slot, what));
            armed.push(Armed { operation, edge, action });
        }
        if let Some((operation, edge)) = dropped {
            let run = Arc::clone(self);
            let action = Box::pin(async move {
                run.gone.notify_one();
                std::future::pending::<()>().await;
            });
            armed.push(Armed { operation, edge, action });
        }
        self.world.storage.plan(armed, fault);
    }

    /// What has happened since the plan was made. An operation may outlast the call that
    /// it belongs to: what has begun there is waited for, and nothing else begins.
    pub async fn nested(&self) -> Vec<Option<Nested>> {
        if is_watched() {
            self.world.storage.disarm();
        }
        let begun = std::mem::take(&mut *self.begun.lock());
        for is_over in begun {
            // Its operation may have been dropped.
            let _ = is_over.await;
        }
        let late = std::mem::take(&mut *self.late.lock());
        let mut slots = Vec::new();
        for (slot, done) in late {
            let _ = done.await;
            slots.push(slot);
        }
        let mut nested = std::mem::take(&mut *self.nested.lock());
        for slot in slots {
            if let Some(Nested::Request(trace)) = &mut nested[slot] {
                trace.late = true;
            }
        }
        nested
    }

    /// In a task of its own, since it may wait for the operation to be over.
    async fn meanwhile_at(self: Arc<Self>, slot: usize, what: Meanwhile) {
        let (_under_way, is_over) = oneshot::channel();
        self.begun.lock().push(is_over);
        if let Meanwhile::Own(call) = what {
            self.own(call);
            self.nested.lock()[slot] = Some(Nested::Done);
            return;
        }
        let (done, mut is_done) = oneshot::channel();
        let run = Arc::clone(&self);
        tokio::spawn(async move {
            let nested = run.meanwhile(what).await;
            run.nested.lock()[slot] = Some(nested);
            let _ = done.send(());
        });
        let patience = match self.scenario.settings.place {
            Place::Directory => PATIENCE_WITH_DISKS,
            _ => PATIENCE,
        };
        if tokio::time::timeout(patience, &mut is_done).await.is_err() {
            self.late.lock().push((slot, is_done));
        }
    }

    /// A call of the same request from another task.
    fn own(&self, call: Call) {
        let Some(session) = self.session.lock().clone() else { return };
        app::plain_call(&self.world, &session, call, self.salt + 900);
    }

    /// Nothing else happens at the operations of what happens meanwhile.
    pub async fn meanwhile(&self, what: Meanwhile) -> Nested {
        QUIET.scope((), self.happens(what)).await
    }

    async fn happens(&self, what: Meanwhile) -> Nested {
        let world = &self.world;
        match what {
            Meanwhile::Wait(seconds) => world.clock.advance(Duration::from_secs(seconds)),
            Meanwhile::Own(call) => self.own(call),
            Meanwhile::Revoke(node) => {
                let sessions = world.node(node).rocket().state::<Sessions>().expect("a fairing");
                let ended = sessions.of::<User>().revoke_owner(&world.name_of(Owner::Ann)).await;
                assert!(matches!(ended, Ok(_) | Err(SessionError::Unsupported(_))), "{ended:?}");
            }
            Meanwhile::Request(node, call) => {
                let other = Scenario::other(self.scenario.settings, call);
                let cookie = self.shown.map(|token| vec![Show::Token(token)]).unwrap_or_default();
                let trace = world.request(other, node, cookie, None).await;
                return Nested::Request(Box::new(trace));
            }
        }
        Nested::Done
    }
}

/// As on a slow disk: the operation goes on when the call has ended.
#[tokio::test]
async fn what_a_background_operation_has_begun_is_waited_for() {
    let settings = Settings { place: Place::Memory, limit: Limit::None, renews: false };
    let world = World::new(settings).await;
    for what in [Meanwhile::Request(Node::Other, Call::Get), Meanwhile::Wait(1)] {
        let run = Run::new(&world, Scenario::other(settings, Call::Get), 0, None);
        run.plan(&[During { operation: 0, edge: Edge::Before, what }], Fault::None, None);
        let storage = Intercepted(world.storage.clone());
        let operation = tokio::spawn(async move {
            let key = StorageKey::from_bytes([1; 32]);
            storage.read(&key, Timestamp::from_millis(0)).await
        });
        tokio::task::yield_now().await;
        assert_eq!(world.storage.armed(), 0, "it has begun");
        assert!(matches!(run.nested().await[..], [Some(_)]), "{what:?}");
        assert!(matches!(operation.await, Ok(Ok(None))));
    }
    // What has not begun does not happen any more.
    let run = Run::new(&world, Scenario::other(settings, Call::Get), 0, None);
    let what = Meanwhile::Wait(1);
    run.plan(&[During { operation: 0, edge: Edge::Before, what }], Fault::None, None);
    assert!(matches!(run.nested().await[..], [None]));
    assert_eq!(world.storage.armed(), 0);
}
