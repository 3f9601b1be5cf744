//! Measures how the sources of a crate are built: circles among the modules of `src` and
//! among the files of a folder, functions of more than 40 lines, files of more than 400,
//! and public functions without an example.
//!
//! Circles and lengths are faults. `exceptions.txt` lists the known faults. A fault that is not
//! listed is an error. A listed fault that no longer exists is an error as well, so the list only
//! gets shorter.

mod circles;
mod examples;
mod figures;
mod functions;
mod tree;
mod uses;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

use figures::Figures;
use tree::Tree;

const EXCEPTIONS: &str = "tools/house/exceptions.txt";
const LONGEST_FILE: usize = 400;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(cause) => {
            eprintln!("{cause}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the faults are exactly those of the list.
fn run(arguments: &[&str]) -> io::Result<bool> {
    let tree = Tree::read(Path::new("src"))?;
    match arguments {
        [] => {}
        ["--examples"] => {
            print_lines(examples::without(&tree));
            return Ok(true);
        }
        ["--arrows", word] => {
            let arrows = circles::arrows(&tree).into_iter();
            let lines =
                arrows.map(|(from, to)| format!("{} -> {}", from.join("::"), to.join("::")));
            print_lines(lines.filter(|line| line.contains(word)));
            return Ok(true);
        }
        _ => return Err(io::Error::other("usage: scripts/house [--examples | --arrows WORD]")),
    }
    let faults = faults(&tree)?;
    let listed = fs::read_to_string(EXCEPTIONS)?;
    let listed = listed.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let listed: BTreeSet<_> = listed.map(str::to_owned).collect();
    println!("{}", Figures::new(&tree));
    print_lines(&faults);
    let unlisted: Vec<_> = faults.difference(&listed).collect();
    let settled: Vec<_> = listed.difference(&faults).collect();
    for fault in &unlisted {
        eprintln!("new, and not in {EXCEPTIONS}: {fault}");
    }
    for fault in &settled {
        eprintln!("no longer so; remove it from {EXCEPTIONS}: {fault}");
    }
    Ok(unlisted.is_empty() && settled.is_empty())
}

fn print_lines(lines: impl IntoIterator<Item = impl Display>) {
    for line in lines {
        println!("{line}");
    }
}

/// One line for each circle, each long function and each long file.
fn faults(tree: &Tree) -> io::Result<BTreeSet<String>> {
    let mut faults = BTreeSet::new();
    for (folder, members) in circles::all(tree) {
        faults.insert(format!("circle in {folder}: {}", members.join(", ")));
    }
    for (path, source) in tree.files() {
        let long = functions::of(&source.syntax).into_iter().filter(functions::Function::is_long);
        faults.extend(long.map(|function| format!("long function in {path}: {}", function.name)));
    }
    for (path, lines) in tree::lengths(Path::new("src"))? {
        if lines > LONGEST_FILE {
            faults.insert(format!("long file: {path}"));
        }
    }
    Ok(faults)
}
