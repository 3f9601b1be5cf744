//! Which id opens a session, and until when.

use super::*;
use crate::by_id::envelope::Envelope;
use crate::crypto::hex;

fn id(seed: u8) -> SessionId {
    SessionId::from_bytes(&[seed; 32])
}

fn time(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

const GRACE: Duration = Duration::from_millis(30);

#[test]
fn a_renewal_at_once_leaves_the_secret_before_nothing() {
    let first = Secrets::new(&id(1));
    assert_eq!((first.admit(&id(1)), first.admit(&id(2))), (Some(Admitted::Current), None));
    let renewed = first.with_new(&id(2), time(5), 1);
    assert_eq!(renewed.admit(&id(2)), Some(Admitted::Current));
    assert_eq!(renewed.admit(&id(1)), Some(Admitted::Previous(time(5))));
    let again = renewed.with_new(&id(3), time(6), 2);
    assert_eq!(again.admit(&id(2)), Some(Admitted::Previous(time(6))));
    assert_eq!(again.admit(&id(1)), Some(Admitted::Former(time(5))));
    assert_eq!((again.admit(&id(4)), again.rotations), (None, 2));
}

/// The previous secrets, newest first, as [`admit`](Secrets::admit) returns them.
fn former(secrets: &Secrets, seeds: impl IntoIterator<Item = u8>) -> Vec<Option<Admitted>> {
    seeds.into_iter().map(|seed| secrets.admit(&id(seed))).collect()
}

#[test]
fn d22_a_secret_is_kept_until_two_minutes_after_it_opened_the_session_last() {
    let mark = u64::try_from(MARK.as_millis()).unwrap();
    let first = Secrets::new(&id(1)).with_new(&id(2), time(5), 1);
    for (now, kept) in [(5 + mark - 1, Some(Admitted::Former(time(5)))), (5 + mark, None)] {
        let second = first.with_new(&id(3), time(now), 2);
        assert_eq!(second.admit(&id(1)), kept);
        assert_eq!(second.admit(&id(2)), Some(Admitted::Previous(time(now))));
        let second = first.renewing(&id(2), &id(3), time(now));
        assert_eq!(second.admit(&id(1)), kept);
        // Only a renewal drops a secret.
        assert_eq!(second.completing(time(now + 9 * mark), GRACE).admit(&id(1)), kept);
    }
}

#[test]
fn d22_the_newest_secret_before_opens_the_session_until_the_next_renewal_at_most() {
    let (old, next) = (id(1), id(1).with_secret([9; 16]));
    let open = Secrets::new(&old).renewing(&old, &next, time(5));
    let late = 9 * u64::try_from(MARK.as_millis()).unwrap();
    let renewed = open.with_new(&id(3), time(late), 1);
    // While the renewal was open, the secret opened the session.
    assert_eq!(renewed.admit(&old), Some(Admitted::Former(time(late))));
    assert_eq!(renewed.admit(&next), Some(Admitted::Previous(time(late))));
    let done = open.completing(time(8), GRACE);
    for (now, until) in [(20, 20), (38, 38), (50, 38)] {
        let renewed = done.with_new(&id(3), time(now), 1);
        assert_eq!(renewed.admit(&old), Some(Admitted::Former(time(until))));
        let again = done.renewing(&next, &id(3), time(now));
        assert_eq!(again.admit(&old), Some(Admitted::Former(time(until))));
        assert_eq!(
            again.admit(&next),
            Some(Admitted::BeforeRenewal(next.with_secret(id(3).secret())))
        );
        // Completing the renewal gives the grace period to the newest secret only.
        let completed = again.completing(time(60), GRACE);
        assert_eq!(completed.admit(&old), Some(Admitted::Former(time(until))));
        assert_eq!(completed.admit(&next), Some(Admitted::Previous(time(90))));
    }
}

#[test]
fn no_more_than_sixteen_secrets_before_are_kept_and_the_oldest_goes_first() {
    let mut secrets = Secrets::new(&id(0));
    for seed in 1..=40 {
        secrets = secrets.with_new(&id(seed), time(5), 1);
        let payload =
            Envelope { secrets: secrets.clone(), ..Envelope::default() }.wrap("cart", b"");
        let (read, _) = Envelope::unwrap(&payload, "cart").unwrap();
        assert_eq!(read.secrets, secrets);
    }
    assert_eq!(former(&secrets, 0..24), vec![None; 24]);
    assert_eq!(former(&secrets, 24..39), vec![Some(Admitted::Former(time(5))); 15]);
    assert_eq!(
        former(&secrets, 39..41),
        [Some(Admitted::Previous(time(5))), Some(Admitted::Current)]
    );
}

#[test]
fn d22_who_shows_the_secret_before_is_given_the_next_until_that_is_shown() {
    let (old, next) = (id(1), id(1).with_secret([9; 16]));
    let first = Secrets { rotations: 3, ..Secrets::new(&old) };
    let open = first.renewing(&old, &next, time(5));
    assert!(open.is_open() && !first.is_open());
    assert_eq!(open.admit(&next), Some(Admitted::Current));
    assert_eq!(open.admit(&old), Some(Admitted::BeforeRenewal(next.clone())));
    assert_eq!((open.admit(&id(2)), open.rotations), (None, 3));
    // Neither the record alone nor the old id alone reveals the next secret.
    let masked = open.renewal.unwrap();
    assert!(masked != next.secret() && masked != old.secret());
    let other = id(2).with_secret(old.secret());
    assert_ne!(mask(&other, masked), next.secret(), "the locator is in the mask");
    let done = open.completing(time(8), GRACE);
    assert_eq!(done.admit(&next), Some(Admitted::Current));
    assert_eq!(done.admit(&old), Some(Admitted::Previous(time(38))));
    assert!(!done.is_open() && done.renewed == time(8));
}

#[test]
fn d22_a_secret_is_masked_as_an_independent_implementation_does_it() {
    #[derive(serde::Deserialize)]
    struct Vectors {
        masks: Vec<std::collections::HashMap<String, String>>,
    }
    let Vectors { masks } =
        serde_json::from_str(include_str!("../../../tests/vectors/native.json")).unwrap();
    assert_eq!(masks.len(), 3);
    for vector in masks {
        let bytes = |name: &str| hex::decode(&vector[name]).unwrap();
        let before = SessionId::from_bytes(bytes("id")[..].try_into().unwrap());
        let next: [u8; 16] = bytes("next")[..].try_into().unwrap();
        assert_eq!(mask(&before, next), bytes("masked")[..]);
    }
}
