//! Clicks on several nodes, on a storage that does the two writes of a login one after the
//! other.

use std::sync::Arc;

use rocket::tokio::join;
use rocket::tokio::sync::Notify;
use rocket_typed_sessions::storage::Memory;

use crate::logins::shared::login_app::App;
use crate::support::storage_over;

/// Holds a login between its two writes.
#[derive(Default)]
struct Gate {
    reached: Notify,
    opened: Notify,
}

#[derive(Clone)]
struct TwoSteps {
    storage: Memory,
    gate: Option<Arc<Gate>>,
}

storage_over! {
    TwoSteps.storage;

    async fn succeed(
        &self,
        new: Successor<'_>,
        old: Predecessor<'_>,
        now: Timestamp,
    ) -> Result<Succeed, StorageError> {
        match self.create(new.key, new.record, new.guard, now).await? {
            Create::Created => {}
            Create::Exists => return Ok(Succeed::Exists),
            Create::Refused(refused) => return Ok(Succeed::Refused(refused)),
        }
        if let Some(gate) = &self.gate {
            gate.reached.notify_one();
            gate.opened.notified().await;
        }
        let updated = self.update(old.key, old.expected, old.record, now).await?;
        Ok(Succeed::Created(updated))
    }

    fn owners(&self) -> Option<&dyn OwnerIndex> {
        self.storage.owners()
    }
}

/// Two nodes whose logins are held, and one whose are not.
struct Nodes {
    held: [(App, Arc<Gate>); 2],
    free: App,
}

impl Nodes {
    async fn new(limit: &str, policy: &str) -> Self {
        let storage = Memory::new(1000);
        let lines = [("max_sessions_per_owner", limit), ("owner_limit_policy", policy)];
        let node = async |gate| App::new(TwoSteps { storage: storage.clone(), gate }, &lines).await;
        let held = async || {
            let gate = Arc::<Gate>::default();
            (node(Some(Arc::clone(&gate))).await, gate)
        };
        Self { held: [held().await, held().await], free: node(None).await }
    }

    /// The clicks with one form. Two of them are held while another one is answered.
    async fn clicks(&self, shown: &(String, String)) -> [String; 3] {
        let [(one, first), (other, second)] = &self.held;
        let meanwhile = async {
            first.reached.notified().await;
            let last = async {
                second.reached.notified().await;
                let last = self.free.log_in("ann", shown).await;
                second.opened.notify_one();
                last
            };
            let both = join!(other.log_in("ann", shown), last);
            first.opened.notify_one();
            both
        };
        let (first, (second, last)) = join!(one.log_in("ann", shown), meanwhile);
        [first, second, last]
    }
}

/// D15, D23: a click takes the place of one that has begun and not replaced anything yet.
#[tokio::test]
async fn d23_a_click_comes_in_the_place_of_one_between_its_two_writes() {
    for policy in ["refuse", "end-oldest"] {
        let nodes = Nodes::new("1", policy).await;
        let visitor = nodes.free.visit().await;
        let [first, second, last] = Box::pin(nodes.clicks(&visitor)).await;
        assert_eq!(nodes.free.text("/do/nothing", &last).await, "ann 0", "{policy}");
        for former in [&first, &second, &visitor.0] {
            assert_eq!(nodes.free.text("/do/nothing", former).await, "ended", "{policy}");
        }
        assert_eq!(nodes.free.text("/sessions/ann", "").await, "1", "{policy}");
    }
}

/// The same over a session of the same owner, which counts as well.
#[tokio::test]
async fn d23_a_click_over_its_owners_session_is_not_refused() {
    for policy in ["refuse", "end-oldest"] {
        let nodes = Nodes::new("2", policy).await;
        let phone = nodes.free.log_in("ann", &nodes.free.visit().await).await;
        let before = nodes.free.log_in("ann", &nodes.free.visit().await).await;
        let form = nodes.free.text("/page", &before).await;
        let [first, second, last] = Box::pin(nodes.clicks(&(before.clone(), form))).await;
        for living in [&phone, &last] {
            assert_eq!(nodes.free.text("/do/nothing", living).await, "ann 0", "{policy}");
        }
        for former in [&first, &second, &before] {
            assert_eq!(nodes.free.text("/do/nothing", former).await, "ended", "{policy}");
        }
        assert_eq!(nodes.free.text("/sessions/ann", "").await, "2", "{policy}");
    }
}
