//! R3: death at each labelled step, in a program started for it.

use ipc_testkit::crash::{Lab, Tally};
use std::process::ExitCode;

/// What a program that is started as a part of the laboratory is told, in its environment.
pub(crate) const PART: &str = "IPC_SEM_CRASH_PART";

#[cfg(not(feature = "failpoints"))]
pub(crate) fn at_each_label(lab: &mut Lab) {
    let mut tally = Tally::new("R3", "killed at each label");
    tally.skip("built without the feature failpoints (cargo xtask crash has it)");
    lab.enter(tally);
}

#[cfg(not(feature = "failpoints"))]
pub(crate) fn play(_part: &str) -> ExitCode {
    eprintln!("built without the feature failpoints");
    ExitCode::from(2)
}

#[cfg(feature = "failpoints")]
pub(crate) use enabled::{at_each_label, play};

#[cfg(feature = "failpoints")]
mod enabled {
    use super::{ExitCode, Lab, PART, Tally};
    use crate::judge::{Verdict, judge};
    use crate::operations::OPERATIONS;
    use crate::scene::{self, Kind, restore};
    use crate::steps::{begun, found_or_made};
    use ipc_sem::Region;
    use std::collections::BTreeSet;
    use std::os::fd::AsFd;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    /// The sources with labels: one that stands in them and is never passed is a failure.
    const SOURCES: [&str; 9] = [
        include_str!("../../src/barrier.rs"),
        include_str!("../../src/event.rs"),
        include_str!("../../src/header.rs"),
        include_str!("../../src/ledger.rs"),
        include_str!("../../src/lock.rs"),
        include_str!("../../src/mutex.rs"),
        include_str!("../../src/once.rs"),
        include_str!("../../src/rw_lock.rs"),
        include_str!("../../src/table.rs"),
    ];

    fn labels() -> BTreeSet<&'static str> {
        let labels = SOURCES.iter().flat_map(|source| {
            let after = source.split("crash_point!(\"").skip(1);
            after.filter_map(|rest| rest.split('"').next())
        });
        labels.collect()
    }

    /// Does what the part says, in the region that is standard input, and says what it passed.
    pub(crate) fn play(part: &str) -> ExitCode {
        let region = std::io::stdin().as_fd().try_clone_to_owned();
        let region = Region::from_fd(region.expect("a descriptor")).expect("a region");
        if let Some(operation) = OPERATIONS.iter().find(|operation| operation.name == part) {
            (operation.act)(&region);
        } else {
            let kind = Kind::ALL.iter().find(|kind| format!("{kind:?}") == part);
            let _ = kind.expect("a known part").create(&region);
        }
        for label in ipc_sys::crash_labels_passed() {
            println!("{label}");
        }
        ExitCode::SUCCESS
    }

    /// What a start of the part passed, and whether it died.
    fn start(part: &str, region: &Region, at: &str) -> (bool, BTreeSet<String>) {
        let memory = region.as_fd().expect("a memfd").try_clone_to_owned();
        let ended = Command::new(std::env::current_exe().expect("this program"))
            .env(PART, part)
            .env("IPC_KILL_AT", at)
            .stdin(Stdio::from(memory.expect("a descriptor")))
            .stderr(Stdio::inherit())
            .output()
            .expect("this program starts again");
        let died = ended.status.signal() == Some(9);
        assert!(died || ended.status.success(), "{part}: {}", ended.status);
        let passed = String::from_utf8_lossy(&ended.stdout);
        (died, passed.lines().map(str::to_owned).collect())
    }

    /// Kills `part` at every label that it passes.
    fn kill_at_all(
        lab: &mut Lab,
        tally: &mut Tally,
        part: &str,
        region: &mut Region,
        again: impl Fn(&mut Region),
        verdict: impl Fn(&Region) -> Verdict,
    ) -> BTreeSet<String> {
        let (_, passed) = start(part, region, "none:1");
        for label in &passed {
            for _ in 0..lab.count(1, 25, 250) {
                // A later passing, when there is one: the same step at another time.
                let passing = 1 + lab.below(3);
                let mut died = false;
                for passing in [passing, 1] {
                    again(region);
                    died = died || start(part, region, &format!("{label}:{passing}")).0;
                    if died {
                        break;
                    }
                }
                tally.trial(match died {
                    true => verdict(region).map_err(|failure| format!("{label}: {failure}")),
                    false => Err(format!("{label}: passed before, and now not")),
                });
            }
        }
        passed
    }

    pub(crate) fn at_each_label(lab: &mut Lab) {
        let mut hit = BTreeSet::new();
        for operation in &OPERATIONS {
            let mut tally = Tally::new("R3", format!("killed at each label: {}", operation.name));
            let (mut region, before, players) = begun(operation);
            hit.extend(kill_at_all(
                lab,
                &mut tally,
                operation.name,
                &mut region,
                |region| restore(region, &before),
                |region| judge(operation.kind, region, operation.holders),
            ));
            drop(players);
            lab.enter(tally);
        }
        let mut tally = Tally::new("R3", "killed at each label of making");
        for kind in Kind::ALL {
            hit.extend(kill_at_all(
                lab,
                &mut tally,
                &format!("{kind:?}"),
                &mut scene::fresh(),
                |region| *region = scene::fresh(),
                |region| found_or_made(kind, region),
            ));
        }
        lab.enter(tally);
        let all = labels();
        let mut tally = Tally::new("R3", format!("{} labels: every one passed", all.len()));
        for label in all {
            let passed = hit.contains(label);
            tally.trial(passed.then_some(()).ok_or(format!("{label} never")));
        }
        lab.enter(tally);
    }
}
