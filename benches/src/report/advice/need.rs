//! What somebody may want most of a mechanism, and how cells are compared for it.

use crate::{
    abilities::Abilities,
    report::{
        abilities,
        numbers::{self, positive},
        rows,
    },
    results::{Cell, Interval, Placement, Run},
};

/// How much a blocking round trip between two cores varies from one moment to the next.
const BETWEEN_CORES: f64 = 0.1;

/// What somebody may want most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Spinning,
    SleepingApart,
    SleepingTogether,
    Throughput,
    Boundaries,
    Descriptors,
    Machines,
    WakeOnly,
}

impl Need {
    /// In the order of a reader's questions.
    pub(crate) const ALL: [Self; 8] = [
        Self::Spinning,
        Self::SleepingApart,
        Self::SleepingTogether,
        Self::Throughput,
        Self::Boundaries,
        Self::Descriptors,
        Self::Machines,
        Self::WakeOnly,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Spinning => "latency, spinning",
            Self::SleepingApart => "latency, CPU free, two cores",
            Self::SleepingTogether => "latency, CPU free, one core",
            Self::Throughput => "throughput",
            Self::Boundaries => "messages with boundaries",
            Self::Descriptors => "descriptors or identity",
            Self::Machines => "unrelated machines",
            Self::WakeOnly => "a wake-up without data",
        }
    }

    /// What was compared, in one line.
    pub(crate) fn criterion(self) -> &'static str {
        match self {
            Self::Spinning => "p50 of a round trip whose receiver polls",
            Self::SleepingApart => "p50 of a blocking round trip between two cores",
            Self::SleepingTogether => "p50 of a blocking round trip on one core",
            Self::Throughput => "payload bytes a second, one way",
            Self::Boundaries => "p50, blocking, among those that keep messages whole",
            Self::Descriptors => "p50, blocking, among those that pass descriptors and credentials",
            Self::Machines => "p50, blocking, over loopback: a network adds its own time",
            Self::WakeOnly => "p50, blocking, among those that carry no payload",
        }
    }

    pub(super) fn demands(self, abilities: Abilities) -> bool {
        match self {
            Self::Boundaries => abilities.boundaries && abilities.payload,
            Self::Descriptors => abilities.descriptors,
            Self::Machines => abilities.machines,
            Self::WakeOnly => !abilities.payload,
            _ => abilities.payload && !abilities.fixed,
        }
    }

    /// Placements to look at; the first one with a cell decides.
    pub(super) fn placements(self) -> &'static [Placement] {
        use Placement::{OtherAsleep, OtherAwake, SameCore};
        match self {
            Self::SleepingApart => &[OtherAsleep, OtherAwake],
            Self::SleepingTogether => &[SameCore],
            Self::Spinning => &[OtherAwake, OtherAsleep, SameCore],
            _ => &[OtherAsleep, OtherAwake, SameCore],
        }
    }

    pub(super) fn looks_at(self, scenario: &str) -> bool {
        match self {
            Self::Throughput => scenario == "one-way",
            Self::Spinning => scenario == "round-trip-spin",
            _ => rows::is_blocking(scenario),
        }
    }

    /// Whether the receiver is to leave its CPU to others while it waits.
    pub(super) fn waits_asleep(self) -> bool {
        !matches!(self, Self::Throughput | Self::Spinning)
    }

    pub(super) fn takes(self, run: &Run, cell: &Cell) -> bool {
        self.looks_at(&cell.scenario)
            && self.demands(abilities::of(run, &cell.mechanism))
            && positive(self.measured(cell))
    }

    /// The figure that decides.
    fn measured(self, cell: &Cell) -> f64 {
        match self {
            Self::Throughput => cell.bytes_per_second.value,
            _ => cell.latency.p50,
        }
    }

    /// Smaller is better.
    pub(super) fn cost(self, cell: &Cell) -> f64 {
        match self {
            Self::Throughput => 1.0 / self.measured(cell),
            _ => self.measured(cell),
        }
    }

    /// The interval of [`Need::cost`], when the run has formed one.
    pub(super) fn bounds(self, cell: &Cell) -> Option<(f64, f64)> {
        if self == Self::Throughput {
            let of = known(&cell.bytes_per_second)?;
            return Some((1.0 / of.high, 1.0 / of.low));
        }
        let (low, high) = Self::latency_bounds(cell)?;
        // Mechanisms are not paired with each other, and a blocking round between two cores
        // varies by 10 % either way from one moment to the next, however many slices it has.
        let apart = self.waits_asleep() && cell.placement != Placement::SameCore;
        let spread = if apart { BETWEEN_CORES } else { 0.0 };
        Some((low * (1.0 - spread), high * (1.0 + spread)))
    }

    /// A histogram has no interval of its own; the paired multiple of the floor has, and is the
    /// same latency in another unit. Else the rate, which is its inverse.
    fn latency_bounds(cell: &Cell) -> Option<(f64, f64)> {
        if let Some(of) = known(&cell.times_floor) {
            let unit = cell.latency.p50 / of.value;
            return Some((of.low * unit, of.high * unit));
        }
        let of = known(&cell.messages_per_second)?;
        let unit = cell.latency.p50 * of.value;
        Some((unit / of.high, unit / of.low))
    }

    /// `4.21 µs`, or for throughput `7.60 GB/s`.
    pub(super) fn figure(self, cell: &Cell) -> String {
        match self {
            Self::Throughput => numbers::throughput(self.measured(cell)),
            _ => numbers::time(self.measured(cell)),
        }
    }
}

fn known(of: &Interval) -> Option<&Interval> {
    numbers::known(of).then_some(of)
}
