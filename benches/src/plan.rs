//! What a run will measure: the cells asked for, less those that a limit or the host forbids.

mod choice;
mod order;

use std::time::Duration;

use self::choice::{placements, scenarios};
use crate::{
    family::{Family, Maker, Role},
    goals::{self, Goal},
    mechanisms,
    placement::Cpus,
    results::{MakerKind, Placement, Unmeasured},
    scenario::{Scenario, Shape},
};

/// Sizes of a default run.
pub const DEFAULT_SIZES: [usize; 3] = [64, 4 << 10, 1 << 20];
/// Sizes of a full run.
pub const FULL_SIZES: [usize; 12] = [
    1,
    8,
    64,
    256,
    1 << 10,
    4 << 10,
    16 << 10,
    64 << 10,
    256 << 10,
    1 << 20,
    4 << 20,
    16 << 20,
];
/// What every mechanism surely buffers, so that one thread can send before it receives.
const SINGLE_THREAD_MAX: usize = 64 << 10;

/// What the user asked for.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Names of families, all if empty.
    pub mechanisms: Vec<String>,
    /// Scenarios, all if empty.
    pub scenarios: Vec<Scenario>,
    /// Sizes in bytes, the default or full ones if empty.
    pub sizes: Vec<usize>,
    /// Every size, scenario and placement.
    pub full: bool,
    /// With the published crates of others.
    pub peers: bool,
    /// At most this long.
    pub time: Option<Duration>,
}

impl Selection {
    /// True where the user narrowed the run, so that nothing is left out to save time.
    pub fn is_narrowed(&self) -> bool {
        !(self.mechanisms.is_empty() && self.scenarios.is_empty() && self.sizes.is_empty())
    }

    fn sizes(&self) -> Vec<usize> {
        match (self.sizes.is_empty(), self.full) {
            (false, _) => self.sizes.clone(),
            (true, true) => FULL_SIZES.to_vec(),
            (true, false) => DEFAULT_SIZES.to_vec(),
        }
    }
}

/// Makers that are measured interleaved in one pair of processes.
#[derive(Clone, Debug)]
pub struct Group {
    /// Name of the family.
    pub mechanism: &'static str,
    /// Mechanism or floor.
    pub role: Role,
    /// Size and scenario.
    pub shape: Shape,
    /// Where the pair runs.
    pub placement: Placement,
    /// The makers that can do this cell.
    pub makers: Vec<Maker>,
    /// From the family.
    pub sweep: Option<fn(u32)>,
    /// Our crate does it in several ways, which ratios then name.
    pub has_several_of_ours: bool,
    /// Measured for the sake of a goal, where a default run would leave it out.
    pub of_goal: bool,
    /// Where its results stand among those of the other groups, whenever it is measured.
    pub place: usize,
}

impl Group {
    /// `mechanism/scenario/size`.
    pub fn name(&self) -> String {
        format!(
            "{}/{}/{}",
            self.mechanism,
            self.shape.scenario.name(),
            self.shape.size
        )
    }

    /// Its share of the time of a run: one for each lane, more where a message takes long.
    pub fn weight(&self) -> u32 {
        let each = match self.shape.size >> 20 {
            0 => 1,
            1..4 => 2,
            4..16 => 4,
            _ => 12,
        };
        // A goal that only its own cell can show must not drown in noise.
        let each = if self.of_goal { 3 * each } else { each };
        // One wave of so many calls is as long as a slice; a tenth of the rate is a tenth of them.
        let scenario = self.shape.scenario;
        let each = match scenario.connections() > 1 || scenario.share().is_some() {
            true => 4 * each,
            false => each,
        };
        each * self.makers.len() as u32
    }
}

/// The groups of a run, floors and what tells most first, and what is left out.
#[derive(Debug, Default)]
pub struct Plan {
    /// In the order they are measured.
    pub groups: Vec<Group>,
    /// With reasons.
    pub unmeasured: Vec<Unmeasured>,
}

impl Plan {
    /// Lays out a run.
    pub fn new(selection: &Selection, families: &[Family], cpus: &Cpus) -> Plan {
        let mut plan = Plan::default();
        let chosen = |family: &&Family| {
            family.role == Role::Floor
                || selection.mechanisms.is_empty()
                || selection.mechanisms.iter().any(|name| name == family.name)
        };
        let (floors, mechanisms): (Vec<_>, Vec<_>) = families
            .iter()
            .filter(chosen)
            .partition(|family| family.role == Role::Floor);
        for family in floors.into_iter().chain(mechanisms) {
            plan.add_family(selection, family, cpus);
            if !selection.full && !selection.is_narrowed() {
                plan.add_goals(selection, family, cpus);
            }
        }
        order::sort(&mut plan.groups);
        for &(mechanism, feature) in mechanisms::ABSENT {
            let asked = selection.mechanisms.is_empty()
                || selection.mechanisms.iter().any(|name| name == mechanism);
            if asked {
                let why = format!("this build is without the feature `{feature}`");
                plan.leave_out(mechanism.to_owned(), why);
            }
        }
        plan
    }

    /// The sum of the groups' weights.
    pub fn weight(&self) -> u32 {
        self.groups.iter().map(Group::weight).sum()
    }

    fn add_family(&mut self, selection: &Selection, family: &Family, cpus: &Cpus) {
        let wanted = |maker: &&Maker| {
            selection.peers || maker.kind != MakerKind::Peer || maker.name == "std"
        };
        let mut present = Vec::new();
        for maker in family.makers.iter().filter(wanted) {
            match (maker.probe)() {
                Ok(()) => present.push(maker.clone()),
                Err(why) => self.leave_out(format!("{}:{}", family.name, maker.name), why),
            }
        }
        if present.is_empty() {
            return;
        }
        let mut sizes = if family.payload {
            selection.sizes()
        } else {
            vec![0]
        };
        if family.payload && family.makes_calls() {
            // A null call is one, too.
            if selection.full && selection.sizes.is_empty() {
                sizes.insert(0, 0);
            }
        } else if family.payload && sizes.contains(&0) {
            sizes.retain(|size| *size > 0);
            let why = "only a call can be without bytes".to_owned();
            self.leave_out(format!("{}/0", family.name), why);
        }
        for size in sizes {
            for scenario in scenarios(selection, family, size) {
                for placement in placements(selection, scenario) {
                    let shape = Shape { size, scenario };
                    let here = self.with_time_for(selection, family, &present, &shape);
                    self.add_group(family, &here, shape, placement, cpus);
                }
            }
            self.note_skipped(selection, family, size);
        }
    }

    /// The makers but those that need many processes, where a default run has no time for them.
    fn with_time_for(
        &mut self,
        selection: &Selection,
        family: &Family,
        present: &[Maker],
        shape: &Shape,
    ) -> Vec<Maker> {
        let all = selection.full || selection.is_narrowed();
        // What it cannot do at all is said elsewhere.
        let is_now = |maker: &&Maker| {
            all || maker.members.is_none() || (maker.usual)(shape) || fits(maker, shape).is_err()
        };
        let (here, later): (Vec<_>, Vec<_>) = present.iter().partition(is_now);
        for maker in later {
            let scenario = shape.scenario.name();
            let what = format!("{}:{}/{scenario}/{}", family.name, maker.name, shape.size);
            self.leave_out(what, "left to --full or a narrowed run".to_owned());
        }
        here.into_iter().cloned().collect()
    }

    /// The cells that the goals of a family need and a default run would leave out.
    fn add_goals(&mut self, selection: &Selection, family: &Family, cpus: &Cpus) {
        let wanted = |maker: &&Maker| selection.peers || maker.kind != MakerKind::Peer;
        let present: Vec<Maker> = (family.makers.iter())
            .filter(wanted)
            .filter(|maker| (maker.probe)().is_ok())
            .cloned()
            .collect();
        for (mechanism, scenario, size, placement) in goals::GOALS.iter().flat_map(Goal::cells) {
            let shape = Shape { size, scenario };
            let planned = self.groups.iter().any(|group| {
                (group.mechanism, group.shape, group.placement) == (mechanism, shape, placement)
            });
            if family.name == mechanism && !planned {
                let before = self.groups.len();
                self.add_group(family, &present, shape, placement, cpus);
                for group in &mut self.groups[before..] {
                    group.of_goal = true;
                }
            }
        }
    }

    fn add_group(
        &mut self,
        family: &Family,
        present: &[Maker],
        shape: Shape,
        placement: Placement,
        cpus: &Cpus,
    ) {
        let mut group = Group {
            mechanism: family.name,
            role: family.role,
            shape,
            placement,
            makers: Vec::new(),
            sweep: family.sweep,
            has_several_of_ours: family.of_ours() > 1,
            of_goal: false,
            place: 0,
        };
        if family.role == Role::Mechanism
            && shape.scenario == Scenario::SingleThread
            && shape.size > SINGLE_THREAD_MAX
            && !family.takes_whole
        {
            let why = format!("one thread: not every buffer holds more than {SINGLE_THREAD_MAX}");
            self.leave_out(group.name(), why);
            return;
        }
        for maker in present {
            match fits(maker, &shape) {
                Ok(()) => group.makers.push(maker.clone()),
                // What a floor or a reference is not meant for is no gap in the answer.
                Err(_) if family.role == Role::Floor || maker.name == "default" => {}
                Err(why) => {
                    let scenario = shape.scenario.name();
                    let name = format!("{}:{}/{scenario}/{}", family.name, maker.name, shape.size);
                    self.leave_out(name, why);
                }
            }
        }
        match cpus.of(placement) {
            _ if group.makers.is_empty() => {}
            Ok(_) => self.groups.push(group),
            Err(why) => self.leave_out(group.name(), why),
        }
    }

    /// Says which scenarios a default run leaves out at this size.
    fn note_skipped(&mut self, selection: &Selection, family: &Family, size: usize) {
        if family.role == Role::Floor || selection.full || selection.is_narrowed() {
            return;
        }
        let measured = scenarios(selection, family, size);
        for scenario in Scenario::ALL {
            let too_large =
                scenario == Scenario::SingleThread && family.payload && size > SINGLE_THREAD_MAX;
            let foreign = scenario.is_of_calls() && !family.makes_calls();
            if !measured.contains(&scenario) && !too_large && !foreign {
                let name = format!("{}/{}/{size}", family.name, scenario.name());
                self.leave_out(name, "left to --full or a narrowed run".to_owned());
            }
        }
    }

    fn leave_out(&mut self, what: String, why: String) {
        self.unmeasured.push(Unmeasured { what, why });
    }
}

/// Why a maker cannot do a cell.
fn fits(maker: &Maker, shape: &Shape) -> Result<(), String> {
    (maker.fits)(shape)?;
    match (shape.scenario, maker.fan_in) {
        (Scenario::FanIn, Some(many)) => many.fits(shape),
        (Scenario::FanIn, None) => Err("it takes one sender here".to_owned()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
