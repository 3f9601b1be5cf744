//! What requests cost, read from a file of callgrind. Its format stands in valgrind's manual,
//! "Callgrind Format Specification".

use std::collections::HashMap;
use std::ops::Div;

/// The crates that hash, sign and encrypt, those of peers too.
#[rustfmt::skip]
const CIPHERS: &[&str] = &[
    "aead", "aes", "aes-gcm", "block-buffer", "block-padding", "cbc", "cipher", "crypto-common",
    "ctr", "digest", "generic-array", "ghash", "hkdf", "hmac", "hybrid-array", "inout", "polyval",
    "sha1", "sha2", "universal-hash",
];
/// What Rust's allocator calls for a new or a larger block.
const ALLOCATIONS: &[&str] = &["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"];

/// Instructions, and calls of the allocator.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Instructions of the crates that hash, sign and encrypt, also where they are inlined.
    pub hash: u64,
    /// All other instructions.
    pub rest: u64,
    /// Calls of the allocator for a new or a larger block.
    pub heap: u64,
}

impl Cost {
    /// The sum of one file.
    pub fn read(text: &str) -> Self {
        let mut reader = Reader::default();
        text.lines().for_each(|line| reader.line(line));
        reader.cost
    }
}

impl Div<u64> for Cost {
    type Output = Self;

    fn div(self, by: u64) -> Self {
        let rounded = |sum: u64| (sum + by / 2) / by;
        Self { hash: rounded(self.hash), rest: rounded(self.rest), heap: rounded(self.heap) }
    }
}

#[derive(Default)]
struct Reader {
    cost: Cost,
    files: Names,
    functions: Names,
    /// Whether the instructions that follow come from a file of [`CIPHERS`].
    in_file: bool,
    /// Whether they belong to a function of [`CIPHERS`], into which others may be inlined.
    in_function: bool,
    callee: String,
    /// Whether the next line has the cost of a callee, which its own lines have as well.
    is_callees: bool,
}

impl Reader {
    fn line(&mut self, line: &str) {
        match line.split_once('=') {
            Some(("fl" | "fi" | "fe", name)) => {
                self.in_file = is_ciphers_file(self.files.full(name));
            }
            Some(("fn", name)) => {
                self.in_function = is_ciphers_function(self.functions.full(name));
            }
            Some(("cfi" | "cfl", name)) => {
                self.files.full(name);
            }
            Some(("cfn", name)) => self.functions.full(name).clone_into(&mut self.callee),
            Some(("calls", counts)) => self.calls(counts),
            _ if line
                .starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) =>
            {
                self.instructions(line);
            }
            _ => {}
        }
    }

    fn calls(&mut self, counts: &str) {
        if ALLOCATIONS.contains(&self.callee.as_str()) {
            self.cost.heap += number(counts, 0);
        }
        self.is_callees = true;
    }

    /// A line's number and its instructions.
    fn instructions(&mut self, line: &str) {
        if std::mem::take(&mut self.is_callees) {
            return;
        }
        let is_hash = self.in_file || self.in_function;
        *if is_hash { &mut self.cost.hash } else { &mut self.cost.rest } += number(line, 1);
    }
}

/// The number at a place of a line.
fn number(line: &str, place: usize) -> u64 {
    line.split(' ').nth(place).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Whether a source file is of [`CIPHERS`], as `…/sha2-0.11.1/src/sha256.rs` is.
fn is_ciphers_file(file: &str) -> bool {
    file.split('/').any(|folder| {
        folder.rsplit_once('-').is_some_and(|(name, version)| {
            CIPHERS.contains(&name) && version.starts_with(|first: char| first.is_ascii_digit())
        })
    })
}

/// Whether a function is of [`CIPHERS`], as `<sha2::Sha256 as Update>::update` is.
fn is_ciphers_function(name: &str) -> bool {
    let name = name.trim_start_matches(['<', '&']);
    name.split_once("::").is_some_and(|(name, _)| CIPHERS.contains(&&*name.replace('_', "-")))
}

/// Names that are written once as `(7) name` and afterwards as `(7)`.
#[derive(Default)]
struct Names(HashMap<String, String>);

impl Names {
    fn full<'a>(&'a mut self, written: &'a str) -> &'a str {
        match written.split_once(' ') {
            Some((number, name)) => {
                self.0.insert(number.to_owned(), name.to_owned());
                name
            }
            None => self.0.get(written).map_or(written, String::as_str),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An application calls a hash and the allocator; a part of the hash is inlined.
    const FILE: &str = "\
positions: line
events: Ir
summary: 143

fl=(1) /app/src/main.rs
fn=(1) app::main
16 10
fi=(2) /registry/hmac-0.13.0/src/lib.rs
+3 5
fe=(1)
* 7
cfi=(3) /registry/sha2-0.11.1/src/sha256.rs
cfn=(2) sha2::compress
calls=4 80
16 100
cfi=(4) ./malloc/malloc.c
cfn=(3) malloc
calls=3 12
+2 21

fl=(5) /rustc/core/src/ptr.rs
fn=(2)
7 40
fi=(3)
80 60

fl=(4)
fn=(3)
12 21
";

    #[test]
    fn instructions_count_once_and_by_the_crate_that_they_come_from() {
        assert_eq!(Cost::read(FILE), Cost { hash: 105, rest: 38, heap: 3 });
    }

    #[test]
    fn a_cipher_is_known_by_the_name_of_its_crate() {
        assert!(is_ciphers_file("/registry/aes-gcm-0.10.3/src/lib.rs"));
        assert!(!is_ciphers_file("/registry/aes-table-0.1.0/src/lib.rs"));
        assert!(!is_ciphers_file("/home/ann/sha2/src/lib.rs"));
        assert!(is_ciphers_function("<block_buffer::Buffer as Drop>::drop"));
        assert!(!is_ciphers_function("app::sha2::hash"));
        assert!(!is_ciphers_function("malloc"));
    }
}
