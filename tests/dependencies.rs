//! Gates on what this crate depends on (checklist S64). They work without a
//! network; `cargo audit` needs one, see CONTRIBUTING.md.

#![allow(clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

const LICENCES: [&str; 9] = [
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    // Boost: asks for nothing in binaries; xxhash-rust, through redis.
    "BSL-1.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Unicode-3.0",
    "Zlib",
];

/// Crates that come in several versions, all through Rocket 0.5.2 and its macros.
/// A new one needs a decision.
const SEVERAL_VERSIONS: [&str; 5] =
    ["http", "pear", "pear_codegen", "proc-macro2-diagnostics", "syn"];

/// Those through Rocket 0.5.1, and through `rocket_okapi`, which needs it.
const BESIDE_OKAPI: [&str; 6] = ["http", "rand", "rand_core", "socket2", "strsim", "syn"];

/// Those that sqlx 0.9 brings, whose cryptography is a generation older, for
/// whoever asks for one of its databases.
const THROUGH_SQLX: [&str; 8] = [
    "base64",
    "block-buffer",
    "cpufeatures",
    "crypto-common",
    "digest",
    "getrandom",
    "hashbrown",
    "sha2",
];

/// Unmaintained or without a reason to be here: never again.
const BANNED: [&str; 4] = ["bincode", "serde_cbor", "failure", "openssl-sys"];

/// Name, version and licence of what an application gets with this crate: no
/// dev-dependencies.
fn shipped() -> BTreeSet<(String, String, String)> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--all-features", "-e", "normal,build"])
        .args(["--prefix", "none", "-f", "{p}|{l}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let package = |line: &str| {
        let (package, licence) = line.trim_end_matches(" (*)").split_once('|')?;
        let mut words = package.split(' ').map(str::to_owned);
        Some((words.next()?, words.next()?, licence.replace('/', " OR ")))
    };
    text.lines().filter_map(package).collect()
}

#[test]
fn s64_every_dependency_has_a_licence_we_accept_and_none_is_banned() {
    let shipped = shipped();
    assert!(shipped.len() > 50, "{}", shipped.len());
    for (name, _, licence) in shipped {
        assert!(!BANNED.contains(&name.as_str()), "{name} is banned");
        // `(A OR B) AND C`: each part needs a choice that we accept.
        let accepted = licence.split(" AND ").all(|part| {
            let mut choices = part.trim_matches(['(', ')']).split(" OR ");
            choices.any(|choice| LICENCES.contains(&choice.trim()))
        });
        assert!(accepted, "{name} has the licence {licence:?}");
    }
}

#[test]
fn s64_no_crate_comes_in_several_versions_without_a_decision() {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, version, _) in shipped() {
        versions.entry(name).or_default().insert(version);
    }
    let several = versions.iter().filter(|(_, versions)| versions.len() > 1);
    let several: BTreeSet<_> = several.map(|(name, _)| name.as_str()).collect();
    let rocket =
        if versions.contains_key("rocket_okapi") { &BESIDE_OKAPI[..] } else { &SEVERAL_VERSIONS };
    let decided = rocket.iter().copied().chain(THROUGH_SQLX);
    assert_eq!(several, decided.collect());
}

#[test]
fn s64_unsafe_code_is_forbidden() {
    let manifest = include_str!("../Cargo.toml");
    assert!(manifest.contains("unsafe_code = \"forbid\""));
}

#[test]
fn the_cryptography_looks_at_no_module_above_it() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/crypto");
    let files: Vec<_> = std::fs::read_dir(folder).expect("a folder").flatten().collect();
    assert!(files.len() > 5);
    for file in files {
        let source = std::fs::read_to_string(file.path()).expect("a source file");
        let outside = source.replace("crate::crypto", "").contains("crate::");
        assert!(!outside && !source.contains("super::super"), "{}", file.path().display());
    }
}
