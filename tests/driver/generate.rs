//! Which scenarios are tried: every sequence of three calls with the settings
//! taken pairwise, and random ones.

use crate::scenario::*;

/// A small generator of pseudo-random numbers (`SplitMix64`).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).expect("a number");
        usize::try_from(self.next() % limit).expect("below a number")
    }

    fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

const LIMITS: [Limit; 3] = [Limit::None, Limit::EndOldest, Limit::Refuse];
const EDGES: [Edge; 2] = [Edge::Before, Edge::After];
const NODES: [Node; 2] = [Node::This, Node::Other];

/// What other requests do.
const OTHERS: [Call; 5] =
    [Call::Get, Call::Update, Call::Renew, Call::Login(Owner::Ann), Call::Clear];

/// What the request itself does from another task while it saves or refreshes.
const OWN: [Call; 9] = [
    Call::Clear,
    Call::Discard,
    Call::Update,
    Call::Set(Owner::Ann),
    Call::Set(Owner::Bob),
    Call::Login(Owner::Ann),
    Call::Renew,
    Call::SetLifetime(Own::Idle),
    Call::Touch,
];

const OUTCOMES: [Outcome; 8] = [
    Outcome::Ok,
    Outcome::Redirect,
    Outcome::NotFound,
    Outcome::Failed,
    Outcome::Panic,
    Outcome::Upgrade,
    Outcome::Question,
    Outcome::Dropped,
];

/// A scenario of up to twelve calls.
pub fn random(place: Place, seed: u64) -> Scenario {
    let mut random = Random::new(seed);
    let on_server = place.on_server();
    let limit = if on_server { random.one(&LIMITS) } else { Limit::None };
    let settings = Settings { place, limit, renews: on_server && random.one_in(3) };
    let presented = if settings.renews && random.one_in(2) {
        random.one(&Presented::RENEWED)
    } else {
        random.one(&Presented::ALL)
    };
    let calls: Vec<_> = (0..=random.below(12)).map(|_| random.one(&Call::ALL)).collect();
    let mut scenario = Scenario::plain(settings, presented, &calls);
    let busy = place != Place::Client;
    // Half of the scenarios have nothing happening in the middle of an operation.
    let disturbed = busy && random.one_in(2);
    let mut may_wait = true;
    for step in &mut scenario.steps {
        step.spawned = random.one_in(6);
        if random.one_in(8) {
            step.before = Some(meanwhile(&mut random, &mut may_wait));
        }
        if disturbed && step.call.waits() {
            step.during = during(&mut random, step.call != Call::UpdateNow);
        }
    }
    end_somehow(&mut random, &mut scenario, disturbed);
    scenario
}

/// What happens around the calls.
fn end_somehow(random: &mut Random, scenario: &mut Scenario, disturbed: bool) {
    scenario.outcome = random.one(&OUTCOMES);
    // Two records are not read at one moment.
    let two =
        [Presented::Two, Presented::OldAndNew, Presented::ReplacedAndNew, Presented::OpenBoth];
    let one_record = !two.contains(&scenario.presented);
    if disturbed && one_record && random.one_in(3) {
        scenario.loading = during(random, false);
    }
    if disturbed && random.one_in(3) {
        scenario.committing = during(random, false);
    } else if disturbed && random.one_in(8) {
        scenario.outcome = Outcome::DroppedAt(random.below(3), random.one(&EDGES));
    }
    if scenario.settings.place != Place::Client && random.one_in(6) {
        add_fault(random, scenario);
    }
}

fn add_fault(random: &mut Random, scenario: &mut Scenario) {
    let later = random.one_in(3);
    let faults =
        if later { [Fault::DownLater, Fault::LostLater] } else { [Fault::Down, Fault::LostAnswer] };
    let fault = random.one(&faults);
    let waits = scenario.steps.iter_mut().filter(|step| step.call.waits());
    let mut waits: Vec<_> = waits.collect();
    match random.below(waits.len() + 1) {
        0 => scenario.fault = fault,
        at => waits[at - 1].fault = fault,
    }
}

fn meanwhile(random: &mut Random, may_wait: &mut bool) -> Meanwhile {
    if std::mem::take(may_wait) && random.one_in(4) {
        // Not long enough for anything but a refresh of the expiry.
        return Meanwhile::Wait(random.one(&[1, 5, 12]));
    }
    request(random)
}

fn request(random: &mut Random) -> Meanwhile {
    let node = random.one(&NODES);
    request_on(random, node)
}

fn request_on(random: &mut Random, node: Node) -> Meanwhile {
    match random.below(OTHERS.len() + 1) {
        0 => Meanwhile::Revoke(node),
        at => Meanwhile::Request(node, OTHERS[at - 1]),
    }
}

fn during(random: &mut Random, own: bool) -> Vec<During> {
    let count = random.below(3);
    let at = |random: &mut Random, what| {
        let (operation, edge) = (random.below(4), random.one(&EDGES));
        During { operation, edge, what }
    };
    let mut all = Vec::new();
    // Two requests on this node may wait for one record, and their order is open.
    for node in [random.one(&NODES), Node::Other].into_iter().take(count) {
        let what = request_on(random, node);
        all.push(at(random, what));
    }
    if own && random.one_in(2) {
        let what = Meanwhile::Own(random.one(&OWN));
        all.push(at(random, what));
    }
    all.sort_by_key(|during| (during.operation, during.edge == Edge::After));
    all
}

/// The settings beside the calls, as numbers: what a pairwise table chooses from.
const COLUMNS: [usize; 6] = [3, 16, 4, 13, 4, 11];

/// Rows so that every two values of two columns stand together in one of them.
pub fn pairwise() -> Vec<[usize; 6]> {
    let mut random = Random::new(7);
    let mut open: Vec<(usize, usize, usize, usize)> = Vec::new();
    for (one, values) in COLUMNS.into_iter().enumerate() {
        for (other, others) in COLUMNS.into_iter().enumerate().skip(one + 1) {
            for a in 0..values {
                open.extend((0..others).map(|b| (one, a, other, b)));
            }
        }
    }
    let mut rows = Vec::new();
    while !open.is_empty() {
        let best = (0..30).map(|_| {
            let mut row = COLUMNS.map(|of| random.below(of));
            // Each candidate covers at least one pair that is still open.
            let (one, a, other, b) = open[random.below(open.len())];
            (row[one], row[other]) = (a, b);
            row
        });
        let covers = |row: &[usize; 6], (one, a, other, b): &(usize, usize, usize, usize)| {
            row[*one] == *a && row[*other] == *b
        };
        let best = best.max_by_key(|row| open.iter().filter(|pair| covers(row, pair)).count());
        let row = best.expect("a candidate");
        open.retain(|pair| !covers(&row, pair));
        rows.push(row);
    }
    rows
}

/// How many sequences of three calls there are.
pub const THREES: usize = Call::ALL.len().pow(3);

/// The sequence of three calls of this number, under one row of settings.
pub fn three(place: Place, number: usize, row: [usize; 6]) -> Scenario {
    let kinds = Call::ALL.len();
    let calls = [number / kinds / kinds, number / kinds % kinds, number % kinds];
    of_row(place, calls.map(|at| Call::ALL[at]), row)
}

/// Scenarios that are rare among the random ones.
pub fn chosen(place: Place) -> Vec<Scenario> {
    if !place.on_server() {
        return Vec::new();
    }
    let mut all = vec![conflicting_clear(place)];
    for limit in LIMITS {
        let settings = Settings { place, limit, renews: false };
        all.extend(beside_a_login(settings));
        all.extend(after_a_login(settings));
        all.extend(two_logins(settings));
        all.extend(refused_logins(settings));
    }
    all
}

/// C2: `clear` while a save of the same request meets a conflict.
fn conflicting_clear(place: Place) -> Scenario {
    let settings = Settings { place, limit: Limit::None, renews: false };
    let other = Meanwhile::Request(Node::Other, Call::Update);
    let own = Meanwhile::Own(Call::Clear);
    let mut conflict = Scenario::plain(settings, Presented::Valid, &[Call::Update, Call::Save]);
    conflict.steps[1].during = vec![
        During { operation: 0, edge: Edge::Before, what: other },
        During { operation: 0, edge: Edge::After, what: own },
    ];
    conflict
}

const LOGIN: Meanwhile = Meanwhile::Request(Node::Other, Call::Login(Owner::Ann));

/// T2: a request that found the session before a login does something after it.
fn beside_a_login(settings: Settings) -> Vec<Scenario> {
    let mut all = Vec::new();
    for presented in [Presented::Visitor, Presented::Valid] {
        for call in Call::ALL {
            let mut scenario = Scenario::plain(settings, presented, &[call, Call::Save, call]);
            scenario.steps[0].before = Some(LOGIN);
            all.push(scenario);
        }
    }
    all
}

/// A2: a request with the token from before a login.
fn after_a_login(settings: Settings) -> Vec<Scenario> {
    let mut all = Vec::new();
    let replaced = [Presented::Replaced, Presented::ReplacedLogin, Presented::ReplacedAndNew];
    for presented in replaced {
        for call in Call::ALL {
            all.push(Scenario::plain(settings, presented, &[call]));
            let refused = Scenario::plain(settings, presented, &[call, Call::Save]);
            all.push(Scenario { outcome: Outcome::Question, ..refused });
        }
    }
    all
}

/// Two logins over one session, in any order, and one whose writes fail.
fn two_logins(settings: Settings) -> Vec<Scenario> {
    let mut all = Vec::new();
    let over = |presented| {
        Scenario::plain(settings, presented, &[Call::Login(Owner::Ann), Call::Save, Call::Save])
    };
    for presented in [Presented::Visitor, Presented::Valid, Presented::Replaced, Presented::Two] {
        for (operation, edge) in (0..5).flat_map(|at| EDGES.map(|edge| (at, edge))) {
            let mut scenario = over(presented);
            scenario.steps[1].during = vec![During { operation, edge, what: LOGIN }];
            all.push(scenario);
        }
        for fault in [Fault::Down, Fault::LostAnswer, Fault::DownLater, Fault::LostLater] {
            let mut scenario = over(presented);
            scenario.steps[1].fault = fault;
            all.push(scenario);
        }
    }
    all
}

/// Logins whose owner is revoked before their session begins.
fn refused_logins(settings: Settings) -> Vec<Scenario> {
    let mut all = Vec::new();
    let what = Meanwhile::Revoke(Node::Other);
    for presented in [Presented::Valid, Presented::Visitor, Presented::Replaced] {
        for first in [Call::Clear, Call::Update] {
            let calls = [first, Call::Login(Owner::Ann), Call::Save];
            for operation in 0..3 {
                let mut scenario = Scenario::plain(settings, presented, &calls);
                scenario.steps[2].during = vec![During { operation, edge: Edge::Before, what }];
                all.push(scenario);
            }
        }
    }
    all
}

fn of_row(place: Place, calls: [Call; 3], row: [usize; 6]) -> Scenario {
    let [limit, presented, spawned, meanwhile, when, outcome] = row;
    let on_server = place.on_server();
    let limit = if on_server { LIMITS[limit] } else { Limit::None };
    let settings = Settings { place, limit, renews: false };
    let mut scenario = Scenario::plain(settings, Presented::ALL[presented], &calls);
    if spawned > 0 {
        scenario.steps[spawned - 1].spawned = true;
    }
    let node = NODES[meanwhile % 2];
    let what = match meanwhile / 2 {
        0 => None,
        6 => Some(Meanwhile::Revoke(node)),
        at => Some(Meanwhile::Request(node, OTHERS[at - 1])),
    };
    if let Some(what) = what {
        happen(&mut scenario, what, when);
    }
    match outcome {
        8 => scenario.fault = Fault::Down,
        9 => scenario.outcome = Outcome::DroppedAt(0, Edge::After),
        10 if on_server => scenario.fault = Fault::DownLater,
        10 => {}
        at => scenario.outcome = OUTCOMES[at],
    }
    scenario
}

/// Lets something happen between the calls, or in the middle of them and of the commit.
fn happen(scenario: &mut Scenario, what: Meanwhile, when: usize) {
    let at = |operation, edge| vec![During { operation, edge, what }];
    let busy = scenario.settings.place != Place::Client;
    match when {
        0 => scenario.steps[0].before = Some(what),
        1 => scenario.steps[2].before = Some(what),
        _ if !busy => scenario.steps[1].before = Some(what),
        2 => {
            let waits = scenario.steps.iter_mut().rev().find(|step| step.call.waits());
            match waits {
                Some(step) => step.during = at(0, Edge::After),
                None => scenario.committing = at(1, Edge::Before),
            }
        }
        _ => scenario.committing = at(0, Edge::Before),
    }
}
