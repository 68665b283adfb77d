//! A whole run: the plan, measured within its time, as results.

use std::time::{Duration, Instant, SystemTime};

use crate::{
    abilities, assemble,
    clock::Clock,
    cores,
    family::{Family, Role},
    goals,
    lane::{Allowance, Crew, Lane},
    machine,
    orchestrate::Orchestrator,
    overhead,
    pair::Trouble,
    placement::Cpus,
    plan::{Group, Plan, Selection},
    progress::Progress,
    results::{Cell, Floor, Ratio, Run, Unmeasured},
    rounds::why_not_counted,
    scenario::Scenario,
};

/// Version of the results.
pub const FORMAT: u32 = 1;
/// Fresh pairs of many connections, which share their luck already.
const FEW_PAIRS: usize = 2;
/// The longest slice.
const SLICE_MAX: Duration = Duration::from_millis(10);
/// The same of a load: what comes once in a thousand calls must be seen at a tenth of the rate.
const LOAD_SLICE_MAX: Duration = Duration::from_millis(40);

/// How long the build took, by the environment of a bench that `cargo xtask bench` has started.
pub fn build_seconds() -> Option<f64> {
    let text = std::env::var("IPC_BENCH_BUILD_SECONDS").ok()?;
    text.parse()
        .ok()
        .filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0)
}

/// Measures what was asked for.
pub fn run(
    selection: &Selection,
    families: &[Family],
    mut arguments: Vec<String>,
) -> Result<Run, Trouble> {
    if !arguments.is_empty() {
        arguments.remove(0);
    }
    let (started, begun) = (SystemTime::now(), Instant::now());
    let cpus = Cpus::pick()?;
    let machine = machine::read(&cpus);
    let plan = Plan::new(selection, families, &cpus);
    let crew = Crew {
        binary: std::env::current_exe()?,
        planted: None,
    };
    let cores = cores::probe(&cpus.allowed, selection.time);
    cpus.step_aside()?;
    let mut orchestrator = Orchestrator::new(cpus, vec![crew])?;
    let mut gathered = Gathered::new(&plan);
    if let Err(why) = &cores {
        gathered.leave_out("core × core".to_owned(), why);
    }
    let clock = Clock::new(selection, &plan, begun, Instant::now());
    gathered.measure(clock, &plan, &mut orchestrator)?;
    gathered.note_uncounted();
    gathered.unmeasured.append(&mut orchestrator.unmeasured);
    let (cells, ratios) = gathered.in_place();
    Ok(Run {
        format: FORMAT,
        started_unix_seconds: started
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs()),
        measuring_seconds: orchestrator.elapsed().as_secs_f64(),
        build_seconds: build_seconds(),
        arguments,
        machine,
        floors: gathered.floors,
        cells,
        goals: goals::judge(&ratios),
        awaited: overhead::of(&ratios),
        ratios,
        abilities: abilities::of_this_build(),
        cores: cores.unwrap_or_default(),
        unmeasured: merged(gathered.unmeasured),
        verdict: assemble::verdict(&orchestrator.probes),
        probes: std::mem::take(&mut orchestrator.probes),
    })
}

/// What a run has found so far.
struct Gathered {
    floors: Vec<Floor>,
    groups: Vec<OfGroup>,
    unmeasured: Vec<Unmeasured>,
}

/// What was found of one group.
struct OfGroup {
    place: usize,
    cells: Vec<Cell>,
    ratios: Vec<Ratio>,
}

impl Gathered {
    fn new(plan: &Plan) -> Gathered {
        Gathered {
            floors: Vec::new(),
            groups: Vec::new(),
            unmeasured: plan.unmeasured.clone(),
        }
    }

    /// Every group of the plan, within the time of the run.
    fn measure(
        &mut self,
        mut clock: Clock,
        plan: &Plan,
        orchestrator: &mut Orchestrator,
    ) -> Result<(), Trouble> {
        let mut progress = Progress::new(plan.groups.len());
        for group in &plan.groups {
            progress.begin(&group.name(), clock.left(Instant::now()));
            let Some(share) = clock.allot(group.weight(), Instant::now()) else {
                self.leave_out(group.name(), "the time of the run was used up");
                continue;
            };
            let makers = group.makers.iter();
            let mut lanes: Vec<Lane> = makers.map(|maker| Lane::new(0, maker.clone())).collect();
            let allowance = Allowance {
                time: share.time,
                is_limit: share.is_limit,
                slice_max: match group.shape.scenario.share() {
                    Some(_) => LOAD_SLICE_MAX,
                    None => SLICE_MAX,
                },
                fresh_pairs: match group.shape.scenario.connections() {
                    1 => share.pairs,
                    _ => share.pairs.min(FEW_PAIRS),
                },
                count_calls: group.role == Role::Mechanism,
            };
            orchestrator.measure(group, &mut lanes, allowance)?;
            self.collect(group, &lanes);
        }
        progress.finish();
        Ok(())
    }

    /// Files the lanes of a group under the results they belong to.
    fn collect(&mut self, group: &Group, lanes: &[Lane]) {
        let mut cells = Vec::new();
        for lane in lanes {
            let found = match group.role {
                Role::Floor => {
                    let found = assemble::floors(group, lane);
                    self.floors.extend(found.iter().cloned());
                    !found.is_empty()
                }
                Role::Mechanism => {
                    let cell = assemble::cell(group, lane, &self.floors);
                    let found = cell.is_some();
                    cells.extend(cell);
                    found
                }
            };
            if !found && lane.failed.is_none() {
                let (scenario, size) = (group.shape.scenario.name(), group.shape.size);
                let what = format!("{}:{}/{scenario}/{size}", group.mechanism, lane.maker.name);
                self.leave_out(
                    what,
                    "every slice was rejected: the machine changed during each",
                );
            }
        }
        self.groups.push(OfGroup {
            place: group.place,
            cells,
            ratios: assemble::group_ratios(group, lanes),
        });
    }

    /// All cells and ratios, those of a mechanism together, whenever they were measured.
    fn in_place(&mut self) -> (Vec<Cell>, Vec<Ratio>) {
        self.groups.sort_by_key(|group| group.place);
        let (mut cells, mut ratios) = (Vec::new(), Vec::new());
        for group in std::mem::take(&mut self.groups) {
            cells.extend(group.cells);
            ratios.extend(group.ratios);
        }
        (cells, ratios)
    }

    /// Says of the scenarios measured in which of them no system call was counted, and why.
    fn note_uncounted(&mut self) {
        for scenario in Scenario::ALL {
            let mut cells = self.groups.iter().flat_map(|group| &group.cells);
            let measured = cells.any(|cell| cell.scenario == scenario.name());
            if let Some(why) = why_not_counted(scenario).filter(|_| measured) {
                let what = format!("system calls per message in {}", scenario.name());
                self.leave_out(what, why);
            }
        }
    }

    fn leave_out(&mut self, what: String, why: &str) {
        self.unmeasured.push(Unmeasured {
            what,
            why: why.to_owned(),
        });
    }
}

/// Joins gaps that differ in their scenario only: `pipe/wake,one-way/64`.
fn merged(gaps: Vec<Unmeasured>) -> Vec<Unmeasured> {
    let mut merged: Vec<Unmeasured> = Vec::new();
    for gap in gaps {
        let twin = merged.iter_mut().find_map(|before| {
            let (subject, scenario, size) = parts(&gap.what)?;
            let (other_subject, others, other_size) = parts(&before.what)?;
            let same = before.why == gap.why && subject == other_subject && size == other_size;
            let joined = format!("{subject}/{others},{scenario}/{size}");
            same.then_some((joined, before))
        });
        match twin {
            Some((joined, before)) => before.what = joined,
            None => merged.push(gap),
        }
    }
    merged
}

/// `mechanism/scenario/size` in its parts.
fn parts(what: &str) -> Option<(&str, &str, &str)> {
    let (subject, rest) = what.split_once('/')?;
    let (scenario, size) = rest.split_once('/')?;
    Some((subject, scenario, size))
}
