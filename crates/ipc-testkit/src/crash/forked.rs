//! A copy of the laboratory that plays one part and dies: thousands of them a second.

use crate::sys;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// A forked copy of this process. Dropping it kills and reaps it.
///
/// It shares what is mapped shared, and nothing else; it never returns from its part.
#[derive(Debug)]
pub struct Forked {
    pid: Pid,
    reaped: bool,
}

impl Forked {
    /// Forks a copy that runs `part` and then ends with status 0, or 101 where it panics.
    ///
    /// # Panics
    /// Where no process can be made, or where this process has several threads, of which a
    /// copy would have one.
    #[must_use]
    pub fn new(part: impl FnOnce()) -> Self {
        let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
        assert_eq!(threads, 1, "the laboratory forks, so it is one thread");
        Self {
            pid: sys::fork(part),
            reaped: false,
        }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }

    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// Where it cannot be signalled.
    pub fn signal(&self, signal: Signal) {
        nix::sys::signal::kill(self.pid, signal).expect("a child that is not reaped");
    }

    /// Kills it (SIGKILL) and waits until it is dead, without reaping it: a zombie.
    ///
    /// # Panics
    /// Where it cannot be waited for.
    pub fn kill_unreaped(&self) {
        self.signal(Signal::SIGKILL);
        self.wait_unreaped();
    }

    /// Waits until it is dead, without reaping it.
    ///
    /// # Panics
    /// Where it cannot be waited for.
    pub fn wait_unreaped(&self) {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        while nix::sys::wait::waitid(nix::sys::wait::Id::Pid(self.pid), flags)
            == Err(nix::errno::Errno::EINTR)
        {}
    }

    /// Whether it is dead, without reaping it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
        let state = nix::sys::wait::waitid(nix::sys::wait::Id::Pid(self.pid), flags);
        !matches!(
            state,
            Ok(WaitStatus::StillAlive) | Err(nix::errno::Errno::EINTR)
        )
    }

    /// Whether it sleeps in the kernel at this moment.
    #[must_use]
    pub fn is_asleep(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id()));
        stat.is_ok_and(|stat| stat.contains(") S "))
    }

    /// Kills it and reaps it.
    pub fn kill(mut self) {
        self.end();
    }

    /// Waits for its end; whether it ran its part to the end.
    #[must_use]
    pub fn finished(self) -> bool {
        self.status() == 0
    }

    /// Waits for its end and returns its exit status, or minus the signal that killed it.
    ///
    /// # Panics
    /// Where it cannot be waited for.
    #[must_use]
    pub fn status(mut self) -> i32 {
        self.reaped = true;
        loop {
            match waitpid(self.pid, None) {
                Ok(WaitStatus::Exited(_, status)) => return status,
                Ok(WaitStatus::Signaled(_, signal, _)) => return -(signal as i32),
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(errno) => panic!("wait for a child: {errno}"),
            }
        }
    }

    pub(crate) fn forget_reaped(&mut self) {
        self.reaped = true;
    }

    fn end(&mut self) {
        if !self.reaped {
            self.reaped = true;
            let _ = nix::sys::signal::kill(self.pid, Signal::SIGKILL);
            while waitpid(self.pid, None) == Err(nix::errno::Errno::EINTR) {}
        }
    }
}

impl Drop for Forked {
    fn drop(&mut self) {
        self.end();
    }
}
