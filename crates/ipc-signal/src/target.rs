//! Whom a signal is sent to, and how.

use crate::{Signal, sys};
use ipc_core::{Error, ErrorKind, Result};
use std::os::fd::AsFd;

/// Whom a signal is sent to.
///
/// Numbers of processes are used again: a number is right for a child that nobody has waited for,
/// for a parent, for oneself. For anybody else take a [pidfd](Target::pidfd).
///
/// A send never waits. A real-time signal always goes through the queue, by whichever verb it is
/// sent, so that a full queue is an error instead of a loss.
///
/// ```
/// use ipc_signal::{Signal, Target};
/// use std::os::unix::process::ExitStatusExt;
/// let mut child = std::process::Command::new("sleep").arg("60").spawn()?;
/// Target::process(child.id())?.notify(Signal::TERM)?;
/// assert_eq!(child.wait()?.signal(), Some(Signal::TERM.number()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    whom: sys::Whom<'a>,
}

impl Target<'static> {
    /// A process by its number.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is no number of one process: kill(2) takes 0 for a
    /// whole group, and would take what is above 2,147,483,647 for another.
    pub fn process(pid: u32) -> Result<Self> {
        Ok(Self::to(sys::Whom::Process(number("a process", pid, 1)?)))
    }

    /// A thread of a process, by both numbers.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for 0 and above 2,147,483,647.
    pub fn thread(process: u32, thread: u32) -> Result<Self> {
        let process = number("a process", process, 1)?;
        let thread = number("a thread", thread, 1)?;
        Ok(Self::to(sys::Whom::Thread { process, thread }))
    }

    /// Every process of a group that we may signal.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for 0, for 1, which kill(2) takes for every process of the
    /// host, and above 2,147,483,647.
    pub fn group(group: u32) -> Result<Self> {
        Ok(Self::to(sys::Whom::Group(number("a group", group, 2)?)))
    }

    /// This process.
    #[must_use]
    pub fn this_process() -> Self {
        Self::to(sys::Whom::Process(sys::own_process()))
    }

    /// This thread.
    #[must_use]
    pub fn this_thread() -> Self {
        let (process, thread) = (sys::own_process(), sys::own_thread());
        Self::to(sys::Whom::Thread { process, thread })
    }

    fn to(whom: sys::Whom<'static>) -> Self {
        Self { whom }
    }
}

impl<'a> Target<'a> {
    /// A process by its pidfd: never another one that got the same number.
    #[must_use]
    pub fn pidfd(pidfd: &'a impl AsFd) -> Self {
        Self {
            whom: sys::Whom::Pidfd(pidfd.as_fd()),
        }
    }

    /// Sends `signal`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where nobody has the number, [`ErrorKind::PeerDied`] where the
    /// process of the pidfd is gone, [`ErrorKind::Denied`] where it is another user's,
    /// [`ErrorKind::LimitReached`] where its queue of real-time signals is full, with the limit
    /// by name, [`ErrorKind::Unsupported`] for a real-time signal to a group, which a full queue
    /// would lose without a word.
    #[doc(alias = "kill")]
    #[doc(alias = "tgkill")]
    #[doc(alias = "pidfd_send_signal")]
    #[inline]
    pub fn notify(self, signal: Signal) -> Result<()> {
        if signal.is_real_time() {
            return self.notify_with(signal, 0);
        }
        sys::send(self.whom, signal.number()).map_err(|errno| self.failure(signal, errno))
    }

    /// Queues `signal` with a value, which the receiver gets with it. Of a standard signal too at
    /// most one is pending, and so one value.
    ///
    /// # Errors
    /// As [`notify`](Target::notify); [`ErrorKind::Unsupported`] for a group, to which the kernel
    /// queues nothing.
    #[doc(alias = "sigqueue")]
    #[inline]
    pub fn notify_with(self, signal: Signal, value: i32) -> Result<()> {
        if let sys::Whom::Group(group) = self.whom {
            return Err(Error::new("notify", ErrorKind::Unsupported)
                .on(format_args!("process group {group}"))
                .hint("the kernel queues nothing to a group: notify its processes one by one"));
        }
        sys::queue(self.whom, signal.number(), value).map_err(|errno| self.failure(signal, errno))
    }

    #[cold]
    fn failure(self, signal: Signal, errno: rustix::io::Errno) -> Error {
        self.whom.failure(signal, errno)
    }
}

/// A number as the kernel takes it.
fn number(what: &str, number: u32, least: i32) -> Result<i32> {
    match i32::try_from(number) {
        Ok(number) if number >= least => Ok(number),
        _ => Err(Error::new("choose target", ErrorKind::InvalidInput)
            .on(number)
            .hint(format!("{what} has a number from {least} to {}", i32::MAX))),
    }
}
