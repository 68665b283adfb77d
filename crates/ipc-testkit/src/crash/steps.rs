//! The instructions of an operation, known from one run, and deaths at any of them in others.

use super::Forked;
use super::kill::kill_inside;
use super::one_processor::OneProcessor;
use super::single_step::{place as here, ready, single_step, stepped};
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use rustix::process::{Pid as RustixPid, Resource, Rlimit, prlimit};
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
        let reached = self.stop(operation, instructions, &mut || false)?;
        match reached {
            Some(reached) => Ok(reached),
            None => kill_inside(operation, instructions),
        }
    }

    /// Does `act` while a copy of `operation` stands still after `instructions` of its
    /// instructions, and lets the copy run to its end. False where it has fewer, or went another
    /// way this time.
    ///
    /// # Errors
    /// As [`single_step`](super::single_step); and where the copy computes without end.
    pub fn interrupt(
        &self,
        operation: &dyn Fn(),
        instructions: u64,
        act: impl Fn(),
    ) -> Result<bool, String> {
        let reached = self.stop(operation, instructions, &mut || {
            act();
            true
        })?;
        if let Some(reached) = reached {
            return Ok(reached);
        }
        let steps = single_step(operation, |step| {
            if step == instructions {
                act();
            }
            step < instructions + TOO_LONG
        })?;
        match steps < instructions + TOO_LONG {
            true => Ok(steps >= instructions),
            false => Err(format!("it still runs after {steps} instructions")),
        }
    }

    /// Stops a copy of `operation` after so many instructions, where `then` says whether it goes
    /// on; else it is killed. Whether it came there; `None` without a breakpoint.
    fn stop(
        &self,
        operation: &dyn Fn(),
        instructions: u64,
        then: &mut dyn FnMut() -> bool,
    ) -> Result<Option<bool>, String> {
        let at = instructions.saturating_sub(1) as usize;
        let Some(&place) = self.places.get(at) else {
            return Ok(Some(false));
        };
        let mut before = self.places[..at].iter().filter(|at| **at == place).count();
        let together = OneProcessor::new();
        let mut copy = copy_of(operation);
        let pid = copy.pid();
        let (mut begun, mut reached, mut passed) = (false, false, 0);
        loop {
            match waitpid(pid, None).map_err(|errno| format!("wait for the copy: {errno}"))? {
                WaitStatus::Stopped(_, Signal::SIGSTOP) if !begun => {
                    begun = true;
                    // It stands there now, before the first instruction that counts.
                    before += usize::from(here(pid) == place);
                    if !break_at(pid, place) {
                        copy.kill();
                        drop(together);
                        return Ok(None);
                    }
                }
                // Behind the last instruction it stops anyway, and is killed when this returns.
                WaitStatus::Stopped(_, Signal::SIGSTOP) => {
                    return Ok(Some(reached || instructions == self.count()));
                }
                WaitStatus::Stopped(_, Signal::SIGTRAP) if passed == before => {
                    if !then() {
                        copy.kill();
                        return Ok(Some(true));
                    }
                    reached = true;
                    passed += 1;
                    go_on_for_a_while(pid);
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

/// Instructions after which an operation counts as one that has no end.
const TOO_LONG: u64 = 100_000;

/// Takes the breakpoint away; what then computes without end is signalled.
fn go_on_for_a_while(pid: Pid) {
    /// Of a processor's time.
    const SECONDS: u64 = 10;
    clear_break(pid);
    let limit = Rlimit {
        current: Some(SECONDS),
        maximum: Some(SECONDS),
    };
    // Where it may not be limited, a watchdog ends what does not end.
    let _ = prlimit(RustixPid::from_raw(pid.as_raw()), Resource::Cpu, limit);
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

/// Takes it away again.
#[cfg(target_arch = "x86_64")]
fn clear_break(pid: Pid) {
    let control = std::mem::offset_of!(libc::user, u_debugreg) + 7 * size_of::<libc::c_long>();
    let _ = ptrace::write_user(pid, control as ptrace::AddressType, 0);
}

#[cfg(not(target_arch = "x86_64"))]
fn break_at(_pid: Pid, _place: u64) -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
fn clear_break(_pid: Pid) {}
