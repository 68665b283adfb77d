//! An operation of which one system call, or one and those after it, fail.

use super::one_processor::OneProcessor;
use super::single_step::ready;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What a tracer that has not had its turn for longer counts of its patience: on a busy host the
/// copy waited no less, and what waits for its turn does not hang.
const TURN: Duration = Duration::from_millis(10);

/// What is to fail, and how.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// Which of the system calls that may fail, from 1.
    pub call: u64,
    /// What it fails with.
    pub errno: i32,
    /// How many calls of that kind fail in a row.
    pub times: u64,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Swept {
    /// How many system calls that may fail there were.
    pub calls: u64,
    /// The number of the system call that has failed; `None` where the operation has fewer.
    pub failed: Option<i64>,
    /// Descriptors that it did not have before, in words.
    pub leaked: Vec<String>,
    /// Whether it took longer than was allowed, and was killed.
    pub hung: bool,
    /// Its exit status (0, or 101 where it panicked), or minus the signal that ended it.
    pub status: i32,
}

/// Runs `operation` in a forked copy of this process, in which system calls fail without being
/// done: those of the fault, counted among the ones that `may_fail` admits, by their number and
/// first argument. It hangs where it takes longer than `patience`, of which a host that lets it
/// wait for its turn takes little.
///
/// # Errors
/// A sentence where the host forbids tracing, or where registers are not known to the kit.
pub fn fail_at_call(
    operation: impl FnOnce(),
    may_fail: impl Fn(i64, u64) -> bool,
    fault: Fault,
    patience: Duration,
) -> Result<Swept, String> {
    let _together = OneProcessor::new();
    let mut copy = ready(operation);
    let pid = copy.pid();
    let mut patience = patience;
    let mut swept = Swept {
        calls: 0,
        failed: None,
        leaked: Vec::new(),
        hung: false,
        status: 0,
    };
    let (mut stops, mut left) = (0, fault.times);
    let (mut before, mut failing) = (BTreeMap::new(), false);
    loop {
        let Some(status) = wait(pid, &mut patience)? else {
            swept.hung = true;
            copy.kill();
            return Ok(swept);
        };
        let mut signal = None;
        match status {
            WaitStatus::Stopped(_, Signal::SIGSTOP) if stops == 0 => {
                stops = 1;
                before = descriptors(pid);
                let marked = ptrace::setoptions(pid, ptrace::Options::PTRACE_O_TRACESYSGOOD);
                marked.map_err(|errno| format!("tracing is not allowed here: {errno}"))?;
            }
            WaitStatus::Stopped(_, Signal::SIGSTOP) => {
                stops = 2;
                let mut now = descriptors(pid);
                now.retain(|number, target| before.get(number) != Some(target));
                swept.leaked = now.into_values().collect();
            }
            // It is done, and nothing was: it gets its answer.
            WaitStatus::PtraceSyscall(_) if std::mem::take(&mut failing) => {
                registers::answer(pid, fault.errno)?;
            }
            WaitStatus::PtraceSyscall(_) if stops == 1 && is_entry(pid)? => {
                let (number, argument) = registers::call(pid)?;
                let may_fail = may_fail(number, argument);
                swept.calls += u64::from(may_fail);
                let same = swept.failed.is_none_or(|failed| failed == number);
                if left > 0 && may_fail && same && swept.calls >= fault.call {
                    swept.failed = Some(number);
                    (left, failing) = (left - 1, true);
                    registers::skip(pid)?;
                }
            }
            WaitStatus::Stopped(_, other) => signal = Some(other),
            WaitStatus::Exited(..) if stops == 0 => {
                copy.forget_reaped();
                return Err("tracing is not allowed here (ptrace)".into());
            }
            WaitStatus::Exited(_, status) => {
                copy.forget_reaped();
                swept.status = status;
                return Ok(swept);
            }
            WaitStatus::Signaled(_, signal, _) => {
                copy.forget_reaped();
                swept.status = -(signal as i32);
                return Ok(swept);
            }
            _ => {}
        }
        let gone_on = ptrace::syscall(pid, signal);
        gone_on.map_err(|errno| format!("tracing is not allowed here: {errno}"))?;
    }
}

/// Whether it stands at the entry of a system call, not at its return.
fn is_entry(pid: Pid) -> Result<bool, String> {
    let told = ptrace::syscall_info(pid).map_err(|errno| format!("where the copy is: {errno}"))?;
    Ok(told.op == libc::PTRACE_SYSCALL_INFO_ENTRY)
}

/// Its next stop; `None` where it takes too long.
fn wait(pid: Pid, patience: &mut Duration) -> Result<Option<WaitStatus>, String> {
    let mut before = Instant::now();
    loop {
        match waitpid(pid, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) if patience.is_zero() => return Ok(None),
            // It runs on the same processor: it is its turn.
            Ok(WaitStatus::StillAlive) => {
                std::thread::yield_now();
                let now = Instant::now();
                *patience = patience.saturating_sub(TURN.min(now - before));
                before = now;
            }
            Ok(status) => return Ok(Some(status)),
            Err(errno) => return Err(format!("wait for the copy: {errno}")),
        }
    }
}

fn descriptors(pid: Pid) -> BTreeMap<String, String> {
    let listed = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter();
    let entries = listed.flatten().flatten();
    entries
        .filter_map(|entry| {
            let number = entry.file_name().to_string_lossy().into_owned();
            let target = std::fs::read_link(entry.path()).ok()?;
            let words = format!("{number} -> {}", target.display());
            Some((number, words))
        })
        .collect()
}

#[cfg(target_arch = "x86_64")]
mod registers {
    //! Where a system call's number, argument and answer stand.

    use nix::sys::ptrace;
    use nix::unistd::Pid;

    fn told(errno: nix::errno::Errno) -> String {
        format!("the registers of the copy: {errno}")
    }

    /// Its number and first argument.
    pub(super) fn call(pid: Pid) -> Result<(i64, u64), String> {
        let registers = ptrace::getregs(pid).map_err(told)?;
        Ok((registers.orig_rax.cast_signed(), registers.rdi))
    }

    /// Makes it a call that the kernel does not know.
    pub(super) fn skip(pid: Pid) -> Result<(), String> {
        let mut registers = ptrace::getregs(pid).map_err(told)?;
        registers.orig_rax = u64::MAX;
        ptrace::setregs(pid, registers).map_err(told)
    }

    /// Makes it fail.
    pub(super) fn answer(pid: Pid, errno: i32) -> Result<(), String> {
        let mut registers = ptrace::getregs(pid).map_err(told)?;
        registers.rax = i64::from(-errno).cast_unsigned();
        ptrace::setregs(pid, registers).map_err(told)
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod registers {
    //! The kit does not know this architecture's registers.

    use nix::unistd::Pid;

    pub(super) fn call(_: Pid) -> Result<(i64, u64), String> {
        Err("the kit does not know the registers of this architecture".into())
    }

    pub(super) fn skip(_: Pid) -> Result<(), String> {
        Ok(())
    }

    pub(super) fn answer(_: Pid, _: i32) -> Result<(), String> {
        Ok(())
    }
}
