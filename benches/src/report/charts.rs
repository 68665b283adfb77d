//! The pictures of a run: each chart is made of figures, or says why it has none.

mod cores;
mod floors;
mod latency;
mod pareto;
mod percentiles;
mod placements;
mod probes;
mod ratios;

use super::{
    axis::Scale,
    numbers, rows,
    svg::{Shape, Svg},
};
use crate::results::{Cell, MakerKind, Run};

/// A chart: one question, answered by one picture for each scenario and placement.
pub(crate) struct Chart {
    /// Anchor on the page.
    pub(crate) id: &'static str,
    /// Its name in the list of sections.
    pub(crate) short: &'static str,
    /// The question it answers.
    pub(crate) title: &'static str,
    /// How to read it.
    pub(crate) lead: String,
    /// Shown at once.
    pub(crate) figures: Vec<Figure>,
    /// Shown on demand.
    pub(crate) more: Vec<Figure>,
    /// Why there is no figure, when there is none.
    pub(crate) absent: &'static str,
}

/// One picture with its caption.
pub(crate) struct Figure {
    pub(crate) title: String,
    pub(crate) svg: String,
    /// What colours and shapes mean: the class of a swatch (none if empty) and its words.
    pub(crate) legend: Vec<(String, String)>,
    /// Takes the whole width of the page.
    pub(crate) wide: bool,
}

/// All charts, in the order of a reader's questions.
pub(crate) fn all(run: &Run) -> Vec<Chart> {
    vec![
        latency::chart(run),
        placements::chart(run),
        pareto::chart(run),
        floors::chart(run),
        percentiles::chart(run),
        ratios::chart(run),
        cores::chart(run),
        probes::chart(run),
    ]
}

/// The area inside the margins of a picture: left, right, top, bottom in pixels.
#[derive(Clone, Copy)]
pub(crate) struct Area {
    pub(crate) left: f64,
    pub(crate) right: f64,
    pub(crate) top: f64,
    pub(crate) bottom: f64,
}

impl Area {
    /// Grid and labels of the vertical axis.
    fn rows(&self, svg: &mut Svg, scale: &Scale, format: impl Fn(f64) -> String) {
        for value in scale.ticks() {
            let y = scale.at(value);
            svg.line((self.left, y), (self.right, y), "grid");
            svg.text((self.left - 8.0, y + 4.0), "tick end", &format(value));
        }
    }

    /// Grid and labels of the horizontal axis. Labels come in the order of `ticks`; one that would
    /// touch another is left out.
    fn columns(&self, svg: &mut Svg, ticks: &[(f64, String)]) {
        let mut taken: Vec<(f64, f64)> = Vec::new();
        for (x, label) in ticks {
            svg.line((*x, self.top), (*x, self.bottom), "grid");
            let half = super::svg::text_width(label) / 2.0 + 5.0;
            if taken
                .iter()
                .all(|(from, to)| x + half <= *from || *to <= x - half)
            {
                svg.text((*x, self.bottom + 18.0), "tick mid", label);
                taken.push((x - half, x + half));
            }
        }
    }

    /// [`Area::columns`] of a scale, powers of ten first: they must not lose their labels.
    pub(crate) fn scale(&self, svg: &mut Svg, scale: &Scale, format: impl Fn(f64) -> String) {
        let whole = |value: &f64| (value.log10() - value.log10().round()).abs() < 1e-9;
        let (mut ticks, rest): (Vec<f64>, Vec<f64>) = scale.ticks().into_iter().partition(whole);
        ticks.extend(rest);
        let ticks: Vec<_> = ticks.iter().map(|v| (scale.at(*v), format(*v))).collect();
        self.columns(svg, &ticks);
    }

    fn base(&self, svg: &mut Svg) {
        svg.line((self.left, self.bottom), (self.right, self.bottom), "axis");
    }
}

/// The class of a colour slot.
fn colour(slot: usize) -> String {
    format!("s{}", slot % rows::MOST_LINES)
}

/// The shape that goes with a colour slot.
fn shape(slot: usize) -> Shape {
    [
        Shape::Circle,
        Shape::Square,
        Shape::Diamond,
        Shape::Triangle,
    ][slot % 4]
}

/// The class of the colour of a maker.
fn maker_class(kind: MakerKind) -> &'static str {
    match kind {
        MakerKind::Ours => "ours",
        MakerKind::Raw => "raw",
        MakerKind::Peer => "peer",
    }
}

/// The makers that `cells` hold, for a legend.
fn maker_legend<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> Vec<(String, String)> {
    let mut found = [false; 3];
    for cell in cells {
        found[cell.kind as usize] = true;
    }
    [
        (MakerKind::Ours, "our crates"),
        (MakerKind::Raw, "raw system calls"),
        (MakerKind::Peer, "others' code"),
    ]
    .into_iter()
    .filter(|(kind, _)| found[*kind as usize])
    .map(|(kind, word)| (maker_class(kind).to_owned(), word.to_owned()))
    .collect()
}

/// What the pointer is told about a cell.
fn tip(cell: &Cell) -> String {
    let mut tip = format!(
        "{}, {}: ",
        rows::label(cell),
        numbers::size(cell.size_bytes)
    );
    if rows::is_stream(&cell.scenario) {
        tip += &format!(
            "{}, {}",
            numbers::throughput(cell.bytes_per_second.value),
            numbers::rate(cell.messages_per_second.value)
        );
    } else {
        let (p50, p99) = (
            cell.latency.p50,
            rows::resolved(cell, 99.0, cell.latency.p99),
        );
        tip += &format!("p50 {}, p99 {}", numbers::time(p50), numbers::time(p99));
    }
    tip + "; " + &rows::times_floor(cell)
}

/// Whether `table` is the placement of its scenario that is shown first: two cores that nobody
/// keeps awake for the sake of the measurement, as users have them.
fn is_headline(table: &rows::Table<'_>, tables: &[rows::Table<'_>]) -> bool {
    use crate::results::Placement::{OtherAsleep, OtherAwake, SameCore};
    let key = |t: &rows::Table<'_>| match t.placement {
        OtherAsleep => 2,
        OtherAwake => 1,
        SameCore => 0,
    };
    let rivals = tables
        .iter()
        .filter(|t| rows::scenario_title(t.scenario) == rows::scenario_title(table.scenario));
    rivals.map(key).max() == Some(key(table))
}
