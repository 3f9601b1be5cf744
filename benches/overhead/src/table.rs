//! The one table, in Markdown.

use std::fmt::{self, Display, Formatter};

use crate::callgrind::Counted;
use crate::modes::{Aim, Mode};
use crate::wall::Ratios;

/// All that was measured.
pub struct Table<'a> {
    pub counted: &'a [(&'static Mode, Counted)],
    pub wall: &'a Ratios,
}

impl Display for Table<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "| mode | instructions | hash | rest | aim | heap calls | aim | time | aim |")?;
        writeln!(f, "|---|---:|---:|---:|---:|---:|---:|---:|---:|")?;
        for (mode, counted) in self.counted {
            let (cost, Aim { rest, heap, wall }) = (counted.added(), mode.aim);
            write!(
                f,
                "| {} | {} | {} ",
                mode.name,
                Thousands(cost.hash + cost.rest),
                Thousands(cost.hash)
            )?;
            write!(f, "| {} | {} ", Thousands(cost.rest), Limit(rest.map(Thousands)))?;
            write!(f, "| {} | {} ", cost.heap, Limit(heap))?;
            writeln!(f, "| {:.2} | {} |", self.wall[mode.name], Limit(wall))?;
        }
        Ok(())
    }
}

/// An aim, where there is one.
struct Limit<T>(Option<T>);

impl<T: Display> Display for Limit<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |limit| write!(f, "≤ {limit}"))
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
