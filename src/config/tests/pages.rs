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
