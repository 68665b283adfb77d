//! Which threads of this process would take a signal away from its receiver.

use crate::{SignalSet, sys};
use ipc_core::{Error, ErrorKind, Result};
use std::fs;
use std::path::Path;

/// How often to look again at threads that are being started. The C library starts a thread with
/// every signal blocked, its own too, and gives it its mask a moment later.
const LOOKS: usize = 100;

/// Refuses where another thread does not block all of `signals`. A look, not a lock: threads that
/// start later inherit what their starter blocks.
pub(crate) fn check_that_all_block(signals: SignalSet) -> Result<()> {
    let mut others = other_threads()?;
    for _ in 1..LOOKS {
        if !others.iter().any(Thread::is_starting) {
            break;
        }
        std::thread::yield_now();
        others = other_threads()?;
    }
    let open: Vec<&Thread> = others
        .iter()
        .filter(|thread| !signals.without(thread.blocked()).is_empty())
        .collect();
    let Some(first) = open.first() else {
        return Ok(());
    };
    let more = match open.len() - 1 {
        0 => String::new(),
        more => format!(" (nor do {more} others)"),
    };
    Err(Error::new("receive signals", ErrorKind::InvalidInput)
        .on(signals.without(first.blocked()))
        .hint(format!(
            "thread {} ({}) does not block it{more}: make the receiver, or SignalSet::block \
             it, before that thread starts",
            first.number, first.name
        )))
}

fn other_threads() -> Result<Vec<Thread>> {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else {
        return Err(Error::new("receive signals", ErrorKind::Unsupported).hint(
            "whether all threads block them shows in /proc, which is not mounted; \
             Options::unchecked_threads goes without",
        ));
    };
    let own = sys::own_thread().to_string();
    let others = tasks.flatten().filter(|task| task.file_name() != *own);
    Ok(others.filter_map(|task| Thread::of(&task.path())).collect())
}

struct Thread {
    number: String,
    name: String,
    mask: u64,
}

impl Thread {
    /// What the kernel says of it; none of one that has ended meanwhile.
    fn of(task: &Path) -> Option<Self> {
        let status = fs::read_to_string(task.join("status")).ok()?;
        let field = |name: &str| {
            let mut lines = status.lines().filter_map(|line| line.split_once(':'));
            lines
                .find(|(key, _)| *key == name)
                .map_or("", |(_, value)| value.trim())
        };
        // A first thread that has ended stays in the list, and takes no signal.
        if field("State").starts_with(['Z', 'X']) {
            return None;
        }
        Some(Self {
            number: field("Pid").to_owned(),
            name: field("Name").to_owned(),
            // What cannot be read blocks nothing: a refusal is better than a loss.
            mask: u64::from_str_radix(field("SigBlk"), 16).unwrap_or(0),
        })
    }

    fn blocked(&self) -> SignalSet {
        SignalSet::from_bits(self.mask)
    }

    /// Whether it blocks what only the C library can, and for a moment only.
    fn is_starting(&self) -> bool {
        let first = u32::try_from(libc::SIGSYS).unwrap_or(31);
        self.mask & (1 << first) != 0
    }
}
