//! How the cost of a request grows, and what many nodes ask of their storage: the plots and the
//! tables of `docs/performance.md`. `benches/growth/run` starts the servers and calls it.

mod app;
mod clock;
mod counts;
mod figures;
mod nodes;
mod page;
mod plot;
mod scenes;
mod servers;
mod writers;

use std::process::ExitCode;
use std::{env, io};

use counts::Points;
use figures::{FIGURES, Request};
use nodes::Nodes;
use rocket::tokio::runtime::{Builder, Runtime};
use servers::Servers;

const USAGE: &str = "usage: growth REDIS_URL POSTGRES_URL [FIGURE | nodes]";

/// A line's points.
pub struct Measured {
    pub name: &'static str,
    pub points: Vec<(u64, f64)>,
}

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["run", figure, line, x] => run([figure, line, x]),
        [redis, postgres] => write(&Servers::new(redis, postgres), ""),
        [redis, postgres, figure] => write(&Servers::new(redis, postgres), figure),
        _ => Err(io::Error::other(USAGE)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("{cause}");
            ExitCode::FAILURE
        }
    }
}

/// One worker, so that what runs when does not change.
fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// What valgrind runs.
fn run(place: [&str; 3]) -> io::Result<()> {
    let number = |text: &str| text.parse::<usize>().map_err(io::Error::other);
    let [figure, line, x] = place;
    let (figure, line, x) = (number(figure)?, number(line)?, number(x)? as u64);
    runtime()?.block_on(counts::run(figure, line, x, &Servers::new("", "")));
    Ok(())
}

/// Measures everything, and writes the plots and the page. With `nodes`, it writes the tables of the
/// nodes alone. With the name of a figure, it measures that alone and prints it.
fn write(servers: &Servers, only: &str) -> io::Result<()> {
    let runtime = runtime()?;
    let chosen = |name: &str| only.is_empty() || only == name;
    // What depends on the servers comes first, since the rest takes long.
    if chosen("nodes") {
        page::write_nodes(&runtime.block_on(Nodes::measure(servers))?)?;
    }
    let mut points = runtime.block_on(tried(chosen, servers));
    points.extend(counts::count(chosen)?);
    let figures: Vec<_> = FIGURES
        .iter()
        .enumerate()
        .filter(|(_, figure)| chosen(figure.name))
        .map(|(number, figure)| (figure, lines(number, &points)))
        .collect();
    if only.is_empty() {
        return page::write_growth(&figures);
    }
    if !figures.is_empty() {
        println!("{}", page::table(&figures));
    }
    Ok(())
}

/// The points that callgrind does not count.
async fn tried(chosen: impl Fn(&str) -> bool, servers: &Servers) -> Points {
    let mut points = Points::new();
    for (number, figure) in FIGURES.iter().enumerate().filter(|(_, figure)| chosen(figure.name)) {
        for (place, line) in figure.lines.iter().enumerate() {
            let line: Vec<_> = match line.request {
                Request::Timed(_) => clock::ratios(line.request, figure.xs).await,
                Request::Attempts(nodes) => writers::attempts(nodes, figure.xs, servers).await,
                _ => continue,
            };
            points.extend(line.into_iter().map(|(x, y)| ((number, place, x), y)));
        }
    }
    points
}

fn lines(figure: usize, points: &Points) -> Vec<Measured> {
    let lines = FIGURES[figure].lines.iter().enumerate();
    let measured = lines.map(|(place, line)| Measured {
        name: line.name,
        points: points
            .range((figure, place, 0)..(figure, place + 1, 0))
            .map(|((_, _, x), y)| (*x, *y))
            .collect(),
    });
    measured.collect()
}
