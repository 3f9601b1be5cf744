//! Circles: groups of files or modules in which each needs every other one.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::{Module, Tree};

/// The pairs of files of which the first needs the second. A `mod.rs` does not need the items
/// that it only re-exports.
pub fn arrows(tree: &Tree) -> BTreeSet<(&Module, Module)> {
    let mut arrows = BTreeSet::new();
    for (module, source) in &tree.sources {
        let is_folder = tree.has_children(module);
        let imports = source.uses.imports.iter();
        let imports = imports.filter(|import| !(import.is_exported && is_folder));
        for path in imports.map(|import| &import.path).chain(&source.uses.paths) {
            let target = tree.resolve(module, path).map(|(target, _)| target);
            arrows.extend(target.filter(|to| to != module).map(|to| (module, to)));
        }
    }
    arrows
}

/// The circles among the modules of `src` and among the files of each folder, with the folder.
/// `mod.rs` counts like any other file. `lib.rs` declares every module and is left out.
pub fn all(tree: &Tree) -> Vec<(String, Vec<String>)> {
    let arrows = arrows(tree);
    let folders = tree.sources.keys().filter(|module| tree.has_children(module));
    folders
        .flat_map(|folder| {
            let name = [&["src".to_owned()][..], folder].concat().join("/");
            let circles = circles(&between_parts(&arrows, folder));
            circles.into_iter().map(move |members| (name.clone(), members))
        })
        .collect()
}

/// The arrows between the parts of a folder.
fn between_parts(
    arrows: &BTreeSet<(&Module, Module)>,
    folder: &[String],
) -> BTreeMap<String, BTreeSet<String>> {
    let part = |module: &[String]| -> Option<String> {
        let part = module.strip_prefix(folder)?.first().cloned();
        if folder.is_empty() { part } else { Some(part.unwrap_or_else(|| "mod".to_owned())) }
    };
    let mut between: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (from, to) in arrows {
        if let (Some(from), Some(to)) = (part(from), part(to))
            && from != to
        {
            between.entry(from).or_default().insert(to);
        }
    }
    between
}

/// The groups in which each member reaches every other one.
fn circles(arrows: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<Vec<String>> {
    let reached: BTreeMap<_, _> =
        arrows.keys().map(|part| (part, reached_from(part, arrows))).collect();
    let group = |(part, all): (&&String, &BTreeSet<&String>)| -> Vec<String> {
        let returns =
            |other: &&&String| reached.get(**other).is_some_and(|all| all.contains(*part));
        all.iter().filter(returns).map(|other| (*other).clone()).collect()
    };
    reached.iter().map(group).filter(|group| group.len() > 1).collect()
}

fn reached_from<'a>(
    part: &'a String,
    arrows: &'a BTreeMap<String, BTreeSet<String>>,
) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![part];
    while let Some(next) = open.pop() {
        let others = arrows.get(next).into_iter().flatten();
        open.extend(others.filter(|other| reached.insert(*other)));
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrows(lines: &[(&str, &[&str])]) -> BTreeMap<String, BTreeSet<String>> {
        let all = |to: &&[&str]| to.iter().map(ToString::to_string).collect();
        lines.iter().map(|(from, to)| ((*from).to_owned(), all(to))).collect()
    }

    #[test]
    fn a_circle_holds_all_that_reach_each_other_and_no_more() {
        let arrows = arrows(&[("a", &["b"]), ("b", &["c"]), ("c", &["a", "d"]), ("d", &["e"])]);
        assert_eq!(circles(&arrows), BTreeSet::from([["a", "b", "c"].map(str::to_owned).to_vec()]));
    }

    #[test]
    fn what_only_points_down_is_no_circle() {
        assert!(circles(&arrows(&[("a", &["b", "c"]), ("b", &["c"])])).is_empty());
    }
}
