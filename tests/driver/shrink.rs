//! The smallest scenario that still shows a deviation.

use std::sync::Arc;

use crate::check::{Aspect, Deviation, deviations};
use crate::scenario::*;
use crate::worlds::Worlds;

/// Runs a scenario; the first deviation in an aspect that is not `known`.
pub async fn first(worlds: &mut Worlds, scenario: &Scenario, known: &[Aspect]) -> Vec<Deviation> {
    let world = worlds.of(scenario.settings).await;
    let record = Arc::clone(&world).run(scenario).await;
    let mut found = deviations(scenario, &record);
    found.retain(|deviation| !known.contains(&deviation.aspect));
    found
}

/// Makes the scenario smaller as long as it shows a deviation of this kind.
pub async fn shrink(
    worlds: &mut Worlds,
    mut scenario: Scenario,
    mut deviation: Deviation,
    known: &[Aspect],
) -> (Scenario, Deviation) {
    'smaller: loop {
        for candidate in smaller(&scenario) {
            let found = first(worlds, &candidate, known).await;
            let same = found.into_iter().find(|found| found.kind() == deviation.kind());
            if let Some(same) = same {
                (scenario, deviation) = (candidate, same);
                continue 'smaller;
            }
        }
        return (scenario, deviation);
    }
}

/// Everything with one thing less.
fn smaller(scenario: &Scenario) -> Vec<Scenario> {
    let mut all = Vec::new();
    let mut push = |change: &dyn Fn(&mut Scenario)| {
        let mut changed = scenario.clone();
        change(&mut changed);
        if changed != *scenario {
            all.push(changed);
        }
    };
    for at in (0..scenario.steps.len()).rev() {
        push(&|scenario| scenario.steps.truncate(at));
    }
    for at in 0..scenario.steps.len() {
        push(&|scenario| drop(scenario.steps.remove(at)));
    }
    push(&|scenario| scenario.loading.clear());
    push(&|scenario| scenario.committing.clear());
    push(&|scenario| scenario.fault = Fault::None);
    push(&|scenario| scenario.outcome = Outcome::Ok);
    push(&|scenario| scenario.settings.limit = Limit::None);
    push(&|scenario| scenario.presented = Presented::Nothing);
    if scenario.presented != Presented::Nothing {
        push(&|scenario| scenario.presented = Presented::Valid);
    }
    for at in 0..scenario.steps.len() {
        push(&|scenario| scenario.steps[at].before = None);
        push(&|scenario| scenario.steps[at].spawned = false);
        push(&|scenario| scenario.steps[at].fault = Fault::None);
        for during in 0..scenario.steps[at].during.len() {
            push(&|scenario| {
                let _ = scenario.steps[at].during.remove(during);
            });
        }
    }
    all
}
