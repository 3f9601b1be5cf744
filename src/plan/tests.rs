//! The table of the module's documentation, row by row, and what holds for every combination.

use std::time::Duration;

mod uses;

use super::*;

/// Returns the plan for this session, or for none.
fn plan(session: Option<&Snapshot>, asked: &Asked, policy: &Policy, moment: &Moment) -> Plan {
    super::plan(session.map_or(Standing::Nobody, Standing::Session), asked, policy, moment)
}

const NOW: Timestamp = Timestamp::from_millis(100_000_000);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

const POLICY: Policy = Policy {
    timeouts: Timeouts {
        idle: HOUR,
        absolute: Duration::from_secs(86_400),
        touch_after: MINUTE,
        renewal_grace: Duration::ZERO,
        renew_after: None,
    },
    by_value: false,
    token_expires_early: false,
    longest_expires_early: false,
};

const IN_TIME: Moment = Moment { now: NOW, late: false, failed: false };
const LATE: Moment = Moment { late: true, ..IN_TIME };
const FAILED: Moment = Moment { failed: true, ..IN_TIME };

const NOTHING: Asked = Asked {
    clear: false,
    value: ValueChange::Untouched,
    login: false,
    owner_changes: false,
    owned: false,
    renew: false,
    reauthenticate: false,
    lifetime: None,
    earlier_lifetime: None,
    touch: false,
    skips: false,
    reseal: false,
};
const VALUE: Asked = Asked { value: ValueChange::Changed, ..NOTHING };
const SAME: Asked = Asked { value: ValueChange::Same, ..NOTHING };
const LOGIN: Asked = Asked { login: true, owned: true, ..VALUE };
const RENEW: Asked = Asked { renew: true, ..NOTHING };
const REAUTHENTICATE: Asked = Asked { reauthenticate: true, ..NOTHING };
const CLEAR: Asked = Asked { clear: true, ..NOTHING };
const TOUCH: Asked = Asked { touch: true, ..NOTHING };
const SKIP: Asked = Asked { skips: true, ..NOTHING };
const RESEAL: Asked = Asked { reseal: true, ..NOTHING };

/// Returns a session that began and was last seen so long ago.
fn seen(ago: Duration) -> Snapshot {
    let at = Timestamp::from_millis(NOW.as_millis() - u64::try_from(ago.as_millis()).unwrap());
    Snapshot::written(Times::begin(at, true))
}

fn fresh() -> Snapshot {
    seen(Duration::ZERO)
}

fn stale() -> Snapshot {
    Snapshot { stale_key: true, ..fresh() }
}

fn accepted() -> Snapshot {
    Snapshot { accepted: true, ..stale() }
}

fn whole() -> Snapshot {
    Snapshot { whole_id: true, ..fresh() }
}

fn in_grace() -> Snapshot {
    Snapshot { in_grace: true, ..fresh() }
}

fn next_id_unsent() -> Snapshot {
    Snapshot { next_id_unsent: true, ..fresh() }
}

fn completes() -> Snapshot {
    Snapshot { completes: true, ..fresh() }
}

fn due_for_another_id() -> Snapshot {
    Snapshot { renewal_due: true, ..fresh() }
}

/// Returns what a plan does, without the times.
fn kind(plan: Plan) -> &'static str {
    match plan {
        Plan::Keep => "keep",
        Plan::Drop => "drop",
        Plan::Touch { prolongs: true, send: false, .. } => "touch",
        Plan::Touch { prolongs: true, send: true, .. } => "touch and send",
        Plan::Touch { prolongs: false, .. } => "send",
        Plan::Create { .. } => "create",
        Plan::Login { .. } => "login",
        Plan::Write { renewal: None, send: false, .. } => "write",
        Plan::Write { renewal: None, send: true, .. } => "write and send",
        Plan::Write { renewal: Some(Renewal { rotates: true, .. }), .. } => "renew",
        Plan::Write { renewal: Some(Renewal { at_once: true, .. }), .. } => "renew quietly at once",
        Plan::Write { renewal: Some(Renewal { at_once: false, .. }), .. } => "renew quietly",
        Plan::Complete { .. } => "complete",
        Plan::Move { .. } => "move",
        Plan::End => "end",
    }
}

#[test]
fn the_table_row_by_row() {
    let idle = Asked { lifetime: Some(OwnLifetime::Idle(600)), ..NOTHING };
    let configured = Asked { lifetime: Some(OwnLifetime::Configured), ..NOTHING };
    let cleared = Asked { clear: true, ..VALUE };
    let rows: &[(u32, Option<Snapshot>, Asked, Moment, &str)] = &[
        (1, None, NOTHING, IN_TIME, "keep"),
        (1, None, RENEW, IN_TIME, "keep"),
        (1, None, idle, IN_TIME, "keep"),
        (1, None, TOUCH, IN_TIME, "keep"),
        (3, None, VALUE, IN_TIME, "create"),
        (3, None, LOGIN, IN_TIME, "create"),
        (3, None, VALUE, LATE, "create"),
        (5, None, CLEAR, IN_TIME, "end"),
        (5, Some(fresh()), CLEAR, IN_TIME, "end"),
        (5, Some(accepted()), CLEAR, FAILED, "end"),
        (5, Some(in_grace()), CLEAR, LATE, "end"),
        (6, Some(fresh()), cleared, IN_TIME, "create"),
        (6, None, cleared, IN_TIME, "create"),
        (7, Some(fresh()), LOGIN, IN_TIME, "login"),
        (7, Some(fresh()), Asked { owner_changes: true, ..VALUE }, IN_TIME, "login"),
        (7, Some(in_grace()), LOGIN, IN_TIME, "login"),
        (7, Some(accepted()), LOGIN, IN_TIME, "login"),
        (8, Some(accepted()), NOTHING, IN_TIME, "move"),
        (8, Some(accepted()), VALUE, IN_TIME, "move"),
        (8, Some(accepted()), VALUE, LATE, "move"),
        (8, Some(accepted()), RENEW, FAILED, "move"),
        (15, Some(accepted()), NOTHING, LATE, "keep"),
        (15, Some(accepted()), NOTHING, FAILED, "keep"),
        (9, Some(whole()), RENEW, IN_TIME, "move"),
        (12, Some(whole()), VALUE, IN_TIME, "write"),
        (10, Some(fresh()), RENEW, IN_TIME, "renew"),
        (10, Some(due_for_another_id()), RENEW, IN_TIME, "renew"),
        (10, Some(fresh()), RENEW, LATE, "renew"),
        (15, Some(in_grace()), RENEW, IN_TIME, "keep"),
        (11, Some(due_for_another_id()), NOTHING, IN_TIME, "renew quietly"),
        (11, Some(due_for_another_id()), VALUE, IN_TIME, "renew quietly"),
        (15, Some(due_for_another_id()), NOTHING, LATE, "keep"),
        (15, Some(due_for_another_id()), NOTHING, FAILED, "keep"),
        (12, Some(due_for_another_id()), VALUE, FAILED, "write"),
        (12, Some(fresh()), VALUE, IN_TIME, "write"),
        (12, Some(fresh()), idle, IN_TIME, "write and send"),
        (12, Some(in_grace()), idle, IN_TIME, "write"),
        (15, Some(fresh()), configured, IN_TIME, "keep"),
        (12, Some(in_grace()), VALUE, IN_TIME, "write"),
        (12, Some(stale()), VALUE, IN_TIME, "write and send"),
        (12, Some(stale()), VALUE, LATE, "write"),
        (14, Some(seen(MINUTE)), NOTHING, IN_TIME, "touch"),
        (14, Some(seen(MINUTE)), SAME, IN_TIME, "touch"),
        (10, Some(fresh()), REAUTHENTICATE, IN_TIME, "renew quietly at once"),
        (12, Some(in_grace()), REAUTHENTICATE, IN_TIME, "write"),
        (9, Some(whole()), REAUTHENTICATE, IN_TIME, "move"),
        (13, Some(completes()), NOTHING, IN_TIME, "complete"),
        (13, Some(completes()), SAME, IN_TIME, "complete"),
        (15, Some(completes()), NOTHING, LATE, "keep"),
        (15, Some(completes()), NOTHING, FAILED, "keep"),
        (12, Some(completes()), VALUE, IN_TIME, "write"),
        (10, Some(completes()), RENEW, IN_TIME, "renew"),
        (14, Some(completes()), TOUCH, IN_TIME, "touch"),
        (14, Some(next_id_unsent()), NOTHING, IN_TIME, "send"),
        (15, Some(next_id_unsent()), NOTHING, LATE, "keep"),
        (15, Some(next_id_unsent()), NOTHING, FAILED, "keep"),
        (12, Some(next_id_unsent()), VALUE, IN_TIME, "write and send"),
        (12, Some(next_id_unsent()), VALUE, LATE, "write"),
        (10, Some(next_id_unsent()), RENEW, IN_TIME, "renew"),
        (14, Some(fresh()), TOUCH, IN_TIME, "touch"),
        (14, Some(fresh()), TOUCH, LATE, "touch"),
        (14, Some(in_grace()), TOUCH, IN_TIME, "touch"),
        (14, Some(stale()), TOUCH, IN_TIME, "touch and send"),
        (14, Some(stale()), SKIP, IN_TIME, "send"),
        (11, Some(due_for_another_id()), SKIP, IN_TIME, "renew quietly"),
        (15, Some(seen(MINUTE)), SKIP, IN_TIME, "keep"),
        (14, Some(stale()), NOTHING, IN_TIME, "send"),
        (14, Some(fresh()), RESEAL, LATE, "send"),
        (15, Some(seen(MINUTE)), NOTHING, LATE, "keep"),
        (15, Some(seen(MINUTE)), NOTHING, FAILED, "keep"),
        (15, Some(stale()), NOTHING, LATE, "keep"),
        (15, Some(fresh()), NOTHING, IN_TIME, "keep"),
        (15, Some(fresh()), SAME, IN_TIME, "keep"),
    ];
    for (row, session, asked, moment, expected) in rows {
        let plan = plan(session.as_ref(), asked, &POLICY, moment);
        assert_eq!(kind(plan), *expected, "row {row}: {session:?}, {asked:?}, {moment:?}");
    }
}

#[test]
fn by_value_whatever_changes_the_session_sends_it() {
    let policy = Policy { by_value: true, ..POLICY };
    for (session, asked, expected) in [
        (fresh(), VALUE, "write and send"),
        (fresh(), SAME, "keep"),
        (seen(MINUTE), NOTHING, "touch and send"),
        (stale(), NOTHING, "send"),
        (fresh(), TOUCH, "touch and send"),
    ] {
        let plan = plan(Some(&session), &asked, &policy, &IN_TIME);
        assert_eq!(kind(plan), expected, "{session:?} {asked:?}");
        assert_eq!(plan.times(Some(&session)).unwrap().seen, NOW);
    }
}

#[test]
fn a_session_that_goes_on_keeps_its_beginning_and_one_that_begins_has_the_present() {
    let session = seen(MINUTE);
    let begin = session.times.created;
    for (asked, created) in
        [(VALUE, begin), (RENEW, begin), (LOGIN, NOW), (Asked { clear: true, ..VALUE }, NOW)]
    {
        let plan = plan(Some(&session), &asked, &POLICY, &IN_TIME);
        assert_eq!(plan.times(Some(&session)).unwrap().created, created, "{asked:?}");
    }
    assert_eq!(plan(Some(&session), &CLEAR, &POLICY, &IN_TIME).times(Some(&session)), None);
}

#[test]
fn a_session_that_a_login_replaced_begins_nothing_but_a_login() {
    let cleared = Asked { clear: true, ..VALUE };
    let owned = Asked { owned: true, ..VALUE };
    for (row, asked, expected) in [
        (1, NOTHING, "keep"),
        (1, RENEW, "keep"),
        (2, VALUE, "drop"),
        (2, owned, "drop"),
        (2, cleared, "drop"),
        (3, LOGIN, "create"),
        (4, CLEAR, "keep"),
        (6, Asked { clear: true, ..LOGIN }, "create"),
    ] {
        let plan = super::plan(Standing::Superseded, &asked, &POLICY, &IN_TIME);
        assert_eq!(kind(plan), expected, "row {row}: {asked:?}");
    }
}

#[test]
fn d22_a_clear_ends_what_a_request_has_found_under_another_id_and_nothing_else_does() {
    let cleared = Asked { clear: true, ..VALUE };
    for (row, asked, expected) in [
        (1, NOTHING, "keep"),
        (1, RENEW, "keep"),
        (1, TOUCH, "keep"),
        (2, VALUE, "drop"),
        (3, LOGIN, "create"),
        (5, CLEAR, "end"),
        (6, cleared, "create"),
        (6, Asked { clear: true, ..LOGIN }, "create"),
    ] {
        let plan = super::plan(Standing::Renewed, &asked, &POLICY, &IN_TIME);
        assert_eq!(kind(plan), expected, "row {row}: {asked:?}");
    }
}

#[test]
fn who_belongs_to_nobody_any_more_has_not_logged_in() {
    let login = |asked| plan(Some(&fresh()), &asked, &POLICY, &IN_TIME).times(None).unwrap();
    let leaves = Asked { owner_changes: true, ..VALUE };
    assert_eq!(login(leaves).authenticated, Timestamp::ZERO);
    assert_eq!(login(Asked { owned: true, ..leaves }).authenticated, NOW);
}

/// Every combination of a session and of what is asked for.
fn all(mut check: impl FnMut(Option<Snapshot>, Asked, Moment, Plan)) {
    let flag = |bits: u32, at: u32| bits >> at & 1 == 1;
    for found in 0..1 << 6 {
        let base = if flag(found, 1) { seen(MINUTE) } else { fresh() };
        let session = flag(found, 0).then(|| Snapshot {
            stale_key: flag(found, 2),
            accepted: flag(found, 3),
            in_grace: flag(found, 4),
            renewal_due: flag(found, 5),
            ..base
        });
        for bits in 0..1 << 9 {
            for value in [ValueChange::Untouched, ValueChange::Same, ValueChange::Changed] {
                let asked = Asked {
                    clear: flag(bits, 0),
                    // A login always has a value.
                    login: flag(bits, 1) && value != ValueChange::Untouched,
                    renew: flag(bits, 2),
                    lifetime: flag(bits, 3).then_some(OwnLifetime::Idle(60)),
                    touch: flag(bits, 7),
                    skips: flag(bits, 8) && !flag(bits, 7),
                    reseal: flag(bits, 4),
                    value,
                    ..NOTHING
                };
                let moment = Moment { late: flag(bits, 5), failed: flag(bits, 6), ..IN_TIME };
                check(session, asked, moment, plan(session.as_ref(), &asked, &POLICY, &moment));
            }
        }
    }
}

#[test]
fn an_end_is_terminal_and_only_a_value_after_it_begins_another() {
    all(|session, asked, _, plan| {
        if asked.clear {
            let begins = asked.value != ValueChange::Untouched;
            assert_eq!(kind(plan), if begins { "create" } else { "end" }, "{session:?} {asked:?}");
        }
    });
}

#[test]
fn nothing_happens_by_itself_after_a_5xx_or_after_the_response() {
    all(|session, asked, moment, plan| {
        if asked.is_nothing() && (moment.late || moment.failed) {
            assert_eq!(plan, Plan::Keep, "{session:?}");
        }
    });
}

#[test]
fn nothing_is_sent_to_the_client_of_an_old_id_but_what_begins_or_moves() {
    all(|session, asked, _, plan| {
        if session.is_some_and(|session| session.in_grace) {
            let sends =
                matches!(plan, Plan::Touch { send: true, .. } | Plan::Write { send: true, .. });
            assert!(!sends, "{asked:?} {plan:?}");
        }
    });
}
