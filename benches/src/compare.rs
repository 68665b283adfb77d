//! Two builds of this bench against each other, interleaved on one machine: the regression gate.

use std::{
    fmt::Write as _,
    path::Path,
    time::{Duration, SystemTime},
};

use crate::{
    abilities, assemble,
    family::{Family, Maker, Role},
    lane::{Allowance, Crew, Lane},
    machine,
    orchestrate::Orchestrator,
    pair::Trouble,
    placement::Cpus,
    plan::{Group, Plan, Selection},
    progress::Progress,
    results::{MakerKind, Placement, Ratio, Run, Unmeasured},
    scenario::Scenario,
    slices::ratios,
};

/// A slowdown that fails the comparison when the whole interval lies beyond it.
const TOLERANCE: f64 = 0.05;
/// The forms whose spread is small enough for that gate: one CPU, or one thread.
const SCENARIOS: [Scenario; 3] = [
    Scenario::SingleThread,
    Scenario::RoundTrip,
    Scenario::OneWay,
];
/// Crews by index: the build under test and the other one.
const HEAD: usize = 0;
const BASE: usize = 1;
/// Time for all groups, if there are many; and for one, if there are few.
const TIME: Duration = Duration::from_secs(110);
const GROUP_MAX: Duration = Duration::from_millis(2_500);
/// A suspect is measured again for so long before it counts as a regression.
const CONFIRM: Duration = Duration::from_millis(4_000);
const SLICE_MAX: Duration = Duration::from_millis(8);
const FRESH_PAIRS: usize = 5;

/// Slowdowns planted into head and base, to test the gate.
#[derive(Clone, Debug, Default)]
pub struct Plants {
    /// `(mechanism, percent)` of this build.
    pub head: Option<(String, f64)>,
    /// The same of the other.
    pub base: Option<(String, f64)>,
}

/// What a comparison has found.
#[derive(Debug)]
pub struct Comparison {
    /// The paired ratios head / base, and the machine they are of.
    pub run: Run,
    /// Names of ratios that looked like a regression and did not when measured again.
    pub acquitted: Vec<String>,
}

/// Compares this binary with `base`.
pub fn run(
    selection: &Selection,
    families: &[Family],
    base: &Path,
    plants: Plants,
) -> Result<Comparison, Trouble> {
    let started = SystemTime::now();
    let cpus = Cpus::pick()?;
    let machine = machine::read(&cpus);
    let (groups, mut unmeasured) = plan(selection, families, &cpus);
    cpus.step_aside()?;
    let crews = vec![
        Crew {
            binary: std::env::current_exe()?,
            planted: plants.head,
        },
        Crew {
            binary: base.to_owned(),
            planted: plants.base,
        },
    ];
    let mut orchestrator = Orchestrator::new(cpus, crews)?;
    orchestrator.use_copies()?;
    let mut progress = Progress::new(groups.len());
    let time = selection.time.map_or(TIME, |most| most.min(TIME));
    let time = GROUP_MAX.min(time / groups.len().max(1) as u32);

    let (mut all, mut acquitted) = (Vec::new(), Vec::new());
    for (index, group) in groups.iter().enumerate() {
        progress.begin(&group.name(), time * (groups.len() - index) as u32);
        let mut found = measure(&mut orchestrator, group, time)?;
        if found.iter().any(is_regression) {
            let again = measure(&mut orchestrator, group, CONFIRM)?;
            if !again.iter().any(is_regression) {
                acquitted.extend(found.iter().map(|ratio| ratio.name.clone()).take(1));
            }
            found = again;
        }
        all.extend(found);
    }
    progress.finish();
    unmeasured.extend(std::mem::take(&mut orchestrator.unmeasured));
    if all.is_empty() {
        let why = unmeasured
            .first()
            .map_or("nothing to compare", |gap| gap.why.as_str());
        return Err(Trouble::Broken(format!("no cell could be compared: {why}")));
    }
    let run = Run {
        format: crate::run::FORMAT,
        started_unix_seconds: started
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs()),
        measuring_seconds: orchestrator.elapsed().as_secs_f64(),
        build_seconds: crate::run::build_seconds(),
        arguments: crate::cli::said().split_off(1),
        machine,
        floors: Vec::new(),
        cells: Vec::new(),
        ratios: all,
        goals: Vec::new(),
        awaited: Vec::new(),
        abilities: abilities::of_this_build(),
        cores: Vec::new(),
        unmeasured,
        verdict: assemble::verdict(&orchestrator.probes),
        probes: std::mem::take(&mut orchestrator.probes),
    };
    Ok(Comparison { run, acquitted })
}

/// The groups of the gate: one maker each, on one CPU.
fn plan(selection: &Selection, families: &[Family], cpus: &Cpus) -> (Vec<Group>, Vec<Unmeasured>) {
    let mut selection = selection.clone();
    if selection.scenarios.is_empty() {
        selection.scenarios = SCENARIOS.to_vec();
    }
    selection
        .scenarios
        .retain(|scenario| SCENARIOS.contains(scenario));
    let plan = Plan::new(&selection, families, cpus);
    let mut groups = Vec::new();
    for mut group in plan
        .groups
        .into_iter()
        .filter(|group| group.role == Role::Mechanism)
    {
        group.placement = Placement::SameCore;
        let of_kind = |kind| {
            group
                .makers
                .iter()
                .find(|maker| maker.kind == kind)
                .cloned()
        };
        let maker: Option<Maker> = of_kind(MakerKind::Ours).or_else(|| of_kind(MakerKind::Raw));
        if let Some(maker) = maker {
            group.makers = vec![maker];
            groups.push(group);
        }
    }
    (groups, plan.unmeasured)
}

fn measure(
    orchestrator: &mut Orchestrator,
    group: &Group,
    time: Duration,
) -> Result<Vec<Ratio>, Trouble> {
    let mut lanes: Vec<Lane> = [HEAD, BASE]
        .into_iter()
        .flat_map(|crew| {
            group
                .makers
                .iter()
                .map(move |maker| Lane::new(crew, maker.clone()))
        })
        .collect();
    let allowance = Allowance {
        time,
        is_limit: false, // a cell that is left out could hide a regression
        slice_max: SLICE_MAX,
        fresh_pairs: FRESH_PAIRS,
        count_calls: false,
    };
    orchestrator.measure(group, &mut lanes, allowance)?;
    let [head, base] = lanes.as_slice() else {
        return Ok(Vec::new());
    };
    let name = format!("{}/vs/base", group.name());
    let rate = group.shape.scenario.is_rate();
    Ok(ratios(
        &name,
        group.placement,
        rate,
        &head.slices,
        &base.slices,
    ))
}

/// The whole interval lies beyond the tolerance, on the bad side.
pub fn is_regression(ratio: &Ratio) -> bool {
    if ratio.higher_is_better {
        ratio.high < 1.0 - TOLERANCE
    } else {
        ratio.low > 1.0 + TOLERANCE
    }
}

impl Comparison {
    /// The ratios that fail the comparison.
    pub fn regressions(&self) -> Vec<&Ratio> {
        self.run
            .ratios
            .iter()
            .filter(|ratio| is_regression(ratio))
            .collect()
    }

    /// The comparison as Markdown.
    pub fn markdown(&self) -> String {
        let regressions = self.regressions();
        let mut text = String::from("# Comparison with the base build\n\n");
        let _ = match regressions.len() {
            0 => writeln!(text, "No regression beyond {:.0} %.\n", TOLERANCE * 100.0),
            n => writeln!(
                text,
                "**{n} regressions beyond {:.0} %.**\n",
                TOLERANCE * 100.0
            ),
        };
        text += "| cell | head / base | 95 % interval | slices | |\n|---|---:|---:|---:|---|\n";
        for ratio in &self.run.ratios {
            let note = if is_regression(ratio) {
                "**regression**"
            } else if self.acquitted.contains(&ratio.name) {
                "suspected once, not confirmed"
            } else {
                ""
            };
            let kind = if ratio.higher_is_better {
                "rate"
            } else {
                "time"
            };
            let _ = writeln!(
                text,
                "| {} ({kind}) | {:.3} | {:.3} – {:.3} | {} | {note} |",
                ratio.name, ratio.value, ratio.low, ratio.high, ratio.n
            );
        }
        let verdict = &self.run.verdict;
        let _ = writeln!(
            text,
            "\n{} slices kept, {} rejected in {:.0} s; {}",
            verdict.kept, verdict.rejected, self.run.measuring_seconds, verdict.sentence
        );
        if !self.run.unmeasured.is_empty() {
            text += "\nNot compared:\n\n";
        }
        for gap in &self.run.unmeasured {
            let _ = writeln!(text, "- {}: {}", gap.what, gap.why);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::State;

    fn ratio(low: f64, high: f64, higher_is_better: bool) -> Ratio {
        Ratio {
            name: "pipe/round-trip/64/vs/base".to_owned(),
            value: (low + high) / 2.0,
            low,
            high,
            n: 30,
            state: State::One,
            placement: Placement::SameCore,
            higher_is_better,
        }
    }

    #[test]
    fn a_time_regresses_when_its_whole_interval_is_too_long() {
        assert!(is_regression(&ratio(1.06, 1.12, false)));
        assert!(
            !is_regression(&ratio(1.04, 1.12, false)),
            "the interval reaches the tolerance"
        );
        assert!(
            !is_regression(&ratio(0.80, 0.90, false)),
            "faster is no regression"
        );
    }

    #[test]
    fn a_rate_regresses_when_its_whole_interval_is_too_low() {
        assert!(is_regression(&ratio(0.88, 0.94, true)));
        assert!(
            !is_regression(&ratio(0.88, 0.96, true)),
            "the interval reaches the tolerance"
        );
        assert!(
            !is_regression(&ratio(1.10, 1.20, true)),
            "faster is no regression"
        );
    }
}
