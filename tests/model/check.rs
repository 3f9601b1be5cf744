//! A promise of a model, and whether every run keeps it.

use std::fmt::Debug;
use std::hash::Hash;
use std::time::Instant;

use stateright::{Checker, Model, Property};

/// A promise of a model, or what some run of it must show.
pub struct Claim<M: Model> {
    pub name: &'static str,
    pub holds: fn(&M, &M::State) -> bool,
}

impl<M: Model> Clone for Claim<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: Model> Copy for Claim<M> {}

/// Every state keeps the promises, and some state is a witness of each kind.
pub fn properties<'c, M: Model + 'c>(
    promises: impl IntoIterator<Item = &'c Claim<M>>,
    witnesses: impl IntoIterator<Item = &'c Claim<M>>,
) -> Vec<Property<M>> {
    let always = promises.into_iter().map(|claim| Property::always(claim.name, claim.holds));
    let sometimes = witnesses.into_iter().map(|claim| Property::sometimes(claim.name, claim.holds));
    always.chain(sometimes).collect()
}

/// A state that the checker takes.
pub trait Checked: Clone + Debug + Hash + PartialEq + Send + Sync + 'static {}

impl<S: Clone + Debug + Hash + PartialEq + Send + Sync + 'static> Checked for S {}

/// Every promise holds in every state that can be reached, and every witness is seen.
pub fn holds<M>(world: M)
where
    M: Model<State: Checked, Action: Clone + Debug + PartialEq> + Send + Sync + 'static,
{
    let start = Instant::now();
    let checker = world.checker().spawn_bfs().join();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    println!("{states} states, {depth} steps at most, {:?}", start.elapsed());
    checker.assert_properties();
}

/// Some run breaks the promise. Prints a shortest one.
pub fn breaks<M>(name: &'static str, world: &M)
where
    M: Model<State: Checked, Action: Clone + Debug + PartialEq> + Clone + Send + Sync + 'static,
{
    let start = Instant::now();
    // The checker reports the last run that it meets. At the first depth at which
    // it meets any, all are shortest.
    let run = (2..20).find_map(|depth| {
        let checker = world.clone().checker().target_max_depth(depth).spawn_bfs().join();
        checker.discovery(name).map(stateright::Path::into_actions)
    });
    let run = run.unwrap_or_else(|| panic!("nothing breaks {name:?}"));
    println!("broken in {} steps, {:?}: {name}", run.len(), start.elapsed());
    for action in run {
        println!("- {action:?}");
    }
}

/// A test for each world: every promise holds there.
macro_rules! holds {
    ($($test:ident: $world:expr;)*) => {$(
        #[test]
        fn $test() {
            holds($world);
        }
    )*};
}
