//! Which thread of which process, and whether it lives.

use crate::sys::forks;
use std::cell::Cell;

/// A thread, which another of the same number is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Thread {
    pub(super) id: u32,
    pub(super) process: u32,
    /// When it started, in ticks since the system did; 0 where `/proc` does not say.
    pub(super) started: u64,
}

impl Thread {
    pub(super) fn current() -> Self {
        thread_local! {
            static CURRENT: Cell<Option<(u32, Thread)>> = const { Cell::new(None) };
        }
        if let Some((process, thread)) = CURRENT.get()
            && process == forks()
        {
            return thread;
        }
        let process = std::process::id();
        let id = rustix::thread::gettid()
            .as_raw_nonzero()
            .get()
            .unsigned_abs();
        let started = state_and_start(process, id).map_or(0, |(_, started)| started);
        let thread = Thread {
            id,
            process,
            started,
        };
        CURRENT.set(Some((forks(), thread)));
        thread
    }

    /// Whether it is proven to live: what a dead one held or waited for is of no account.
    pub(super) fn lives(self) -> bool {
        state_and_start(self.process, self.id)
            .is_some_and(|(state, started)| !"ZXx".contains(state) && started == self.started)
    }
}

/// What `/proc` says of a thread: its state, and when it started.
fn state_and_start(process: u32, thread: u32) -> Option<(char, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{process}/task/{thread}/stat")).ok()?;
    // Behind its name, which may have any characters: fields 3 and 22 of proc(5).
    let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}
