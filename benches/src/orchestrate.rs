//! Measures groups: starts their pairs, interleaves their lanes, keeps what the probes allow.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{
    family::Maker,
    interrupt::Interrupt,
    pair::{Directory, Pair, Setup, Trouble},
    placement::{Cpus, Spinners},
    plan::Group,
    protocol::{Answer, Order, SliceOrder},
    results::{Probe, State, Unmeasured},
    scenario::Scenario,
    slices::{Slice, classify, prevailing},
    syscalls::{self, NoCount},
};

/// Rounds that every lane gets at least, time permitting: 30 kept slices and some rejected ones.
pub const MIN_ROUNDS: usize = 32;
/// Rounds that bring little more.
const MAX_ROUNDS: usize = 300;
/// A cell is done with this many kept slices, however many rounds were planned beyond.
const ENOUGH: usize = 30;
/// What a slice costs beside its own length: orders, probes, warm-up.
const SLICE_OVERHEAD: Duration = Duration::from_micros(700);
/// How long starting a pair, connecting and counting system calls take.
const GROUP_OVERHEAD: Duration = Duration::from_millis(25);
/// How long connecting may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// A slice is meant to take a hundredth of a second; who takes so long hangs.
const SLICE_PATIENCE: Duration = Duration::from_secs(5);
/// Operations shorter than this are timed in groups of about this length.
const SHORT_NS: f64 = 2_000.0;
/// Messages of a slice at least, however long each takes.
const LEAST_MESSAGES: u32 = 4;
/// Messages of a slice whose system calls are counted.
const COUNTED_MESSAGES: u32 = 32;

/// A binary whose workers take part, and the slowdown planted into them.
#[derive(Clone, Debug)]
pub struct Crew {
    /// The binary.
    pub binary: PathBuf,
    /// `(mechanism, percent)`.
    pub planted: Option<(String, f64)>,
}

/// One row of a group: a maker in one crew.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Index of the crew.
    pub crew: usize,
    /// What it measures.
    pub maker: Maker,
    /// Its slices, in the order of rounds, rejected ones too.
    pub slices: Vec<Slice>,
    /// System calls per message.
    pub system_calls: Option<f64>,
    /// Why it was given up.
    pub failed: Option<String>,
    pattern: Pattern,
    planted_ns: f64,
}

/// How the operations of a slice are timed.
#[derive(Clone, Copy, Debug)]
struct Pattern {
    messages: u32,
    group: u32,
}

impl Lane {
    /// A lane without slices.
    pub fn new(crew: usize, maker: Maker) -> Lane {
        Lane {
            crew,
            maker,
            slices: Vec::new(),
            system_calls: None,
            failed: None,
            pattern: Pattern {
                messages: 1,
                group: 1,
            },
            planted_ns: 0.0,
        }
    }

    /// Operations timed together.
    pub fn group(&self) -> u32 {
        self.pattern.group
    }

    fn kept(&self) -> usize {
        let state = prevailing(&self.slices);
        self.slices
            .iter()
            .filter(|slice| slice.state.is_some() && slice.state == state)
            .count()
    }
}

/// How long a group may take and how it spends the time.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// For the whole group.
    pub time: Duration,
    /// Longest slice.
    pub slice_max: Duration,
    /// How many fresh pairs share the rounds. Two processes of one binary differ a little, by
    /// where their memory happens to lie; a comparison of binaries must not see that.
    pub fresh_pairs: usize,
    /// Count system calls too.
    pub count_calls: bool,
}

/// What a run keeps while it goes from group to group.
#[derive(Debug)]
pub struct Orchestrator {
    /// Who runs where.
    pub cpus: Cpus,
    /// Every probe so far.
    pub probes: Vec<Probe>,
    /// What went wrong so far.
    pub unmeasured: Vec<Unmeasured>,
    crews: Vec<Crew>,
    interrupt: Interrupt,
    directory: Directory,
    started: Instant,
    tracing_denied: bool,
}

impl Orchestrator {
    /// An orchestrator of workers of these binaries.
    pub fn new(cpus: Cpus, crews: Vec<Crew>) -> Result<Orchestrator, Trouble> {
        Ok(Orchestrator {
            cpus,
            probes: Vec::new(),
            unmeasured: Vec::new(),
            crews,
            interrupt: Interrupt::watch()?,
            directory: Directory::create()?,
            started: Instant::now(),
            tracing_denied: false,
        })
    }

    /// Has all crews start from fresh copies of their binaries.
    ///
    /// The same bytes in two files can differ by a quarter in speed, as their pages lie in memory:
    /// a linker leaves other page sizes behind than a copy does. A comparison must not see that.
    pub fn use_copies(&mut self) -> Result<(), Trouble> {
        for (index, crew) in self.crews.iter_mut().enumerate() {
            let copy = self.directory.path().join(format!("ipc-bench-{index}"));
            std::fs::copy(&crew.binary, &copy).map_err(|error| {
                Trouble::Broken(format!("copy {}: {error}", crew.binary.display()))
            })?;
            crew.binary = copy;
        }
        Ok(())
    }

    /// How long the run has taken.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Measures the lanes of a group. A lane that fails says so and is left out of the rest; only
    /// an interruption is an error.
    pub fn measure(
        &mut self,
        group: &Group,
        lanes: &mut [Lane],
        allowance: Allowance,
    ) -> Result<(), Trouble> {
        let begun = Instant::now();
        let mut round = 0;
        for part in 1..=allowance.fresh_pairs.max(1) {
            let until = begun
                + allowance
                    .time
                    .mul_f64(part as f64 / allowance.fresh_pairs as f64);
            loop {
                let live: Vec<usize> = (0..lanes.len())
                    .filter(|&index| lanes[index].failed.is_none())
                    .collect();
                if live.is_empty() {
                    return Ok(());
                }
                let attempt = self.with_pairs(group, lanes, &live, allowance, until, &mut round);
                match attempt {
                    Ok(()) => break,
                    Err((_, Trouble::Interrupted)) => return Err(Trouble::Interrupted),
                    // The pair is lost with it: the others go on in a fresh one.
                    Err((lane, Trouble::Broken(why))) => lanes[lane].failed = Some(why),
                }
            }
        }
        for lane in lanes.iter().filter(|lane| lane.failed.is_some()) {
            let what = format!(
                "{}:{}/{}/{}",
                group.mechanism,
                lane.maker.name,
                group.shape.scenario.name(),
                group.shape.size
            );
            let why = lane.failed.clone().unwrap_or_default();
            self.unmeasured.push(Unmeasured { what, why });
        }
        Ok(())
    }

    /// Starts the pairs, measures rounds until the time is up, counts system calls. An error names
    /// the lane at which it happened.
    fn with_pairs(
        &mut self,
        group: &Group,
        lanes: &mut [Lane],
        live: &[usize],
        allowance: Allowance,
        until: Instant,
        round: &mut usize,
    ) -> Result<(), (usize, Trouble)> {
        let first = live[0];
        let at = |lane: usize| move |trouble: Trouble| (lane, trouble);
        let cpus = self
            .cpus
            .of(group.placement)
            .map_err(|why| (first, Trouble::Broken(why)))?;
        let _awake =
            Spinners::start(group.placement, cpus).map_err(|error| (first, error.into()))?;
        let mut pairs: Vec<(usize, Pair)> = Vec::new();
        let mut seats: Vec<Seat> = Vec::new();
        for &index in live {
            let crew = lanes[index].crew;
            let pair = match pairs.iter().position(|(of, _)| *of == crew) {
                Some(pair) => pair,
                None => {
                    let pair = self.start_pair(group, crew, cpus).map_err(at(index))?;
                    pairs.push((crew, pair));
                    pairs.len() - 1
                }
            };
            let order = Order::Connect {
                mechanism: group.mechanism.to_owned(),
                maker: lanes[index].maker.name.to_owned(),
                shape: group.shape,
            };
            pairs[pair]
                .1
                .ask(&order, CONNECT_PATIENCE, &self.interrupt)
                .map_err(at(index))?;
            let end = seats.iter().filter(|seat| seat.pair == pair).count();
            seats.push(Seat {
                lane: index,
                pair,
                end,
            });
        }
        let pairs: Vec<Pair> = pairs.into_iter().map(|(_, pair)| pair).collect();

        let mut bench = Bench {
            orchestrator: self,
            group,
            lanes,
            pairs: &pairs,
            cpus,
        };
        let pace = Pace::of(allowance, seats.len(), until);
        bench.calibrate(&seats, pace.slice)?;
        bench.rounds(&seats, &pace, round)?;
        if allowance.count_calls && bench.lanes.iter().all(|lane| lane.system_calls.is_none()) {
            for seat in &seats {
                bench.count_calls(seat).map_err(at(seat.lane))?;
            }
        }
        Ok(())
    }

    fn start_pair(
        &self,
        group: &Group,
        crew: usize,
        cpus: (usize, usize),
    ) -> Result<Pair, Trouble> {
        let binary: &Path = &self.crews[crew].binary;
        let directory = self.directory.path();
        let setup = Setup {
            binary,
            cpus,
            directory,
            sweep: group.sweep,
        };
        Pair::start(&setup, &self.interrupt)
    }

    fn planted(&self, crew: usize, mechanism: &str) -> f64 {
        match &self.crews[crew].planted {
            Some((name, percent)) if name == mechanism => percent / 100.0,
            _ => 0.0,
        }
    }
}

/// A lane's place in the running pairs.
struct Seat {
    lane: usize,
    pair: usize,
    end: usize,
}

/// How the time of a stretch is divided.
struct Pace {
    slice: Duration,
    rounds: usize,
    until: Instant,
}

impl Pace {
    fn of(allowance: Allowance, lanes: usize, until: Instant) -> Pace {
        let left = until
            .saturating_duration_since(Instant::now())
            .saturating_sub(GROUP_OVERHEAD);
        let lanes = lanes.max(1) as u32;
        let parts = allowance.fresh_pairs.max(1);
        let least = MIN_ROUNDS.div_ceil(parts);
        // Rejected slices are measured again, and calibrating takes about two rounds.
        let each = left / lanes / (least as u32 + least as u32 / 8 + 2);
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
struct Bench<'a> {
    orchestrator: &'a mut Orchestrator,
    group: &'a Group,
    lanes: &'a mut [Lane],
    pairs: &'a [Pair],
    cpus: (usize, usize),
}

impl Bench<'_> {
    /// Finds how many messages fill a slice, and how many must be timed together. Lanes of one
    /// maker get the same numbers, so that their slices differ in nothing else.
    fn calibrate(&mut self, seats: &[Seat], slice: Duration) -> Result<(), (usize, Trouble)> {
        for (index, seat) in seats.iter().enumerate() {
            let maker = self.lanes[seat.lane].maker.name;
            let twin = seats[..index]
                .iter()
                .map(|before| &self.lanes[before.lane])
                .find(|before| before.maker.name == maker);
            let pattern = match twin {
                Some(twin) => twin.pattern,
                None => self
                    .find_pattern(seat, slice)
                    .map_err(|trouble| (seat.lane, trouble))?,
            };
            self.lanes[seat.lane].pattern = pattern;
            let planted = self
                .orchestrator
                .planted(self.lanes[seat.lane].crew, self.group.mechanism);
            self.lanes[seat.lane].planted_ns = if planted > 0.0 {
                // Of an operation as it will be measured, in a slice of full length.
                let usual = self
                    .slice(seat, usize::MAX)
                    .map_err(|trouble| (seat.lane, trouble))?;
                usual.typical_ns * planted
            } else {
                0.0
            };
        }
        Ok(())
    }

    fn find_pattern(&mut self, seat: &Seat, slice: Duration) -> Result<Pattern, Trouble> {
        let target_ns = slice.as_nanos() as f64;
        let mut messages = 8_u32;
        loop {
            // The faster of two: a slice that was disturbed must not make all others too short.
            let one = self.trial(seat, messages)?;
            let other = self.trial(seat, messages)?;
            let (spent_ns, each_ns) = if one.0 < other.0 { one } else { other };
            let fitting =
                (target_ns * f64::from(messages) / spent_ns.max(1.0)).clamp(1.0, 4e6) as u32;
            if spent_ns >= target_ns / 4.0 || messages >= fitting / 2 {
                let group = (SHORT_NS / each_ns.max(1.0)).ceil().max(1.0) as u32;
                // Whole groups only: what is left over would not be timed.
                let messages = fitting.max(LEAST_MESSAGES).next_multiple_of(group);
                return Ok(Pattern { messages, group });
            }
            messages = fitting.min(messages.saturating_mul(16)).max(messages + 1);
        }
    }

    /// One slice that does not count: how long it took, and one of its operations.
    fn trial(&mut self, seat: &Seat, messages: u32) -> Result<(f64, f64), Trouble> {
        // Timed as one group, or the clock reads would count as part of short operations.
        let group = match self.group.shape.scenario {
            Scenario::SingleThread | Scenario::RoundTripSpin => messages,
            _ => 1,
        };
        let lane = &mut self.lanes[seat.lane];
        lane.pattern = Pattern { messages, group };
        lane.planted_ns = 0.0;
        let begun = Instant::now();
        let measured = self.slice(seat, usize::MAX)?;
        // In `wake` the pauses count too: only the whole order tells how long a message takes.
        let spent_ns = if measured.per_second.is_finite() {
            f64::from(messages) * 1e9 / measured.per_second
        } else {
            begun.elapsed().as_nanos() as f64
        };
        Ok((spent_ns, measured.typical_ns))
    }

    /// Rounds of all seats in turn, each round in the opposite order of the one before.
    fn rounds(
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
                let slice = self
                    .slice(seat, *round)
                    .map_err(|trouble| (seat.lane, trouble))?;
                self.note_probes(&slice);
                self.lanes[seat.lane].slices.push(slice);
            }
            *round += 1;
        }
    }

    fn slice(&self, seat: &Seat, round: usize) -> Result<Slice, Trouble> {
        let lane = &self.lanes[seat.lane];
        let order = SliceOrder {
            end: seat.end,
            messages: lane.pattern.messages,
            group: lane.pattern.group,
            planted_ns: lane.planted_ns,
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
            lane.pattern.messages,
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

    fn count_calls(&mut self, seat: &Seat) -> Result<(), Trouble> {
        let scenario = self.group.shape.scenario;
        if self.orchestrator.tracing_denied || !is_countable(self.group) {
            return Ok(());
        }
        let pair = &self.pairs[seat.pair];
        let interrupt = &self.orchestrator.interrupt;
        match syscalls::count(pair, seat.end, scenario, COUNTED_MESSAGES, interrupt) {
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
}

/// Where the number of calls is a property of the maker: polling makes as many as it has time
/// for, and the pauses of `wake` are the harness's own.
fn is_countable(group: &Group) -> bool {
    !group.shape.scenario.polls() && group.shape.scenario != Scenario::Wake
}
