//! Starts the pairs of a group, gives its lanes their seats, and goes on without those that fail.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    fan_in,
    interrupt::Interrupt,
    lane::{Allowance, Crew, Lane},
    pair::{Directory, Pair, Setup, Trouble},
    placement::{Cpus, Spinners},
    plan::Group,
    protocol::Order,
    results::{Probe, Unmeasured},
    rounds::{Bench, Pace, Seat},
    scenario::Scenario,
};

/// How long connecting may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(60);

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
    pub(crate) interrupt: Interrupt,
    directory: Directory,
    started: Instant,
    pub(crate) tracing_denied: bool,
}

impl Orchestrator {
    /// An orchestrator of workers of these binaries.
    pub fn new(cpus: Cpus, crews: Vec<Crew>) -> Result<Orchestrator, Trouble> {
        // What a worker has started is waited for here when the worker was killed.
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .map_err(std::io::Error::from)?;
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
        'parts: for part in 1..=allowance.fresh_pairs.max(1) {
            if part > 1 && allowance.is_limit && begun.elapsed() >= allowance.time {
                break;
            }
            let until = begun
                + allowance
                    .time
                    .mul_f64(part as f64 / allowance.fresh_pairs as f64);
            loop {
                let live: Vec<usize> = (0..lanes.len())
                    .filter(|&index| lanes[index].failed.is_none())
                    .collect();
                if live.is_empty() {
                    break 'parts;
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
        if allowance.count_calls && bench.lanes.iter().all(Lane::is_uncounted) {
            let limit = allowance.is_limit.then_some(allowance.time);
            for seat in &seats {
                bench.count_calls(seat, limit).map_err(at(seat.lane))?;
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
            allowed: &self.cpus.allowed,
            directory,
            senders: match group.shape.scenario {
                Scenario::FanIn => fan_in::SENDERS,
                _ => 1,
            },
            sweep: group.sweep,
        };
        Pair::start(&setup, &self.interrupt)
    }

    /// The share of its time that a crew's mechanism is slowed down by.
    pub(crate) fn planted(&self, crew: usize, mechanism: &str) -> f64 {
        match &self.crews[crew].planted {
            Some((name, percent)) if name == mechanism => percent / 100.0,
            _ => 0.0,
        }
    }
}
