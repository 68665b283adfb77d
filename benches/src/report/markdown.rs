//! The report as Markdown: compact, for the summary of a CI job or for a README.

use std::fmt::Write as _;

use super::{
    advice, cores,
    escape::markdown as escape,
    goals, numbers, overheads,
    ratios::Named,
    rows::{self, Table},
    showcase,
};
use crate::results::{Cell, Run};

/// The whole run in compact form.
pub fn summary(run: &Run) -> String {
    let mut out = String::from("# Which IPC mechanism, on this machine\n\n");
    paragraph(&mut out, &super::measured(run));
    answer(&mut out, run);
    for table in rows::tables(run) {
        cells(&mut out, &table);
    }
    goals(&mut out, run);
    awaited(&mut out, run);
    ratios(&mut out, run);
    floors(&mut out, run);
    cores(&mut out, run);
    heading(&mut out, "Machine");
    if run.machine.facts.is_empty() {
        paragraph(&mut out, "Nothing was recorded about the machine.");
    }
    for (name, value) in &run.machine.facts {
        line(&mut out, &format!("- {}: {}", escape(name), escape(value)));
    }
    heading(&mut out, "Not measured");
    if run.unmeasured.is_empty() {
        paragraph(&mut out, "Nothing is recorded as left out.");
    }
    for (why, what) in super::by_reason(run) {
        line(
            &mut out,
            &format!("- {}: {}", escape(why), escape(&what.join(", "))),
        );
    }
    heading(&mut out, "Verdict on this run");
    paragraph(&mut out, &run.verdict.sentence);
    paragraph(&mut out, &super::verdict_figures(run));
    out
}

/// A small table for a README: mechanism × size, without the variants of a mechanism, median round
/// trip and one-way throughput, each with its multiple of the floor.
///
/// The round trip is the blocking one between two cores that may sleep, else between awake ones,
/// else on one core; the heading says which.
pub fn readme_table(run: &Run) -> String {
    let sizes = advice::sizes(run);
    let tables = rows::tables(run);
    let blocking = tables
        .iter()
        .filter(|table| {
            table
                .cells
                .iter()
                .any(|cell| rows::is_blocking(&cell.scenario))
        })
        .max_by_key(|table| table.placement);
    let streams: Vec<&Cell> = tables
        .iter()
        .filter(|table| table.scenario == "one-way")
        .flat_map(|table| table.cells.iter().copied())
        .collect();
    let Some(blocking) = blocking else {
        return "No blocking round trip was measured.\n".to_owned();
    };
    let trips = rows::representatives(&blocking.cells);
    let mut out = String::new();
    let head = sizes
        .iter()
        .map(|size| numbers::size(*size))
        .collect::<Vec<_>>();
    line(
        &mut out,
        &format!("| {} | {} |", escape(&blocking.title()), head.join(" | ")),
    );
    line(&mut out, &format!("|---|{}", "---|".repeat(sizes.len())));
    for mechanism in rows::mechanisms(run) {
        if !showcase::SHOWN.contains(&mechanism) {
            continue;
        }
        let at = |size: usize| {
            let same = |c: &&&Cell| c.mechanism == mechanism && c.size_bytes == size;
            let trip = trips.iter().find(same)?;
            let stream = streams.iter().filter(|c| same(c) && c.maker == trip.maker);
            let stream = stream.max_by(|a, b| {
                a.bytes_per_second
                    .value
                    .total_cmp(&b.bytes_per_second.value)
            });
            let time = numbers::time(trip.latency.p50);
            let times = match trip.times_floor.value {
                value if numbers::positive(value) => format!("{} × floor", numbers::digits(value)),
                _ => "no floor".to_owned(),
            };
            let rate = stream.map_or_else(String::new, |c| {
                format!(", {}", numbers::throughput(c.bytes_per_second.value))
            });
            Some(format!("{time} ({times}){rate}"))
        };
        let figures: Vec<Option<String>> = sizes.iter().map(|size| at(*size)).collect();
        if figures.iter().all(Option::is_none) {
            continue;
        }
        let figures = figures
            .into_iter()
            .map(|f| f.unwrap_or_else(|| numbers::NONE.into()));
        let figures = figures.collect::<Vec<_>>().join(" | ");
        let maker = trips
            .iter()
            .find(|c| c.mechanism == mechanism)
            .map(|c| rows::label(c));
        line(
            &mut out,
            &format!("| {} | {figures} |", escape(&maker.unwrap_or_default())),
        );
    }
    out
}

fn answer(out: &mut String, run: &Run) {
    heading(out, "The answer");
    let sizes = advice::sizes(run);
    if sizes.is_empty() {
        paragraph(
            out,
            "No cell was measured, so this run cannot advise on anything.",
        );
    }
    for size in sizes {
        line(out, &format!("### {}\n", numbers::size(size)));
        line(
            out,
            "| need | choose | figure | × floor | CPU | where | how sure |",
        );
        line(out, "|---|---|---:|---|---:|---|---|");
        for answer in advice::answers(run, size) {
            let need = answer.need.title();
            line(
                out,
                &match &answer.outcome {
                    Err(why) => format!("| {need} | {} | | | | | {} |", numbers::NONE, escape(why)),
                    Ok(pick) => format!(
                        "| {need} | **{}** | {} | {} | {}, {} | {} | {} |",
                        escape(&rows::label(pick.cell)),
                        pick.figure(),
                        escape(&rows::times_floor(pick.cell)),
                        advice::cpu(pick.cell),
                        advice::busy(pick.cell),
                        rows::placement_title(pick.cell.placement),
                        escape(&pick.notes().join("; ")),
                    ),
                },
            );
        }
        out.push('\n');
    }
}

fn cells(out: &mut String, table: &Table<'_>) {
    heading(out, &table.title());
    paragraph(out, &table.basis());
    line(
        out,
        "| mechanism | size | n | min | p50 | p90 | p99 | p99.9 | max | messages | bytes \
         | CPU s/M | calls | wakes | preempted | × floor | verified | copies |",
    );
    line(out, &format!("|---{}|---|---|---|", "|---:".repeat(14)));
    for cell in &table.cells {
        let calls = cell
            .system_calls
            .map_or_else(|| "?".to_owned(), numbers::count);
        line(
            out,
            &format!(
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {calls} | {} | {} \
                 | {} | {} | {} |",
                escape(&rows::label(cell)),
                numbers::size(cell.size_bytes),
                numbers::whole(cell.n),
                numbers::time(cell.latency.min),
                numbers::time(cell.latency.p50),
                numbers::time(rows::resolved(cell, 90.0, cell.latency.p90)),
                numbers::time(rows::resolved(cell, 99.0, cell.latency.p99)),
                numbers::time(rows::resolved(cell, 99.9, cell.latency.p999)),
                numbers::time(cell.latency.max),
                numbers::rate(cell.messages_per_second.value),
                numbers::throughput(cell.bytes_per_second.value),
                numbers::count(cell.cpu_seconds_per_million),
                numbers::count(cell.wakes),
                numbers::count(cell.preemptions),
                escape(&rows::times_floor(cell)),
                rows::verified(cell),
                escape(&cell.copies),
            ),
        );
    }
}

fn ratios(out: &mut String, run: &Run) {
    if run.ratios.is_empty() {
        return;
    }
    heading(out, "Ratios, paired slice by slice");
    line(
        out,
        "| | ratio | placement | value and 95 % interval | better is | state | slices |",
    );
    line(out, "|---|---|---|---|---|---|---:|");
    for ratio in &run.ratios {
        let named = Named::of(ratio);
        line(
            out,
            &format!(
                "| {} | {} | {} | {} | {} | {:?} | {} |",
                named.judgement().sign(),
                escape(&ratio.name),
                rows::placement_title(ratio.placement),
                escape(&numbers::ratio(&named.interval())),
                if ratio.higher_is_better {
                    "more"
                } else {
                    "less"
                },
                ratio.state,
                ratio.n,
            ),
        );
    }
    out.push('\n');
    paragraph(
        out,
        "▲ better, ▼ worse, = the interval holds 1: no difference shown.",
    );
}

fn floors(out: &mut String, run: &Run) {
    heading(out, "Floors");
    if run.floors.is_empty() {
        paragraph(
            out,
            "No floor was measured: multiples of it mean nothing in this run.",
        );
        return;
    }
    line(
        out,
        "| floor | size | placement | state | median | 95 % interval | slices |",
    );
    line(out, "|---|---:|---|---|---:|---:|---:|");
    for floor in &run.floors {
        let row: Vec<_> = super::floor_row(floor)
            .iter()
            .map(|cell| escape(cell))
            .collect();
        line(out, &format!("| {} |", row.join(" | ")));
    }
}

fn goals(out: &mut String, run: &Run) {
    if run.goals.is_empty() {
        return;
    }
    heading(out, "Goals");
    line(out, &format!("| {} |", goals::HEADS.join(" | ")));
    line(out, &format!("|{}", "---|".repeat(goals::HEADS.len())));
    for goal in &run.goals {
        let mut row = goals::row(goal).map(|text| escape(&text));
        if let Some(note) = goals::note(goal) {
            row[7] += &format!("; {}", escape(&note));
        }
        line(out, &format!("| {} |", row.join(" | ")));
    }
    out.push('\n');
    paragraph(out, &goals::summary(run));
}

fn awaited(out: &mut String, run: &Run) {
    let Some((heads, rows)) = overheads::table(run) else {
        return;
    };
    heading(out, "Awaited against blocking, per mechanism");
    paragraph(out, overheads::LEAD);
    line(out, &format!("| {} |", heads.join(" | ")));
    line(out, &format!("|---|{}", "---:|".repeat(heads.len() - 1)));
    for row in &rows {
        line(out, &format!("| {} |", row.join(" | ")));
    }
    out.push('\n');
}

fn cores(out: &mut String, run: &Run) {
    let (Some(matrix), Some(sentence)) = (cores::matrix(run), cores::sentence(run)) else {
        return;
    };
    heading(out, "Core × core, in nanoseconds");
    paragraph(out, &sentence);
    let heads: Vec<String> = matrix.cpus.iter().map(usize::to_string).collect();
    line(out, &format!("| CPU | {} |", heads.join(" | ")));
    line(out, &format!("|---:|{}", "---:|".repeat(heads.len())));
    for (cpu, row) in matrix.cpus.iter().zip(&matrix.rows) {
        let figures = row
            .iter()
            .map(|value| value.map_or_else(String::new, |ns| format!("{ns:.0}")));
        let figures: Vec<String> = figures.collect();
        line(out, &format!("| {cpu} | {} |", figures.join(" | ")));
    }
}

fn heading(out: &mut String, title: &str) {
    let _ = write!(out, "\n## {}\n\n", escape(title));
}

fn paragraph(out: &mut String, text: &str) {
    let _ = write!(out, "{}\n\n", escape(text));
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}
