//! Forest plot of the paired ratios: ours against raw and against peers, with the line of 1.

use std::collections::BTreeMap;

use super::{Area, Chart, Figure};
use crate::{
    report::{
        axis::Scale,
        numbers::{self, positive},
        ratios::{Judgement, Named},
        rows,
        svg::{Shape, Svg, room_for, shorten},
    },
    results::Run,
};

const ROW: f64 = 20.0;
/// What a label takes at most, and what a value with its interval does.
const MOST_LABEL: f64 = 300.0;
const FIGURE: f64 = 156.0;

/// One panel for each scenario, placement and direction.
pub(super) fn chart(run: &Run) -> Chart {
    let mut groups: BTreeMap<_, Vec<Named<'_>>> = BTreeMap::new();
    for ratio in run.ratios.iter().filter(|ratio| positive(ratio.value)) {
        let named = Named::of(ratio);
        let key = (
            named.scenario.to_owned(),
            ratio.placement,
            ratio.higher_is_better,
        );
        groups.entry(key).or_default().push(named);
    }
    let figures = groups
        .into_iter()
        .filter_map(|((scenario, placement, higher), rows)| {
            let better = if higher {
                "more is better"
            } else {
                "less is better"
            };
            let title = format!("{} ({better})", rows::heading(&scenario, placement));
            figure(&title, &rows)
        });
    Chart {
        id: "ratios",
        short: "Ratios",
        title: "How do rivals compare, pair by pair?",
        lead:
            "Each ratio was formed slice by slice in one interleaved run, so the machine's moods \
               cancel; the line is its 95 % interval. An interval that holds 1 shows no difference."
                .to_owned(),
        figures: figures.collect(),
        more: Vec::new(),
        absent: "The run formed no ratio: nothing measured had a reference beside it.",
    }
}

fn figure(title: &str, rows: &[Named<'_>]) -> Option<Figure> {
    let room = room_for(rows.iter().map(Named::short), 200.0, MOST_LABEL);
    let area = Area {
        left: room + 26.0,
        right: room + 224.0,
        top: 4.0,
        bottom: 12.0 + ROW * rows.len() as f64,
    };
    let x = scale(rows, (area.left + 10.0, area.right - 10.0))?;
    let mut svg = Svg::new(area.right + 8.0 + FIGURE, area.bottom + 26.0);
    area.scale(&mut svg, &x, |v| numbers::tick(&format!("{v:.4}")));
    area.base(&mut svg);
    svg.line((x.at(1.0), area.top), (x.at(1.0), area.bottom), "one");
    for (at, row) in rows.iter().enumerate() {
        let y = 4.0 + ROW * (at as f64 + 0.7);
        draw(&mut svg, area, &x, row, y);
    }
    let description = format!(
        "{} ratios with their intervals, around the line of 1.",
        rows.len()
    );
    Some(Figure {
        title: title.to_owned(),
        svg: svg.finish(title, &description),
        legend: legend(rows),
        wide: false,
    })
}

/// Near 1 an even scale reads better; over a wide range equal factors must look equal.
fn scale(rows: &[Named<'_>], pixels: (f64, f64)) -> Option<Scale> {
    let values = || {
        let ends = |r: &Named<'_>| [r.ratio.value, r.ratio.low, r.ratio.high];
        rows.iter()
            .flat_map(ends)
            .filter(|value| positive(*value))
            .chain([1.0])
    };
    let (low, high) = values().fold((1.0, 1.0), |(l, h), v| (f64::min(l, v), f64::max(h, v)));
    if high / low < 3.0 {
        Scale::linear(values(), pixels)
    } else {
        Scale::log(values(), pixels)
    }
}

/// One ratio: its name, its interval as a line, its value as a point and as a figure.
fn draw(svg: &mut Svg, area: Area, x: &Scale, row: &Named<'_>, y: f64) {
    let name = shorten(&row.short(), MOST_LABEL);
    svg.text((area.left - 8.0, y + 4.0), "label end", &name);
    let class = row.judgement().class();
    let text = numbers::ratio(&row.interval());
    if numbers::known(&row.interval()) {
        let ends = ((x.at(row.ratio.low), y), (x.at(row.ratio.high), y));
        svg.line(ends.0, ends.1, &format!("whisker {class}"));
    }
    let tip = format!("{}: {text}, {} slices", row.ratio.name, row.ratio.n);
    let shape = match row.judgement() {
        Judgement::Better => Shape::Triangle,
        Judgement::Worse => Shape::Square,
        Judgement::Same | Judgement::Unknown => Shape::Circle,
    };
    let at = (x.at(row.ratio.value), y);
    svg.marker(shape, at, &format!("dot {class}"), &tip);
    svg.text((area.right + 6.0, y + 4.0), "tick", &shorten(&text, FIGURE));
}

/// The judgements that occur, with their colours.
fn legend(rows: &[Named<'_>]) -> Vec<(String, String)> {
    [
        Judgement::Better,
        Judgement::Same,
        Judgement::Worse,
        Judgement::Unknown,
    ]
    .into_iter()
    .filter(|of| rows.iter().any(|row| row.judgement() == *of))
    .map(|of| {
        (
            of.class().to_owned(),
            format!("{} {}", of.sign(), of.word()),
        )
    })
    .collect()
}
