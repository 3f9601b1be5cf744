//! Where keys come from, and which of them a session uses.

use super::*;
use crate::crypto::keys::KeyMaterial;

#[test]
fn ktors_forgeable_block_and_short_keys_are_named_at_launch() {
    let keys = "sign_key = 'hex:a1b2c3d4e5f60718293a'\nencrypt_key = 'hex:a1b2c3d4e5f60718293a4b5c6d7e8f90'";
    let warnings = |more: &str| {
        // Ktor's keys and short keys are refused only if everybody knows them.
        let toml = format!("[default.sessions.user]\n{keys}\n{more}");
        release(&toml).expect("no problem").warnings.join("\n")
    };
    let written = warnings("format = 'ktor'");
    assert!(written.contains("the first 16 bytes") && written.contains("accept = [\"ktor\"]"));
    assert!(written.contains("`sessions.user.sign_key`: a key of less than 32 bytes"), "{written}");
    let secret = "secret = 'hex:8f2a6c1e5b7d90432f6e8a1c3d5b7f9e02468ace13579bdf0f1e2d3c4b5a6978'";
    let accepted = warnings(&format!("accept = ['ktor']\n{secret}"));
    assert!(accepted.contains("remove \"ktor\" from `accept`"), "{accepted}");
}

/// The lines of a table, and the kinds of keys of its tokens and of its CSRF tokens: `S` is a
/// secret, `s` a key that signs, `e` a key that encrypts, `p` a pair.
const USED: [(&str, &str, &str); 15] = [
    ("protect = 'sign'", "S", ""),
    ("protect = 'sign'\nsecret = KEY", "S", ""),
    ("protect = 'sign'\nsign_key = [KEY, OTHER]", "ss", ""),
    ("protect = 'encrypt'", "S", ""),
    ("protect = 'encrypt'\nsecret = [KEY, OTHER]", "SS", ""),
    ("protect = 'encrypt'\nencrypt_key = KEY", "e", ""),
    ("protect = 'encrypt'\nencrypt_key = KEY\nsign_key = OTHER", "p", ""),
    ("protect = 'none'", "", "S"),
    ("protect = 'none'\nsecret = [KEY, OTHER]", "", "SS"),
    ("format = 'ktor'\nsign_key = [KEY, OTHER]\nktor = { transform = ['mac'] }", "", "ss"),
    ("format = 'ktor'\nprotect = 'none'\nstorage = 'memory'", "", "S"),
    ("accept = ['ktor']\nsign_key = KEY\nktor = { transform = ['mac'] }", "S", ""),
    ("accept = ['ktor']\nsecret = KEY\nsign_key = OTHER\nktor = { transform = ['mac'] }", "S", ""),
    ("accept = ['ktor']\nprotect = 'none'", "", "S"),
    ("accept = ['ktor']\nprotect = 'none'\nsecret = [KEY, OTHER]", "", "SS"),
];

#[test]
fn which_keys_a_session_uses_follows_from_its_format_its_protection_and_what_is_given() {
    let kinds = |keys: &[KeyMaterial]| -> String {
        let kind = |key: &KeyMaterial| match key {
            KeyMaterial::Secret(_) => 'S',
            KeyMaterial::Sign(_) => 's',
            KeyMaterial::Encrypt(_) => 'e',
            KeyMaterial::EncryptAndSign { .. } => 'p',
        };
        keys.iter().map(kind).collect()
    };
    for (lines, tokens, csrf) in USED {
        let other = KEY.replace("8f2a", "9f2a");
        let lines =
            lines.replace("KEY", &format!("'{KEY}'")).replace("OTHER", &format!("'{other}'"));
        let config = release(&format!("[default.sessions.user]\nallow_insecure = true\n{lines}"));
        let config = config.unwrap_or_else(|problems| panic!("{lines}: {}", texts(&problems)));
        let keys = &config.sessions["user"].protection.keys;
        assert_eq!((&*kinds(&keys.tokens), &*kinds(&keys.csrf)), (tokens, csrf), "{lines}");
    }
}

#[test]
fn where_tokens_have_no_native_key_their_csrf_tokens_have_their_own_if_any() {
    let open = "protect = 'none'\nallow_insecure = true";
    let signed =
        "sign_key = ['hex:a1b2c3d4', 'hex:a1b2c3d5']\nprotect = 'sign'\nstorage = 'memory'";
    let signed = format!("format = 'ktor'\n{signed}");
    let unsigned = format!("format = 'ktor'\nstorage = 'memory'\n{open}");
    let accepts = format!("accept = ['ktor']\n{open}");
    let of = |lines: &str, with_root: bool| {
        let toml = format!("[default.sessions.user]\n{lines}");
        let root = with_root.then_some(("ROCKET_SESSIONS__SECRET", KEY));
        let variables: Vec<_> = [("ROCKET_PROFILE", "release")].into_iter().chain(root).collect();
        let config = read_toml(&toml, &variables).map_err(|problems| texts(&problems));
        let mut config = config.unwrap_or_else(|problems| panic!("{lines}: {problems}"));
        let session = config.sessions.remove("user").expect("the session");
        assert!(session.protection.keys.tokens.is_empty(), "{lines}");
        session.protection.keys.csrf
    };
    let own = format!("\nsecret = ['{KEY}', '{KEY}ff']");
    for lines in [open, &unsigned] {
        assert!(of(lines, false).is_empty(), "{lines}");
        assert!(matches!(of(lines, true)[..], [KeyMaterial::Secret(_)]), "{lines}");
        let both = of(&format!("{lines}{own}"), true);
        assert!(matches!(both[..], [KeyMaterial::Secret(_), KeyMaterial::Secret(_)]), "{lines}");
    }
    assert!(matches!(of(&accepts, true)[..], [KeyMaterial::Secret(_)]));
    for with_root in [false, true] {
        let signs = of(&signed, with_root);
        assert!(matches!(signs[..], [KeyMaterial::Sign(_), KeyMaterial::Sign(_)]), "{signs:?}");
    }
}

#[test]
fn keys_come_from_tables_lists_files_and_the_root() {
    let other = "base64:Gz1fcJKkxujw4dLDtKWWh3hpWks8LR4Pn45tfUs6OSA=";
    let config = release(&format!(
        "[default.sessions.root]\n[default.sessions.own]\nsecret = ['{KEY}', '{other}']\n\
         [default.sessions.pair]\nencrypt_key = '{other}'\nsign_key = '{KEY}'"
    ));
    let config = config.expect("no problem");
    let keys = |name: &str| &config.sessions[name].protection.keys.tokens;
    assert!(matches!(keys("root")[..], [KeyMaterial::Secret(_)]));
    assert!(matches!(keys("own")[..], [KeyMaterial::Secret(_), KeyMaterial::Secret(_)]));
    assert!(matches!(keys("pair")[..], [KeyMaterial::EncryptAndSign { .. }]));

    Jail::expect_with(|jail| {
        jail.create_file("keys", &format!("{KEY}\n\n{other}\n"))?;
        jail.create_file(
            "Rocket.toml",
            "[default.sessions]\nsecret_file = 'keys'\n[default.sessions.user]",
        )?;
        jail.set_env("ROCKET_PROFILE", "release");
        let config = read(&rocket::Config::figment(), &registered()).expect("no problem");
        assert_eq!(config.sessions["user"].protection.keys.tokens.len(), 2);
        assert!(
            config.warnings.iter().any(|warning| warning.contains("chmod 600")),
            "{:?}",
            config.warnings
        );
        Ok(())
    });
}

#[test]
fn s51_no_message_shows_a_key() {
    let canary = "CANARYCANARYCANARYCANARYCANARYCANARY!!";
    for line in ["secret", "sign_key", "encrypt_key", "unknown"] {
        let problems =
            release(&format!("[default.sessions.user]\n{line} = '{canary}'")).expect_err("wrong");
        let debugged = format!("{problems:?}");
        assert!(!texts(&problems).contains("CANARY") && !debugged.contains("CANARY"), "{debugged}");
    }
    let number = read_toml(
        "[default.sessions.user]",
        &[("ROCKET_SESSIONS__USER__SECRET", "0011223344556677")],
    );
    assert!(!texts(&number.expect_err("a number")).contains("1122334455"));
    let config = debug(&format!("[default.sessions.user]\nsecret = '{KEY}'"));
    assert!(
        !format!("{config:?}").contains("8f2a") && format!("{config:?}").contains("[provided]")
    );
}
