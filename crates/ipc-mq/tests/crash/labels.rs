//! R3: death at each labelled step of making and removing, in programs started for it.

#[cfg(not(feature = "failpoints"))]
use ipc_testkit::crash::{Lab, Tally};

/// What a program that is started as a part of the laboratory is told, in its environment.
pub(crate) const PART: &str = "IPC_MQ_CRASH_PART";

#[cfg(not(feature = "failpoints"))]
pub(crate) fn of_makers(lab: &mut Lab) {
    let mut tally = Tally::new("R3", "killed at each label");
    tally.skip("built without the feature failpoints (cargo xtask crash has it)");
    lab.enter(tally);
}

#[cfg(not(feature = "failpoints"))]
pub(crate) fn live(_part: &str) {}

#[cfg(feature = "failpoints")]
pub(crate) use enabled::{live, of_makers};

#[cfg(feature = "failpoints")]
mod enabled {
    use super::PART;
    use crate::makers::{LABORATORY, Maker, WAYS, number};
    use ipc_testkit::TempDir;
    use ipc_testkit::crash::{Lab, Tally};
    use std::os::unix::process::ExitStatusExt;
    use std::path::Path;
    use std::process::{Command, Stdio};

    /// The sources with labels: one that stands in them and is never passed is a failure.
    const SOURCES: [&str; 2] = [
        include_str!("../../src/options.rs"),
        include_str!("../../src/sysv/options.rs"),
    ];

    fn labels() -> Vec<&'static str> {
        let labels = SOURCES.iter().flat_map(|source| {
            let after = source.split("crash_point!(\"").skip(1);
            after.filter_map(|rest| rest.split('"').next())
        });
        labels.collect()
    }

    /// What a program does that was started for its death.
    pub(crate) fn live(part: &str) {
        let (way, directory) = part.split_once('\n').expect("written by `die`");
        let way = WAYS.into_iter().find(|known| format!("{known:?}") == way);
        let maker = Maker::new(way.expect("one of them"), Path::new(directory));
        for _ in 0..3 {
            maker.life().expect("nobody hinders it");
        }
    }

    /// Whether a maker that was to die at `label` did.
    fn die(maker: &Maker, directory: &Path, label: &str, passing: u64) -> bool {
        let program = std::env::current_exe().expect("this laboratory runs from a file");
        let status = Command::new(program)
            .env(PART, format!("{:?}\n{}", maker.way, directory.display()))
            .env(LABORATORY, number())
            .env("IPC_KILL_AT", format!("{label}:{passing}"))
            .stdin(Stdio::null())
            .status()
            .expect("the laboratory can be started again");
        assert!(
            status.success() || status.signal() == Some(libc::SIGKILL),
            "{status}"
        );
        status.signal().is_some()
    }

    pub(crate) fn of_makers(lab: &mut Lab) {
        let dir = TempDir::new();
        let labels = labels();
        let mut hit = vec![false; labels.len()];
        for way in WAYS {
            let mut tally = Tally::new("R3", format!("{way:?}: killed at each label"));
            let maker = Maker::new(way, dir.path());
            for (label, hit) in labels.iter().zip(&mut hit) {
                for _ in 0..lab.count(5, 100, 1_000) {
                    let passing = 1 + lab.below(3);
                    if !die(&maker, dir.path(), label, passing) {
                        break;
                    }
                    *hit = true;
                    tally.trial(
                        maker
                            .recover()
                            .map_err(|e| format!("{label}:{passing}: {e}")),
                    );
                }
            }
            lab.enter(tally);
        }
        let mut tally = Tally::new("R3", format!("{} labels: every one passed", labels.len()));
        for (label, hit) in labels.iter().zip(hit) {
            tally.trial(hit.then_some(()).ok_or(format!("{label} never")));
        }
        lab.enter(tally);
    }
}
