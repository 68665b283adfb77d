//! An operation killed after a chosen one of its system calls.

use super::one_processor::OneProcessor;
use super::single_step::ready;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};

/// Kills `operation` when `calls` of its system calls have returned, with all that the kernel
/// then does for the dead process. False where the operation has fewer. What the kernel holds
/// changes at system calls alone, so killing at each of them reaches every state of it, in a
/// hundredth of the stops that [`kill_inside`](super::kill_inside) needs.
///
/// # Errors
/// As [`single_step`](super::single_step).
pub fn kill_at_call(operation: impl FnOnce(), calls: u64) -> Result<bool, String> {
    let _together = OneProcessor::new();
    let mut copy = ready(operation);
    let pid = copy.pid();
    let (mut begun, mut stops, mut seen) = (false, 0, 0);
    loop {
        let status = waitpid(pid, None).map_err(|errno| format!("wait for the copy: {errno}"))?;
        match status {
            WaitStatus::Stopped(_, Signal::SIGSTOP) if !begun => {
                begun = true;
                let marked = ptrace::setoptions(pid, ptrace::Options::PTRACE_O_TRACESYSGOOD);
                marked.map_err(|errno| format!("tracing is not allowed here: {errno}"))?;
            }
            WaitStatus::Stopped(_, Signal::SIGSTOP) => return Ok(false),
            // Twice a call: at its entry and at its return. The first is the return of the call
            // that raised the stop.
            WaitStatus::PtraceSyscall(_) => {
                stops += 1;
                if stops % 2 == 1 && stops > 1 {
                    seen += 1;
                    if seen == calls {
                        copy.kill();
                        return Ok(true);
                    }
                }
            }
            WaitStatus::Stopped(_, signal) => {
                return Err(format!("the operation was signalled: {signal}"));
            }
            WaitStatus::Exited(..) if !begun => {
                copy.forget_reaped();
                return Err("tracing is not allowed here (ptrace)".into());
            }
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => {
                copy.forget_reaped();
                return Err(format!("the operation ended early: {status:?}"));
            }
            _ => {}
        }
        let gone_on = ptrace::syscall(pid, None);
        gone_on.map_err(|errno| format!("tracing is not allowed here: {errno}"))?;
    }
}
