//! `docs/performance.md` and the plots beside it.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::Measured;
use crate::figures::Figure;
use crate::nodes::Nodes;
use crate::plot;

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");

/// A figure and what was measured for it.
pub type Drawn = (&'static Figure, Vec<Measured>);

/// Writes the plots, and their part of the page.
pub fn write_growth(figures: &[Drawn]) -> io::Result<()> {
    let folder = PathBuf::from(DOCS).join("growth");
    fs::create_dir_all(&folder)?;
    for (figure, lines) in figures {
        fs::write(folder.join(figure.name).with_extension("svg"), plot::svg(figure, lines))?;
    }
    write_part("growth", &(plots(figures) + &table(figures)))
}

/// Writes the tables of the nodes.
pub fn write_nodes(nodes: &Nodes) -> io::Result<()> {
    write_part("nodes, measured", &nodes.measured())?;
    write_part("nodes, arithmetic", &nodes.arithmetic())
}

fn write_part(name: &str, part: &str) -> io::Result<()> {
    let page = Path::new(DOCS).join("performance.md");
    let text = fs::read_to_string(&page)?;
    fs::write(page, between_marks(&text, name, part)?)
}

/// Replaces what stands between the two marks of that name.
fn between_marks(text: &str, name: &str, part: &str) -> io::Result<String> {
    let missing = || io::Error::other(format!("docs/performance.md has no marks {name:?}"));
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let (before, rest) = text.split_once(&begin).ok_or_else(missing)?;
    let (_, after) = rest.split_once(&end).ok_or_else(missing)?;
    Ok(format!("{before}{begin}\n{part}\n{end}{after}"))
}

/// Each plot, and a sentence that says what to expect.
fn plots(figures: &[Drawn]) -> String {
    let plot = |(figure, lines): &Drawn| {
        let Figure { name, title, .. } = figure;
        format!("![{title}][growth/{name}.svg]\n\n{}\n\n", expect(figure, lines))
    };
    figures.iter().map(plot).collect()
}

/// How many times the first value of each line its last one is.
fn expect(figure: &Figure, lines: &[Measured]) -> String {
    let ends = |line: &Measured| line.points.first().copied().zip(line.points.last().copied());
    let [first, most] = [figure.xs.first(), figure.xs.last()].map(|x| x.copied().unwrap_or(0));
    let lines = lines.iter().filter_map(|line| {
        let ((_, before), (end, after)) = ends(line)?;
        let up_to = if end < most { format!(" (up to {})", whole(end)) } else { String::new() };
        Some(format!("{} × {}{up_to}", line.name, significant(after / before)))
    });
    let lines: Vec<_> = lines.collect();
    let [first, most] = [first, most].map(whole);
    let (x, lines) = (figure.x.label, lines.join("; "));
    format!("From {first} to {most} ({x}), expect: {lines}.")
}

fn whole(number: u64) -> String {
    thousands(number as f64)
}

/// All figures in one table. A row in bold begins each figure.
pub fn table(figures: &[Drawn]) -> String {
    let columns = figures.iter().map(|(figure, _)| figure.xs.len()).max().unwrap_or_default();
    let row = |cells: Vec<String>| {
        let empty = (cells.len()..=columns).map(|_| String::new());
        let cells: Vec<_> = cells.iter().cloned().chain(empty).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let mut text = row(Vec::new());
    text += &["|---|", &"---:|".repeat(columns), "\n"].concat();
    for (figure, lines) in figures {
        let xs = figure.xs.iter().map(|x| format!("**{}**", thousands(*x as f64)));
        text += &row([format!("**{}**", figure.x.label)].into_iter().chain(xs).collect());
        for line in lines {
            let ys = line.points.iter().map(|(_, y)| value(*y));
            text += &row([line.name.to_owned()].into_iter().chain(ys).collect());
        }
    }
    text
}

/// 12345.6 as 12,346, and small values with two places.
fn value(value: f64) -> String {
    if value < 100.0 { format!("{value:.2}") } else { thousands(value) }
}

/// A factor with two significant digits, or all that it has before the point.
pub fn significant(value: f64) -> String {
    match value {
        value if value < 9.95 => format!("{value:.1}"),
        value => thousands(value),
    }
}

/// 12345 as 12,345.
pub fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// 12000 as 12k.
pub fn short(value: f64) -> String {
    let (value, unit) = match value {
        value if value >= 1e9 => (value / 1e9, "G"),
        value if value >= 1e6 => (value / 1e6, "M"),
        value if value >= 1e3 => (value / 1e3, "k"),
        value => (value, ""),
    };
    // No more places than there are.
    let text = format!("{value:.2}");
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_changes() {
        let page = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nz\n";
        let written = between_marks(page, "x", "new\n").unwrap();
        assert_eq!(written, "a\n<!-- x: begin -->\n\nnew\n\n<!-- x: end -->\nz\n");
        assert_eq!(between_marks(&written, "x", "new\n").unwrap(), written, "again");
        assert!(between_marks(page, "y", "").is_err());
    }

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!(thousands(1_234_567.0), "1,234,567");
        assert_eq!(thousands(123.0), "123");
        assert_eq!(short(2_500.0), "2.5k");
        assert_eq!(short(0.2), "0.2");
        assert_eq!(short(100.0), "100");
    }
}
