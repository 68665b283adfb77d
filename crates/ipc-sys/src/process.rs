//! A process that stays itself: a pidfd, never a number that may be used again.

use crate::wait::{PollFd, PollFlags, wait_any};
use crate::{above_stdio, os_error};
use ipc_core::{Result, Until};
use rustix::process::{Pid, PidfdFlags};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

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
        child.wait().expect("reap");
        assert!(process.has_ended().expect("poll"));
    }
}
