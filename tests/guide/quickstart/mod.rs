//! `docs/quickstart.md`: its application, its configuration and its tests.

#[allow(dead_code)] // `main` is not called.
mod app;

use std::fs;
use std::process::Command;

const PAGE: &str = include_str!("../../../docs/quickstart.md");

/// The page's blocks of this language, one after the other.
fn blocks(language: &str) -> String {
    let fences = PAGE.split("\n```").skip(1).step_by(2);
    let blocks = fences.filter_map(|block| block.split_once('\n'));
    let blocks = blocks.filter(|(name, _)| name.split(',').next() == Some(language));
    blocks.map(|(_, block)| block).collect()
}

/// Code without comments and what only its layout decides.
fn without_layout(code: &str) -> String {
    let lines = code.lines().map(|line| line.split(" // ").next().unwrap_or_default());
    let lines = lines.filter(|line| !line.starts_with("//!") && !line.contains("#[ignore"));
    let code: String = lines.collect::<String>().split_whitespace().collect();
    code.replace(",}", "}").replace(",)", ")")
}

#[test]
fn the_page_shows_the_application_that_is_tested_here() {
    let shown = without_layout(&blocks("rust"));
    assert_eq!(shown, without_layout(include_str!("app.rs")));
    assert!(shown.contains("fnrocket()->_"), "{shown}");
}

#[test]
fn the_tests_of_the_page_pass_with_its_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("Rocket.toml");
    fs::write(&config, blocks("toml")).expect("written");
    let tests = Command::new(std::env::current_exe().expect("this program"))
        .args(["--ignored", "quickstart::app::"])
        .env("ROCKET_CONFIG", config)
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&tests.stdout);
    assert!(text.contains("2 passed; 0 failed"), "{text}");
}
