//! The one table, in Markdown.

use std::fmt::{self, Display, Formatter};

use overhead::callgrind::Counted;

use crate::modes::{Aim, Mode};
use crate::wall::Ratios;

/// All that was measured.
pub struct Table<'a> {
    pub counted: &'a [(&'static Mode, Counted)],
    pub wall: &'a Ratios,
}

impl Display for Table<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| mode | instructions | hash | rest | target | heap calls | target | time | target |"
        )?;
        writeln!(f, "|---|---:|---:|---:|---:|---:|---:|---:|---:|")?;
        for (mode, counted) in self.counted {
            let (cost, Aim { rest, heap, time }) = (counted.added(), mode.aim);
            write!(f, "| {} | {} ", mode.name, Thousands(cost.hash + cost.rest))?;
            write!(f, "| {} | {} | {rest} ", Thousands(cost.hash), Thousands(cost.rest))?;
            writeln!(f, "| {} | {heap} | {:.2} | {time} |", cost.heap, self.wall[mode.name])?;
        }
        if let Some((_, Counted { bare, .. })) = self.counted.first() {
            let all = Thousands(bare.hash + bare.rest);
            write!(
                f,
                "\nThe bare route itself, with one cookie: {all} instructions, {} heap calls.",
                bare.heap
            )?;
        }
        Ok(())
    }
}

/// 12345 as 12,345.
#[derive(Clone, Copy)]
struct Thousands(u64);

impl Display for Thousands {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (self.0 / 1_000, self.0 % 1_000) {
            (0, ones) => write!(f, "{ones}"),
            (thousands, ones) => write!(f, "{},{ones:03}", Thousands(thousands)),
        }
    }
}
