//! Requests that overlap in every order, against a small sequential model:
//! conflict, renewal, login, end and expiry race with update and set.
//!
//! Each request loads its session when it starts and commits when it is let
//! go; in between, others start and finish and time passes. A failing order is
//! recorded in `proptest-regressions` and tried first from then on.

mod sequential;
mod world;

use proptest::prelude::*;
use sequential::{Change, step};
use world::World;

use crate::concurrency::storages;

/// More on demand: `PROPTEST_CASES=5000`.
fn cases() -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    asked.unwrap_or(100)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn s57_s58_overlapping_requests_agree_with_the_sequential_model(
        steps in proptest::collection::vec(step(), 2..128),
    ) {
        let dir = tempfile::tempdir().expect("a folder");
        for figment in storages(dir.path()) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let mut world = World::new(figment).await;
                // There is something to race for from the start.
                world.start(Change::Login(0), None).await;
                world.finish(0).await;
                world.run(&steps).await;
            });
        }
    }
}
