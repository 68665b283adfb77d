//! Percentile plot: the tail of each mechanism, stretched so that each nine takes equal room.

use super::{Area, Chart, Figure, colour, is_headline, shape};
use crate::{
    report::{
        axis::Scale,
        numbers::{self, positive},
        rows::{self, Line, Panel, Table},
        svg::{Svg, dodge, shorten},
    },
    results::{Cell, Run},
};

const AREA: Area = Area {
    left: 64.0,
    right: 416.0,
    top: 14.0,
    bottom: 306.0,
};
/// With room for the names of makers.
const WIDTH: f64 = 600.0;
/// Percentiles on the horizontal axis, each as far from the last as the tail is ten times rarer.
const TICKS: [(f64, &str); 5] = [
    (0.0, "0 %"),
    (90.0, "90 %"),
    (99.0, "99 %"),
    (99.9, "99.9 %"),
    (99.99, "99.99 %"),
];

/// One panel for each scenario, placement and family, at the smallest usual size.
pub(super) fn chart(run: &Run) -> Chart {
    let (mut figures, mut more) = (Vec::new(), Vec::new());
    let mut tables = rows::tables(run);
    for table in &mut tables {
        table
            .cells
            .retain(|cell| rows::is_small(run, cell) && points(cell).len() > 1);
    }
    tables.retain(|table| !table.cells.is_empty());
    for table in tables
        .iter()
        .filter(|table| !rows::is_stream(table.scenario))
    {
        let shown =
            is_headline(table, &tables) && !matches!(table.scenario, "single-thread" | "wake");
        let values = || {
            table
                .cells
                .iter()
                .flat_map(|cell| points(cell))
                .map(|point| point.1)
        };
        let Some(y) = Scale::log(values(), (AREA.bottom, AREA.top)) else {
            continue;
        };
        for panel in rows::panels(run, table) {
            let figure = figure(&panel, table, &y);
            if shown && !panel.is_of_others() {
                figures.extend(figure)
            } else {
                more.extend(figure)
            }
        }
    }
    let size = rows::small_size(run).map_or_else(String::new, numbers::size);
    Chart {
        id: "percentiles",
        short: "Tail",
        title: "How bad is the tail?",
        lead: format!(
            "Latency at {size} by percentile: each step to the right is ten times rarer. A flat \
             line is a predictable mechanism."
        ),
        figures,
        more,
        absent: "No cell has a latency distribution.",
    }
}

fn figure(panel: &Panel<'_>, table: &Table<'_>, y: &Scale) -> Option<Figure> {
    let mut svg = Svg::new(WIDTH, 340.0);
    AREA.rows(&mut svg, y, |value| numbers::tick(&numbers::time(value)));
    let columns: Vec<_> = TICKS
        .iter()
        .map(|(percentile, label)| (x(*percentile), (*label).to_owned()))
        .collect();
    AREA.columns(&mut svg, &columns);
    AREA.base(&mut svg);
    let mut ends = Vec::new();
    for line in &panel.lines {
        if let Some(end) = draw(&mut svg, line, y) {
            ends.push((end, line));
        }
    }
    let wanted: Vec<f64> = ends.iter().map(|(end, _)| end.1).collect();
    let placed = dodge(&wanted, 15.0, AREA.top + 2.0, AREA.bottom);
    for (((from_x, from_y), line), at) in ends.iter().zip(placed) {
        let lead = format!("lead {}", colour(line.slot));
        let points = [
            (*from_x, *from_y),
            (AREA.right, *from_y),
            (AREA.right + 10.0, at),
        ];
        svg.polyline(&points, &lead);
        let label = shorten(&line.label, WIDTH - AREA.right - 16.0);
        svg.text((AREA.right + 14.0, at + 4.0), "label", &label);
    }
    let title = panel.title();
    let description = format!(
        "Percentiles of {} mechanisms in {}.",
        ends.len(),
        table.title()
    );
    (!ends.is_empty()).then(|| Figure {
        svg: svg.finish(&title, &description),
        title,
        legend: Vec::new(),
        wide: false,
    })
}

fn draw(svg: &mut Svg, line: &Line<'_>, y: &Scale) -> Option<(f64, f64)> {
    let cell = line.cells.first()?;
    let points = points(cell);
    let places: Vec<_> = points
        .iter()
        .map(|(percentile, at)| (x(*percentile), y.at(*at)))
        .collect();
    let class = colour(line.slot);
    svg.polyline(&places, &format!("line {class}"));
    let hollow = if line.slot >= 4 { " hollow" } else { "" };
    // A curve has a hundred points; only the percentiles of the tables are marked.
    let latency = &cell.latency;
    let marks = [
        (50.0, latency.p50),
        (90.0, latency.p90),
        (99.0, latency.p99),
        (99.9, latency.p999),
    ];
    let marks = marks.map(|(percent, time)| (percent, rows::resolved(cell, percent, time)));
    for (percentile, nanoseconds) in marks.into_iter().filter(|mark| positive(mark.1)) {
        let tip = format!(
            "{}: p{percentile} {}",
            line.label,
            numbers::time(nanoseconds)
        );
        let at = (x(percentile), y.at(nanoseconds));
        svg.marker(shape(line.slot), at, &format!("dot {class}{hollow}"), &tip);
    }
    places.last().copied()
}

/// The curve of a cell, or its four percentiles where it has none; only what can be drawn.
fn points(cell: &Cell) -> Vec<(f64, f64)> {
    let latency = &cell.latency;
    let usable = |point: &(f64, f64)| (0.0..=100.0).contains(&point.0) && positive(point.1);
    let mut curve: Vec<_> = latency.curve.iter().copied().filter(usable).collect();
    if curve.len() < 2 {
        curve = vec![
            (50.0, latency.p50),
            (90.0, latency.p90),
            (99.0, latency.p99),
            (99.9, latency.p999),
        ];
        curve.retain(usable);
    }
    curve.sort_by(|a, b| a.0.total_cmp(&b.0));
    // What is rarer than the last tick, or than one message of those measured, is only the
    // maximum, which the table names.
    curve.retain(|(percent, time)| {
        *percent <= 99.99 + 1e-9 && positive(rows::resolved(cell, *percent, *time))
    });
    curve
}

fn x(percentile: f64) -> f64 {
    let nines = -(1.0 - percentile / 100.0).max(1e-5).log10();
    let share = (nines / 4.0).clamp(0.0, 1.0);
    AREA.left + 14.0 + share * (AREA.right - AREA.left - 28.0)
}
