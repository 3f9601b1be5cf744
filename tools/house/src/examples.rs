//! The functions that users of the crate can call, and whether their documentation has an
//! example.

use std::collections::BTreeSet;

use syn::{Attribute, ImplItem, Item, TraitItem, Type, Visibility};

use crate::tree::{Module, Tree};
use crate::uses::is_for_tests;

/// A function that users can call.
struct Function {
    name: String,
    has_example: bool,
}

/// How many of them have an example, and how many there are.
pub fn count(tree: &Tree) -> (usize, usize) {
    let all = all(tree);
    (all.iter().filter(|function| function.has_example).count(), all.len())
}

/// The names of those without an example.
pub fn without(tree: &Tree) -> Vec<String> {
    let without = all(tree).into_iter().filter(|function| !function.has_example);
    without.map(|function| function.name).collect()
}

fn all(tree: &Tree) -> Vec<Function> {
    let public = public(tree);
    let mut all = Vec::new();
    for (module, source) in &tree.sources {
        let is_public = |name: &syn::Ident| public.contains(&(module.clone(), name.to_string()));
        for item in &source.syntax.items {
            match item {
                Item::Fn(item) if is_public(&item.sig.ident) => {
                    add(&mut all, item.sig.ident.to_string(), &item.attrs);
                }
                Item::Trait(item) if is_public(&item.ident) => {
                    for inner in &item.items {
                        if let TraitItem::Fn(inner) = inner {
                            let name = format!("{}::{}", item.ident, inner.sig.ident);
                            add(&mut all, name, &inner.attrs);
                        }
                    }
                }
                Item::Impl(item) if item.trait_.is_none() && !is_for_tests(&item.attrs) => {
                    let Type::Path(of) = &*item.self_ty else { continue };
                    let path: Vec<_> =
                        of.path.segments.iter().map(|part| part.ident.to_string()).collect();
                    let [.., name] = &path[..] else { continue };
                    let place = tree.resolve(module, &path);
                    let place = place.and_then(|(module, name)| Some((module, name?)));
                    if !public.contains(&place.unwrap_or((module.clone(), name.clone()))) {
                        continue;
                    }
                    for inner in &item.items {
                        if let ImplItem::Fn(inner) = inner
                            && matches!(inner.vis, Visibility::Public(_))
                        {
                            add(&mut all, format!("{name}::{}", inner.sig.ident), &inner.attrs);
                        }
                    }
                }
                _ => {}
            }
        }
    }
    all
}

fn add(all: &mut Vec<Function>, name: String, attributes: &[Attribute]) {
    let (docs, is_hidden) = docs(attributes);
    if !is_hidden && !is_for_tests(attributes) {
        all.push(Function { name, has_example: docs.contains("```") });
    }
}

/// The items that users of the crate can name: where they are written down, and their names.
fn public(tree: &Tree) -> BTreeSet<(Module, String)> {
    let mut public = BTreeSet::new();
    let mut open: Vec<Module> = vec![Vec::new()];
    while let Some(module) = open.pop() {
        let source = &tree.sources[&module];
        for item in &source.syntax.items {
            let (name, visibility) = match item {
                Item::Fn(item) => (&item.sig.ident, &item.vis),
                Item::Struct(item) => (&item.ident, &item.vis),
                Item::Enum(item) => (&item.ident, &item.vis),
                Item::Trait(item) => (&item.ident, &item.vis),
                Item::Mod(item) => (&item.ident, &item.vis),
                _ => continue,
            };
            if !matches!(visibility, Visibility::Public(_)) {
                continue;
            }
            let child = [&module[..], &[name.to_string()]].concat();
            if tree.sources.contains_key(&child) {
                open.push(child);
            } else {
                public.insert((module.clone(), name.to_string()));
            }
        }
        for import in source.uses.imports.iter().filter(|import| import.is_public) {
            match tree.resolve(&module, &import.path) {
                Some((place, Some(name))) => drop(public.insert((place, name))),
                Some((other, None)) => open.push(other),
                None => {}
            }
        }
    }
    public
}

/// The documentation of an item, and whether it is left out of the public one.
fn docs(attributes: &[Attribute]) -> (String, bool) {
    let (mut text, mut is_hidden) = (String::new(), false);
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        match &attribute.meta {
            syn::Meta::NameValue(value) => {
                if let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(line), .. }) = &value.value
                {
                    text.push_str(&line.value());
                    text.push('\n');
                }
            }
            _ => is_hidden = true,
        }
    }
    (text, is_hidden)
}
