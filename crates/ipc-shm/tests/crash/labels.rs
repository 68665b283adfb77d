//! R3, R4: death at each labelled step, of those who recover too, in programs started for it.

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

#[cfg(not(feature = "failpoints"))]
pub(crate) fn of_recoverers(lab: &mut Lab) {
    let mut tally = Tally::new("R4", "recoverers killed at labels");
    tally.skip("built without the feature failpoints (cargo xtask crash has it)");
    lab.enter(tally);
}

#[cfg(feature = "failpoints")]
pub(crate) use enabled::{live, of_a_life, of_recoverers};

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
        let mut words = part.splitn(4, '\n');
        let mut word = || words.next().unwrap_or_default();
        let (role, backing, dir, name) = (word(), word(), word(), word());
        let backing = NAMED
            .into_iter()
            .find(|known| format!("{known:?}") == backing);
        let object = Object::at(backing.expect("a backing"), dir.as_ref(), name);
        match role {
            LIFE => life(&object),
            _ => object.recover().expect("recovered"),
        }
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
                    let died = die(LIFE, &object, label, passing) || die(LIFE, &object, label, 1);
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

    /// Dead at a label, and three more dead at labels while they start again.
    pub(crate) fn of_recoverers(lab: &mut Lab) {
        let all: Vec<_> = labels().into_iter().collect();
        let dir = TempDir::new();
        for backing in NAMED {
            let what = format!("{backing}: maker and recoverers killed at labels");
            let mut tally = Tally::new("R4", what);
            let object = Object::new(backing, &dir);
            let before = segments();
            while tally.trials < lab.count(7, 700, 7_000) {
                let passing = 1 + lab.below(4);
                let mut label = || all[lab.below(all.len() as u64) as usize];
                if !die(LIFE, &object, label(), passing) {
                    continue;
                }
                // Some labels are not on their way: they recover, and the next finds nothing.
                let deaths = (0..3).filter(|_| go_on(START, &object, label(), 1));
                let deaths = deaths.count();
                let outcome = object.recover();
                next_start();
                let left = segments().saturating_sub(before);
                tally.trial(match (outcome, left) {
                    (Ok(()), 0) => Ok(()),
                    outcome => Err(format!("after {deaths} deaths: {outcome:?}")),
                });
                object.clear();
            }
            lab.enter(tally);
        }
    }

    fn next_start() {
        let mut options = Options::new();
        options.size_bytes(SIZE).backing(Backing::SystemV);
        let next = ipc_testkit::crash::Forked::new(|| drop(options.anonymous().expect("memory")));
        assert!(next.finished(), "the next start works");
    }

    const LIFE: &str = "life";
    const START: &str = "start";

    /// From nothing: whether the role died at the label, and was not over before.
    fn die(role: &str, object: &Object, label: &str, passing: u64) -> bool {
        object.clear();
        go_on(role, object, label, passing)
    }

    /// The same from what stands there.
    fn go_on(role: &str, object: &Object, label: &str, passing: u64) -> bool {
        let name = object.name.file_name().expect("a name").to_string_lossy();
        let (backing, dir) = (object.backing, object.dir.display());
        let status = Command::new(std::env::current_exe().expect("this program"))
            .env(PART, format!("{role}\n{backing:?}\n{dir}\n{name}"))
            .env("IPC_KILL_AT", format!("{label}:{passing}"))
            .stdin(Stdio::null())
            .status()
            .expect("this program starts again");
        let killed = status.signal() == Some(9);
        assert!(status.success() || killed, "{label}: {status}");
        killed
    }
}
