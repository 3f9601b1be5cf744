//! The promises about times, checked to the millisecond.

use std::time::{Duration, UNIX_EPOCH};

use super::*;

const DAY: Duration = Duration::from_secs(86_400);
const HOUR: u64 = 3_600_000;
const LIFETIME: Timeouts = Timeouts {
    idle: DAY,
    absolute: Duration::from_secs(3 * 86_400),
    touch_after: Duration::from_secs(3600),
    renewal_grace: Duration::from_secs(30),
    renew_after: Some(Duration::from_secs(3600)),
};

fn times(created: u64, seen: u64) -> Times {
    Times {
        created: Timestamp::from_millis(created),
        seen: Timestamp::from_millis(seen),
        authenticated: Timestamp::ZERO,
        lifetime: OwnLifetime::Configured,
    }
}

#[test]
fn s42_idle_ends_a_session_at_the_exact_millisecond() {
    // A use up to an hour after the last touch is not recorded.
    let end = 1000 + 25 * HOUR;
    assert!(LIFETIME.admits(&times(1000, 1000), Timestamp::from_millis(end - 1)));
    assert!(!LIFETIME.admits(&times(1000, 1000), Timestamp::from_millis(end)));
    let exact = Timeouts { touch_after: Duration::ZERO, ..LIFETIME };
    assert!(exact.admits(&times(1000, 1000), Timestamp::from_millis(1000 + 24 * HOUR - 1)));
    assert!(!exact.admits(&times(1000, 1000), Timestamp::from_millis(1000 + 24 * HOUR)));
}

/// Checks the promise of `idle_timeout` for a use at every moment.
#[test]
fn s42_a_session_lives_for_its_idle_time_after_every_use_and_no_longer_than_an_interval_more() {
    for (lifetime, idle, interval) in [
        (OwnLifetime::Configured, 24 * HOUR, HOUR),
        (OwnLifetime::BrowserSession, 24 * HOUR, HOUR),
        (OwnLifetime::Idle(40 * 3600), 40 * HOUR, HOUR),
        (OwnLifetime::Idle(60), 60_000, 6_000),
        (OwnLifetime::Idle(1), 1_000, 100),
    ] {
        let times = Times { lifetime, ..times(5, 5) };
        for since in (0..=interval).step_by(100) {
            let used = Timestamp::from_millis(5 + since);
            let due = LIFETIME.touch_due(&times, used);
            assert_eq!(due, since >= interval, "{lifetime:?} {since}");
            let after = if due { times.refreshed(used) } else { times };
            let end = LIFETIME.expires(&after);
            assert!(end >= Timestamp::from_millis(used.as_millis() + idle), "{lifetime:?} {since}");
            assert!(
                end <= Timestamp::from_millis(used.as_millis() + idle + interval),
                "{lifetime:?} {since}"
            );
        }
    }
}

#[test]
fn s43_a_date_takes_the_place_of_the_idle_time_and_not_of_the_absolute_end() {
    let until =
        |end| Times { lifetime: OwnLifetime::Until(Timestamp::from_millis(end)), ..times(0, 0) };
    for (end, expected) in [(1, 1), (71 * HOUR, 71 * HOUR), (u64::MAX, 72 * HOUR)] {
        let times = until(end);
        assert_eq!(LIFETIME.expires(&times), Timestamp::from_millis(expected));
        assert_eq!(
            LIFETIME.expires(&times.refreshed(Timestamp::from_millis(HOUR))),
            Timestamp::from_millis(expected)
        );
        assert!(LIFETIME.admits(&times, Timestamp::from_millis(expected - 1)));
        assert!(!LIFETIME.admits(&times, Timestamp::from_millis(expected)));
    }
}

#[test]
fn a_token_is_kept_until_its_session_ends_and_no_longer() {
    use OwnLifetime::{BrowserSession, Configured, Idle, Until};
    let now = 10 * HOUR;
    let age = |lifetime, is_id| {
        LIFETIME.max_age(
            &Times { lifetime, ..times(HOUR, now) },
            Timestamp::from_millis(now),
            is_id,
        )
    };
    let millis = |millis| MaxAge::Of(Duration::from_millis(millis));
    for (lifetime, id, token) in [
        (Configured, MaxAge::Configured, MaxAge::Configured),
        (BrowserSession, MaxAge::Session, MaxAge::Session),
        (Idle(36_000), millis(63 * HOUR), millis(11 * HOUR)),
        // The interval is a tenth of 25 seconds, so 2.5 seconds are added, rounded up.
        (Idle(25), millis(63 * HOUR), millis(28_000)),
        (Idle(600 * 3600), millis(63 * HOUR), millis(63 * HOUR)),
        (Until(Timestamp::from_millis(now + 1500)), millis(1500), millis(1500)),
        (Until(Timestamp::from_millis(1000 * HOUR)), millis(63 * HOUR), millis(63 * HOUR)),
    ] {
        assert_eq!(age(lifetime, true), id, "{lifetime:?}");
        assert_eq!(age(lifetime, false), token, "{lifetime:?}");
    }
}

#[test]
fn what_an_application_says_is_kept_and_what_leaves_no_time_is_refused() {
    let now = Timestamp::from_millis(1_000_000);
    let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
    let of = |lifetime| OwnLifetime::new(lifetime, now).ok();
    for (lifetime, expected) in [
        (Lifetime::Configured, OwnLifetime::Configured),
        (Lifetime::BrowserSession, OwnLifetime::BrowserSession),
        (Lifetime::Idle(Duration::from_nanos(1)), OwnLifetime::Idle(1)),
        (Lifetime::Idle(Duration::from_millis(1001)), OwnLifetime::Idle(2)),
        (Lifetime::Idle(Duration::MAX), OwnLifetime::Idle(OwnLifetime::MAX_VALUE)),
        (Lifetime::Until(at(1_000_001)), OwnLifetime::Until(Timestamp::from_millis(1_000_001))),
    ] {
        assert_eq!(of(lifetime), Some(expected), "{lifetime:?}");
        assert_eq!(OwnLifetime::from_bytes(expected.to_bytes()), Some(expected));
    }
    let over = at(1_000_000) + Duration::from_micros(999);
    for lifetime in [
        Lifetime::Idle(Duration::ZERO),
        Lifetime::Until(over),
        Lifetime::Until(UNIX_EPOCH - Duration::from_secs(1)),
    ] {
        assert_eq!(of(lifetime), None, "{lifetime:?}");
    }
    for lifetime in [
        Lifetime::Configured,
        Lifetime::Idle(Duration::from_secs(1)),
        Lifetime::Until(at(2_000_000)),
        Lifetime::BrowserSession,
    ] {
        assert_eq!(of(lifetime).map(Lifetime::from), Some(lifetime));
    }
}

#[test]
fn s43_the_absolute_end_cannot_be_moved_by_use_or_override() {
    let end = 3 * 86_400_000;
    let busy = Times { lifetime: OwnLifetime::Idle(u64::MAX), ..times(0, end - 1) };
    assert!(LIFETIME.admits(&busy, Timestamp::from_millis(end - 1)));
    assert!(!LIFETIME.admits(&busy, Timestamp::from_millis(end)));
}

#[test]
fn s45_future_inverted_and_overflowing_times_are_refused_without_panic() {
    let now = Timestamp::from_millis(1_000_000);
    for (created, seen) in [
        (1_060_001, 1_060_001),
        (1_000_000, 1_060_001),
        (900_000, 800_000),
        (u64::MAX, u64::MAX),
        (0, u64::MAX),
    ] {
        assert!(!LIFETIME.admits(&times(created, seen), now), "{created} {seen}");
    }
    assert!(LIFETIME.admits(&times(1_060_000, 1_060_000), now));
    let login =
        Times { authenticated: Timestamp::from_millis(u64::MAX), ..times(900_000, 900_000) };
    assert!(!LIFETIME.admits(&login, now));
    let forever = Timeouts { idle: Duration::MAX, absolute: Duration::MAX, ..LIFETIME };
    assert!(forever.admits(&times(0, 0), Timestamp::from_millis(u64::MAX - 1)));
}

#[test]
fn s67_a_grace_and_an_ids_age_end_at_the_exact_millisecond() {
    let renewed = Timestamp::from_millis(1_000_000);
    for (now, expected) in
        [(939_999, false), (940_000, true), (1_029_999, true), (1_030_000, false)]
    {
        let until = renewed.after(LIFETIME.renewal_grace);
        assert_eq!(
            LIFETIME.in_grace(renewed, until, Timestamp::from_millis(now)),
            expected,
            "{now}"
        );
        let sooner = Timestamp::from_millis(until.as_millis() - 10_000);
        let expected = expected && now < sooner.as_millis();
        assert_eq!(
            LIFETIME.in_grace(renewed, sooner, Timestamp::from_millis(now)),
            expected,
            "{now}"
        );
    }
    let hour = 3_600_000;
    let due =
        |renewed, now| LIFETIME.renewal_due(&times(500, 500), renewed, Timestamp::from_millis(now));
    assert!(!due(Timestamp::ZERO, hour + 499) && due(Timestamp::ZERO, hour + 500));
    assert!(!due(renewed, 1_000_000 + hour - 1) && due(renewed, 1_000_000 + hour));
    assert!(!due(Timestamp::from_millis(u64::MAX), 1));
}

#[test]
fn a_lifetime_round_trips_and_no_other_bytes_read() {
    use OwnLifetime::{BrowserSession, Configured, Idle, Until};
    for (lifetime, kind, value) in [
        (Configured, 0, 0),
        (Idle(1), 1, 1),
        (Idle(OwnLifetime::MAX_VALUE), 1, OwnLifetime::MAX_VALUE),
        (Until(Timestamp::from_millis(0)), 2, 0),
        (Until(Timestamp::from_millis(1_700_000_000_000)), 2, 1_700_000_000_000),
        (BrowserSession, 3, 0),
    ] {
        let bytes = lifetime.to_bytes();
        assert_eq!(bytes, (kind << 56 | value).to_be_bytes());
        assert_eq!(OwnLifetime::from_bytes(bytes), Some(lifetime));
    }
    assert_eq!(Idle(u64::MAX).to_bytes(), Idle(OwnLifetime::MAX_VALUE).to_bytes());
    for (kind, value) in [(0_u64, 1), (1, 0), (3, 1), (4, 0), (255, 0)] {
        assert_eq!(OwnLifetime::from_bytes((kind << 56 | value).to_be_bytes()), None);
    }
}

#[test]
fn a_clock_that_jumps_back_moves_nothing_back() {
    let times = times(5000, 9000).refreshed(Timestamp::from_millis(7000));
    assert_eq!(times.seen, Timestamp::from_millis(9000));
    assert!(!LIFETIME.touch_due(&times, Timestamp::from_millis(7000)));
}
