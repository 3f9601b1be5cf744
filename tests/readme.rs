//! `tests/README.md` says of every file of tests what it is about, as the file itself does.

#![allow(clippy::expect_used)]

#[path = "shared/mod.rs"]
mod shared;

use std::fs;
use std::path::Path;

/// The first sentence of a file's documentation.
fn first_sentence(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    let text = lines.map(str::trim).collect::<Vec<_>>().join(" ");
    let end = text.find(". ").map_or(text.len(), |end| end + 1);
    text[..end].replace('|', "\\|")
}

#[test]
fn the_table_names_every_file_by_its_first_sentence_and_no_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let table = fs::read_to_string(root.join("README.md")).expect("the table");
    let found: Vec<_> = table.lines().filter(|line| line.starts_with("| `")).collect();
    let files = shared::walk(&root).into_iter();
    let files = files.filter(|path| path.extension().is_some_and(|ending| ending == "rs"));
    let expected = files.map(|path| {
        let source = fs::read_to_string(&path).expect("a source file");
        let name = path.strip_prefix(&root).expect("below it").to_string_lossy().into_owned();
        format!("| `{name}` | {} |", first_sentence(&source))
    });
    let expected: Vec<_> = expected.collect();
    assert!(expected.len() > 100);
    for line in &expected {
        assert!(found.contains(&line.as_str()), "tests/README.md needs this line:\n{line}");
    }
    assert_eq!(found.len(), expected.len(), "tests/README.md names a file that is gone");
}
