//! Three panels, same core / other core awake / other core asleep: what the wake costs.

use super::{Area, Chart, Figure, maker_class, maker_legend, tip};
use crate::{
    report::{
        axis::Scale,
        numbers::{self, positive},
        rows,
        svg::{Shape, Svg, shorten},
    },
    results::{Cell, Placement, Run},
};

const ROW: f64 = 22.0;

/// Blocking round trips of the smallest usual size.
pub(super) fn chart(run: &Run) -> Chart {
    let fits = |c: &&Cell| {
        rows::is_blocking(&c.scenario) && rows::is_small(run, c) && positive(c.latency.p50)
    };
    let all: Vec<&Cell> = run.cells.iter().filter(fits).collect();
    let cells = rows::representatives(&all);
    let names = order(&cells);
    let mut figures = Vec::new();
    let values = || cells.iter().flat_map(|c| [c.latency.p50, p99(c)]);
    if let Some(x) = Scale::log(values(), (150.0, 350.0)) {
        for placement in [
            Placement::SameCore,
            Placement::OtherAwake,
            Placement::OtherAsleep,
        ] {
            let here: Vec<_> = cells
                .iter()
                .filter(|c| c.placement == placement)
                .copied()
                .collect();
            figures.push(figure(placement, &here, &names, &x));
        }
    }
    let size = rows::small_size(run).map_or_else(String::new, numbers::size);
    Chart {
        id: "placements",
        short: "Placement",
        title: "What does it cost to wake the other side?",
        lead: format!(
            "Blocking round trip of {size} in three placements, on one axis: the point is the \
             median, the line reaches to the 99th percentile. Rows in order of the median on the \
             same core."
        ),
        figures,
        more: Vec::new(),
        absent: "No blocking round trip was measured.",
    }
}

fn figure(placement: Placement, cells: &[&Cell], names: &[&str], x: &Scale) -> Figure {
    let bottom = 12.0 + ROW * names.len() as f64;
    let area = Area {
        left: 142.0,
        right: 372.0,
        top: 4.0,
        bottom,
    };
    let mut svg = Svg::new(380.0, bottom + 26.0);
    area.scale(&mut svg, x, |v| numbers::tick(&numbers::time(v)));
    area.base(&mut svg);
    for (row, name) in names.iter().enumerate() {
        let y = 4.0 + ROW * (row as f64 + 0.7);
        svg.text((134.0, y + 4.0), "label end", &shorten(name, 128.0));
        let Some(cell) = cells.iter().find(|cell| cell.mechanism == *name) else {
            svg.text((area.left + 8.0, y + 4.0), "tick", "not measured");
            continue;
        };
        let class = maker_class(cell.kind);
        let (from, to) = (
            x.at(cell.latency.p50),
            x.at(p99(cell).max(cell.latency.p50)),
        );
        svg.line((from, y), (to, y), &format!("whisker {class}"));
        svg.marker(
            Shape::Circle,
            (from, y),
            &format!("dot {class}"),
            &tip(cell),
        );
    }
    let title = rows::placement_title(placement).to_owned();
    let description = format!("Median and 99th percentile of {} mechanisms.", cells.len());
    let legend = maker_legend(cells.iter().copied());
    Figure {
        svg: svg.finish(&title, &description),
        title,
        legend,
        wide: false,
    }
}

/// Mechanisms, the fastest on one core first; those not measured there come last.
fn order<'a>(cells: &[&'a Cell]) -> Vec<&'a str> {
    let mut names: Vec<(&str, (u8, f64))> = Vec::new();
    for cell in cells {
        let key = (
            u8::from(cell.placement != Placement::SameCore),
            cell.latency.p50,
        );
        match names.iter_mut().find(|(name, _)| *name == cell.mechanism) {
            Some((_, best)) if key.partial_cmp(best).is_some_and(|o| o.is_lt()) => *best = key,
            Some(_) => {}
            None => names.push((&cell.mechanism, key)),
        }
    }
    names.sort_by(|a, b| a.1.0.cmp(&b.1.0).then(a.1.1.total_cmp(&b.1.1)));
    names.into_iter().map(|(name, _)| name).collect()
}

/// Not a number where too few messages were measured to know it: then no line is drawn.
fn p99(cell: &Cell) -> f64 {
    rows::resolved(cell, 99.0, cell.latency.p99)
}
