//! The files of `src`, as the tree of modules that they declare.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io, slice};

use syn::{File, Item};

use crate::uses::{Uses, is_for_tests};

/// A module's path from the root of the crate. The root's path is empty.
pub type Module = Vec<String>;

/// The most re-exports that a name is followed through.
const DEEPEST: usize = 9;

/// One file, without its tests.
pub struct Source {
    pub path: String,
    pub text: String,
    pub syntax: File,
    pub uses: Uses,
}

impl Source {
    /// The path that a `use` of this file gives to a name.
    fn import(&self, name: &str) -> Option<&[String]> {
        let import = self.uses.imports.iter().rfind(|import| import.name == name)?;
        Some(&import.path)
    }
}

/// The modules of a crate. Files of tests are left out.
pub struct Tree {
    pub sources: BTreeMap<Module, Source>,
}

impl Tree {
    pub fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self { sources: BTreeMap::new() };
        tree.enter(root, &root.join("lib.rs"), Vec::new())?;
        Ok(tree)
    }

    /// Reads a file and the files of the modules that it declares.
    fn enter(&mut self, folder: &Path, path: &Path, module: Module) -> io::Result<()> {
        let text = fs::read_to_string(path)?;
        let syntax = syn::parse_file(&text).map_err(io::Error::other)?;
        for item in &syntax.items {
            let Item::Mod(item) = item else { continue };
            if item.content.is_none() && !is_for_tests(&item.attrs) {
                let name = item.ident.to_string();
                let (file, below) = (folder.join(format!("{name}.rs")), folder.join(&name));
                let file = if file.exists() { file } else { below.join("mod.rs") };
                self.enter(&below, &file, [&module[..], &[name]].concat())?;
            }
        }
        let (path, uses) = (path.display().to_string(), Uses::of(&syntax));
        self.sources.insert(module, Source { path, text, syntax, uses });
        Ok(())
    }

    /// Each file and its path.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.sources.values().map(|source| (source.path.as_str(), source))
    }

    pub fn has_children(&self, module: &[String]) -> bool {
        self.sources.keys().any(|other| other.len() > module.len() && other.starts_with(module))
    }

    /// The file that defines the item at this path, and the item's name there. `from` is the
    /// module in which the path is written.
    pub fn resolve(&self, from: &[String], path: &[String]) -> Option<(Module, Option<String>)> {
        self.resolve_to(from, path, 0)
    }

    fn resolve_to(
        &self,
        from: &[String],
        path: &[String],
        depth: usize,
    ) -> Option<(Module, Option<String>)> {
        if depth > DEEPEST {
            return None;
        }
        let mut at = match path.first()?.as_str() {
            "crate" => Vec::new(),
            "self" => from.to_vec(),
            "super" => from.split_last()?.1.to_vec(),
            name => {
                let child = [from, &[name.to_owned()]].concat();
                let known = if self.sources.contains_key(&child) {
                    vec!["self".to_owned(), name.to_owned()]
                } else {
                    self.sources[from].import(name)?.to_vec()
                };
                return self.resolve_to(from, &[&known, &path[1..]].concat(), depth + 1);
            }
        };
        for (place, name) in path.iter().enumerate().skip(1) {
            let child = [&at[..], slice::from_ref(name)].concat();
            if name == "super" {
                at.pop();
            } else if self.sources.contains_key(&child) {
                at = child;
            } else {
                // A name that is imported here is defined elsewhere.
                let import = self.sources[&at].import(name);
                let import = import.map(|import| [import, &path[place + 1..]].concat());
                let elsewhere = import.and_then(|path| self.resolve_to(&at, &path, depth + 1));
                return Some(elsewhere.unwrap_or((at, Some(name.clone()))));
            }
        }
        Some((at, None))
    }
}

/// The number of lines of every file below a folder, including files of tests.
pub fn lengths(folder: &Path) -> io::Result<Vec<(String, usize)>> {
    let mut lengths = Vec::new();
    let mut open: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            for entry in fs::read_dir(&path)? {
                open.push(entry?.path());
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let lines = fs::read_to_string(&path)?.lines().count();
            lengths.push((path.display().to_string(), lines));
        }
    }
    Ok(lengths)
}
