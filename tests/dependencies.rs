//! Gates on what this crate depends on (checklist S64). They work without a
//! network; `cargo audit` needs one, see CONTRIBUTING.md.

#![allow(clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use figment::Figment;
use figment::providers::{Format, Toml};
use figment::value::Value;

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

/// The packages that an application locks if it takes this crate with some features.
#[cfg(feature = "okapi")]
fn locked(features: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let manifest = format!(
        "[package]\nname = \"application\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n\
         [dependencies]\nrocket_typed_sessions = {{ path = {:?}, features = [{features}] }}\n",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::create_dir(at("src")).expect("a folder");
    std::fs::write(at("src/lib.rs"), "").expect("written");
    std::fs::write(at("Cargo.toml"), manifest).expect("written");
    let output = Command::new(env!("CARGO"))
        .args(["generate-lockfile", "--offline"])
        .current_dir(folder.path())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read_to_string(at("Cargo.lock")).expect("a lock file")
}

#[cfg(feature = "okapi")]
#[test]
fn only_an_application_with_the_feature_okapi_gets_its_packages() {
    let (without, with) = (locked(""), locked("\"okapi\""));
    let pinned = "name = \"rocket\"\nversion = \"0.5.1\"";
    assert!(!without.contains("okapi") && !without.contains("schemars"), "{without}");
    assert!(without.contains("name = \"rocket\""), "{without}");
    assert!(with.contains("name = \"rocket_okapi\"") && with.contains(pinned), "{with}");
}

/// A version such as `1.2` in full.
fn full(version: &str) -> String {
    format!("{version}{}", ".0".repeat(2 - version.matches('.').count()))
}

#[test]
fn the_lock_file_of_the_oldest_dependencies_has_the_versions_that_the_manifest_asks_for() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest: Value =
        Figment::from(Toml::file(root.join("Cargo.toml"))).extract().expect("the manifest");
    let lock: Value = Figment::from(Toml::file(root.join("tools/minimal.lock")))
        .extract()
        .expect("the lock file");
    let packages = lock.find("package").and_then(Value::into_array).expect("packages");
    let text = |of: &Value, key: &str| of.find_ref(key).and_then(Value::as_str).map(str::to_owned);
    let locked: BTreeSet<_> =
        packages.iter().map(|package| (text(package, "name"), text(package, "version"))).collect();
    let tables = ["dependencies", "target.cfg(unix).dependencies"];
    let tables = tables.iter().map(|table| manifest.find_ref(table).and_then(Value::as_dict));
    let direct: Vec<_> = tables.flat_map(|table| table.expect("dependencies")).collect();
    assert!(direct.len() > 25, "{}", direct.len());
    for (name, of) in direct {
        let version = of.as_str().map(str::to_owned).or_else(|| text(of, "version"));
        let version = full(&version.expect("a version"));
        let oldest = (Some(name.clone()), Some(version.clone()));
        assert!(
            locked.contains(&oldest),
            "tools/minimal.lock lacks {name} {version}; run `scripts/versions minimal`"
        );
    }
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
