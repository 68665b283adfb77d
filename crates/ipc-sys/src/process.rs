//! A process that stays itself: a pidfd, never a number that may be used again.

use crate::wait::{PollFd, PollFlags, wait_any};
use crate::{above_stdio, os_error};
use ipc_core::{Result, Until};
use rustix::process::{Pid, PidfdFlags};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Set in the flags of a process from its first step out on.
const PF_EXITING: u32 = 0x4;

/// A process by its pidfd: dead is dead, reaped or not, and its number is never mistaken.
#[derive(Debug)]
pub struct Process(OwnedFd);

impl Process {
    /// The running process `pid`; the caller must know that the number is still that process's
    /// (a child not yet waited for, say).
    ///
    /// # Errors
    /// [`ErrorKind::Other`](ipc_core::ErrorKind::Other) where no such process is.
    pub fn open(pid: u32) -> Result<Self> {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| os_error("pidfd_open", rustix::io::Errno::SRCH))?;
        let fd = rustix::process::pidfd_open(pid, PidfdFlags::empty())
            .map_err(|errno| os_error("pidfd_open", errno))?;
        Ok(Self(above_stdio(fd)?))
    }

    /// Whether the process has ended, even if nobody has reaped it.
    ///
    /// # Errors
    /// As ppoll(2).
    pub fn has_ended(&self) -> Result<bool> {
        self.ended_within(Until::Now)
    }

    /// Waits for the end of the process; false when `until` is over before it.
    ///
    /// # Errors
    /// As ppoll(2).
    pub fn ended_within(&self, until: Until) -> Result<bool> {
        wait_any(&mut [PollFd::new(&self.0, PollFlags::IN)], until)
            .map_err(|errno| os_error("wait for process", errno))
    }

    /// Whether every thread of the process is on its way out, or gone: its descriptors close before
    /// its pidfd tells, and on a busy machine long before. False where /proc does not say.
    #[must_use]
    pub fn is_exiting(&self) -> bool {
        let Some(pid) = self.pid() else {
            return false;
        };
        let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
            return false;
        };
        let exits = threads.flatten().all(|thread| {
            let stat = std::fs::read_to_string(thread.path().join("stat"));
            // One that is gone since has exited.
            stat.map_or(true, |stat| {
                flags(&stat).is_some_and(|flags| flags & PF_EXITING != 0)
            })
        });
        // Reaped meanwhile, the number may be another's.
        exits && self.pid() == Some(pid)
    }

    /// Its number, where it is not reaped and this namespace has one for it.
    fn pid(&self) -> Option<u32> {
        let about = format!("/proc/self/fdinfo/{}", self.0.as_raw_fd());
        let about = std::fs::read_to_string(about).ok()?;
        let pid = about.lines().find_map(|line| line.strip_prefix("Pid:"))?;
        pid.trim().parse().ok().filter(|pid| *pid > 0)
    }
}

/// The kernel's flags of a thread, from its `stat`.
fn flags(stat: &str) -> Option<u32> {
    // What follows the name, which may hold anything: state, parent, group, session, terminal, its
    // group, flags.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(6)?.parse().ok()
}

impl From<OwnedFd> for Process {
    /// Takes a pidfd that the kernel gave (`SO_PEERPIDFD`, `SCM_PIDFD`).
    fn from(pidfd: OwnedFd) -> Self {
        Self(pidfd)
    }
}

impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zombie_is_dead() {
        let mut child = std::process::Command::new("true").spawn().expect("spawn");
        let process = Process::open(child.id()).expect("a child that is not reaped");
        assert!(process.ended_within(Until::Forever).expect("wait"));
        assert!(process.has_ended().expect("poll"));
        assert!(process.is_exiting());
        child.wait().expect("reap");
        assert!(process.has_ended().expect("poll"));
    }

    #[test]
    fn who_lives_is_not_exiting() {
        let this = Process::open(std::process::id()).expect("this process");
        assert!(!this.is_exiting());
        let stat = "7 (a) b) c) Z 1 7 7 0 -1 4194572 0";
        assert_eq!(flags(stat), Some(4_194_572));
        assert_eq!(flags("7 (short) R 1"), None);
    }
}
