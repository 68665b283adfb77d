//! The request to end as an event: the first one is awaited, the second ends the process.

use crate::{Options, Receiver, Signal, SignalSet, sys};
use ipc_core::{Interest, Pollable, Result, TryWait, Until, four_forms};
use ipc_sys::{above_stdio, os_error};
use rustix::event::{EventfdFlags, epoll, eventfd};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

/// The first SIGINT or SIGTERM, as an event that any number of threads and tasks can await.
///
/// # The second signal
/// Whoever asks twice does not want to wait for a clean-up that hangs. Each thread that has
/// learnt of the first signal (by any form of [`wait`](Shutdown::wait)) lets further ones
/// through, so that the next SIGINT or SIGTERM has its usual effect: it ends the process, which a
/// shell reports as 128 + its number. No handler and no helper thread is behind this, but it
/// needs one thread that has learnt and still lives.
///
/// A signal that the process was started to ignore (by `nohup`, or in the background of a
/// script) stays ignored, and is not received.
///
/// ```no_run
/// let shutdown = ipc_signal::shutdown()?; // before the first thread starts
/// let first = shutdown.wait()?;
/// println!("{first}: cleaning up; once more to end at once");
/// # Ok::<(), ipc_signal::Error>(())
/// ```
#[derive(Debug)]
pub struct Shutdown {
    receiver: Receiver,
    first: Mutex<Option<Signal>>,
    /// Readable for ever once the first signal was taken.
    told: OwnedFd,
    /// Readable while either of the two is: what event loops watch.
    either: OwnedFd,
}

impl Shutdown {
    pub(crate) fn new(options: &Options) -> Result<Self> {
        let wanted: SignalSet = [Signal::INT, Signal::TERM]
            .into_iter()
            .filter(|signal| !sys::is_ignored(*signal))
            .collect();
        let receiver = match wanted.is_empty() {
            false => options.receiver(wanted)?,
            true => Receiver::new(wanted)?,
        };
        let fail = |errno| os_error("await shutdown", errno);
        let told = above_stdio(eventfd(0, EventfdFlags::CLOEXEC).map_err(fail)?)?;
        let either = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(fail)?;
        let either = above_stdio(either)?;
        for fd in [receiver.as_fd(), told.as_fd()] {
            let data = epoll::EventData::new_u64(0);
            epoll::add(&either, fd, data, epoll::EventFlags::IN).map_err(fail)?;
        }
        Ok(Self {
            receiver,
            first: Mutex::new(None),
            told,
            either,
        })
    }

    four_forms! {
        /// Waits for the request to end, and says by which signal it came; at once when it has
        /// come already. From then on the next one ends the process; see [`Shutdown`].
        wait / try_wait / wait_timeout / wait_deadline = wait_until() -> Signal
    }

    fn wait_until(&self, until: Until) -> Result<Signal> {
        loop {
            if let Some(signal) = self.learn()? {
                return Ok(signal);
            }
            self.wait_ready(&[Interest::Read], until)?;
        }
    }

    /// Which signal came first, if one did; this thread then stands in the way of no other.
    fn learn(&self) -> Result<Option<Signal>> {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        if first.is_none() {
            match self.receiver.try_wait() {
                Ok(delivery) => *first = Some(delivery.signal()),
                Err(error) if error.kind() == ipc_core::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
            // It stood at nought, so there is room.
            rustix::io::write(&self.told, &1u64.to_ne_bytes())
                .map_err(|errno| os_error("await shutdown", errno))?;
        }
        let learnt = *first;
        drop(first);
        sys::change_mask(sys::Change::Unblock, self.receiver.signals().bits());
        Ok(learnt)
    }
}

impl Pollable for Shutdown {
    fn descriptor(&self, _interest: Interest) -> BorrowedFd<'_> {
        self.either.as_fd()
    }
    fn is_plain(&self) -> bool {
        true
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        ipc_sys::wait_ready(self, interests, until)
    }
}

impl TryWait for Shutdown {
    type Happened = Signal;
    fn try_wait(&self) -> Result<Signal> {
        self.wait_until(Until::Now)
    }
}

impl AsFd for Shutdown {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.either.as_fd()
    }
}
