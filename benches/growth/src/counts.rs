//! Instructions, counted by callgrind: each point in a process of its own, as many at a time as
//! there are cores.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::thread::{self, available_parallelism};
use std::{fs, io};

use overhead::callgrind;

use crate::figures::{FIGURES, Line, Request};
use crate::scenes::{Requests, scene};
use crate::servers::Servers;
use crate::writers::Writers;

/// The numbers of a figure and of its line, and the x.
pub type Place = (usize, usize, u64);

/// The y of each point.
pub type Points = BTreeMap<Place, f64>;

/// Points all points that are counted.
pub fn count(chosen: impl Fn(&str) -> bool) -> io::Result<Points> {
    let places = FIGURES.iter().enumerate().filter(|(_, figure)| chosen(figure.name));
    let places = places.flat_map(|(number, figure)| {
        let lines = figure.lines.iter().enumerate().filter(|(_, line)| is_counted(line));
        lines.flat_map(move |(line, _)| figure.xs_of(line).map(move |x| (number, line, x)))
    });
    let (places, counts) = (Mutex::new(places.collect()), Mutex::new(Points::new()));
    let folder = tempfile::tempdir()?;
    let work = || -> io::Result<()> {
        while let Some(place) = pop(&places) {
            let counted = count_one(place, folder.path())?;
            lock(&counts).insert(place, counted);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads: Vec<_> =
            (0..available_parallelism()?.get()).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no panic"))
    })?;
    Ok(counts.into_inner().expect("no panic"))
}

fn is_counted(line: &Line) -> bool {
    !matches!(line.request, Request::Timed(_) | Request::Attempts(_))
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().expect("no panic")
}

/// The last one first: those with the most sessions take longest.
fn pop(places: &Mutex<Vec<Place>>) -> Option<Place> {
    lock(places).pop()
}

fn count_one(place: Place, folder: &Path) -> io::Result<f64> {
    let (figure, line, x) = place;
    let Line { request, name, .. } = FIGURES[figure].lines[line];
    let counted = Requests::of(request, x).counted;
    // Each of the writers sends one request.
    let requests = if let Request::Work(_) = request { counted * x } else { counted };
    let [figure, line, x] = [figure.to_string(), line.to_string(), x.to_string()];
    let out = folder.join(format!("{figure}-{line}-{x}"));
    let added = callgrind::count(&["run", &figure, &line, &x], requests, &out)?.added();
    eprintln!("{name}, {x}: {} instructions", added.hash + added.rest);
    // Callgrind's files of one point are large.
    for part in ["", "1", "2", "3", "4"] {
        let _ = fs::remove_file(out.with_extension(part));
    }
    Ok((added.hash + added.rest) as f64)
}

/// What valgrind runs.
pub async fn run(figure: usize, line: usize, x: u64, servers: &Servers) {
    let request = FIGURES[figure].lines[line].request;
    let Requests { warm_up, counted } = Requests::of(request, x);
    if let Request::Work(nodes) = request {
        let writers = Writers::new(nodes, x, servers).await;
        let (bare, write) = (async |n| writers.bare(n).await, async |n| writers.write(n).await);
        return callgrind::run_each(bare, write, warm_up, counted).await;
    }
    callgrind::run(&scene(request, x).await, warm_up, counted).await;
}
