//! Which threads of this process would take a signal away from its receiver.

use crate::{SignalSet, sys};
use ipc_core::{Error, ErrorKind, Result};
use std::fs;
use std::path::Path;

/// Refuses where another thread does not block all of `signals`. A look, not a lock: threads that
/// start later inherit what their starter blocks.
pub(crate) fn check_that_all_block(signals: SignalSet) -> Result<()> {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else {
        return Err(Error::new("receive signals", ErrorKind::Unsupported).hint(
            "whether all threads block them shows in /proc, which is not mounted; \
                 Options::unchecked_threads goes without",
        ));
    };
    let own = sys::own_thread().to_string();
    let open: Vec<Thread> = tasks
        .flatten()
        .filter(|task| task.file_name() != *own)
        .filter_map(|task| Thread::of(&task.path()))
        .filter(|thread| !signals.without(thread.blocked).is_empty())
        .collect();
    let Some(first) = open.first() else {
        return Ok(());
    };
    let others = match open.len() - 1 {
        0 => String::new(),
        more => format!(" (nor do {more} others)"),
    };
    Err(Error::new("receive signals", ErrorKind::InvalidInput)
        .on(signals.without(first.blocked))
        .hint(format!(
            "thread {} ({}) does not block it{others}: make the receiver, or SignalSet::block \
             it, before that thread starts",
            first.number, first.name
        )))
}

struct Thread {
    number: String,
    name: String,
    blocked: SignalSet,
}

impl Thread {
    /// What the kernel says of it; none of one that has ended meanwhile.
    fn of(task: &Path) -> Option<Self> {
        let status = fs::read_to_string(task.join("status")).ok()?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.trim_start_matches(':').trim())
        };
        // A first thread that has ended stays in the list, and takes no signal.
        if field("State")?.starts_with(['Z', 'X']) {
            return None;
        }
        Some(Self {
            number: field("Pid")?.to_owned(),
            name: field("Name")?.to_owned(),
            blocked: SignalSet::from_bits(u64::from_str_radix(field("SigBlk")?, 16).ok()?),
        })
    }
}
