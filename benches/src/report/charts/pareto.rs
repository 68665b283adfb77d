//! Latency against CPU burnt: who is beaten on both counts, and who is not (the Pareto front).

use super::{Area, Chart, Figure, tip};
use crate::{
    report::{
        abilities,
        axis::Scale,
        numbers::{self, positive},
        rows,
        svg::{Shape, Svg, text_width},
    },
    results::{Cell, Placement, Run},
};

const AREA: Area = Area {
    left: 64.0,
    right: 544.0,
    top: 14.0,
    bottom: 306.0,
};

/// One panel for each placement, blocking and spinning round trips together.
pub(super) fn chart(run: &Run) -> Chart {
    let fits = |c: &&Cell| {
        (rows::is_blocking(&c.scenario) || c.scenario == "round-trip-spin")
            && rows::is_small(run, c)
            && positive(c.latency.p50)
            && positive(c.cpu_seconds_per_million)
    };
    let all: Vec<&Cell> = run.cells.iter().filter(fits).collect();
    let cells = rows::representatives(&all);
    let places = [
        Placement::OtherAwake,
        Placement::OtherAsleep,
        Placement::SameCore,
    ];
    let bare = |cell: &Cell| !abilities::of(run, &cell.mechanism).payload;
    let figures = places.into_iter().filter_map(|place| {
        let here: Vec<_> = cells
            .iter()
            .filter(|c| c.placement == place)
            .copied()
            .collect();
        figure(rows::placement_title(place), &here, &bare)
    });
    let figures = figures.collect();
    let size = rows::small_size(run).map_or_else(String::new, numbers::size);
    Chart {
        id: "pareto",
        short: "CPU cost",
        title: "What does latency cost in CPU?",
        lead: format!(
            "Round trip of {size}: median latency against the CPU seconds that both sides burn for \
             a million of them. Left is faster, down is cheaper. No one beats the points on the \
             line at both; hollow points carry no bytes, and are not in the contest. Spinning looks cheap here because each round trip is short; while it \
             waits it burns its CPU all the same."
        ),
        figures,
        more: Vec::new(),
        absent: "No placement has two round trips with a median and a CPU time to compare.",
    }
}

fn figure(title: &str, cells: &[&Cell], bare: &dyn Fn(&Cell) -> bool) -> Option<Figure> {
    if cells.len() < 2 {
        return None;
    }
    let mut svg = Svg::new(560.0, 356.0);
    let x = Scale::log(
        cells.iter().map(|c| c.latency.p50),
        (AREA.left + 10.0, AREA.right - 90.0),
    )?;
    let y = Scale::log(
        cells.iter().map(|c| c.cpu_seconds_per_million),
        (AREA.bottom - 8.0, AREA.top + 8.0),
    )?;
    AREA.rows(&mut svg, &y, |value| {
        numbers::tick(&format!("{} s", numbers::digits(value)))
    });
    AREA.scale(&mut svg, &x, |v| numbers::tick(&numbers::time(v)));
    AREA.base(&mut svg);
    svg.text(
        ((AREA.left + AREA.right) / 2.0, 348.0),
        "tick mid",
        "median round trip",
    );
    svg.upright(
        (14.0, (AREA.top + AREA.bottom) / 2.0),
        "tick mid",
        "CPU s per million",
    );

    let at = |c: &Cell| (x.at(c.latency.p50), y.at(c.cpu_seconds_per_million));
    let carrying: Vec<&Cell> = cells.iter().filter(|c| !bare(c)).copied().collect();
    let front = front(&carrying);
    svg.polyline(
        &steps(&front.iter().map(|c| at(c)).collect::<Vec<_>>()),
        "front",
    );
    points(&mut svg, cells, &front, bare, at);
    let names: Vec<_> = front.iter().map(|c| rows::label(c)).collect();
    let description = format!("On the Pareto front: {}.", names.join(", "));
    let svg = svg.finish(title, &description);
    Some(Figure {
        title: title.to_owned(),
        svg,
        legend: legend(cells, bare),
        wide: false,
    })
}

/// The points and, where there is room, their names. The front is drawn last, so that it lies on
/// top, and labelled first: its names matter most.
fn points(
    svg: &mut Svg,
    cells: &[&Cell],
    front: &[&Cell],
    bare: &dyn Fn(&Cell) -> bool,
    at: impl Fn(&Cell) -> (f64, f64),
) {
    let mut taken: Vec<(f64, f64, f64, f64)> = cells
        .iter()
        .map(|c| at(c))
        .map(|(x, y)| (x - 5.0, y - 5.0, x + 5.0, y + 5.0))
        .collect();
    let on_front = |cell: &&&Cell| front.iter().any(|f| std::ptr::eq(*f, **cell));
    let rest: Vec<&Cell> = cells.iter().filter(|c| !on_front(c)).copied().collect();
    for (cells, class) in [(rest.as_slice(), "dot muted"), (front, "dot front-dot")] {
        for cell in cells {
            let class = if bare(cell) {
                "dot hollow muted"
            } else {
                class
            };
            svg.marker(form(cell), at(cell), class, &tip(cell));
        }
    }
    for (cells, class) in [(front, "label"), (&rest, "tick")] {
        for cell in cells {
            let name = rows::label(cell);
            let Some(place) = place(at(cell), text_width(&name), &taken) else {
                continue;
            };
            taken.push(place);
            // A label on the left ends at its point, however wide the reader's font is.
            if place.2 < at(cell).0 {
                svg.text((place.2, place.3 - 3.0), &format!("{class} end"), &name);
            } else {
                svg.text((place.0, place.3 - 3.0), class, &name);
            }
        }
    }
}

/// Not beaten in both latency and CPU by any other, by rising latency.
fn front<'a>(cells: &[&'a Cell]) -> Vec<&'a Cell> {
    let mut sorted = cells.to_vec();
    sorted.sort_by(|a, b| {
        let cpu = a
            .cpu_seconds_per_million
            .total_cmp(&b.cpu_seconds_per_million);
        a.latency.p50.total_cmp(&b.latency.p50).then(cpu)
    });
    let mut front: Vec<&Cell> = Vec::new();
    for cell in sorted {
        let beaten = front
            .last()
            .is_some_and(|f| f.cpu_seconds_per_million <= cell.cpu_seconds_per_million);
        if !beaten {
            front.push(cell);
        }
    }
    front
}

/// A front is a staircase: between two points nothing better is known.
fn steps(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut line = Vec::new();
    for (i, point) in points.iter().enumerate() {
        if i > 0 {
            line.push((point.0, points[i - 1].1));
        }
        line.push(*point);
    }
    line
}

/// A free rectangle beside a point for a label, if there is one.
fn place(
    (x, y): (f64, f64),
    width: f64,
    taken: &[(f64, f64, f64, f64)],
) -> Option<(f64, f64, f64, f64)> {
    let corners = [
        (x + 8.0, y - 7.0),
        (x - 8.0 - width, y - 7.0),
        (x - width / 2.0, y - 22.0),
        (x - width / 2.0, y + 8.0),
        (x + 7.0, y - 18.0),
        (x + 7.0, y + 5.0),
    ];
    corners
        .into_iter()
        .map(|(left, top)| (left, top, left + width, top + 14.0))
        .find(|r| {
            let inside = r.0 > AREA.left && r.2 < 558.0 && r.1 > 0.0 && r.3 < AREA.bottom;
            inside
                && taken
                    .iter()
                    .all(|t| r.2 < t.0 || t.2 < r.0 || r.3 < t.1 || t.3 < r.1)
        })
}

fn form(cell: &Cell) -> Shape {
    if rows::is_blocking(&cell.scenario) {
        Shape::Circle
    } else {
        Shape::Diamond
    }
}

fn legend(cells: &[&Cell], bare: &dyn Fn(&Cell) -> bool) -> Vec<(String, String)> {
    let mut legend = vec![("front-dot".to_owned(), "not beaten".to_owned())];
    legend.push(("muted".to_owned(), "beaten at both".to_owned()));
    if cells.iter().any(|c| bare(c)) {
        legend.push((String::new(), "○ carries no bytes".to_owned()));
    }
    for (shape, word) in [
        (Shape::Circle, "● blocking"),
        (Shape::Diamond, "◆ spinning"),
    ] {
        if cells.iter().any(|c| form(c) == shape) {
            legend.push((String::new(), word.to_owned()));
        }
    }
    legend
}
