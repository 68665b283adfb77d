//! Rounds of slices: how long each is, who goes first, and when there are enough.

mod loads;

use std::time::{Duration, Instant};

use crate::{
    lane::{Allowance, Lane, Pattern},
    orchestrate::Orchestrator,
    pair::{Pair, Trouble},
    plan::Group,
    protocol::{Answer, Order, SliceOrder},
    results::{MakerKind, Probe, State, Unmeasured},
    scenario::Scenario,
    slices::{Slice, classify},
    syscalls::{self, NoCount},
};

/// Rounds that every lane gets at least, time permitting: 30 kept slices and some rejected ones.
const MIN_ROUNDS: usize = 32;
/// Rounds that bring little more.
const MAX_ROUNDS: usize = 300;
/// A cell is done with this many kept slices, however many rounds were planned beyond.
const ENOUGH: usize = 30;
/// What a slice costs beside its own length: orders, probes, warm-up.
const SLICE_OVERHEAD: Duration = Duration::from_micros(700);
/// How long starting a pair, connecting and counting system calls take.
const GROUP_OVERHEAD: Duration = Duration::from_millis(25);
/// A slice is meant to take a hundredth of a second; who takes so long hangs.
const SLICE_PATIENCE: Duration = Duration::from_secs(60);
/// Operations shorter than this are timed in groups of about this length.
const SHORT_NS: f64 = 2_000.0;
/// Messages above this size take so long that few are tried at first.
const LARGE: usize = 256 << 10;
/// Messages of a slice at least, up to that size; above it a single one takes long enough.
const LEAST_MESSAGES: (u32, usize) = (4, 1 << 20);
/// Bytes of a slice of a fan-in at least, as far as some hundred messages have them.
const FAN_IN_BYTES: usize = 1 << 20;
/// How often at least all calls that are under way at once end within a slice.
const WAVES: u32 = 8;
/// The same where a single wave is as long as a slice should be: of that many calls, or bytes.
const FEW_WAVES: u32 = 2;
const LONG_WAVE: (u32, usize) = (1000, 8 << 20);
/// Messages of a slice whose system calls are counted.
const COUNTED_MESSAGES: u32 = 32;
/// Messages over which calls are counted that are not to happen at all.
const MANY_COUNTED: u32 = 50_000;
/// Of these the first ones tell how long all will take.
const FIRST_COUNTED: u32 = 500;

/// A lane's place in the running pairs.
pub(crate) struct Seat {
    /// Index of the lane.
    pub(crate) lane: usize,
    /// Index of the pair.
    pub(crate) pair: usize,
    /// Number of the connection in that pair.
    pub(crate) end: usize,
}

/// How the time of a stretch is divided.
pub(crate) struct Pace {
    pub(crate) slice: Duration,
    rounds: usize,
    until: Instant,
}

impl Pace {
    pub(crate) fn of(allowance: Allowance, lanes: usize, until: Instant) -> Pace {
        let left = until
            .saturating_duration_since(Instant::now())
            .saturating_sub(GROUP_OVERHEAD);
        let lanes = lanes.max(1) as u32;
        let parts = allowance.fresh_pairs.max(1);
        let least = MIN_ROUNDS.div_ceil(parts);
        // Room for half as many again: some are rejected, some are slow, and calibrating takes
        // about two rounds. Shorter slices are better than fewer.
        let each = left / lanes / (least as u32 + least as u32 / 2 + 2);
        let slice = each
            .saturating_sub(SLICE_OVERHEAD)
            .clamp(Duration::from_millis(1), allowance.slice_max);
        let fit = left.as_secs_f64() / ((slice + SLICE_OVERHEAD).as_secs_f64() * f64::from(lanes));
        Pace {
            slice,
            rounds: (fit as usize).clamp(least, MAX_ROUNDS.div_ceil(parts)),
            until,
        }
    }
}

/// A group being measured.
pub(crate) struct Bench<'a> {
    pub(crate) orchestrator: &'a mut Orchestrator,
    pub(crate) group: &'a Group,
    pub(crate) lanes: &'a mut [Lane],
    pub(crate) pairs: &'a [Pair],
    pub(crate) cpus: (usize, usize),
}

impl Bench<'_> {
    /// Finds how many messages fill a slice, and how many must be timed together. Lanes of one
    /// maker get the same numbers, so that their slices differ in nothing else; later pairs of a
    /// lane keep those of the first.
    pub(crate) fn calibrate(
        &mut self,
        seats: &[Seat],
        slice: Duration,
    ) -> Result<(), (usize, Trouble)> {
        if let Some(share) = self.group.shape.scenario.share() {
            return self.calibrate_loads(seats, slice, share);
        }
        for (index, seat) in seats.iter().enumerate() {
            if self.lanes[seat.lane].pattern.is_some() {
                continue;
            }
            let maker = self.lanes[seat.lane].maker.name;
            let twin = seats[..index]
                .iter()
                .map(|before| &self.lanes[before.lane])
                .find(|before| before.maker.name == maker)
                .and_then(|twin| twin.pattern);
            let at = |trouble| (seat.lane, trouble);
            let pattern = match twin {
                Some(pattern) => pattern,
                None => self.find_pattern(seat, slice).map_err(at)?,
            };
            let crew = self.lanes[seat.lane].crew;
            let planted = self.orchestrator.planted(crew, self.group.mechanism);
            if planted > 0.0 {
                // Of an operation as it will be measured, in a slice of full length.
                let usual = self.slice(seat, usize::MAX, pattern).map_err(at)?;
                self.lanes[seat.lane].planted_ns = usual.typical_ns * planted;
            }
            self.lanes[seat.lane].pattern = Some(pattern);
        }
        Ok(())
    }

    fn find_pattern(&self, seat: &Seat, slice: Duration) -> Result<Pattern, Trouble> {
        let target_ns = slice.as_nanos() as f64;
        let size = self.group.shape.size;
        // Several senders take a while to be all awake: a slice must last well beyond that.
        let members = self.lanes[seat.lane].maker.members;
        let least = match self.group.shape.scenario {
            _ if let Some(members) = members => members.least(target_ns, size),
            Scenario::FanIn => (FAN_IN_BYTES / size.max(1)).clamp(8, 512) as u32,
            // The calls that begin and end a slice have few beside them.
            scenario if scenario.under_way() > 1 => {
                let calls = scenario.under_way();
                let is_long = calls > LONG_WAVE.0 || calls as usize * size > LONG_WAVE.1;
                calls * if is_long { FEW_WAVES } else { WAVES }
            }
            _ if size > LEAST_MESSAGES.1 => 1,
            _ => LEAST_MESSAGES.0,
        };
        let mut messages = match self.group.shape.scenario {
            _ if members.is_some() => least,
            Scenario::FanIn => least,
            scenario if scenario.under_way() > 1 => least,
            _ if size > LARGE => 2,
            _ => 8,
        };
        loop {
            // The faster of two: a slice that was disturbed must not make all others too short.
            let one = self.trial(seat, messages)?;
            let other = self.trial(seat, messages)?;
            let (spent_ns, each_ns) = if one.0 < other.0 { one } else { other };
            let fitting =
                (target_ns * f64::from(messages) / spent_ns.max(1.0)).clamp(1.0, 4e6) as u32;
            if spent_ns >= target_ns / 4.0 || messages >= fitting / 2 {
                // The receiver's clock takes each message by itself.
                let group = match self.group.shape.scenario.is_timed_by_server() {
                    true => 1,
                    false => (SHORT_NS / each_ns.max(1.0)).ceil().max(1.0) as u32,
                };
                // Whole groups only: what is left over would not be timed.
                let messages = fitting.max(least).next_multiple_of(group);
                return Ok(Pattern {
                    messages,
                    group,
                    every_ns: 0,
                });
            }
            messages = fitting.min(messages.saturating_mul(16)).max(messages + 1);
        }
    }

    /// One slice that does not count: how long it took, and one of its operations.
    fn trial(&self, seat: &Seat, messages: u32) -> Result<(f64, f64), Trouble> {
        // Timed as one group, or the clock reads would count as part of short operations.
        let group = match self.group.shape.scenario {
            Scenario::SingleThread | Scenario::RoundTripSpin => messages,
            _ => 1,
        };
        let begun = Instant::now();
        let pattern = Pattern {
            messages,
            group,
            every_ns: 0,
        };
        let measured = self.slice(seat, usize::MAX, pattern)?;
        // In `wake` the pauses count too: only the whole order tells how long a message takes.
        let spent_ns = if measured.per_second.is_finite() {
            f64::from(messages) * 1e9 / measured.per_second
        } else {
            begun.elapsed().as_nanos() as f64
        };
        Ok((spent_ns, measured.typical_ns))
    }

    /// Rounds of all seats in turn, each round in the opposite order of the one before.
    pub(crate) fn rounds(
        &mut self,
        seats: &[Seat],
        pace: &Pace,
        round: &mut usize,
    ) -> Result<(), (usize, Trouble)> {
        let first = *round;
        loop {
            let done = *round - first;
            let enough = seats
                .iter()
                .all(|seat| self.lanes[seat.lane].kept() >= ENOUGH);
            let late = Instant::now() >= pace.until;
            // Time up ends it, but a pair that was started measures a handful.
            if (done >= pace.rounds && (enough || late)) || (late && done >= 3) {
                return Ok(());
            }
            let order: Vec<&Seat> = if done.is_multiple_of(2) {
                seats.iter().collect()
            } else {
                seats.iter().rev().collect()
            };
            for seat in order {
                let Some(pattern) = self.lanes[seat.lane].pattern else {
                    continue;
                };
                let slice = self
                    .slice(seat, *round, pattern)
                    .map_err(|trouble| (seat.lane, trouble))?;
                self.note_probes(&slice);
                self.lanes[seat.lane].slices.push(slice);
            }
            *round += 1;
        }
    }

    fn slice(&self, seat: &Seat, round: usize, pattern: Pattern) -> Result<Slice, Trouble> {
        let order = SliceOrder {
            end: seat.end,
            messages: pattern.messages,
            group: pattern.group,
            planted_ns: self.lanes[seat.lane].planted_ns,
            every_ns: pattern.every_ns,
            counted: false,
        };
        let interrupt = &self.orchestrator.interrupt;
        let pair = &self.pairs[seat.pair];
        let answers = pair.ask(&Order::Slice(order), SLICE_PATIENCE, interrupt)?;
        let [Answer::Slice(client), Answer::Slice(server)] = answers else {
            return Err(Trouble::Broken("a worker answered out of turn".to_owned()));
        };
        let two_cpus = self.cpus.0 != self.cpus.1;
        Ok(Slice::new(
            round,
            pattern.messages,
            two_cpus,
            client,
            server,
        ))
    }

    fn note_probes(&mut self, slice: &Slice) {
        let two_cpus = self.cpus.0 != self.cpus.1;
        let at_seconds = self.orchestrator.elapsed().as_secs_f64();
        for nanoseconds in [slice.probes.0, slice.probes.1] {
            let state: State = classify(nanoseconds, two_cpus);
            let kept = slice.state.is_some();
            self.orchestrator.probes.push(Probe {
                at_seconds,
                nanoseconds,
                state,
                kept,
            });
        }
    }

    /// Counts the system calls of a lane. What wakes is counted over so many messages that whoever
    /// makes calls takes seconds of being traced for it: with a `limit` only where that fits in it.
    pub(crate) fn count_calls(
        &mut self,
        seat: &Seat,
        limit: Option<Duration>,
    ) -> Result<(), Trouble> {
        let scenario = self.group.shape.scenario;
        let is_ours = self.lanes[seat.lane].maker.kind == MakerKind::Ours;
        // Who polls is awake, and nobody is to wake it.
        let waking = scenario == Scenario::RoundTripSpin && is_ours;
        if self.lanes[seat.lane].maker.members.is_some() {
            return Ok(());
        }
        let countable = waking || is_countable(self.group);
        if self.orchestrator.tracing_denied || !countable {
            return Ok(());
        }
        let (messages, counts): (_, fn(u64) -> bool) = match waking {
            true => (MANY_COUNTED, syscalls::can_wake),
            false => (COUNTED_MESSAGES, |_| true),
        };
        let uncounted = self.waking_calls_of(seat);
        let found_long = &self.orchestrator.unmeasured;
        if found_long.iter().any(|gap| gap.what == uncounted) {
            return Ok(()); // an earlier pair has shown how long it takes
        }
        let pair = &self.pairs[seat.pair];
        let interrupt = &self.orchestrator.interrupt;
        let count =
            |messages| syscalls::count(pair, seat.end, scenario, messages, counts, interrupt);
        let begun = Instant::now();
        let counted = match limit.filter(|_| waking) {
            Some(limit) => match count(FIRST_COUNTED) {
                Ok(_) if !fits(begun.elapsed(), limit) => {
                    self.leave_uncounted(uncounted);
                    return Ok(());
                }
                Ok(_) => count(messages),
                Err(error) => Err(error),
            },
            None => count(messages),
        };
        match counted {
            // A round trip is two messages.
            Ok(calls) if waking => self.lanes[seat.lane].waking_calls = Some(calls * 1e6 / 2.0),
            Ok(calls) => self.lanes[seat.lane].system_calls = Some(calls),
            Err(NoCount::Denied(why)) => {
                self.orchestrator.tracing_denied = true;
                let what = "system calls per message".to_owned();
                self.orchestrator.unmeasured.push(Unmeasured { what, why });
            }
            Err(NoCount::Trouble(trouble)) => return Err(trouble),
        }
        Ok(())
    }

    fn waking_calls_of(&self, seat: &Seat) -> String {
        let maker = self.lanes[seat.lane].maker.name;
        let shape = &self.group.shape;
        let (scenario, size) = (shape.scenario.name(), shape.size);
        format!(
            "waking calls of {}:{maker}/{scenario}/{size}",
            self.group.mechanism
        )
    }

    fn leave_uncounted(&mut self, what: String) {
        let why = "to count them takes longer than its share of the time".to_owned();
        self.orchestrator.unmeasured.push(Unmeasured { what, why });
    }
}

/// Whether all messages are counted within `limit`, as the first ones took `first`.
fn fits(first: Duration, limit: Duration) -> bool {
    first * (MANY_COUNTED / FIRST_COUNTED) <= limit
}

fn is_countable(group: &Group) -> bool {
    why_not_counted(group.shape.scenario).is_none()
}

/// Why the number of calls is no property of the maker in this scenario.
pub(crate) fn why_not_counted(scenario: Scenario) -> Option<&'static str> {
    match scenario {
        scenario
            if matches!(scenario, Scenario::RoundTripSpin | Scenario::Wake)
                || scenario.is_load() =>
        {
            Some("polling and pausing make as many as there is time for")
        }
        Scenario::FanIn => Some("the tracer follows two processes, and here are five"),
        scenario if scenario.under_way() > 1 => {
            Some("how many calls share one depends on who is faster")
        }
        _ => None,
    }
}
