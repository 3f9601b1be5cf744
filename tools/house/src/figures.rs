//! The figures that can be compared with those of other crates.

use std::fmt;

use crate::tree::Tree;
use crate::{examples, functions};

pub struct Figures {
    /// The lengths of all functions, sorted.
    functions: Vec<usize>,
    files: usize,
    code: usize,
    documentation: usize,
    comments: usize,
    with_example: usize,
    public: usize,
}

impl Figures {
    pub fn new(tree: &Tree) -> Self {
        let all = tree.files().flat_map(|(_, source)| functions::of(&source.syntax));
        let mut functions: Vec<_> = all.map(|function| function.lines).collect();
        functions.sort_unstable();
        let lines = || tree.files().flat_map(|(_, source)| source.text.lines()).map(str::trim);
        let is_documentation = |line: &&str| line.starts_with("///") || line.starts_with("//!");
        let is_comment = |line: &&str| line.starts_with("//") && !is_documentation(line);
        let is_code = |line: &&str| !line.is_empty() && !line.starts_with("//");
        let (with_example, public) = examples::count(tree);
        Self {
            functions,
            files: tree.sources.len(),
            code: lines().filter(is_code).count(),
            documentation: lines().filter(is_documentation).count(),
            comments: lines().filter(is_comment).count(),
            with_example,
            public,
        }
    }

    /// The length that `percent` of a hundred functions do not exceed.
    fn percentile(&self, percent: usize) -> usize {
        let last = self.functions.len().saturating_sub(1);
        self.functions.get(last * percent / 100).copied().unwrap_or_default()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, p90, p99, longest] = [50, 90, 99, 100].map(|percent| self.percentile(percent));
        let Self { files, code, documentation, comments, with_example, public, .. } = self;
        writeln!(
            f,
            "{} functions: median {median} lines, p90 {p90}, p99 {p99}, longest {longest}",
            self.functions.len()
        )?;
        writeln!(
            f,
            "{files} files, {code} lines of code, {documentation} of documentation, {comments} of comments"
        )?;
        write!(f, "{with_example} of {public} public functions have an example")
    }
}
