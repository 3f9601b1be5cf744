//! The functions of a file and their lengths.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Block, Expr, File, ImplItemFn, ItemFn, ItemMod, Signature, Stmt, TraitItemFn,
};

use crate::uses::is_for_tests;

const LONGEST: usize = 40;
/// The most lines of one entry of a table, and of the statements before a table.
const LONGEST_ENTRY: usize = 4;
const LONGEST_INTRODUCTION: usize = 10;

/// A function without its documentation.
pub struct Function {
    pub name: String,
    pub lines: usize,
    /// The function is long because it has many entries and not because it decides much. Its body
    /// is one `match`, one list or one value with many fields. No entry has more than four lines,
    /// and at most ten lines come before the table.
    is_table: bool,
}

impl Function {
    pub fn is_long(&self) -> bool {
        self.lines > LONGEST && !self.is_table
    }
}

/// Every function of a file except those of its tests.
pub fn of(file: &File) -> Vec<Function> {
    let mut functions = Functions(Vec::new());
    functions.visit_file(file);
    functions.0
}

struct Functions(Vec<Function>);

impl Functions {
    fn add(&mut self, signature: &Signature, block: &Block, attributes: &[Attribute]) {
        if !is_for_tests(attributes) {
            let lines = block.span().end().line - signature.span().start().line + 1;
            let name = signature.ident.to_string();
            self.0.push(Function { name, lines, is_table: is_table(block) });
        }
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.add(&item.sig, &item.block, &item.attrs);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.add(&item.sig, &item.block, &item.attrs);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(block) = &item.default {
            self.add(&item.sig, block, &item.attrs);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }
}

fn is_table(block: &Block) -> bool {
    let Some((Stmt::Expr(table, None), introduction)) = block.stmts.split_last() else {
        return false;
    };
    let entries: Vec<Span> = match table {
        Expr::Match(table) => table.arms.iter().map(Spanned::span).collect(),
        Expr::Array(list) => list.elems.iter().map(Spanned::span).collect(),
        Expr::Struct(value) => value.fields.iter().map(Spanned::span).collect(),
        _ => return false,
    };
    let introduction = match introduction {
        [] => 0,
        [first, ..] => table.span().start().line - first.span().start().line,
    };
    let is_short = |entry: &Span| entry.end().line - entry.start().line < LONGEST_ENTRY;
    introduction <= LONGEST_INTRODUCTION && entries.iter().all(is_short)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(body: &str) -> Function {
        let file = syn::parse_file(&format!("fn f() {{\n{body}\n}}"));
        of(&file.expect("Rust")).pop().expect("a function")
    }

    #[test]
    fn more_than_forty_lines_are_long() {
        assert!(!function(&"f();\n".repeat(37)).is_long());
        assert!(function(&"f();\n".repeat(39)).is_long());
    }

    #[test]
    fn a_table_of_short_entries_is_not_long() {
        let arms = "1 => {\nf()\n}\n".repeat(20);
        assert!(!function(&format!("let x = 1;\nmatch x {{\n{arms}}}")).is_long());
    }

    #[test]
    fn a_table_with_a_long_entry_or_a_long_introduction_is_long() {
        let long = format!("match x {{\n1 => {{\n{}}}\n}}", "f();\n".repeat(40));
        assert!(function(&long).is_long());
        let arms = "1 => f(),\n".repeat(20);
        let late = format!("{}match x {{\n{arms}}}", "f();\n".repeat(20));
        assert!(function(&late).is_long());
    }
}
