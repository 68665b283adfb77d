//! R2, R4: makers killed while they make and remove, and what the next start finds.

use ipc_mq::sysv::{self, Select};
use ipc_mq::{ErrorKind, Options};
use ipc_testkit::TempDir;
use ipc_testkit::crash::{Lab, Tally, kill_at_call, kill_at_random};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

const AT_MOST: Duration = Duration::from_micros(400);
/// More calls than any life below makes.
const MANY: u64 = 200;

/// One way to have a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Named,
    Unnamed,
    SystemV,
}

pub(crate) const WAYS: [Way; 3] = [Way::Named, Way::Unnamed, Way::SystemV];

/// What is made, and where.
pub(crate) struct Maker {
    pub(crate) way: Way,
    name: String,
    system_v: sysv::Options,
}

impl Maker {
    pub(crate) fn new(way: Way, directory: &Path) -> Self {
        let mut system_v = sysv::Options::new();
        system_v
            .directory(directory.join("run"))
            .capacity_bytes(1000);
        Self {
            way,
            name: before().name.clone(),
            system_v,
        }
    }

    /// Makes a queue, uses it and removes it.
    pub(crate) fn life(&self) -> Result<(), String> {
        self.start()?;
        self.end()
    }

    /// Starts as a program does: whatever a dead one has left, there is a queue that works.
    pub(crate) fn start(&self) -> Result<(), String> {
        let text = |error: ipc_mq::Error| error.to_string();
        let mut buffer = [0; 32];
        let mut options = Options::new();
        options.max_messages(4).message_size_bytes(32);
        match self.way {
            Way::SystemV => {
                let queue = self.system_v.open_or_create("jobs").map_err(text)?;
                while queue.try_recv(&mut buffer, Select::First).is_ok() {}
                queue.try_send(b"works", 2).map_err(text)?;
                let received = queue
                    .try_recv(&mut buffer, Select::Exact(2))
                    .map_err(text)?;
                whole(&buffer[..received.length])?;
                let capacity = queue.status().map_err(text)?.capacity_bytes;
                (capacity == 1000).then_some(()).ok_or("half-made".into())
            }
            way => {
                let queue = match way {
                    Way::Named => options.open_or_create(&self.name),
                    _ => options.create_unnamed(),
                };
                let queue = queue.map_err(text)?;
                while queue.try_recv(&mut buffer).is_ok() {}
                queue.try_send(b"works", 2).map_err(text)?;
                let length = queue.try_recv(&mut buffer).map_err(text)?;
                whole(&buffer[..length])
            }
        }
    }

    /// Removes what there is, if there is anything.
    pub(crate) fn end(&self) -> Result<(), String> {
        let removed = match self.way {
            Way::Named => ipc_mq::unlink(&self.name),
            Way::Unnamed => return Ok(()),
            Way::SystemV => self.system_v.unlink("jobs"),
        };
        match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.to_string()),
            _ => Ok(()),
        }
    }

    /// Starts again after a death, ends, and looks at what is left.
    pub(crate) fn recover(&self) -> Result<(), String> {
        self.life()?;
        let left = left_behind();
        if left.is_empty() {
            Ok(())
        } else {
            Err(left.join(", "))
        }
    }
}

fn whole(message: &[u8]) -> Result<(), String> {
    (message == b"works")
        .then_some(())
        .ok_or("not what was sent".into())
}

/// In the environment of a program that is a part of the laboratory: the laboratory's number.
pub(crate) const LABORATORY: &str = "IPC_MQ_CRASH_LABORATORY";

/// The name of this laboratory's queue, and the keys of System V queues that were there before.
struct Before {
    name: String,
    keys: Vec<i64>,
}

/// Looked at first in the laboratory itself, before it forks.
fn before() -> &'static Before {
    static BEFORE: OnceLock<Before> = OnceLock::new();
    BEFORE.get_or_init(|| Before {
        name: format!("/ipc-mq-crash.{}", number()),
        keys: keys(),
    })
}

/// The laboratory's process, also in its parts.
pub(crate) fn number() -> String {
    std::env::var(LABORATORY).unwrap_or_else(|_| std::process::id().to_string())
}

/// The keys of this user's System V queues, but those without a name.
fn keys() -> Vec<i64> {
    let user = i64::from(rustix::process::geteuid().as_raw());
    // Columns: key msqid perms cbytes qnum lspid lrpid uid …
    let table = std::fs::read_to_string("/proc/sysvipc/msg").unwrap_or_default();
    let columns = table.lines().skip(1).map(|line| -> Vec<i64> {
        line.split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect()
    });
    let ours = columns.filter(|columns| columns.get(7) == Some(&user));
    ours.map(|columns| columns[0])
        .filter(|key| *key != 0)
        .collect()
}

/// What is left: names that open, and System V queues of this user.
pub(crate) fn left_behind() -> Vec<String> {
    let user = rustix::process::geteuid().as_raw();
    let mut left: Vec<String> = Vec::new();
    for name in [before().name.clone(), format!("/ipc-unnamed.{user}")] {
        match ipc_mq::open(&name) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            outcome => left.push(format!("{name}: {outcome:?}")),
        }
    }
    let fresh = keys()
        .into_iter()
        .filter(|key| !before().keys.contains(key));
    left.extend(fresh.map(|key| format!("System V queue {key:#x}")));
    left
}

pub(crate) fn killed_at_random(lab: &mut Lab) {
    let dir = TempDir::new();
    for way in WAYS {
        let mut tally = Tally::new("R2", format!("{way:?}: maker killed at random"));
        let maker = Maker::new(way, dir.path());
        for _ in 0..lab.count(500, 10_000, 100_000) / 3 {
            let live = || {
                while maker.life().is_ok() {}
            };
            let outcome = kill_at_random(lab, AT_MOST, live, |_zombie| maker.recover());
            tally.trial(outcome);
        }
        lab.enter(tally);
    }
}

/// What the kernel holds changes at system calls alone: a death at each of them.
pub(crate) fn killed_at_each_call(lab: &mut Lab) {
    let dir = TempDir::new();
    for way in WAYS {
        let mut tally = Tally::new("R2", format!("{way:?}: maker killed at each system call"));
        let maker = Maker::new(way, dir.path());
        for call in 1..MANY {
            let live = || maker.life().expect("nobody hinders it");
            match kill_at_call(live, call) {
                Ok(true) => tally.trial(maker.recover().map_err(|e| format!("call {call}: {e}"))),
                Ok(false) => break,
                Err(why) => {
                    tally.skip(why);
                    break;
                }
            }
        }
        lab.enter(tally);
    }
}

/// Those who recover are killed too, three in a row, and the fourth finds nothing amiss.
pub(crate) fn recoverers_killed(lab: &mut Lab) {
    let dir = TempDir::new();
    for way in WAYS {
        let mut tally = Tally::new("R4", format!("{way:?}: three recoverers killed in a row"));
        let maker = Maker::new(way, dir.path());
        for _ in 0..lab.count(50, 2_000, 20_000) {
            for _ in 0..4 {
                let live = || {
                    while maker.life().is_ok() {}
                };
                kill_at_random(lab, AT_MOST / 2, live, |_| ());
            }
            tally.trial(maker.recover());
        }
        lab.enter(tally);
    }
}
