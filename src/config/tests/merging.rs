//! Which of several values is in force, and where it is written.

use super::*;
use crate::crypto::keys::KeyMaterial;
use crate::table::OneOrMore;

/// Reads the sessions with what the code configures.
fn read_all(
    configured: &[(&str, SessionConfig)],
    toml: &str,
    environment: &[(&str, &str)],
) -> Result<Settings, Vec<Problem>> {
    let configured = configured.iter().map(|(name, config)| ((*name).to_owned(), config.to_dict()));
    let registered = Registered { configured: configured.collect(), ..registered() };
    let files = [("Rocket.toml", toml), ("url", "redis://from-file/"), ("key", KEY)];
    read_with(&registered, &files, environment)
}

fn user(toml: &str, environment: &[(&str, &str)]) -> SessionSettings {
    let with_key = [&[("ROCKET_SESSIONS__SECRET", KEY), ("ROCKET_PROFILE", "debug")], environment];
    let mut settings = read_all(&[], toml, &with_key.concat())
        .unwrap_or_else(|problems| panic!("{toml}: {}", texts(&problems)));
    settings.sessions.remove("user").expect("the session")
}

#[test]
fn a_variable_with_a_table_is_merged_as_the_same_table_within_one_variable_is() {
    let toml = "[default.sessions.user]\ncookie = { prefix = 'host', same_site = 'strict' }";
    for (name, value) in [
        ("ROCKET_SESSIONS__USER__COOKIE", "{max_age=60}"),
        ("ROCKET_SESSIONS__USER", "{cookie={max_age=60}}"),
        ("ROCKET_SESSIONS", "{user={cookie={max_age=60}}}"),
        ("ROCKET_SESSIONS__USER__COOKIE__MAX_AGE", "60"),
    ] {
        let user = user(toml, &[(name, value)]);
        let cookie = cookie(&user);
        assert_eq!(user.wire_name, "__Host-user", "{name}");
        assert_eq!(cookie.same_site, SameSite::Strict, "{name}");
        assert_eq!(cookie.max_age, Some(Duration::from_secs(60)), "{name}");
    }
}

#[test]
fn tables_in_tables_are_merged_too() {
    let toml = "[default.sessions]\ncookie = { extensions = { A = '1', B = '1' } }\n\
                [default.sessions.user]\ncookie = { extensions = { B = '2' } }";
    let user = user(toml, &[("ROCKET_SESSIONS__USER__COOKIE", "{extensions={C=\"3\"}}")]);
    let expected =
        [("A", "1"), ("B", "2"), ("C", "3")].map(|(name, value)| (name.into(), value.into()));
    assert_eq!(cookie(&user).extensions, expected);
}

#[test]
fn the_places_come_in_the_order_of_the_documentation() {
    let places: [(&str, &str); 6] = [
        ("", ""),
        ("[default.sessions]\nidle_timeout = 2\n", ""),
        ("", "ROCKET_SESSIONS__IDLE_TIMEOUT=3"),
        ("[default.sessions.user]\nidle_timeout = 4\n", ""),
        ("", "ROCKET_SESSIONS={user={idle_timeout=5}}"),
        ("", "ROCKET_SESSIONS__USER__IDLE_TIMEOUT=6"),
    ];
    let code = SessionConfig {
        idle_timeout: Some(Duration::from_secs(1).into()),
        ..SessionConfig::default()
    };
    for strongest in 0..places.len() {
        let given = &places[..=strongest];
        let toml: String = given.iter().map(|(toml, _)| *toml).collect();
        let variables = given.iter().filter_map(|(_, variable)| variable.split_once('='));
        let variables: Vec<_> = variables.chain([("ROCKET_PROFILE", "debug")]).collect();
        let settings = read_all(&[("user", code.clone())], &toml, &variables).expect("no problem");
        let idle = settings.sessions["user"].timeouts.idle;
        assert_eq!(idle, Duration::from_secs(strongest as u64 + 1));
    }
}

#[test]
fn a_profile_is_stronger_than_the_default_and_weaker_than_the_environment() {
    let toml = "[default.sessions.user]\nidle_timeout = 1\n[debug.sessions.user]\nidle_timeout = 2\n\
                [release.sessions.user]\nidle_timeout = 3\n[global.sessions.user]\nname = 'all'";
    let of_profile = user(toml, &[]);
    assert_eq!(of_profile.timeouts.idle, Duration::from_secs(2));
    assert_eq!(of_profile.wire_name, "all");
    let of_variable = user(toml, &[("ROCKET_SESSIONS__USER__IDLE_TIMEOUT", "4")]);
    assert_eq!(of_variable.timeouts.idle, Duration::from_secs(4));
}

#[test]
fn a_storage_of_another_type_replaces_the_whole_table_and_one_of_the_same_is_merged() {
    let directory = "[default.sessions.user]\nstorage = { type = 'directory', path = 'x' }";
    let memory = "[default.sessions.user]\nstorage = { type = 'memory', capacity = 5 }";
    let word = "[default.sessions.user]\nstorage = 'memory'";
    for (toml, variables, expected) in [
        (directory, vec![("ROCKET_SESSIONS__USER__STORAGE", "memory")], "memory, 1000000 records"),
        (
            directory,
            vec![("ROCKET_SESSIONS__USER__STORAGE__TYPE", "memory")],
            "memory, 1000000 records",
        ),
        (
            directory,
            vec![("ROCKET_SESSIONS", "{user={storage={type=\"memory\"}}}")],
            "memory, 1000000 records",
        ),
        (memory, vec![("ROCKET_SESSIONS__USER__STORAGE", "memory")], "memory, 5 records"),
        (memory, vec![("ROCKET_SESSIONS__USER__STORAGE__CAPACITY", "7")], "memory, 7 records"),
        (word, vec![("ROCKET_SESSIONS__USER__STORAGE__CAPACITY", "7")], "memory, 7 records"),
        (word, vec![("ROCKET_SESSIONS__USER__STORAGE", "{capacity=7}")], "memory, 7 records"),
        (
            word,
            vec![
                ("ROCKET_SESSIONS__USER__STORAGE", "{type=\"directory\",path=\"y\"}"),
                ("ROCKET_SESSIONS__USER__STORAGE__TYPE", "memory"),
            ],
            "memory, 1000000 records",
        ),
        (
            directory,
            vec![
                ("ROCKET_SESSIONS__USER__STORAGE", "memory"),
                ("ROCKET_SESSIONS__USER__STORAGE__CAPACITY", "7"),
            ],
            "memory, 7 records",
        ),
        (
            "[default.sessions]\nstorage = { type = 'memory', capacity = 5 }\n[default.sessions.user]",
            vec![],
            "memory, 5 records",
        ),
        (
            "[default.sessions]\nstorage = { type = 'directory', path = 'x' }\n[default.sessions.user]\nstorage = { type = 'memory' }",
            vec![],
            "memory, 1000000 records",
        ),
    ] {
        let storage = user(toml, &variables).storage.expect("a storage").to_string();
        assert_eq!(storage, expected, "{toml} {variables:?}");
    }
    assert!(user(directory, &[("ROCKET_SESSIONS__USER__STORAGE", "client")]).storage.is_none());
}

#[test]
fn the_type_of_a_storage_may_stand_in_a_variable_beside_its_other_keys() {
    let storage = |toml: &str, variables: &[(&str, &str)]| {
        user(toml, variables).storage.expect("a storage").to_string()
    };
    let own = [
        ("ROCKET_SESSIONS__USER__STORAGE__CAPACITY", "7"),
        ("ROCKET_SESSIONS__USER__STORAGE__TYPE", "memory"),
    ];
    let all =
        [("ROCKET_SESSIONS__STORAGE__CAPACITY", "7"), ("ROCKET_SESSIONS__STORAGE__TYPE", "memory")];
    let directory = "[default.sessions.user]\nstorage = { type = 'directory', path = 'x' }";
    for (toml, variables) in [
        ("", own),
        (directory, own),
        ("[default.sessions.user]", all),
        (
            "[default.sessions]\nstorage = { type = 'directory', path = 'x' }\n[default.sessions.user]",
            all,
        ),
    ] {
        assert_eq!(storage(toml, &variables), "memory, 7 records", "{toml} {variables:?}");
    }
    let apart = "[default.sessions.storage]\ncapacity = 7\n[default.sessions.user.storage]\ntype = 'memory'";
    assert_eq!(storage(apart, &[]), "memory, 7 records");
}

#[test]
fn a_file_in_a_stronger_place_replaces_the_key_itself_and_the_other_way_round() {
    let other = KEY.replace("8f2a", "9f2a");
    for (name, file) in [("secret", "SECRET_FILE"), ("sign_key", "SIGN_KEY_FILE")] {
        let toml = format!("[default.sessions.user]\nprotect = 'sign'\n{name} = '{other}'");
        let variable = format!("ROCKET_SESSIONS__USER__{file}");
        let by_file = read_all(&[], &toml, &[(&variable, "key")]).expect("no problem");
        let written = &by_file.sessions["user"].written;
        assert!(written[&variable].contains(&format!("{name}_file")), "{written:?}");
    }
    let toml = "[default.sessions]\nsecret_file = 'nowhere'\n[default.sessions.user]";
    assert_eq!(user(toml, &[]).protection.keys.tokens.len(), 1);
}

#[cfg(feature = "redis")]
#[test]
fn a_url_can_stand_in_a_file() {
    let toml = "[default.sessions]\napp = 'a'\n[default.sessions.user]\nstorage = { type = 'redis', url_file = 'url' }";
    let direct = "[default.sessions]\napp = 'a'\n[default.sessions.user]\nstorage = { type = 'redis', url = 'redis://from-file/' }";
    assert_eq!(user(toml, &[]).storage, user(direct, &[]).storage);
    let other = toml.replace("url_file = 'url'", "url = 'redis://other/'");
    let by_variable = user(&other, &[("ROCKET_SESSIONS__USER__STORAGE__URL_FILE", "url")]);
    assert_eq!(by_variable.storage, user(direct, &[]).storage);
}

#[test]
fn a_sessions_own_keys_replace_those_of_all_sessions_together() {
    let other = KEY.replace("8f2a", "9f2a");
    let toml = format!(
        "[default.sessions]\nsign_key = '{KEY}'\nencrypt_key = '{KEY}'\n\
         [default.sessions.user]\nprotect = 'sign'\nsign_key = '{other}'\n\
         [default.sessions.both]\n[default.sessions.id]\nstorage = 'memory'"
    );
    let settings = read_all(&[], &toml, &[("ROCKET_PROFILE", "release")]).expect("no problem");
    let keys = |name: &str| &settings.sessions[name].protection.keys.tokens[..];
    assert!(matches!(keys("user"), [KeyMaterial::Sign(_)]));
    let toml = format!(
        "[default.sessions]\nsecret = '{KEY}'\n[default.sessions.user]\nprotect = 'sign'\nsign_key = '{other}'"
    );
    let beside_secret = user(&toml, &[]);
    assert!(matches!(beside_secret.protection.keys.tokens[..], [KeyMaterial::Sign(_)]));
    let idle = beside_secret.written.iter().find(|(_, keys)| keys.contains(&"secret".to_owned()));
    assert!(idle.is_some_and(|(source, _)| source.ends_with("without effect here")), "{idle:?}");
    assert!(matches!(keys("both"), [KeyMaterial::EncryptAndSign { .. }]));
    assert!(matches!(keys("id"), [KeyMaterial::Sign(_)]), "an id needs no key that encrypts");
}

#[test]
fn what_has_no_effect_is_ignored_if_a_stronger_place_took_it_away_and_refused_otherwise() {
    let toml = "[default.sessions]\ncookie = { path = '/shop' }\nremember_client = true\n\
                [default.sessions.user]\ntransport = 'header'\n[default.sessions.web]";
    let settings = read_all(&[], toml, &[("ROCKET_PROFILE", "debug")])
        .expect("a default has its effect elsewhere");
    assert_eq!(cookie(&settings.sessions["web"]).path, "/shop");
    assert!(matches!(settings.sessions["user"].transport, TransportSettings::Header));
    assert!(!settings.sessions["user"].remember_client);
    let idle = "for all sessions, without effect here";
    let written = |name: &str| format!("{:?}", settings.sessions[name].written);
    assert!(written("user").contains(idle), "{}", written("user"));
    assert!(written("user").contains("\"cookie.path\""), "{}", written("user"));

    let own = "[default.sessions.user]\ncookie = { path = '/shop' }\nremember_client = true\nstorage = 'memory'";
    let moved = [
        ("ROCKET_SESSIONS__USER__TRANSPORT", "header"),
        ("ROCKET_SESSIONS__USER__STORAGE", "client"),
    ];
    assert!(!user(own, &moved).remember_client);
    assert!(read_all(&[], &format!("{own}\ntransport = 'header'"), &[]).is_err());

    let code = SessionConfig {
        cookie: Some(CookieConfig { path: Some("/shop".into()), ..CookieConfig::default() }),
        ..SessionConfig::default()
    };
    let by_header = SessionConfig { transport: Some("header".into()), ..code.clone() };
    let debug = [("ROCKET_PROFILE", "debug")];
    let toml = "[default.sessions.user]\ntransport = 'header'";
    read_all(&[("user", code)], toml, &debug).expect("the file took the effect away");
    let problems = read_all(&[("user", by_header)], "", &debug).expect_err("of itself");
    assert!(texts(&problems).contains("`configure` of `user`"), "{}", texts(&problems));
}

#[test]
fn an_id_that_no_record_keeps_is_not_said_to_be_renewed() {
    let toml = "[default.sessions]\nrenew_after = '1 hour'\n[default.sessions.user]";
    assert_eq!(user(toml, &[]).timeouts.renew_after, None);
    let own = format!("{toml}\nstorage = 'memory'");
    assert_eq!(user(&own, &[]).timeouts.renew_after, Some(Duration::from_secs(3600)));
}

#[test]
fn a_value_of_the_code_is_named_by_its_line() {
    let figment = Figment::from(rocket::Config::debug_default())
        .merge(("sessions.user.storage", "memory"))
        .select("debug");
    let settings = read(&figment, &registered()).expect("no problem");
    let written = &settings.sessions["user"].written;
    let is_line = |source: &String| source.contains("src/config/tests/merging.rs:");
    assert!(written.keys().all(is_line), "{written:?}");
}

#[test]
fn a_session_without_a_table_is_told_what_to_write_and_which_table_is_not_read() {
    let settings = read_all(
        &[],
        "[release.sessions.login]\nstorage = 'memory'",
        &[("ROCKET_PROFILE", "debug")],
    );
    let advice = settings.expect("no problem").undefined.advice("app::Login", "login");
    for part in [
        "[default.sessions.login]\n",
        "ROCKET_SESSIONS__LOGIN='{}'",
        "configure::<app::Login>",
        "[release.sessions.login] is not read, because the profile is `debug`",
    ] {
        assert!(advice.contains(part), "{part} in {advice}");
    }
}

#[test]
fn a_session_of_variables_with_nearly_the_name_of_another_one_is_warned_of() {
    let variables = [("ROCKET_SESSIONS__USSER__IDLE_TIMEOUT", "60"), ("ROCKET_PROFILE", "debug")];
    let warnings = |toml| read_all(&[], toml, &variables).expect("no problem").warnings.concat();
    let warned = warnings("[default.sessions.user]");
    assert!(warned.contains("`sessions.usser`") && warned.contains("`user`"), "{warned}");
    assert!(!warnings("[default.sessions.usser]").contains("only variables name"));
}

#[test]
fn keys_of_the_sessions_that_stand_outside_are_warned_of() {
    let toml = "[default]\nabsolute_timeout = 60\n[default.sessions.user]";
    let settings = read_all(&[], toml, &[("ROCKET_PROFILE", "debug")]).expect("no problem");
    let warnings = settings.warnings.concat();
    assert!(warnings.contains("`absolute_timeout`: not read here"), "{warnings}");
    assert!(warnings.contains("ROCKET_SESSIONS__ABSOLUTE_TIMEOUT"), "{warnings}");
}

#[test]
fn a_type_that_the_code_configures_needs_no_table() {
    let code = SessionConfig {
        storage: Some("memory".into()),
        transform: Some(OneOrMore(vec!["zip".into()])),
        ..SessionConfig::default()
    };
    let settings = read_all(&[("user", code)], "", &[("ROCKET_PROFILE", "debug")]);
    let settings = settings.expect("no problem");
    assert_eq!(settings.sessions["user"].transform, ["zip"]);
    assert!(settings.sessions["user"].storage.is_some());
}

#[test]
fn another_prefix_of_variables_is_named_and_a_figment_without_sources_recognized() {
    Jail::expect_with(|jail| {
        jail.set_env("APP_SESSIONS__USER__IDLE_TIMEOUT", "soon");
        jail.set_env("APP_PROFILE", "release");
        let problems = texts(&read(&with_prefix(), &registered()).expect_err("no key"));
        assert!(problems.contains("(in APP_SESSIONS__USER__IDLE_TIMEOUT)"), "{problems}");
        jail.set_env("APP_SESSIONS__USER__IDLE_TIMEOUT", "5");
        let problems = texts(&read(&with_prefix(), &registered()).expect_err("no key"));
        assert!(problems.contains("set APP_SESSIONS__SECRET to"), "{problems}");
        Ok(())
    });
    let code = SessionConfig::default();
    let registered =
        Registered { configured: [("user".to_owned(), code.to_dict())].into(), ..registered() };
    let figment = Figment::from(rocket::Config::release_default()).select("release");
    let problems = texts(&read(&figment, &registered).expect_err("no key"));
    assert!(problems.contains("rocket::custom(rocket::Config::figment().merge(…))"), "{problems}");
}

#[test]
fn what_all_sessions_have_is_not_in_force_where_ktors_format_has_no_room_for_it() {
    let toml = format!(
        "[default.sessions]\nrenew_after = '1 hour'\nrenewal_grace = 30\nkey_reload = '1 minute'\n\
         revocation = {{ type = 'directory', path = 'x' }}\nsecret_file = 'key'\n\
         [default.sessions.user]\nformat = 'ktor'\nprotect = 'sign'\nsign_key = '{KEY}'\n"
    );
    for storage in ["storage = 'client'", "storage = 'memory'"] {
        let settings = read_all(&[], &format!("{toml}{storage}"), &[("ROCKET_PROFILE", "debug")]);
        let settings = settings.unwrap_or_else(|problems| panic!("{}", texts(&problems)));
        let user = &settings.sessions["user"];
        assert!(user.protection.key_reload.is_none() && user.revocation.is_none(), "{storage}");
        let timeouts = user.timeouts;
        assert_eq!((timeouts.renew_after, timeouts.renewal_grace), (None, Duration::ZERO));
    }
}

/// The configuration of an application whose variables have a prefix of its own.
fn with_prefix() -> Figment {
    Figment::from(rocket::Config::release_default())
        .merge(figment::providers::Env::prefixed("APP_").global())
        .select("release")
}
