//! The instructions of an operation, known from one run, and deaths at any of them in others.

use super::Forked;
use super::kill::kill_inside;
use super::one_processor::OneProcessor;
use super::single_step::{place as here, ready, stepped};
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use std::fmt;

/// Where an operation was after each of its instructions, in one run of it.
///
/// A copy is stopped there by a breakpoint of the processor: a death costs as many stops as the
/// operation comes by that place before, a few, where single-stepping has thousands.
#[derive(Clone)]
pub struct Steps {
    places: Vec<u64>,
}

impl Steps {
    /// Runs `operation` once, as [`single_step`](super::single_step) does, and calls `look` in
    /// the same way.
    ///
    /// # Errors
    /// As [`single_step`](super::single_step).
    pub fn of(operation: &dyn Fn(), mut look: impl FnMut(u64) -> bool) -> Result<Self, String> {
        let mut places = Vec::new();
        let _together = OneProcessor::new();
        stepped(copy_of(operation), |pid, step| {
            places.push(here(pid));
            look(step)
        })?;
        Ok(Self { places })
    }

    /// How many instructions it had.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.places.len() as u64
    }

    /// Kills `operation`, which is the same closure, whatever it captures now, after
    /// `instructions` of its instructions, with all that the kernel then does for the dead
    /// process. False where it has fewer, or went another way this time.
    ///
    /// # Errors
    /// As [`single_step`](super::single_step).
    pub fn kill(&self, operation: &dyn Fn(), instructions: u64) -> Result<bool, String> {
        let at = instructions.saturating_sub(1) as usize;
        let Some(&place) = self.places.get(at) else {
            return Ok(false);
        };
        let mut before = self.places[..at].iter().filter(|at| **at == place).count();
        let together = OneProcessor::new();
        let mut copy = copy_of(operation);
        let pid = copy.pid();
        let (mut begun, mut passed) = (false, 0);
        loop {
            match waitpid(pid, None).map_err(|errno| format!("wait for the copy: {errno}"))? {
                WaitStatus::Stopped(_, Signal::SIGSTOP) if !begun => {
                    begun = true;
                    // It stands there now, before the first instruction that counts.
                    before += usize::from(here(pid) == place);
                    if !break_at(pid, place) {
                        copy.kill();
                        drop(together);
                        return kill_inside(operation, instructions);
                    }
                }
                // Behind the last instruction it stops anyway, and is killed when this returns.
                WaitStatus::Stopped(_, Signal::SIGSTOP) => {
                    return Ok(instructions == self.count());
                }
                WaitStatus::Stopped(_, Signal::SIGTRAP) if passed == before => {
                    copy.kill();
                    return Ok(true);
                }
                WaitStatus::Stopped(_, Signal::SIGTRAP) => passed += 1,
                WaitStatus::Stopped(_, signal) => {
                    return Err(format!("the operation was signalled: {signal}"));
                }
                WaitStatus::Exited(..) if !begun => {
                    copy.forget_reaped();
                    return Err("tracing is not allowed here (ptrace)".into());
                }
                status @ (WaitStatus::Exited(..) | WaitStatus::Signaled(..)) => {
                    copy.forget_reaped();
                    return Err(format!("the operation ended early: {status:?}"));
                }
                _ => {}
            }
            let gone_on = ptrace::cont(pid, None);
            gone_on.map_err(|errno| format!("tracing is not allowed here: {errno}"))?;
        }
    }
}

/// Not generic and not inlined: the code of each run stands at the same places.
#[inline(never)]
fn copy_of(operation: &dyn Fn()) -> Forked {
    ready(operation)
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (f.debug_struct("Steps").field("count", &self.count())).finish_non_exhaustive()
    }
}

/// Sets the processor's first breakpoint, where it has one that may be set.
#[cfg(target_arch = "x86_64")]
fn break_at(pid: Pid, place: u64) -> bool {
    /// On: for this thread, at the execution of the place in the first register.
    const FIRST: libc::c_long = 1;
    let registers = std::mem::offset_of!(libc::user, u_debugreg);
    let set = |register: usize, value| {
        let offset = registers + register * size_of::<libc::c_long>();
        ptrace::write_user(pid, offset as ptrace::AddressType, value).is_ok()
    };
    set(0, place as libc::c_long) && set(7, FIRST)
}

#[cfg(not(target_arch = "x86_64"))]
fn break_at(_pid: Pid, _place: u64) -> bool {
    false
}
