//! A plot as SVG. It brings its own background, and follows the reader's light or dark setting.

use std::fmt::Write as _;

use crate::Measured;
use crate::figures::{Axis, Figure, Scale};
use crate::page::short;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 380.0;
/// The corners of the area with the lines.
const LEFT: f64 = 74.0;
const RIGHT: f64 = 470.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 322.0;

const STYLE: &str = "\
.page{fill:#fff}.grid{stroke:#d8dee4}.text{fill:#24292f}
.l0{--c:#0969da}.l1{--c:#cf222e}.l2{--c:#1a7f37}.l3{--c:#8250df}.l4{--c:#9a6700}
@media(prefers-color-scheme:dark){.page{fill:#0d1117}.grid{stroke:#30363d}.text{fill:#e6edf3}
.l0{--c:#58a6ff}.l1{--c:#ff7b72}.l2{--c:#3fb950}.l3{--c:#bc8cff}.l4{--c:#d29922}}
text{font:12px sans-serif}.title{font-weight:bold;font-size:14px}
polyline{fill:none;stroke:var(--c);stroke-width:2}circle,.name{fill:var(--c)}";

/// Where the values of an axis lie.
struct Range {
    scale: Scale,
    ticks: Vec<f64>,
}

impl Range {
    /// From the largest tick below the values to the smallest above them.
    fn of(axis: Axis, values: impl Iterator<Item = f64> + Clone) -> Self {
        let least = values.clone().fold(f64::MAX, f64::min);
        let most = values.fold(0.0, f64::max);
        let ticks = match axis.scale {
            Scale::Log => log_ticks(least.max(1.0), most),
            Scale::Linear => linear_ticks(most),
        };
        Self { scale: axis.scale, ticks }
    }

    /// 0 at the first tick, 1 at the last.
    fn place(&self, value: f64) -> f64 {
        let at = |value: f64| if self.scale == Scale::Log { value.log10() } else { value };
        let (first, last) = (at(self.ticks[0]), at(self.ticks[self.ticks.len() - 1]));
        (at(value) - first) / (last - first)
    }
}

/// Powers of ten; where they are few, 2 and 5 times as well.
fn log_ticks(least: f64, most: f64) -> Vec<f64> {
    let steps: &[f64] = if most / least > 300.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let all = (0..12).flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)));
    let all: Vec<_> = all.collect();
    let from = all.iter().rposition(|tick| *tick <= least).unwrap_or(0);
    let to = all.iter().position(|tick| *tick >= most).unwrap_or(all.len() - 1);
    all[from..=to.max(from + 1)].to_vec()
}

/// From 0, in four to ten steps.
fn linear_ticks(most: f64) -> Vec<f64> {
    let power = 10_f64.powf((most / 4.0).log10().floor());
    let mut steps = [5.0, 2.0, 1.0].map(|times| times * power).into_iter();
    let step = steps.find(|step| most / step >= 4.0).unwrap_or(power);
    let ticks = (0..).map(|number| f64::from(number) * step);
    ticks.take_while(|tick| *tick < most + step).collect()
}

/// Draws the figure.
pub fn svg(figure: &Figure, lines: &[Measured]) -> String {
    let points = lines.iter().flat_map(|line| &line.points);
    let x = Range::of(figure.x, points.clone().map(|(x, _)| *x as f64));
    let y = Range::of(figure.y, points.map(|(_, y)| *y));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\">\n\
         <title>{0}</title>\n<style>{STYLE}</style>\n\
         <rect class=\"page\" width=\"100%\" height=\"100%\"/>\n",
        figure.title
    );
    text(&mut svg, (LEFT, 24.0), "class=\"text title\"", figure.title);
    let middle = f64::midpoint(LEFT, RIGHT);
    text(
        &mut svg,
        (middle, HEIGHT - 16.0),
        "class=\"text\" text-anchor=\"middle\"",
        figure.x.label,
    );
    let upright = format!(
        "class=\"text\" text-anchor=\"middle\" transform=\"rotate(-90 16 {0})\"",
        f64::midpoint(TOP, BOTTOM)
    );
    text(&mut svg, (16.0, f64::midpoint(TOP, BOTTOM)), &upright, figure.y.label);
    grid(&mut svg, &x, &y);
    draw(&mut svg, lines, &x, &y);
    svg.push_str("</svg>\n");
    svg
}

fn across(place: f64) -> f64 {
    LEFT + place * (RIGHT - LEFT)
}

fn up(place: f64) -> f64 {
    BOTTOM - place * (BOTTOM - TOP)
}

fn grid(svg: &mut String, x: &Range, y: &Range) {
    for tick in &x.ticks {
        let at = across(x.place(*tick));
        let _ = writeln!(svg, "<path class=\"grid\" d=\"M{at:.1} {TOP}V{BOTTOM}\"/>");
        let class = "class=\"text\" text-anchor=\"middle\"";
        text(svg, (at, BOTTOM + 18.0), class, &short(*tick));
    }
    for tick in &y.ticks {
        let at = up(y.place(*tick));
        let _ = writeln!(svg, "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{RIGHT}\"/>");
        let class = "class=\"text\" text-anchor=\"end\"";
        text(svg, (LEFT - 6.0, at + 4.0), class, &short(*tick));
    }
}

fn draw(svg: &mut String, lines: &[Measured], x: &Range, y: &Range) {
    let ends =
        lines.iter().map(|line| line.points.last().map_or(0.0, |(_, end)| up(y.place(*end))));
    for ((number, line), name) in lines.iter().enumerate().zip(apart(&ends.collect::<Vec<_>>())) {
        let places = line.points.iter();
        let places: Vec<_> =
            places.map(|(at, value)| (across(x.place(*at as f64)), up(y.place(*value)))).collect();
        let path: Vec<_> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(svg, "<g class=\"l{number}\"><polyline points=\"{}\"/>", path.join(" "));
        for (x, y) in places {
            let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>");
        }
        text(svg, (RIGHT + 10.0, name + 4.0), "class=\"name\"", line.name);
        svg.push_str("</g>\n");
    }
}

/// The heights of the names: beside the ends of the lines, but not one over another.
fn apart(ends: &[f64]) -> Vec<f64> {
    const LINE: f64 = 16.0;
    let mut order: Vec<_> = (0..ends.len()).collect();
    order.sort_by(|one, other| ends[*one].total_cmp(&ends[*other]));
    let (mut heights, mut free) = (ends.to_vec(), f64::MIN);
    for number in order {
        heights[number] = heights[number].max(free);
        free = heights[number] + LINE;
    }
    // What does not fit at the bottom moves all names up.
    let below = (free - LINE - BOTTOM).max(0.0);
    heights.iter().map(|height| height - below).collect()
}

fn text(svg: &mut String, (x, y): (f64, f64), attributes: &str, text: &str) {
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" {attributes}>{text}</text>");
}
