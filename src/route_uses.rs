//! [`RouteUses`]: which sessions each route uses.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rocket::{Request, Route};

/// Which session definitions each route uses, as far as its requests have shown. Each definition
/// has a bit.
#[derive(Default)]
pub(crate) struct RouteUses(OnceLock<HashMap<usize, AtomicU64>>);

impl RouteUses {
    /// Returns the definitions that the request's route is known to use, and adds one.
    pub fn add(&self, request: &Request<'_>, definition: u64) -> u64 {
        let Some(route) = request.route() else { return 0 };
        // A route keeps its address as long as the application runs.
        let address = |route: &Route| std::ptr::from_ref(route).addr();
        let unused = |route| (address(route), AtomicU64::new(0));
        let routes = self.0.get_or_init(|| request.rocket().routes().map(unused).collect());
        let Some(uses) = routes.get(&address(route)) else { return 0 };
        let known = uses.load(Ordering::Relaxed);
        if known & definition == 0 {
            uses.fetch_or(definition, Ordering::Relaxed);
        }
        known
    }
}
