//! The names of other files that a file uses.

use syn::visit::{self, Visit};
use syn::{Attribute, File, ItemMod, ItemUse, UseTree, Visibility};

/// A name that a `use` brings into a file.
pub struct Import {
    pub name: String,
    pub path: Vec<String>,
    /// Other modules can see the name here as well.
    pub is_exported: bool,
    /// Users of the crate may be able to see the name.
    pub is_public: bool,
}

/// The `use` items of a file and the paths in its code. It does not see paths inside a macro
/// call.
#[derive(Default)]
pub struct Uses {
    pub imports: Vec<Import>,
    pub paths: Vec<Vec<String>>,
}

impl Uses {
    pub fn of(file: &File) -> Self {
        let mut uses = Self::default();
        uses.visit_file(file);
        uses
    }

    fn add(&mut self, tree: &UseTree, before: &[String], visibility: &Visibility) {
        let with = |name: String| [before, &[name]].concat();
        let mut import = |name: String, path: Vec<String>| {
            let is_exported = !matches!(visibility, Visibility::Inherited);
            let is_public = matches!(visibility, Visibility::Public(_));
            self.imports.push(Import { name, path, is_exported, is_public });
        };
        match tree {
            UseTree::Path(path) => self.add(&path.tree, &with(path.ident.to_string()), visibility),
            UseTree::Name(name) if name.ident == "self" => {
                import(before.last().cloned().unwrap_or_default(), before.to_vec());
            }
            UseTree::Name(name) => import(name.ident.to_string(), with(name.ident.to_string())),
            UseTree::Rename(name) => import(name.rename.to_string(), with(name.ident.to_string())),
            UseTree::Glob(_) => self.paths.push(before.to_vec()),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.add(tree, before, visibility));
            }
        }
    }
}

impl<'ast> Visit<'ast> for Uses {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if !is_for_tests(&item.attrs) {
            self.add(&item.tree, &[], &item.vis);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            self.paths.push(path.segments.iter().map(|part| part.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }
}

/// Whether an item is compiled only for tests or for fuzzing.
pub fn is_for_tests(attributes: &[Attribute]) -> bool {
    let names = |attribute: &Attribute| attribute.parse_args::<syn::Ident>();
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"))
        .any(|attribute| names(attribute).is_ok_and(|name| name == "test" || name == "fuzzing"))
}
