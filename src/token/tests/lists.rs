//! Lists of keys: which keys seal, and which open.

use super::*;

#[test]
fn s32_the_first_key_seals_and_all_open() {
    let old = sealer(Protect::Encrypt, &[secret(1)]);
    let both = sealer(Protect::Encrypt, &[secret(2), secret(1)]);
    let new = sealer(Protect::Encrypt, &[secret(2)]);
    let token = seal(&old, b"x");
    let opened = both.open_payload(&token, LIMIT, |_| true).unwrap();
    assert!(opened.stale_key);
    assert!(open(&new, &token).is_none());
    let reissued = seal(&both, &opened.content.1);
    assert!(!new.open_payload(&reissued, LIMIT, |_| true).unwrap().stale_key);
    let twice = Sealer::new(
        &Binding { app: "", session: "s", transport: TransportBinding::Cookie },
        TokenKind::SignedPayload,
        Suite::A128CbcHs256,
        &[secret(1), secret(1)],
    );
    assert!(twice.is_err());
}

/// A node that cannot know which keys every node has seals with several.
#[test]
fn s32_several_keys_seal_so_that_each_opens_alone() {
    for protect in [Protect::Encrypt, Protect::Sign] {
        let list = [1, 2, 3].map(secret);
        let seals = |sealing: &[usize]| {
            let sealing = Sealing::with(sealing.to_vec());
            let (sealer, ids) = (sealer(protect, &list), id_sealer(protect, &list));
            (sealer.sealing_with(sealing.clone()), ids.sealing_with(sealing))
        };
        let (each, each_id) = seals(&[0, 2]);
        let (token, id_token) = (seal(&each, b"x"), each_id.seal_id(&id()).unwrap());
        for (n, expected) in [(1, true), (2, false), (3, true), (4, false)] {
            let (one, one_id) = (sealer(protect, &[secret(n)]), id_sealer(protect, &[secret(n)]));
            assert_eq!(open(&one, &token), expected.then(|| (claims(), b"x".to_vec())), "{n}");
            let opened = one_id.open_id(&id_token);
            assert_eq!(opened.map(|opened| opened.content), expected.then(id), "{n}");
            let opened = one.open_payload(&token, LIMIT, |_| true);
            assert!(opened.is_none_or(|opened| opened.stale_key), "a node that knows seals again");
        }
        assert!(!each.open_payload(&token, LIMIT, |_| true).unwrap().stale_key);
        assert!(!each_id.open_id(&id_token).unwrap().stale_key);
        // Each part opens as if it came alone, and no other part opens.
        let parts: Vec<_> = token.split('.').collect();
        assert_eq!(parts.len(), 2);
        for part in &parts {
            assert!(open(&each, part).is_some());
            assert!(
                open(&each, &format!("{part}.")).is_some()
                    && open(&each, &format!(".{part}")).is_some()
            );
        }
        for foreign in ["", ".", "..", "a.b", &"A".repeat(LIMIT), &".".repeat(LIMIT)] {
            assert!(open(&each, foreign).is_none() && each_id.open_id(foreign).is_none());
        }
        let [seven, eight] = [7, 8].map(|dots| format!("{}{}", ".".repeat(dots), parts[1]));
        assert!(open(&each, &seven).is_some() && open(&each, &eight).is_none(), "at most eight");
        assert!(each.open_payload(&token, token.len() - 1, |_| true).is_none());

        // If there is no room for every token, the last key seals, which is the oldest.
        let fits = |room| each.seal_payload(&claims(), b"x", room, &Random::System).unwrap();
        assert_eq!(fits(token.len()).len(), token.len());
        let alone = fits(token.len() - 1);
        assert!(open(&sealer(protect, &[secret(3)]), &alone).is_some() && !alone.contains('.'));
        let many = sealer(protect, &[9, 8, 7, 6, 5, 4, 3, 2, 1].map(secret));
        let many = many.sealing_with(Sealing::with((0..9).collect()));
        assert!(open(&sealer(protect, &[secret(1)]), &seal(&many, b"x")).is_some());
    }
    let none_of_them = Sealing::with(vec![1, 7]);
    let one = sealer(Protect::Encrypt, &[secret(1)]).sealing_with(none_of_them);
    assert!(open(&one, &seal(&one, b"x")).is_some(), "nothing goes out in clear");
    let (plain, plain_id) = (sealer(Protect::None, &[]), id_sealer(Protect::None, &[]));
    let (token, id_token) = (seal(&plain, b"x"), plain_id.seal_id(&id()).unwrap());
    assert!(open(&plain, &format!("{token}.{token}")).is_none());
    assert!(plain_id.open_id(&format!("{id_token}.{id_token}")).is_none());
}

#[test]
fn an_operator_is_told_which_keys_of_the_list_seal() {
    let told = |positions: &[usize]| Sealing::with(positions.to_vec()).to_string();
    assert_eq!(told(&[1]), "key number 2 of the list protects new tokens");
    assert_eq!(told(&[0, 2]), "keys number 1 and 3 of the list protect new tokens");
}
