//! An operation stopped after every one of its instructions.

use super::Forked;
use super::one_processor::OneProcessor;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

/// Runs `operation` in a forked copy of this process and calls `look` after each instruction,
/// with the number of instructions so far, while the copy stands still. What `look` sees of
/// shared memory is what a process killed there would leave behind: one coherent machine does
/// not reorder the stores of a process that dies. Returns the number of instructions.
///
/// `look` answers whether to go on; when it says no, the copy is killed right there, with what
/// the kernel does for a dying process (robust locks, descriptors, undo).
///
/// # Errors
/// A sentence where the host forbids tracing, or where the operation did not run to its end.
pub fn single_step(
    operation: impl FnOnce(),
    mut look: impl FnMut(u64) -> bool,
) -> Result<u64, String> {
    let _together = OneProcessor::new();
    stepped(ready(operation), |_, step| look(step))
}

/// As [`single_step`] for a copy that is [`ready`]; `look` is told which process it is.
pub(crate) fn stepped(
    mut copy: Forked,
    mut look: impl FnMut(Pid, u64) -> bool,
) -> Result<u64, String> {
    let pid = copy.pid();
    let mut steps = 0;
    let mut stops = 0;
    loop {
        let status = waitpid(pid, None).map_err(|errno| format!("wait for the copy: {errno}"))?;
        match status {
            WaitStatus::Stopped(_, Signal::SIGSTOP) => {
                stops += 1;
                if stops == 2 {
                    return Ok(steps);
                }
            }
            WaitStatus::Stopped(_, Signal::SIGTRAP) => {
                steps += 1;
                if !look(pid, steps) {
                    copy.kill();
                    return Ok(steps);
                }
            }
            WaitStatus::Stopped(_, signal) => {
                return Err(format!("the operation was signalled: {signal}"));
            }
            WaitStatus::Exited(..) if steps == 0 => {
                copy.forget_reaped();
                return Err("tracing is not allowed here (ptrace)".into());
            }
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => {
                copy.forget_reaped();
                return Err(format!("the operation ended early: {status:?}"));
            }
            _ => {}
        }
        ptrace::step(pid, None).map_err(|errno| format!("tracing is not allowed here: {errno}"))?;
    }
}

/// A copy that stops before `operation` and after it, to be traced.
pub(crate) fn ready(operation: impl FnOnce()) -> Forked {
    Forked::new(|| {
        // Without a tracer nobody would wake it from its first stop.
        assert!(ptrace::traceme().is_ok(), "tracing is not allowed");
        // From here on each instruction is stepped.
        let _ = nix::sys::signal::raise(Signal::SIGSTOP);
        operation();
        let _ = nix::sys::signal::raise(Signal::SIGSTOP);
    })
}

/// The address of the instruction that a stopped copy does next; 0 where the kit cannot tell.
pub(crate) fn place(pid: Pid) -> u64 {
    #[cfg(target_arch = "x86_64")]
    return ptrace::getregs(pid).map_or(0, |registers| registers.rip);
    #[cfg(not(target_arch = "x86_64"))]
    return 0;
}
