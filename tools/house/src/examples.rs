//! The functions that users of the crate can call, and whether the documentation of each has an
//! example. An example is a block of Rust that rustdoc compiles.
//!
//! The example of a trait counts for its required methods if it implements all of them. An author
//! who looks one up wants to implement the trait, and one method makes sense only beside the
//! others. A trait that users call rather than implement has no such example, so its methods need
//! one each.

use std::collections::BTreeSet;

use syn::{Attribute, ImplItem, Item, ItemTrait, TraitItem, TraitItemFn, Type, Visibility};

use crate::tree::{Module, Tree};
use crate::uses::is_for_tests;

/// A function that users can call.
struct Function {
    name: String,
    has_example: bool,
}

/// How many functions have an example, and how many functions there are.
pub fn count(tree: &Tree) -> (usize, usize) {
    let all = all(tree);
    (all.iter().filter(|function| function.has_example).count(), all.len())
}

/// The names of the functions without an example.
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
                Item::Trait(item) if is_public(&item.ident) => add_trait(&mut all, item),
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
        all.push(Function { name, has_example: !examples(&docs).is_empty() });
    }
}

fn add_trait(all: &mut Vec<Function>, item: &ItemTrait) {
    let methods = || {
        item.items.iter().filter_map(|inner| match inner {
            TraitItem::Fn(method) => Some(method),
            _ => None,
        })
    };
    let example = examples(&docs(&item.attrs).0);
    let implements = |method: &TraitItemFn| {
        let name = format!("fn {}", method.sig.ident);
        example.contains(&(name.clone() + "(")) || example.contains(&(name + "<"))
    };
    let implements_all = methods().filter(|method| method.default.is_none()).all(implements);
    for method in methods() {
        let before = all.len();
        add(all, format!("{}::{}", item.ident, method.sig.ident), &method.attrs);
        for added in &mut all[before..] {
            added.has_example |= implements_all && method.default.is_none();
        }
    }
}

/// The code of the blocks that rustdoc compiles.
fn examples(docs: &str) -> String {
    let (mut code, mut block) = (String::new(), None);
    for line in docs.lines() {
        match (line.trim().strip_prefix("```"), block) {
            (Some(language), None) => block = Some(language.split(',').all(is_compiled)),
            (Some(_), Some(_)) => block = None,
            (None, Some(true)) => {
                code.push_str(line);
                code.push('\n');
            }
            (None, _) => {}
        }
    }
    code
}

/// Whether rustdoc compiles a block that has this word after its fence.
fn is_compiled(word: &str) -> bool {
    matches!(word.trim(), "" | "rust" | "no_run" | "should_panic")
}

/// The items that users of the crate can name: the file that defines each, and its name.
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

/// The documentation of an item, and whether it is hidden.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The methods of a trait that have an example.
    fn with_example(source: &str) -> Vec<String> {
        let mut all = Vec::new();
        add_trait(&mut all, &syn::parse_str(source).expect("a trait"));
        let with = all.into_iter().filter(|function| function.has_example);
        with.map(|function| function.name).collect()
    }

    const METHODS: &str = "trait T { fn a(&self); fn b<R>(&self); fn c(&self) {} }";

    fn documented(example: &str) -> String {
        let lines = example.lines().map(|line| format!("/// {line}\n"));
        lines.chain([METHODS.to_owned()]).collect()
    }

    #[test]
    fn a_traits_example_stands_for_its_required_methods_if_it_implements_all() {
        let whole = documented("```\nfn a(&self) {}\nfn b<R>(&self) {}\nfn c(&self) {}\n```");
        assert_eq!(with_example(&whole), ["T::a", "T::b"]);
    }

    #[test]
    fn a_traits_example_that_lacks_a_required_method_or_only_calls_it_stands_for_none() {
        for part in ["```\nfn a(&self) {}\n```", "```\nt.a();\nt.b();\n```", "fn a( fn b<"] {
            assert!(with_example(&documented(part)).is_empty(), "{part}");
        }
        assert!(with_example(METHODS).is_empty());
    }

    #[test]
    fn an_example_is_code_that_rustdoc_compiles() {
        for (docs, expected) in [
            ("A function.", ""),
            ("```\nf();\n```", "f();\n"),
            ("```rust,no_run\nf();\n```", "f();\n"),
            ("```text\nf\n```", ""),
            ("```ignore\nf();\n```", ""),
            ("```toml\nf = 1\n```\n```\ng();\n```", "g();\n"),
        ] {
            assert_eq!(examples(docs), expected, "{docs}");
        }
    }
}
