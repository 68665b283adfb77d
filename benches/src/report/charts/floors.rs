//! Bars "× floor" with whiskers: how far each mechanism is from what the machine can do.

use super::{Area, Chart, Figure, is_headline, maker_class, maker_legend, tip};
use crate::{
    report::{
        axis::Scale,
        numbers::{self, positive},
        rows,
        svg::{Svg, room_for, shorten},
    },
    results::{Cell, Run},
};

const ROW: f64 = 20.0;
/// What a label takes at most, and what a multiple with its floor does.
const MOST_LABEL: f64 = 220.0;
const FIGURE: f64 = 190.0;

/// One panel for each scenario and placement, at the smallest usual size.
pub(super) fn chart(run: &Run) -> Chart {
    let (mut figures, mut more) = (Vec::new(), Vec::new());
    let fits = |c: &&Cell| rows::is_small(run, c) && positive(c.times_floor.value);
    let mut tables = rows::tables(run);
    for table in &mut tables {
        table.cells.retain(fits);
        table
            .cells
            .sort_by(|a, b| a.times_floor.value.total_cmp(&b.times_floor.value));
    }
    tables.retain(|table| !table.cells.is_empty());
    for table in &tables {
        let figure = figure(&table.title(), &table.cells);
        if is_headline(table, &tables) {
            figures.extend(figure)
        } else {
            more.extend(figure)
        }
    }
    let size = rows::small_size(run).map_or_else(String::new, numbers::size);
    Chart {
        id: "floors",
        short: "× floor",
        title: "How far is it from the floor?",
        lead: format!(
            "Each mechanism at {size} as a multiple of the physical floor that applies to it \
             (named beside the bar). The whisker is the 95 % interval of the paired ratio (none \
             where slices were too few); a bar starts at 1, the floor itself."
        ),
        figures,
        more,
        absent: "No cell has a multiple of a floor.",
    }
}

fn figure(title: &str, cells: &[&Cell]) -> Option<Figure> {
    let bounds = |c: &&Cell| {
        [
            c.times_floor.value,
            c.times_floor.low,
            c.times_floor.high,
            1.0,
        ]
    };
    let room = room_for(
        cells.iter().map(|cell| rows::label(cell)),
        142.0,
        MOST_LABEL,
    );
    let pixels = (room + 18.0, room + 232.0);
    let x = Scale::log(cells.iter().flat_map(bounds), pixels)?;
    if cells.is_empty() {
        return None;
    }
    let bottom = 10.0 + ROW * cells.len() as f64;
    let area = Area {
        left: room + 10.0,
        right: room + 238.0,
        top: 4.0,
        bottom,
    };
    let mut svg = Svg::new(area.right + 8.0 + FIGURE, bottom + 26.0);
    area.scale(&mut svg, &x, |v| {
        numbers::tick(&format!("{} ×", numbers::digits(v)))
    });
    for (row, cell) in cells.iter().enumerate() {
        let y = 4.0 + ROW * (row as f64 + 0.65);
        svg.text(
            (room + 2.0, y + 4.0),
            "label end",
            &shorten(&rows::label(cell), MOST_LABEL),
        );
        let of = &cell.times_floor;
        let (one, end) = (x.at(1.0), x.at(of.value));
        let (left, width) = (one.min(end), (end - one).abs().max(1.0));
        let class = format!("bar {}", maker_class(cell.kind));
        svg.rect((left, y - 6.0), (width, 12.0), &class, &tip(cell));
        if numbers::known(of) {
            let (low, high) = (x.at(of.low), x.at(of.high));
            svg.line((low, y), (high, y), "interval");
            svg.line((low, y - 4.0), (low, y + 4.0), "interval");
            svg.line((high, y - 4.0), (high, y + 4.0), "interval");
        }
        let text = format!("{} × {}", numbers::multiple(of.value), cell.floor);
        svg.text((area.right + 6.0, y + 4.0), "tick", &shorten(&text, FIGURE));
    }
    svg.line((x.at(1.0), area.top), (x.at(1.0), area.bottom), "one");
    let description = format!("Multiples of the floor of {} mechanisms.", cells.len());
    let legend = maker_legend(cells.iter().copied());
    let svg = svg.finish(title, &description);
    Some(Figure {
        title: title.to_owned(),
        svg,
        legend,
        wide: false,
    })
}
