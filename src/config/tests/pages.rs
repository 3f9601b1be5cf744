//! What the pages of the documentation show.

use std::fs;
use std::path::Path;

use figment::providers::{Format as _, Toml};
use figment::value::Dict;
use rocket::figment::Figment;

use super::*;

/// The blocks of TOML in the documentation, each with its page.
fn blocks() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = fs::read_dir(root.join("docs")).expect("the pages").flatten();
    let pages = pages.map(|entry| entry.path()).chain([root.join("README.md")]);
    let mut found = Vec::new();
    for page in pages.filter(|page| page.extension().is_some_and(|ending| ending == "md")) {
        let text = fs::read_to_string(&page).expect("a page");
        let name = page.file_name().expect("a name").to_string_lossy().into_owned();
        let blocks = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
        found.extend(blocks.map(|block| (name.clone(), block.to_owned())));
    }
    found
}

/// A block that shows several storages, once for each. Some of them are comments.
fn alternatives(block: &str) -> Vec<String> {
    let lines = block.lines().map(|line| line.trim_start_matches("# "));
    let (storages, others): (Vec<_>, Vec<_>) = lines.partition(|line| line.starts_with("storage"));
    let others = others.join("\n");
    if storages.len() < 2 {
        return vec![block.to_owned()];
    }
    storages.iter().map(|storage| format!("{others}\n{storage}")).collect()
}

/// The variables that the pages set beside their blocks: keys.
fn environment(toml: &str) -> Vec<(&'static str, &'static str)> {
    let mut variables = vec![("ROCKET_PROFILE", "release"), ("ROCKET_SESSIONS__SECRET", KEY)];
    if toml.contains("ktor") {
        // 16 and 32 bytes.
        let (encrypt, sign) = (&KEY[..36], KEY);
        variables.push(("ROCKET_SESSIONS__USER_SESSION__ENCRYPT_KEY", encrypt));
        variables.push(("ROCKET_SESSIONS__USER_SESSION__SIGN_KEY", sign));
    }
    variables
}

#[test]
fn what_the_documentation_shows_launches_in_release() {
    let (mut sessions, mut manifests) = (0, 0);
    for (page, block) in blocks() {
        if block.contains("dependencies]") {
            manifests += 1;
            let manifest = Figment::from(Toml::string(&block)).extract::<Dict>();
            manifest.unwrap_or_else(|problem| panic!("{page}: {problem}\n{block}"));
            continue;
        }
        for toml in alternatives(&block) {
            sessions += 1;
            let environment = environment(&toml);
            let problems = read_toml(&toml, &environment).err().unwrap_or_default();
            assert!(problems.is_empty(), "{page}:\n{toml}\n{}", texts(&problems));
        }
    }
    assert!(sessions > 20 && manifests > 0, "{sessions} blocks for sessions, {manifests} others");
}

/// What refuses launch beside a wrong configuration: each text with the file that has it.
const REFUSALS: [(&str, &str); 17] = [
    (include_str!("../../application.rs"), "is not configured"),
    (include_str!("../../application.rs"), "have the same SessionData::NAME"),
    (include_str!("../../application.rs"), "has the SessionData::NAME"),
    (include_str!("../../csrf/sentinel.rs"), "A route has a CSRF guard"),
    (include_str!("../../fairing/launch.rs"), r#"is for format = "ktor" only"#),
    (include_str!("../../fairing/mod.rs"), "is attached twice"),
    (include_str!("../../fairing/storages.rs"), "only a directory can hold"),
    (include_str!("../../fairing/storages.rs"), "has no index of owners"),
    (include_str!("../../fairing/storages.rs"), "cannot tell which of two renewals was first"),
    (include_str!("../../session/guard.rs"), "but the fairing is not attached"),
    (include_str!("../../sessions.rs"), "but the fairing is not attached"),
    (include_str!("../../storage/error.rs"), "the session storage is unavailable"),
    (include_str!("../../storage/redis/diagnosis.rs"), "speaks TLS"),
    (include_str!("../../storage/redis/diagnosis.rs"), "speaks no TLS"),
    (include_str!("../../storage/sql/handle.rs"), "the URL is wrong"),
    (include_str!("../../storage/sql/handle.rs"), "the host and the port in url"),
    (include_str!("../storage.rs"), "needs the feature of that name"),
];

/// A text without what marks code in it.
fn plain(text: &str) -> String {
    text.replace('`', "").replace("\\\"", "\"")
}

#[test]
fn the_page_for_troubleshooting_explains_each_message_at_launch() {
    let page = include_str!("../../../docs/troubleshooting.md");
    let (_, table) = page.split_once("## By the message at launch").expect("the table");
    let cells = table.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let parts: Vec<_> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();

    let entries = include_str!("wrong.txt").split("\n\n");
    let wrong = entries.filter_map(|entry| Some(entry.split_once("--\n")?.1)).flat_map(str::lines);
    let mut messages: Vec<_> = wrong.map(plain).collect();
    assert!(messages.len() > 200, "{} messages", messages.len());
    for (source, text) in REFUSALS {
        assert!(plain(source).contains(text), "no source says {text:?} any more");
        messages.push(text.to_owned());
    }
    for message in &messages {
        let is_there = parts.iter().any(|part| message.contains(part));
        assert!(is_there, "docs/troubleshooting.md has no row for this message:\n{message}");
    }
    for part in parts {
        let is_used = messages.iter().any(|message| message.contains(part));
        assert!(is_used, "docs/troubleshooting.md explains {part:?}, which no message contains");
    }
}
