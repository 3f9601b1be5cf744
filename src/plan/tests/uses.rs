//! What counts as a use of a session, and when its cookie is sent again.

use super::*;

#[test]
fn c7_a_cookie_that_would_end_before_its_session_goes_out_with_every_use_that_counts() {
    let policy = Policy { token_expires_early: true, ..POLICY };
    let used = |session: &Snapshot, asked, moment| {
        let plan = plan(Some(session), &asked, &policy, &moment);
        (kind(plan), plan.times(Some(session)).unwrap().seen == NOW)
    };
    let minute_ago = seen(MINUTE);
    assert_eq!(used(&minute_ago, VALUE, IN_TIME), ("write and send", true));
    assert_eq!(used(&minute_ago, NOTHING, IN_TIME), ("touch and send", true));
    // A use that the client is not told of must not delay the next cookie.
    assert_eq!(used(&minute_ago, VALUE, LATE), ("write", false));
    let old_id = Snapshot { in_grace: true, ..minute_ago };
    assert_eq!(used(&old_id, VALUE, IN_TIME), ("write", false));
}

#[test]
fn c15_a_session_that_outlives_every_cookie_is_sent_again_with_a_timeout_of_its_own_too() {
    let policy = Policy { longest_expires_early: true, ..POLICY };
    let own = Snapshot {
        times: Times { lifetime: OwnLifetime::Idle(7200), ..seen(HOUR).times },
        ..seen(HOUR)
    };
    let write = plan(Some(&own), &VALUE, &policy, &IN_TIME);
    assert_eq!(kind(write), "write and send");
    assert_eq!(kind(plan(Some(&fresh()), &VALUE, &policy, &IN_TIME)), "write");
}

#[test]
fn d9_a_request_that_is_no_use_moves_no_expiry_whatever_it_writes() {
    let hour_ago = Snapshot { stale_key: true, ..seen(HOUR) };
    for by_value in [false, true] {
        let policy = Policy { by_value, ..POLICY };
        for (asked, expected) in
            [(NOTHING, "send"), (VALUE, "write and send"), (RENEW, "renew"), (RESEAL, "send")]
        {
            let asked = Asked { skips: true, ..asked };
            let plan = plan(Some(&hour_ago), &asked, &policy, &IN_TIME);
            assert_eq!(kind(plan), expected, "{asked:?}");
            assert_eq!(plan.times(Some(&hour_ago)), Some(hour_ago.times), "{asked:?}");
        }
    }
}

#[test]
fn d16_a_touch_that_is_asked_for_is_done_or_too_late_and_never_halfway() {
    let policy = Policy { token_expires_early: true, ..POLICY };
    let touch = |session: Snapshot, moment| {
        let plan = plan(Some(&session), &TOUCH, &policy, &moment);
        assert_eq!(plan.times(None).unwrap().seen, NOW);
        kind(plan)
    };
    assert_eq!(touch(seen(MINUTE), IN_TIME), "touch and send");
    // The commit refuses a plan that needs a token after the response.
    assert_eq!(touch(seen(MINUTE), LATE), "touch and send");
    // The client of a previous id is sent nothing.
    assert_eq!(touch(Snapshot { in_grace: true, ..seen(MINUTE) }, IN_TIME), "touch");
}

#[test]
fn d16_a_lifetime_that_was_said_holds_for_what_this_request_begins() {
    let own = |seconds| Some(OwnLifetime::Idle(seconds));
    let of = |session: Option<&Snapshot>, asked: Asked| {
        plan(session, &asked, &POLICY, &IN_TIME).times(session).unwrap().lifetime
    };
    let mut remembered = fresh();
    remembered.times.lifetime = OwnLifetime::Idle(7);
    for asked in [VALUE, LOGIN, Asked { clear: true, ..VALUE }] {
        for session in [None, Some(&remembered)] {
            let goes_on = session.is_some() && asked == VALUE;
            let kept = OwnLifetime::Idle(if goes_on { 7 } else { 5 });
            assert_eq!(of(session, Asked { lifetime: own(5), ..asked }), OwnLifetime::Idle(5));
            assert_eq!(of(session, Asked { earlier_lifetime: own(5), ..asked }), kept, "{asked:?}");
            let both = Asked { earlier_lifetime: own(5), lifetime: own(6), ..asked };
            assert_eq!(of(session, both), OwnLifetime::Idle(6));
        }
    }
    assert_eq!(of(Some(&remembered), LOGIN), OwnLifetime::Configured);
    assert_eq!(of(Some(&remembered), RENEW), OwnLifetime::Idle(7));
    let unticked = Asked { lifetime: Some(OwnLifetime::Configured), ..NOTHING };
    let plan = plan(Some(&remembered), &unticked, &POLICY, &IN_TIME);
    assert_eq!(kind(plan), "write and send");
    assert_eq!(plan.times(None).unwrap().lifetime, OwnLifetime::Configured);
}

#[test]
fn d16_a_token_that_is_good_until_a_date_is_not_sent_by_a_touch() {
    let mut session = seen(HOUR);
    session.times.lifetime = OwnLifetime::Until(NOW.after(HOUR));
    let touch = |by_value, longest_expires_early| {
        let policy = Policy { by_value, longest_expires_early, ..POLICY };
        kind(plan(Some(&session), &NOTHING, &policy, &IN_TIME))
    };
    assert_eq!(touch(false, false), "touch", "a list of devices says when it was used");
    assert_eq!(touch(true, false), "keep");
    assert_eq!(touch(true, true), "touch and send", "no cookie lasts as long as that");
}

#[test]
fn d16_a_cookie_without_max_age_is_not_sent_to_last_longer() {
    let policy = Policy { token_expires_early: true, longest_expires_early: true, ..POLICY };
    let mut session = seen(HOUR);
    session.times.lifetime = OwnLifetime::BrowserSession;
    assert_eq!(kind(plan(Some(&session), &NOTHING, &policy, &IN_TIME)), "touch");
}
