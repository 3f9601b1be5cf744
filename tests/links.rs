//! Every link of the documentation leads somewhere: on the repository's page, in the package and in the crate's
//! documentation.

#![allow(clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the repository. `scripts/versions newest` runs the tests in a folder of links to it.
fn root() -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").canonicalize();
    sources.expect("the sources").parent().expect("above them").to_owned()
}

/// A file's lines outside of code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// A line without its code.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

/// What stands between `open` and `close`, wherever it does.
fn between(line: &str, open: &str, close: char) -> Vec<String> {
    let parts = line.split(open).skip(1);
    parts.filter_map(|part| Some(part.split_once(close)?.0.to_owned())).collect()
}

/// A line such as `[label]: target`.
fn definition(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix('[')?.split_once("]: ").filter(|(label, _)| !label.contains(']'))
}

/// The links of a page: `[text](target)`, and `[text][label]` with its definition.
fn links(text: &str) -> Vec<String> {
    let targets: BTreeMap<_, _> = prose(text).filter_map(definition).collect();
    let lines = prose(text).filter(|line| definition(line).is_none()).map(without_code);
    let mut used = BTreeSet::new();
    let mut found = Vec::new();
    for line in lines {
        found.extend(between(&line, "](", ')'));
        for label in between(&line, "][", ']') {
            let target = targets.get(&*label).unwrap_or_else(|| panic!("[{label}] has no target"));
            found.push((*target).to_owned());
            used.insert(label);
        }
    }
    let unused: Vec<_> = targets.keys().filter(|label| !used.contains(**label)).collect();
    assert!(unused.is_empty(), "no link uses {unused:?}");
    found
}

/// The anchors of a page, one for each heading, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let anchor = |heading: &str| {
        let title = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        let anchor: String =
            title.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect();
        let before = seen.entry(anchor.clone()).or_default();
        *before += 1;
        if *before == 1 { anchor } else { format!("{anchor}-{}", *before - 1) }
    };
    headings.map(anchor).collect()
}

/// The path of a link's target from the root, and its anchor. `None` for another site.
fn target(page: &Path, link: &str) -> Option<(PathBuf, Option<String>)> {
    if link.starts_with("https://") {
        return None;
    }
    let (path, anchor) =
        link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let mut found = if path.is_empty() { page.to_owned() } else { page.with_file_name("") };
    for part in path.split('/').filter(|part| !part.is_empty()) {
        if part == ".." {
            assert!(found.pop(), "{} links outside: {link}", page.display());
        } else {
            found.push(part);
        }
    }
    Some((found, anchor.map(str::to_owned)))
}

fn check(root: &Path, page: &Path, link: &str) {
    let Some((path, anchor)) = target(page, link) else { return };
    let problem = format!("{} links to {link}, which does not exist", page.display());
    assert!(root.join(&path).is_file(), "{problem}");
    if let Some(anchor) = anchor {
        let text = fs::read_to_string(root.join(&path)).expect(&problem);
        assert!(anchors(&text).contains(&anchor), "{problem}");
    }
}

fn read(root: &Path, page: &Path) -> String {
    fs::read_to_string(root.join(page)).expect("a page")
}

/// The pages of the repository, from its root.
fn pages(root: &Path) -> Vec<PathBuf> {
    let docs = fs::read_dir(root.join("docs")).expect("a folder").flatten();
    let docs = docs.map(|entry| Path::new("docs").join(entry.file_name()));
    let docs = docs.filter(|path| path.extension().is_some_and(|ending| ending == "md"));
    let others = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "tests/README.md"];
    docs.chain(others.map(PathBuf::from)).collect()
}

#[test]
fn every_link_of_every_page_leads_to_a_file_and_a_heading() {
    let root = root();
    let mut count = 0;
    for page in pages(&root) {
        for link in links(&read(&root, &page)) {
            check(&root, &page, &link);
            count += 1;
        }
    }
    assert!(count > 80, "{count} links");
}

#[test]
fn pages_in_the_package_link_to_files_in_the_package() {
    let root = root();
    let output = Command::new(env!("CARGO"))
        .args(["package", "--list", "--offline", "--allow-dirty"])
        .current_dir(&root)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let list = String::from_utf8(output.stdout).expect("text");
    let packaged: BTreeSet<_> = list.lines().map(Path::new).collect();
    let (inside, outside): (Vec<_>, Vec<_>) =
        pages(&root).into_iter().partition(|page| packaged.contains(&**page));
    assert_eq!(outside, ["CONTRIBUTING.md", "tests/README.md"].map(PathBuf::from));
    for page in inside {
        let targets = links(&read(&root, &page));
        let paths = targets.iter().filter_map(|link| target(&page, link)).map(|(path, _)| path);
        for path in paths.filter(|path| !path.starts_with("docs/screenshots")) {
            let (page, path) = (page.display(), path.as_path());
            assert!(packaged.contains(path), "{page} links to {}, not packaged", path.display());
        }
    }
}

/// The pages that the documentation of the crate shows.
fn shown(root: &Path) -> Vec<PathBuf> {
    let is_shown = |page: &PathBuf| page.starts_with("docs") || page == Path::new("README.md");
    pages(root).into_iter().filter(is_shown).collect()
}

/// The label of a link to this file and heading, in every page.
fn label(path: &Path, anchor: Option<&str>) -> String {
    let name = path.strip_prefix("docs").unwrap_or(path).to_string_lossy();
    let name = name.trim_end_matches(".md");
    anchor.map_or(name.to_owned(), |anchor| format!("{name}#{anchor}"))
}

/// Where a link to this file and heading leads in the documentation of the crate.
fn in_documentation(path: &Path, anchor: Option<&str>) -> String {
    let is_page = path.starts_with("docs") && path.extension().is_some_and(|ending| ending == "md");
    let (repository, version) = (env!("CARGO_PKG_REPOSITORY"), env!("CARGO_PKG_VERSION"));
    let address = match path.to_string_lossy() {
        name if !is_page => {
            let kind =
                if name.ends_with(".svg") || name.ends_with(".png") { "raw" } else { "blob" };
            format!("{repository}/{kind}/v{version}/{name}")
        }
        name if name == "docs/guide.md" => "crate::guide".into(),
        _ => format!("crate::guide::{}", label(path, None).replace('-', "_")),
    };
    anchor.map_or(address.clone(), |anchor| format!("{address}#{anchor}"))
}

/// Relative links would lead nowhere in the documentation of the crate. Of two definitions of a label the first one counts,
/// so there each page begins with `src/guide/links.md`.
#[test]
fn the_links_of_the_guide_work_in_the_documentation_of_the_crate() {
    let root = root();
    let mut list = BTreeSet::new();
    for page in shown(&root) {
        let text = read(&root, &page);
        let labels: BTreeMap<_, _> =
            prose(&text).filter_map(definition).map(|(label, target)| (target, label)).collect();
        for link in links(&text) {
            let Some((path, anchor)) = target(&page, &link).filter(|_| !link.starts_with('#'))
            else {
                continue;
            };
            let label = label(&path, anchor.as_deref());
            let problem = format!(
                "{}: write [text][{label}] and, at its end, [{label}]: {link}",
                page.display()
            );
            assert_eq!(labels.get(&*link), Some(&&*label), "{problem}");
            list.insert(format!("[{label}]: {}", in_documentation(&path, anchor.as_deref())));
        }
    }
    let list: String = list.into_iter().map(|line| line + "\n").collect();
    let path = root.join("src/guide/links.md");
    if std::env::var_os("WRITE_LINKS").is_some() {
        fs::write(&path, &list).expect("written");
    }
    let is_equal = fs::read_to_string(path).is_ok_and(|written| written == list);
    assert!(
        is_equal,
        "src/guide/links.md is not up to date: WRITE_LINKS=1 cargo test --test links"
    );
}

#[test]
fn the_documentation_of_the_crate_shows_every_page() {
    let root = root();
    let guide = read(&root, Path::new("src/guide.rs"));
    for page in shown(&root).iter().filter(|page| page.starts_with("docs")) {
        let name = label(page, None);
        let module = format!("    {} \"{name}\"\n", name.replace('-', "_"));
        let is_there = guide.contains(&module) || guide.contains(&format!("\"../docs/{name}.md\""));
        assert!(is_there, "src/guide.rs needs this line:\n{module}");
    }
}

#[test]
fn what_the_walk_sees() {
    let page = "# A title, *with* `code`\n[a](b.md#c) and [d][e]\n```\n[no](link)\n```\n`[no](link)`\n## a\n## A\n\n[e]: f.md\n";
    assert_eq!(links(page), ["b.md#c", "f.md"]);
    assert_eq!(anchors(page), ["a", "a-1", "a-title-with-code"].map(str::to_owned).into());
    let from = Path::new("docs/a.md");
    assert_eq!(target(from, "../src/b.sql"), Some(("src/b.sql".into(), None)));
    assert_eq!(target(from, "#x"), Some(("docs/a.md".into(), Some("x".into()))));
    assert_eq!(target(from, "https://rocket.rs"), None);
}
