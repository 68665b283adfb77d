//! R3: death at each labelled step, in a program started for it.

#[cfg(not(feature = "failpoints"))]
use ipc_testkit::crash::{Lab, Tally};

/// What a program that is started as a part of the laboratory is told, in its environment.
pub(crate) const PART: &str = "IPC_SHM_CRASH_PART";

#[cfg(not(feature = "failpoints"))]
pub(crate) fn of_a_life(lab: &mut Lab) {
    let mut tally = Tally::new("R3", "killed at each label");
    tally.skip("built without the feature failpoints (cargo xtask crash has it)");
    lab.enter(tally);
}

#[cfg(not(feature = "failpoints"))]
pub(crate) fn live(_part: &str) {}

#[cfg(feature = "failpoints")]
pub(crate) use enabled::{live, of_a_life};

#[cfg(feature = "failpoints")]
mod enabled {
    use super::PART;
    use crate::object::{NAMED, Object, SIZE, segments};
    use crate::steps::OPERATIONS;
    use ipc_shm::{Backing, Options, Region};
    use ipc_testkit::TempDir;
    use ipc_testkit::crash::{Lab, Tally};
    use std::collections::BTreeSet;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    /// The sources with labels: one that stands in them and is never passed is a failure.
    const SOURCES: [&str; 4] = [
        include_str!("../../src/anonymous.rs"),
        include_str!("../../src/attach.rs"),
        include_str!("../../src/named.rs"),
        include_str!("../../src/system_v.rs"),
    ];

    fn labels() -> BTreeSet<&'static str> {
        let labels = SOURCES.iter().flat_map(|source| {
            let after = source.split("crash_point!(\"").skip(1);
            after.filter_map(|rest| rest.split('"').next())
        });
        labels.collect()
    }

    /// All that can be done with a backing, so that every label is passed.
    fn life(object: &Object) {
        for operation in &OPERATIONS {
            (operation.before)(object);
            (operation.run)(object);
            object.clear();
        }
        let mut options = Options::new();
        options.size_bytes(4096).growable_to_bytes(1 << 20);
        let region = options.anonymous().expect("memory");
        region.grow(100_000).expect("memory");
        drop(Region::from_fd(region.to_fd().expect("memory")).expect("whole"));
        let mut options = Options::new();
        options.size_bytes(SIZE).backing(Backing::SystemV);
        let region = options.anonymous().expect("memory");
        let id = region.id().expect("a segment");
        drop(options.attach_id(id).expect("there"));
    }

    /// What a program does that was started for its death.
    pub(crate) fn live(part: &str) {
        let mut words = part.splitn(3, '\n');
        let mut word = || words.next().unwrap_or_default();
        let (backing, dir, name) = (word(), word(), word());
        let backing = NAMED
            .into_iter()
            .find(|known| format!("{known:?}") == backing);
        let object = Object::at(backing.expect("a backing"), dir.as_ref(), name);
        life(&object);
    }

    pub(crate) fn of_a_life(lab: &mut Lab) {
        let all = labels();
        let mut hit = BTreeSet::new();
        let dir = TempDir::new();
        for backing in NAMED {
            let mut tally = Tally::new("R3", format!("{backing}: killed at each label"));
            let object = Object::new(backing, &dir);
            let before = segments();
            for &label in &all {
                for _ in 0..lab.count(5, 100, 1_000) {
                    // A later passing, when there is one: the same step in another operation.
                    let passing = 1 + lab.below(4);
                    let died = die(&object, label, passing) || die(&object, label, 1);
                    if !died {
                        break;
                    }
                    hit.insert(label);
                    let outcome = object.recover();
                    // What has no name is taken up by the next start.
                    next_start();
                    let left = segments().saturating_sub(before);
                    tally.trial(match (outcome, left) {
                        (Ok(()), 0) => Ok(()),
                        outcome => Err(format!("{label}:{passing}: {outcome:?}")),
                    });
                    object.clear();
                }
            }
            lab.enter(tally);
        }
        let mut tally = Tally::new("R3", format!("{} labels: every one passed", all.len()));
        for label in all {
            let passed = hit.contains(label);
            tally.trial(passed.then_some(()).ok_or(format!("{label} never")));
        }
        lab.enter(tally);
    }

    fn next_start() {
        let mut options = Options::new();
        options.size_bytes(SIZE).backing(Backing::SystemV);
        let next = ipc_testkit::crash::Forked::new(|| drop(options.anonymous().expect("memory")));
        assert!(next.finished(), "the next start works");
    }

    /// Whether the life died at the label, and was not over before.
    fn die(object: &Object, label: &str, passing: u64) -> bool {
        object.clear();
        let name = object.name.file_name().expect("a name").to_string_lossy();
        let part = format!("{:?}\n{}\n{name}", object.backing, object.dir.display());
        let status = Command::new(std::env::current_exe().expect("this program"))
            .env(PART, part)
            .env("IPC_KILL_AT", format!("{label}:{passing}"))
            .stdin(Stdio::null())
            .status()
            .expect("this program starts again");
        assert!(
            status.success() || status.signal() == Some(9),
            "{label}: {status}"
        );
        !status.success()
    }
}
