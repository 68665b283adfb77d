//! What one run of the bench has found out, as plain data: every report is made from this alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    abilities::{self, Abilities},
    goals::Bound,
};

/// A whole run. `--json FILE` writes exactly this.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Version of this layout; readers refuse another.
    pub format: u32,
    /// When the run began, seconds since the Unix epoch.
    pub started_unix_seconds: u64,
    /// How long the measuring part took.
    pub measuring_seconds: f64,
    /// How long the build took that came before it, where `cargo xtask bench` has said so.
    #[serde(default)]
    pub build_seconds: Option<f64>,
    /// The arguments the bench was started with.
    pub arguments: Vec<String>,
    /// The machine, as far as it lets itself be seen.
    pub machine: Machine,
    /// The physical floors of this machine.
    pub floors: Vec<Floor>,
    /// The measured cells.
    pub cells: Vec<Cell>,
    /// Paired ratios, each formed per slice in one interleaved run.
    pub ratios: Vec<Ratio>,
    /// The goals of this workspace, and what the ratios say about each.
    #[serde(default)]
    pub goals: Vec<Found>,
    /// What awaiting costs over blocking, of all that the run has measured both ways.
    #[serde(default)]
    pub awaited: Vec<Overhead>,
    /// What each mechanism is able to do at all.
    #[serde(default = "abilities::of_this_build")]
    pub abilities: BTreeMap<String, Abilities>,
    /// Cache-line round trips between the CPUs, two by two, where there are more than two.
    #[serde(default)]
    pub cores: Vec<CorePair>,
    /// What was not measured, each with its reason.
    pub unmeasured: Vec<Unmeasured>,
    /// Every floor probe of the run in time order: the strip chart.
    pub probes: Vec<Probe>,
    /// What the run thinks of itself.
    pub verdict: Verdict,
}

/// The machine and the settings that move the figures. A fact that cannot be read says why.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Machine {
    /// `(name, value)` in reading order: CPU, hypervisor, kernel, command line, governor, idle
    /// driver, clock source, mitigations, THP, pipe/mq/sem limits, memory, pinning.
    pub facts: Vec<(String, String)>,
    /// CPUs this process may use.
    pub cpus: Vec<usize>,
}

/// Where the two processes of a pair run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// Both on one CPU: a blocking round trip is two context switches.
    SameCore,
    /// Two CPUs, both kept out of the idle state by a process of the lowest priority.
    OtherAwake,
    /// Two CPUs that may go idle between messages.
    OtherAsleep,
}

/// The state of a (virtual) machine, told by the cache-line round trip between its two CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum State {
    /// Hyper-thread siblings: below 80 ns.
    S,
    /// Near cores: 80 to 300 ns.
    C,
    /// Far cores: above 300 ns.
    R,
    /// One CPU for both: there is no line to bounce.
    One,
}

/// A physical floor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Floor {
    /// `cache-line`, `futex-wake`, `system-call`, `memcpy` …
    pub name: String,
    /// Payload size in bytes, 0 where it has none.
    pub size_bytes: usize,
    /// Where it was measured.
    pub placement: Placement,
    /// State of the machine.
    pub state: State,
    /// Nanoseconds per operation, median over slices, with its 95 % interval.
    pub nanoseconds: Interval,
}

/// A median with its 95 % interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The median over slices.
    pub value: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end of its 95 % interval.
    pub high: f64,
    /// How many slices.
    pub n: usize,
}

/// One cell: maker of a mechanism × scenario × size × placement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cell {
    /// `pipe`, `fifo`, `uds-stream`, `ring` …
    pub mechanism: String,
    /// Whose code: the crate of this workspace (`ipc-pipe`), `raw`, `std`, `interprocess` …
    pub maker: String,
    /// What kind of code that is.
    pub kind: MakerKind,
    /// The name of a `Scenario`: `round-trip`, `one-way`, `wake` …
    pub scenario: String,
    /// Payload size in bytes.
    pub size_bytes: usize,
    /// Where the pair ran.
    pub placement: Placement,
    /// The prevailing state, of which the figures are.
    pub state: State,
    /// Messages (or round trips) measured.
    pub n: u64,
    /// Per-operation latency in nanoseconds, from a histogram. Groups of operations are timed
    /// together when one takes less than a few clock reads; `group` says how many.
    pub latency: Latency,
    /// Operations timed together for one histogram entry (1 = each alone).
    pub group: u32,
    /// Messages a second, median over slices (one-way), or round trips a second.
    pub messages_per_second: Interval,
    /// Payload bytes a second in one direction.
    pub bytes_per_second: Interval,
    /// Both sides' CPU seconds (user + system) per million messages.
    pub cpu_seconds_per_million: f64,
    /// System calls per message, both sides together, exact; `None` where they cannot be counted
    /// (the reason is in `Run::unmeasured`).
    pub system_calls: Option<f64>,
    /// Voluntary context switches (sleeps that needed a wake) per message, both sides.
    pub wakes: f64,
    /// Involuntary context switches per message, both sides.
    pub preemptions: f64,
    /// Multiple of the floor that applies (`floor` names it).
    pub times_floor: Interval,
    /// Name of that floor.
    pub floor: String,
    /// Of a load that is a share of what saturates: calls a second of the maker's own closed loop
    /// in the same run.
    #[serde(default)]
    pub saturation: Option<f64>,
    /// The receiver compared every byte of a sample of the messages with what was sent.
    pub verified: bool,
    /// How often the payload is copied between sender's and receiver's memory.
    pub copies: String,
}

/// Whose code a row measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MakerKind {
    /// A crate of this workspace.
    Ours,
    /// Plain system calls, written for the bench: the reference.
    Raw,
    /// A published crate by others.
    Peer,
}

/// Percentiles in nanoseconds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Latency {
    /// Smallest.
    pub min: f64,
    /// Median.
    pub p50: f64,
    /// 90 %.
    pub p90: f64,
    /// 99 %.
    pub p99: f64,
    /// 99.9 %.
    pub p999: f64,
    /// Largest.
    pub max: f64,
    /// `(percentile, nanoseconds)` for the percentile plot.
    pub curve: Vec<(f64, f64)>,
}

/// A paired ratio `mechanism/scenario/size/vs/reference`, ours / reference, for latency (lower is
/// better) and for one-way throughput (higher is better) alike.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ratio {
    /// For example `pipe/round-trip/64/vs/raw`.
    pub name: String,
    /// Median of the per-slice ratios.
    pub value: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end of its 95 % interval.
    pub high: f64,
    /// Slices.
    pub n: usize,
    /// State of the machine the slices were in.
    pub state: State,
    /// Where the pairs ran.
    pub placement: Placement,
    /// True where a larger ratio is better (throughput).
    pub higher_is_better: bool,
}

/// What awaiting costs: a mechanism with `.await` beside the same that blocks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Overhead {
    /// `pipe`, `tcp`, `rpc-native` …
    pub mechanism: String,
    /// As in a cell.
    pub scenario: String,
    /// As in a cell.
    pub size_bytes: usize,
    /// Where the pairs ran.
    pub placement: Placement,
    /// State of the machine the slices were in.
    pub state: State,
    /// Time of the awaited form as a multiple of the blocking one's, with its 95 % interval.
    pub times_blocking: Interval,
}

/// What a run says about one goal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Found {
    /// Goals of one number belong together.
    pub number: u8,
    /// The ratio that decides: `pipe/round-trip/64/vs/raw`.
    pub ratio: String,
    /// Where its pair ran.
    pub placement: Placement,
    /// What it must be.
    pub bound: Bound,
    /// Whether it is.
    pub outcome: Outcome,
    /// The ratio as measured, in the state of the machine in which the goal counts.
    pub found: Option<Ratio>,
    /// The same ratio in another placement, for comparison.
    pub beside: Option<Ratio>,
}

/// Whether a goal was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The whole interval lies within the bound.
    Met,
    /// Some of the interval, or all, lies beyond the bound.
    Missed,
    /// The run has no such ratio, or too few slices for an interval.
    NotMeasured,
}

/// How far two CPUs are apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CorePair {
    /// The two.
    pub cpus: (usize, usize),
    /// Round trip of a cache line between them.
    pub nanoseconds: f64,
}

/// Something that was not measured, and why.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Unmeasured {
    /// `mechanism/scenario/size` or the name of a quantity.
    pub what: String,
    /// One clause.
    pub why: String,
}

/// One floor probe.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Probe {
    /// Seconds since the start of the run.
    pub at_seconds: f64,
    /// Cache-line round trip in nanoseconds (the system-call floor where both share a CPU).
    pub nanoseconds: f64,
    /// The state it shows.
    pub state: State,
    /// The slice it brackets was kept.
    pub kept: bool,
}

/// What the run thinks of itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Verdict {
    /// Slices kept.
    pub kept: usize,
    /// Slices rejected because their two probes disagreed or were of another state.
    pub rejected: usize,
    /// Median floor probe of the last tenth of the run over that of the first tenth.
    pub floor_drift: f64,
    /// Share of the probes in each state.
    pub states: Vec<(String, f64)>,
    /// `quiet`, `usable` or `noisy`, and why, in one sentence.
    pub sentence: String,
}
