//! Heat map of the distances between CPUs: which two a pair should run on.

use super::{Chart, Figure};
use crate::{
    report::{
        cores::{self, Matrix},
        numbers,
        svg::Svg,
    },
    results::Run,
};

const LEFT: f64 = 52.0;
const TOP: f64 = 24.0;
/// Shades from near to far, each a class of its own.
const SHADES: usize = 6;
/// Above so many CPUs a square is too small for its figure.
const FIGURES: usize = 16;

/// One picture of all pairs.
pub(super) fn chart(run: &Run) -> Chart {
    Chart {
        id: "cores",
        short: "Cores",
        title: "How far apart are the CPUs?",
        lead: format!(
            "In nanoseconds, between any two CPUs that this run may use. Strong colour is far: two \
             processes talk faster where it is faint. {}",
            cores::sentence(run).unwrap_or_default()
        ),
        figures: cores::matrix(run)
            .map(|matrix| figure(&matrix))
            .into_iter()
            .collect(),
        more: Vec::new(),
        absent: "Drawn only where the run may use more than two CPUs: between two there is one \
                 distance, and the floors name it.",
    }
}

fn figure(matrix: &Matrix) -> Figure {
    let count = matrix.cpus.len();
    let square = (500.0 / count as f64).clamp(18.0, 46.0);
    let (low, high) = range(matrix);
    let side = square * count as f64 + 8.0;
    // Never narrower than the other pictures: a page stretches all to one width.
    let mut svg = Svg::new((LEFT + side).max(560.0), TOP + side);
    for (row, one) in matrix.cpus.iter().enumerate() {
        let y = TOP + square * row as f64;
        let name = format!("CPU {one}");
        svg.text((LEFT - 6.0, y + square / 2.0 + 4.0), "tick end", &name);
        let middle = LEFT + square * (row as f64 + 0.5);
        svg.text((middle, TOP - 8.0), "tick mid", &one.to_string());
        for (column, value) in matrix.rows[row].iter().enumerate() {
            let at = (LEFT + square * column as f64, y);
            let Some(nanoseconds) = *value else { continue };
            let other = matrix.cpus[column];
            let tip = format!("CPUs {one} and {other}: {}", numbers::time(nanoseconds));
            let shade = shade(nanoseconds, low, high);
            svg.rect(
                at,
                (square - 1.5, square - 1.5),
                &format!("heat h{shade}"),
                &tip,
            );
            if count <= FIGURES {
                // Only the two strongest shades are dark enough for paper's colour to be read.
                let class = if shade + 2 >= SHADES {
                    "tick mid on-dark"
                } else {
                    "label mid"
                };
                let middle = (at.0 + square / 2.0, at.1 + square / 2.0 + 4.0);
                svg.text(middle, class, &format!("{nanoseconds:.0}"));
            }
        }
    }
    let title = "Core × core";
    let description = format!("Distances between {count} CPUs.");
    Figure {
        title: title.to_owned(),
        svg: svg.finish(title, &description),
        legend: vec![
            (
                "heat-key h0".to_owned(),
                format!("near: {}", numbers::time(low)),
            ),
            (
                // What is far on this machine need not be the strongest shade there is.
                format!("heat-key h{}", shade(high, low, high)),
                format!("far: {}", numbers::time(high)),
            ),
        ],
        wide: count > FIGURES,
    }
}

fn range(matrix: &Matrix) -> (f64, f64) {
    let values = matrix.rows.iter().flatten().flatten();
    values.fold((f64::INFINITY, 0.0), |(low, high), value| {
        (low.min(*value), high.max(*value))
    })
}

/// Equal factors look equal; distances that differ by noise only get one shade.
fn shade(value: f64, low: f64, high: f64) -> usize {
    let span = (high / low).max(1.5).ln();
    let share = (value / low).ln() / span;
    ((share * SHADES as f64) as usize).min(SHADES - 1)
}
