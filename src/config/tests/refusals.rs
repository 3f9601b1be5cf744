//! Every wrong configuration, and the exact messages that refuse it.

use super::*;

/// The table of wrong configurations. Each has lines of Rocket.toml, variables after `$`, and
/// below `--` the messages without their links. The profile is `release`, and there is a secret.
const WRONG: &str = include_str!("wrong.txt");
const OTHER: &str = "hex:9f2a6c1e5b7d90432f6e8a1c3d5b7f9e02468ace13579bdf0f1e2d3c4b5a6978";

/// The configuration of one entry, as it stands in the table.
fn problems_of(input: &str) -> Vec<Problem> {
    let input = input.replace("KEY", KEY).replace("OTHER", OTHER);
    let mut variables = vec![("ROCKET_PROFILE", "release"), ("ROCKET_SESSIONS__SECRET", KEY)];
    let given = input.lines().filter_map(|line| line.strip_prefix("$ ")?.split_once('='));
    for (name, value) in given {
        variables.retain(|(known, _)| *known != name);
        if !value.is_empty() {
            variables.push((name, value));
        }
    }
    let lines: Vec<_> = input.lines().filter(|line| !line.starts_with("$ ")).collect();
    read_toml(&lines.join("\n"), &variables).err().unwrap_or_default()
}

/// A message without its link, which must be one into the reference.
fn without_link(problem: &Problem) -> String {
    let text = problem.to_string();
    let (message, link) =
        text.split_once(" See https://docs.rs/rocket_typed_sessions/").expect("a link");
    let anchor = link.split_once('#').map(|(_, anchor)| anchor);
    let page = include_str!("../../../docs/configuration.md");
    let heading = |anchor: &str| {
        let headings = page.lines().filter_map(|line| line.strip_prefix("### `"));
        headings.map(|key| key.trim_end_matches('`')).any(|key| crate::table::anchor(key) == anchor)
    };
    assert!(anchor.is_none_or(heading), "{link} is no heading of the reference");
    message.to_owned()
}

#[test]
#[cfg(all(feature = "redis", feature = "postgres", feature = "mysql", feature = "sqlite"))]
fn s7_s8_s19_s61_s62_s63_every_misconfiguration_is_refused_with_what_to_write() {
    let mut seen = Vec::new();
    for entry in WRONG.trim().split("\n\n") {
        let (input, _) = entry.split_once("\n--").expect("a line that begins with `--`");
        let problems = problems_of(input);
        let messages: Vec<_> = problems.iter().map(without_link).collect();
        for message in &messages {
            assert!(message.starts_with('`'), "no key first: {message}");
            assert!(!message.contains(&KEY[4..]), "s51: {message}");
        }
        seen.push(format!("{input}\n--\n{}", messages.join("\n")));
    }
    let seen = seen.join("\n\n") + "\n";
    if std::env::var_os("WRITE_REFERENCE").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/config/tests/wrong.txt");
        std::fs::write(path, &seen).expect("the table is written");
        return;
    }
    for (seen, written) in seen.split("\n\n").zip(WRONG.split("\n\n")) {
        assert_eq!(seen, written);
        assert!(!seen.ends_with("\n--\n"), "not refused: {seen}");
    }
    assert_eq!(seen, WRONG);
}

#[test]
fn every_problem_is_reported_at_once_with_its_source() {
    let toml = "[default.sessions.user]\nnam = 1\ntransport = 'x'\n[default.sessions.Bad]\n[sessions.wrong]";
    let text = texts(&release(toml).expect_err("wrong"));
    for part in [
        "`sessions.user.transport`",
        "`sessions.Bad`: not a session's name",
        "[default.sessions.…]",
        "Rocket.toml",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let both = "[default.sessions.one]\nname = 's'\n[default.sessions.two]\nname = 's'";
    assert!(texts(&release(both).expect_err("wrong")).contains("the name of `sessions.one` too"));
    let missing =
        read_toml("[default.sessions.user]", &[("ROCKET_PROFILE", "staging")]).expect_err("no key");
    assert!(texts(&missing).contains("ROCKET_SESSIONS__SECRET"));
}

#[test]
fn a_csrf_header_that_proxies_drop_is_named_and_one_that_carries_another_session_refused() {
    let config = release("[default.sessions.user]\ncsrf = { header = 'X_CSRF' }").expect("fine");
    assert!(config.warnings[0].contains("`sessions.user.csrf.header`: nginx drops"));
    let other = "[default.sessions.api]\ntransport = 'header'\nname = 'X-Api'\ncsrf = { header = 'X-Api' }\n[default.sessions.user]\ncsrf = { header = 'x-api' }";
    let problems = texts(&release(other).expect_err("wrong"));
    assert!(
        problems.contains("`sessions.user.csrf.header`")
            && problems.contains("`sessions.api.csrf.header`")
    );
}
