//! Latency (and, for streams, throughput) by message size: one line per mechanism, log-log.

use super::{Area, Chart, Figure, colour, is_headline, shape, tip};
use crate::{
    report::{
        axis::Scale,
        numbers::{self, positive},
        rows::{self, Line, Panel, Table},
        svg::{Svg, dodge, shorten},
    },
    results::{Cell, Floor, Run},
};

const AREA: Area = Area {
    left: 64.0,
    right: 416.0,
    top: 14.0,
    bottom: 306.0,
};
const SIZE: (f64, f64) = (560.0, 340.0);

/// One panel for each scenario, placement and family.
pub(super) fn chart(run: &Run) -> Chart {
    let (mut figures, mut more) = (Vec::new(), Vec::new());
    let mut tables = rows::tables(run);
    tables.retain(|table| Axes::of(run, table).is_some());
    for table in &tables {
        let main =
            is_headline(table, &tables) && !matches!(table.scenario, "single-thread" | "wake");
        let Some(axes) = Axes::of(run, table) else {
            continue;
        };
        for panel in rows::panels(run, table) {
            let figure = figure(&panel, &axes);
            if main && !panel.is_of_others() {
                figures.extend(figure)
            } else {
                more.extend(figure)
            }
        }
    }
    Chart {
        id: "by-size",
        short: "By size",
        title: "How does it grow with the message?",
        lead: "Median of one message (streams: bytes a second) against its size, both axes in \
               powers. Each line is one mechanism, by our crate where there is one. Dashed grey \
               lines are the floors that apply. Panels of one scenario share their vertical axis."
            .to_owned(),
        figures,
        more,
        absent: "Fewer than two message sizes were measured, so there is no growth to draw.",
    }
}

/// The axes that all panels of one table share, and the floors that lie in them.
struct Axes<'a> {
    x: Scale,
    y: Scale,
    sizes: Vec<usize>,
    floors: Vec<(&'a str, Vec<(usize, f64)>)>,
    stream: bool,
}

impl<'a> Axes<'a> {
    fn of(run: &'a Run, table: &Table<'_>) -> Option<Self> {
        let stream = rows::is_stream(table.scenario);
        let drawn = table.cells.iter().filter(|c| is_drawn(c, stream));
        let mut sizes: Vec<usize> = drawn.clone().map(|c| c.size_bytes).collect();
        sizes.sort_unstable();
        sizes.dedup();
        if sizes.len() < 2 {
            return None;
        }
        let x = Scale::sizes(&sizes, (AREA.left + 12.0, AREA.right - 12.0))?;
        let floors = floors(run, table, &sizes, stream);
        let floor_values = floors
            .iter()
            .flat_map(|(_, points)| points.iter().map(|p| p.1));
        let values = drawn.map(|c| value(c, stream)).chain(floor_values);
        let y = Scale::log(values, (AREA.bottom, AREA.top))?;
        Some(Self {
            x,
            y,
            sizes,
            floors,
            stream,
        })
    }

    fn point(&self, size: usize, value: f64) -> (f64, f64) {
        (self.x.at(size as f64), self.y.at(value))
    }
}

fn figure(panel: &Panel<'_>, axes: &Axes<'_>) -> Option<Figure> {
    let mut svg = Svg::new(SIZE.0, SIZE.1);
    let unit = if axes.stream {
        numbers::throughput
    } else {
        numbers::time
    };
    AREA.rows(&mut svg, &axes.y, |value| numbers::tick(&unit(value)));
    let columns: Vec<_> = axes
        .sizes
        .iter()
        .map(|size| (axes.x.at(*size as f64), numbers::size(*size)))
        .collect();
    AREA.columns(&mut svg, &columns);
    AREA.base(&mut svg);

    let mut ends: Vec<(f64, f64, String, String)> = Vec::new();
    for (name, points) in &axes.floors {
        let line: Vec<_> = points
            .iter()
            .map(|(size, value)| axes.point(*size, *value))
            .collect();
        let Some(last) = line.last().copied() else {
            continue;
        };
        if let [only] = line.as_slice() {
            svg.line((only.0 - 12.0, only.1), (only.0 + 12.0, only.1), "floor");
        } else {
            svg.polyline(&line, "floor");
        }
        ends.push((last.0, last.1, format!("floor: {name}"), "floor".to_owned()));
    }
    let mut drawn = false;
    for line in &panel.lines {
        if let Some(end) = draw(&mut svg, line, axes) {
            drawn = true;
            ends.push((
                end.0,
                end.1,
                line.label.clone(),
                format!("lead {}", colour(line.slot)),
            ));
        }
    }
    let wanted: Vec<f64> = ends.iter().map(|end| end.1).collect();
    let placed = dodge(&wanted, 15.0, AREA.top + 2.0, AREA.bottom);
    for ((x, y, label, class), at) in ends.iter().zip(placed) {
        svg.polyline(
            &[(*x, *y), (AREA.right, *y), (AREA.right + 10.0, at)],
            class,
        );
        let label = shorten(label, SIZE.0 - AREA.right - 16.0);
        svg.text((AREA.right + 14.0, at + 4.0), "label", &label);
    }
    let title = panel.title();
    let names: Vec<_> = panel.lines.iter().map(|line| line.label.as_str()).collect();
    let quantity = if axes.stream {
        "Throughput"
    } else {
        "Median latency"
    };
    let description = format!("{quantity} by message size for {}.", names.join(", "));
    drawn.then(|| Figure {
        svg: svg.finish(&title, &description),
        title,
        legend: Vec::new(),
        wide: false,
    })
}

/// Draws one line; its last point, or `None` when it has none.
fn draw(svg: &mut Svg, line: &Line<'_>, axes: &Axes<'_>) -> Option<(f64, f64)> {
    let cells = line.cells.iter().filter(|cell| is_drawn(cell, axes.stream));
    let points: Vec<_> = cells
        .map(|cell| {
            (
                axes.point(cell.size_bytes, value(cell, axes.stream)),
                tip(cell),
            )
        })
        .collect();
    let class = colour(line.slot);
    let places: Vec<_> = points.iter().map(|point| point.0).collect();
    svg.polyline(&places, &format!("line {class}"));
    for (at, tip) in &points {
        let hollow = if line.slot >= 4 { " hollow" } else { "" };
        svg.marker(shape(line.slot), *at, &format!("dot {class}{hollow}"), tip);
    }
    places.last().copied()
}

/// What carries no payload does not grow with it.
fn is_drawn(cell: &Cell, stream: bool) -> bool {
    cell.size_bytes > 0 && positive(value(cell, stream))
}

fn value(cell: &Cell, stream: bool) -> f64 {
    if stream {
        cell.bytes_per_second.value
    } else {
        cell.latency.p50
    }
}

/// The floors that cells of `table` are compared with, as lines over `sizes`.
fn floors<'a>(
    run: &'a Run,
    table: &Table<'_>,
    sizes: &[usize],
    stream: bool,
) -> Vec<(&'a str, Vec<(usize, f64)>)> {
    // A floor that has no placement of its own (a copy, a system call) was measured in one; what
    // was measured nearest to these cells is drawn.
    let nearness = |floor: &Floor| {
        let state = table
            .cells
            .iter()
            .any(|c| c.floor == floor.name && c.state == floor.state);
        (floor.placement == table.placement, state)
    };
    let named = |floor: &&Floor| {
        positive(floor.nanoseconds.value) && table.cells.iter().any(|c| c.floor == floor.name)
    };
    let nearest = |floor: &&Floor| {
        let rivals = run.floors.iter().filter(|other| other.name == floor.name);
        rivals.map(nearness).max() == Some(nearness(floor))
    };
    let mut lines: Vec<(&str, Vec<(usize, f64)>)> = Vec::new();
    for floor in run.floors.iter().filter(named).filter(nearest) {
        let nanoseconds = floor.nanoseconds.value;
        let points: Vec<(usize, f64)> = match (floor.size_bytes, stream) {
            // A floor of one operation has no throughput of its own.
            (0, true) => continue,
            (0, false) => sizes.iter().map(|size| (*size, nanoseconds)).collect(),
            (size, true) => vec![(size, size as f64 / nanoseconds * 1e9)],
            (size, false) => vec![(size, nanoseconds)],
        };
        let points = points.into_iter().filter(|point| sizes.contains(&point.0));
        match lines.iter_mut().find(|(name, _)| *name == floor.name) {
            Some((_, line)) => line.extend(points),
            None => lines.push((&floor.name, points.collect())),
        }
    }
    for (_, line) in &mut lines {
        line.sort_by_key(|point| point.0);
        line.dedup_by_key(|point| point.0);
    }
    lines.retain(|(_, line)| !line.is_empty());
    lines
}
