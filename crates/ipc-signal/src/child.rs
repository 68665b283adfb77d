//! The end of a child by its pidfd: awaited in four forms, without a handler of SIGCHLD.

use ipc_core::{Error, ErrorKind, Interest, Pollable, Result, TryWait, Until, four_forms};
use ipc_sys::{Process, os_error, retry};
use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions, WaitIdStatus};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::sync::{Mutex, PoisonError};

/// A child process whose end can be awaited.
///
/// Nothing process-wide is touched: no handler, no mask, no thread; whatever else in this process
/// waits for children of its own is not disturbed. As with std's, dropping it neither ends the
/// child nor waits for it.
///
/// ```
/// use ipc_signal::{Child, Signal, Target};
/// use std::{os::unix::process::ExitStatusExt, process::Command, time::Duration};
/// let child = Child::spawn(Command::new("sleep").arg("60"))?;
/// assert!(child.wait_timeout(Duration::from_millis(1)).is_err());
/// Target::pidfd(&child).notify(Signal::KILL)?;
/// assert_eq!(child.wait()?.signal(), Some(9));
/// # Ok::<(), ipc_signal::Error>(())
/// ```
#[derive(Debug)]
pub struct Child {
    process: Process,
    child: std::process::Child,
    /// How it ended, once that was asked; the kernel says it once.
    status: Mutex<Option<ExitStatus>>,
}

impl Child {
    /// Starts `command`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] and [`ErrorKind::Denied`] of the program,
    /// [`ErrorKind::LimitReached`] without processes or descriptors.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        let child = command.spawn().map_err(|source| {
            let errno = Errno::from_raw_os_error(source.raw_os_error().unwrap_or(libc::EIO));
            os_error("spawn", errno).on(command.get_program().display())
        })?;
        Self::new(child)
    }

    /// Takes over a child that std has started and nobody has waited for.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where it was waited for already; [`ErrorKind::LimitReached`]
    /// without descriptors.
    pub fn new(child: std::process::Child) -> Result<Self> {
        // As long as nobody has waited for it, its number is its own.
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let pid = i32::try_from(child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
            .ok_or_else(taken)?;
        retry(|| rustix::process::waitid(WaitId::Pid(pid), look)).map_err(failure)?;
        Ok(Self {
            process: Process::open(child.id())?,
            child,
            status: Mutex::new(None),
        })
    }

    four_forms! {
        /// Waits for the end of the child and says how it ended, every time it is asked.
        ///
        /// # Errors
        /// [`NotFound`](ErrorKind::NotFound) where another part of this process has waited for
        /// it, or the process ignores SIGCHLD, so that the kernel keeps no status.
        #[doc(alias = "waitid")]
        wait / try_wait / wait_timeout / wait_deadline = wait_until() -> ExitStatus
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What std keeps of it: the pipes to its standard streams. Do not wait by it.
    pub fn std_mut(&mut self) -> &mut std::process::Child {
        &mut self.child
    }

    fn wait_until(&self, until: Until) -> Result<ExitStatus> {
        // Not under the lock: a try of another thread must not wait for this one.
        if !self.process.ended_within(until)? {
            return Err(until.over("wait for child"));
        }
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = *status {
            return Ok(known);
        }
        let end = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let ended = retry(|| rustix::process::waitid(WaitId::PidFd(self.as_fd()), end));
        let ended = ended.map_err(failure)?.ok_or_else(taken)?;
        Ok(*status.insert(exit_status(&ended)))
    }
}

/// The status as wait(2) says it, of which std makes its own.
fn exit_status(ended: &WaitIdStatus) -> ExitStatus {
    let dumped = if ended.dumped() { 0x80 } else { 0 };
    let raw = match (ended.exit_status(), ended.terminating_signal()) {
        (Some(code), _) => (code & 0xff) << 8,
        (None, Some(signal)) => signal | dumped,
        (None, None) => 0,
    };
    ExitStatus::from_raw(raw)
}

fn failure(errno: Errno) -> Error {
    if errno == Errno::CHILD {
        return taken();
    }
    os_error("wait for child", errno)
}

fn taken() -> Error {
    Error::new("wait for child", ErrorKind::NotFound).hint(
        "its status is gone: another part of this process has waited for it, or SIGCHLD is ignored",
    )
}

impl Pollable for Child {
    fn descriptor(&self, _interest: Interest) -> BorrowedFd<'_> {
        self.process.as_fd()
    }
    fn is_plain(&self) -> bool {
        true
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        ipc_sys::wait_ready(self, interests, until)
    }
}

impl TryWait for Child {
    type Happened = ExitStatus;
    fn try_wait(&self) -> Result<ExitStatus> {
        self.wait_until(Until::Now)
    }
}

impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }
}
