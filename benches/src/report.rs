//! Reports made from the plain data of a run: for a terminal, as a page, as Markdown, as JSON.

mod abilities;
mod advice;
mod axis;
mod charts;
mod cores;
mod escape;
mod files;
mod goals;
mod html;
mod markdown;
mod numbers;
mod overheads;
mod ratios;
mod rows;
mod showcase;
mod svg;
mod terminal;

pub use files::{check_directory, check_file, write, write_json};
pub use html::page;
pub use markdown::{readme_table, summary};
pub use showcase::refresh;
pub use terminal::terminal;

use crate::results::{Floor, Run};

/// When, for how long and how the run was made.
fn measured(run: &Run) -> String {
    let seconds = match run.measuring_seconds {
        s if s.is_finite() && s >= 0.0 => format!("{} s of measuring", numbers::digits(s)),
        _ => "for an unknown time".to_owned(),
    };
    let built = match run.build_seconds {
        Some(s) if s.is_finite() && s >= 0.0 => format!("{} s of building, ", numbers::digits(s)),
        _ => String::new(),
    };
    let arguments = match run.arguments.as_slice() {
        [] => "default arguments".to_owned(),
        some => format!("arguments: {}", some.join(" ")),
    };
    let cpus: Vec<_> = run.machine.cpus.iter().map(usize::to_string).collect();
    let cpus = if cpus.is_empty() {
        "unknown".to_owned()
    } else {
        cpus.join(", ")
    };
    let date = numbers::date(run.started_unix_seconds);
    format!("{date}, {built}{seconds}, {arguments}; CPUs allowed: {cpus}")
}

/// The first fact of the machine whose name holds `name`, if one could be read.
fn fact<'a>(run: &'a Run, name: &str) -> Option<&'a str> {
    let holds = |(of, value): &&(String, String)| {
        of.to_lowercase().contains(name) && !value.starts_with("not ")
    };
    run.machine
        .facts
        .iter()
        .find(holds)
        .map(|(_, value)| value.as_str())
}

/// Name, size, placement, state, median, interval and slices of a floor.
fn floor_row(floor: &Floor) -> Vec<String> {
    let of = &floor.nanoseconds;
    let size = match floor.size_bytes {
        0 => String::new(),
        bytes => numbers::size(bytes),
    };
    vec![
        floor.name.clone(),
        size,
        rows::placement_title(floor.placement).to_owned(),
        format!("{:?}", floor.state),
        numbers::time(of.value),
        format!("{}–{}", numbers::time(of.low), numbers::time(of.high)),
        of.n.to_string(),
    ]
}

/// What was not measured, gathered under its reasons.
fn by_reason(run: &Run) -> Vec<(&str, Vec<&str>)> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for item in &run.unmeasured {
        match reasons.iter_mut().find(|(why, _)| *why == item.why) {
            Some((_, what)) => what.push(&item.what),
            None => reasons.push((&item.why, vec![&item.what])),
        }
    }
    reasons
}

/// Slices, drift and states, as sentences.
fn verdict_figures(run: &Run) -> String {
    let verdict = &run.verdict;
    let all = verdict.kept + verdict.rejected;
    let slices = if all == 0 {
        "No slice was recorded.".to_owned()
    } else {
        let share = numbers::percent(verdict.rejected as f64 / all as f64);
        let (kept, rejected) = (verdict.kept as u64, verdict.rejected as u64);
        let (kept, rejected) = (numbers::whole(kept), numbers::whole(rejected));
        format!("Slices: {kept} kept, {rejected} rejected ({share}).")
    };
    let drift = if numbers::positive(verdict.floor_drift) {
        let drift = numbers::digits(verdict.floor_drift);
        format!("Floor drift: {drift} × (last tenth of the run over the first).")
    } else {
        "Floor drift: unknown.".to_owned()
    };
    let state = |(name, share): &(String, f64)| format!("{name} {}", numbers::percent(*share));
    let states: Vec<_> = verdict.states.iter().map(state).collect();
    let states = match states.as_slice() {
        [] => "States seen: none recorded.".to_owned(),
        some => format!("States seen: {}.", some.join(", ")),
    };
    format!("{slices} {drift} {states}")
}

/// What the words and figures mean; the same in every report.
const METHOD: [(&str, &str); 8] = [
    (
        "Processes",
        "Each pair is two real processes, pinned to one core or to two where the host allows it; \
         the facts of the machine say whether it did.",
    ),
    (
        "Slices",
        "The run is cut into slices of a few milliseconds, each between two floor probes. The \
         probes tell the state of the (virtual) machine, which may change within seconds: S \
         hyper-thread siblings, C near cores, R far cores. A slice whose probes disagree is \
         rejected. Figures are of the state seen most.",
    ),
    (
        "Latency",
        "Percentiles of a histogram. Round trips are closed loop at depth one: the next begins \
         when the last has ended, so no queue ever builds up and a loaded system will be slower.",
    ),
    (
        "Load",
        "The open-loop scenario sends at a fixed rate and times each message from when it was to \
         be sent, whether the sender was held up or not: a queue that builds up shows.",
    ),
    (
        "× floor",
        "The same figure as a multiple of what this machine can do at best (the named floor), with \
         the 95 % interval of its median over the slices.",
    ),
    (
        "Ratios",
        "Formed per slice between neighbours of one interleaved run; median and 95 % interval. For \
         latency less is better, for throughput more.",
    ),
    (
        "CPU",
        "User and system seconds of both sides per million messages. System calls and wakes \
         (voluntary context switches) are per message, both sides together; a question mark says \
         that they could not be counted.",
    ),
    (
        "Answer",
        "Chosen from measured cells alone, each mechanism by our crate where there is one, else by \
         plain system calls (raw). Candidates whose intervals overlap are named as not told apart.",
    ),
];
