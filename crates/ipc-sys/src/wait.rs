//! The deadline loop: interrupted calls are made again, against the absolute deadline.

use crate::os_error;
use ipc_core::{Interest, Pollable, Result, Until};
use rustix::event::poll;
pub use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::time::Timespec;
use std::time::Duration;

/// Calls again for as long as a signal interrupts.
///
/// # Errors
/// What `call` answers, but never `EINTR`.
#[inline]
pub fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            outcome => return outcome,
        }
    }
}

/// Waits until one of `fds` is ready or has ended; false when `until` is over.
///
/// # Errors
/// As ppoll(2), but for `EINTR` and `EAGAIN`.
pub fn wait_any(fds: &mut [PollFd<'_>], until: Until) -> rustix::io::Result<bool> {
    loop {
        let remaining = until.remaining();
        let timeout = remaining.map(timespec);
        match poll(fds, timeout.as_ref()) {
            // A time-out longer than the kernel's clock is cut: look at the deadline again.
            Ok(0)
                if remaining.is_none() || until.remaining().is_none_or(|left| !left.is_zero()) => {}
            Ok(ready) => return Ok(ready > 0),
            // The second is POSIX's, for a kernel that lacks memory for a moment.
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Waits until `endpoint` is ready for any of `interests`: what `Pollable::wait_ready` of every
/// mechanism with a descriptor does.
///
/// # Errors
/// `WouldBlock` or `TimedOut` when `until` is over.
pub fn wait_ready<P: Pollable>(endpoint: &P, interests: &[Interest], until: Until) -> Result<()> {
    let flags = |interest| match interest {
        Interest::Read => PollFlags::IN,
        Interest::Write => PollFlags::OUT,
    };
    let fd = |interest| PollFd::from_borrowed_fd(endpoint.descriptor(interest), flags(interest));
    let ready = match *interests {
        [interest] => wait_any(&mut [fd(interest)], until),
        _ => wait_any(&mut [fd(Interest::Read), fd(Interest::Write)], until),
    };
    match ready {
        Ok(true) => Ok(()),
        Ok(false) => Err(until.over("wait")),
        Err(errno) => Err(os_error("wait", errno)),
    }
}

fn timespec(duration: Duration) -> Timespec {
    // The kernel refuses what its own clock cannot hold: wait in steps of at most a year.
    let capped = duration.min(Duration::from_secs(365 * 24 * 3600));
    Timespec {
        tv_sec: capped.as_secs() as _,
        tv_nsec: capped.subsec_nanos() as _,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::time::Instant;

    #[test]
    fn a_wait_ends_at_its_deadline_and_not_before() {
        let (read, _write) = rustix::pipe::pipe().expect("a pipe");
        let deadline = Instant::now() + Duration::from_millis(20);
        let mut fds = [PollFd::new(&read, PollFlags::IN)];
        assert_eq!(wait_any(&mut fds, Until::At(deadline)), Ok(false));
        assert!(Instant::now() >= deadline);
    }

    #[test]
    fn an_end_counts_as_ready() {
        let (read, write) = rustix::pipe::pipe().expect("a pipe");
        drop(write);
        let mut fds = [PollFd::from_borrowed_fd(read.as_fd(), PollFlags::IN)];
        assert_eq!(wait_any(&mut fds, Until::Forever), Ok(true));
    }
}
