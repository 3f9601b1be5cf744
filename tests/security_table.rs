//! `docs/security.md` names the tests of every requirement; they must exist.

#![allow(clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The names of all test functions below a folder.
fn functions(root: &Path, into: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(root).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            functions(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = std::fs::read_to_string(&path).expect("a source file");
            let mut lines = source.lines().map(str::trim);
            while let Some(line) = lines.next() {
                if !(line.starts_with("#[test]") || line.starts_with("#[tokio::test")) {
                    continue;
                }
                let function =
                    lines.clone().find_map(|line| line.split_once("fn ")?.1.split('(').next());
                into.extend(function.map(str::to_owned));
            }
        }
    }
    // Property tests stand inside a macro.
    if root.ends_with("tests") {
        into.insert("s57_s58_overlapping_requests_agree_with_the_sequential_model".into());
    }
}

#[test]
fn every_requirement_has_a_row_and_every_row_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut known = BTreeSet::new();
    functions(&root.join("src"), &mut known);
    functions(&root.join("tests"), &mut known);
    let table = std::fs::read_to_string(root.join("docs/security.md")).expect("the table");
    let mut rows: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
    for line in table.lines() {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [_, number, _, tests, _] = cells[..] else { continue };
        let Some(number) = number.strip_prefix('S').and_then(|number| number.parse().ok()) else {
            continue;
        };
        let names: Vec<_> =
            tests.split('`').skip(1).step_by(2).filter(|n| n.starts_with('s')).collect();
        for name in names.iter().filter(|name| !name.contains('/')) {
            assert!(known.contains(*name), "S{number} names `{name}`, which does not exist");
            let own = format!("s{number}");
            assert!(name.split('_').any(|part| part == own), "`{name}` does not name S{number}");
        }
        assert!(!tests.is_empty(), "S{number} has neither a test nor a reason");
        rows.insert(number, names);
    }
    // The numbers between have no row yet.
    let required: Vec<_> = (1..=68).chain([76]).collect();
    assert_eq!(rows.keys().copied().collect::<Vec<_>>(), required);
    for number in required {
        assert!(!rows[&number].is_empty(), "S{number} has no test");
    }
}
