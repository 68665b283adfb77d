//! Strip chart of the floor probes: whether the machine stayed the same machine during the run.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{Area, Chart, Figure};
use crate::{
    report::{
        axis::Scale,
        numbers::{self, positive},
        svg::Svg,
    },
    results::{Probe, Run, State},
};

const AREA: Area = Area {
    left: 64.0,
    right: 1100.0,
    top: 12.0,
    bottom: 232.0,
};

/// All probes in time order, one panel over the whole width.
pub(super) fn chart(run: &Run) -> Chart {
    Chart {
        id: "probes",
        short: "Stillness",
        title: "Did the machine hold still?",
        lead: "Every floor probe of the run: the round trip of a cache line between the two CPUs \
               of a pair (where both sides share a CPU, one system call). Each slice stands \
               between two of them; a slice whose probes disagree was rejected (×)."
            .to_owned(),
        figures: figure(&run.probes).into_iter().collect(),
        more: Vec::new(),
        absent: "The run holds no floor probe.",
    }
}

fn figure(probes: &[Probe]) -> Option<Figure> {
    let usable = |p: &&Probe| positive(p.nanoseconds) && p.at_seconds.is_finite();
    let probes: Vec<&Probe> = probes.iter().filter(usable).collect();
    if probes.is_empty() {
        return None;
    }
    let last = probes.iter().map(|p| p.at_seconds).fold(0.0, f64::max);
    let x = Scale::from_zero(last, (AREA.left + 6.0, AREA.right - 6.0));
    let y = Scale::log(
        probes.iter().map(|p| p.nanoseconds),
        (AREA.bottom - 4.0, AREA.top + 4.0),
    )?;
    let mut svg = Svg::new(1120.0, 262.0);
    AREA.rows(&mut svg, &y, |value| numbers::tick(&numbers::time(value)));
    AREA.scale(&mut svg, &x, |v| {
        numbers::tick(&format!("{} s", numbers::digits(v)))
    });
    AREA.base(&mut svg);
    let mut legend = Vec::new();
    for (state, class, word) in STATES {
        for kept in [true, false] {
            let of: Vec<_> = probes
                .iter()
                .filter(|p| p.state == state && p.kept == kept)
                .copied()
                .collect();
            if of.is_empty() {
                continue;
            }
            let kind = if kept { "strip" } else { "strip rejected" };
            svg.path(&marks(&of, &x, &y, kept), &format!("{kind} {class}"), "");
            let word = if kept {
                word.to_owned()
            } else {
                format!("× {word}, rejected")
            };
            legend.push((
                class.to_owned(),
                format!("{word}: {}", numbers::whole(of.len() as u64)),
            ));
        }
    }
    let rejected = probes.iter().filter(|p| !p.kept).count();
    let title = "Floor probes over time";
    let description = format!(
        "{} floor probes, {rejected} of them rejected.",
        probes.len()
    );
    let svg = svg.finish(title, &description);
    Some(Figure {
        title: title.to_owned(),
        svg,
        legend,
        wide: true,
    })
}

const STATES: [(State, &str, &str); 4] = [
    (State::S, "s0", "S: hyper-thread siblings"),
    (State::C, "s1", "C: near cores"),
    (State::R, "s5", "R: far cores"),
    (State::One, "s4", "one CPU (system call)"),
];

/// One path for all points of a kind; points that fall on the same pixel are drawn once, so a
/// run of many thousand probes stays a small picture.
fn marks(probes: &[&Probe], x: &Scale, y: &Scale, kept: bool) -> String {
    let pixel = |p: &&Probe| {
        (
            x.at(p.at_seconds).round() as i64,
            y.at(p.nanoseconds).round() as i64,
        )
    };
    let pixels: BTreeSet<_> = probes.iter().map(pixel).collect();
    let mut path = String::new();
    for (x, y) in pixels {
        // Writing to a String cannot fail.
        let _ = if kept {
            write!(path, "M{x} {y}h0")
        } else {
            write!(path, "M{} {}l6 6m0-6l-6 6", x - 3, y - 3)
        };
    }
    path
}
