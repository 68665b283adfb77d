//! What a stretch of a worker costs: CPU time and context switches by getrusage(2), and the marks
//! between which a tracer counts system calls.

use std::io;

use nix::sys::resource::{UsageWho, getrusage};

use crate::{protocol::Usage, sys};

/// Begins the measured stretch: cost so far, and the mark for the counter of system calls.
pub fn begin(counted: bool) -> io::Result<Usage> {
    let usage = usage_now()?;
    if counted {
        sys::null_call(sys::MARK, 0);
    }
    Ok(usage)
}

/// Ends the stretch for the counter. A second mark does nothing.
pub fn mark_end(counted: bool) {
    if counted {
        sys::null_call(sys::MARK, 1);
    }
}

/// Ends the stretch: what it cost this process.
pub fn end(before: Usage, counted: bool) -> io::Result<Usage> {
    mark_end(counted);
    let now = usage_now()?;
    Ok(Usage {
        cpu_ns: now.cpu_ns.saturating_sub(before.cpu_ns),
        voluntary: now.voluntary.saturating_sub(before.voluntary),
        involuntary: now.involuntary.saturating_sub(before.involuntary),
    })
}

fn usage_now() -> io::Result<Usage> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let nanoseconds = |time: nix::sys::time::TimeVal| {
        time.tv_sec() as u64 * 1_000_000_000 + time.tv_usec() as u64 * 1000
    };
    Ok(Usage {
        cpu_ns: nanoseconds(usage.user_time()) + nanoseconds(usage.system_time()),
        voluntary: usage.voluntary_context_switches() as u64,
        involuntary: usage.involuntary_context_switches() as u64,
    })
}
