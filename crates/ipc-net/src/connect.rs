//! Connecting to whichever of several addresses answers first (RFC 8305), without a helper thread.

use crate::options::Options;
use crate::resolve::in_turn;
use crate::stream::Stream;
use crate::sys;
use ipc_core::{Error, ErrorKind, Interest, Pollable, Result, Until, four_forms};
use ipc_sys::{PollFd, PollFlags, above_stdio, os_error, wait_any, wait_ready};
use rustix::event::epoll;
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::net::sockopt::socket_error;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Attempts that run side by side, and the addresses that were not tried yet.
#[derive(Debug)]
pub(crate) struct Attempts {
    waiting: VecDeque<SocketAddr>,
    running: Vec<Attempt>,
    /// When the next address is tried though those before have not failed.
    next: Option<Instant>,
    /// Why the addresses so far have failed: the answer of a host counts more than silence.
    failure: Option<Error>,
}

#[derive(Debug)]
struct Attempt {
    fd: OwnedFd,
    address: SocketAddr,
}

impl Attempts {
    pub(crate) fn new(addresses: Vec<SocketAddr>) -> Self {
        Self {
            waiting: in_turn(addresses),
            running: Vec::new(),
            next: None,
            failure: None,
        }
    }

    /// Goes on until one has answered, all have failed, or `until` is over.
    pub(crate) fn finish(mut self, options: &Options, until: Until) -> Result<Stream> {
        loop {
            if let Some(stream) = self.step(options, &mut |_| Ok(()))? {
                return Ok(stream);
            }
            if until == Until::Now {
                return Err(until.over("connect"));
            }
            let soonest = match (until, self.next) {
                (Until::At(deadline), Some(next)) => Until::At(deadline.min(next)),
                (_, Some(next)) => Until::At(next),
                (_, None) => until,
            };
            let mut fds: Vec<_> = self
                .running
                .iter()
                .map(|attempt| PollFd::new(&attempt.fd, PollFlags::OUT))
                .collect();
            let ready = wait_any(&mut fds, soonest).map_err(|errno| os_error("connect", errno))?;
            if !ready && until.is_over() {
                return Err(until.over("connect"));
            }
        }
    }

    /// Looks at what runs and starts what is due; `started` sees each new attempt's descriptor.
    fn step(
        &mut self,
        options: &Options,
        started: &mut impl FnMut(BorrowedFd<'_>) -> Result<()>,
    ) -> Result<Option<Stream>> {
        loop {
            if let Some(stream) = self.look()? {
                return Ok(Some(stream));
            }
            let due = self.next.is_none_or(|next| next <= Instant::now());
            if !self.running.is_empty() && (self.waiting.is_empty() || !due) {
                return Ok(None);
            }
            let Some(address) = self.waiting.pop_front() else {
                return Err(self.take_failure());
            };
            match start(&address, options) {
                Ok(fd) => {
                    started(fd.as_fd())?;
                    self.running.push(Attempt { fd, address });
                    let more = !self.waiting.is_empty();
                    self.next = more.then(|| Instant::now() + options.attempt_delay);
                }
                Err(error) => self.note(error),
            }
        }
    }

    /// The stream of the first attempt that has come through; those that failed are gone.
    fn look(&mut self) -> Result<Option<Stream>> {
        let mut at = 0;
        while let Some(attempt) = self.running.get(at) {
            match attempt.outcome() {
                None => at += 1,
                Some(Ok(())) => {
                    let attempt = self.running.swap_remove(at);
                    // The description is new and ours, and blocks from here on.
                    rustix::fs::fcntl_setfl(&attempt.fd, OFlags::empty())
                        .map_err(|errno| os_error("connect", errno))?;
                    return Ok(Some(Stream::new(attempt.fd)));
                }
                Some(Err(errno)) => {
                    let failed = self.running.remove(at);
                    self.note(failure(&failed.address, errno));
                    // The next need not wait for one that has failed.
                    self.next = None;
                }
            }
        }
        Ok(None)
    }

    fn note(&mut self, error: Error) {
        let answered = |error: &Error| error.raw_os_error() == Some(REFUSED.raw_os_error());
        if !self.failure.as_ref().is_some_and(answered) {
            self.failure = Some(error);
        }
    }

    #[cold]
    fn take_failure(&mut self) -> Error {
        self.failure
            .take()
            .unwrap_or_else(|| Error::new("connect", ErrorKind::NotFound))
    }
}

const REFUSED: Errno = Errno::CONNREFUSED;

impl Attempt {
    /// Whether it came through, or why not; `None` while it runs.
    fn outcome(&self) -> Option<Result<(), Errno>> {
        let mut fds = [PollFd::new(&self.fd, PollFlags::OUT)];
        match wait_any(&mut fds, Until::Now) {
            Ok(false) => return None,
            Ok(true) => {}
            Err(errno) => return Some(Err(errno)),
        }
        match socket_error(&self.fd) {
            Ok(Ok(())) if sys::is_its_own_peer(&self.fd) => Some(Err(REFUSED)),
            Ok(outcome) => Some(outcome),
            Err(errno) => Some(Err(errno)),
        }
    }
}

fn start(address: &SocketAddr, options: &Options) -> Result<OwnedFd> {
    let fd = sys::stream("connect", address)?;
    sys::prepare("connect", &fd, options)?;
    match rustix::net::connect(&fd, address) {
        // An interrupted connect goes on all the same (connect(2)).
        Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => Ok(fd),
        Err(errno) => Err(failure(address, errno)),
    }
}

#[cold]
fn failure(address: &SocketAddr, errno: Errno) -> Error {
    let of_kind = |kind, hint: &'static str| {
        Error::new("connect", kind)
            .on(address)
            .hint(hint)
            .caused_by(errno.into())
    };
    match errno {
        Errno::CONNREFUSED | Errno::CONNRESET => {
            of_kind(ErrorKind::Refused, "nobody listens there")
        }
        Errno::TIMEDOUT => of_kind(
            ErrorKind::TimedOut,
            "the host does not answer (net.ipv4.tcp_syn_retries)",
        ),
        Errno::ADDRNOTAVAIL | Errno::AGAIN => of_kind(
            ErrorKind::LimitReached,
            "every port of this host is taken (net.ipv4.ip_local_port_range)",
        ),
        Errno::HOSTUNREACH | Errno::NETUNREACH | Errno::NETDOWN | Errno::HOSTDOWN => {
            of_kind(ErrorKind::Refused, "no way leads to this address")
        }
        errno => os_error("connect", errno).on(address),
    }
}

/// A connect that is under way: an endpoint to wait for, ready when there is something to
/// [`finish`](Connecting::finish).
///
/// ```
/// use ipc_core::Interest;
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let listener = ipc_net::bind("127.0.0.1:0")?;
/// let connecting = ipc_net::Options::new().begin_connect(listener.address()?)?;
/// let connecting = ipc_async::Async::new(connecting)?;
/// let stream = connecting.ready(Interest::Read, |connecting| connecting.try_finish()).await?;
/// stream.send(b"hello")?;
/// # Ok::<(), ipc_net::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Connecting {
    /// Shows all attempts and the timer at one descriptor.
    epoll: OwnedFd,
    timer: OwnedFd,
    options: Options,
    attempts: Mutex<Attempts>,
}

impl Connecting {
    pub(crate) fn begin(options: Options, addresses: Vec<SocketAddr>) -> Result<Self> {
        let fail = |errno| os_error("connect", errno);
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(fail)?;
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags).map_err(fail)?;
        let (epoll, timer) = (above_stdio(epoll)?, above_stdio(timer)?);
        watch(epoll.as_fd(), timer.as_fd(), epoll::EventFlags::IN)?;
        let connecting = Self {
            epoll,
            timer,
            options,
            attempts: Mutex::new(Attempts::new(addresses)),
        };
        connecting.set_timer(Some(Instant::now()))?;
        Ok(connecting)
    }

    four_forms! {
        /// The stream of the first address that answers. It is had once: asked again, this
        /// begins with the addresses that were not tried.
        ///
        /// # Errors
        /// As [`Options::connect`]; [`WouldBlock`](ErrorKind::WouldBlock) or
        /// [`TimedOut`](ErrorKind::TimedOut) leave the attempts running.
        finish / try_finish / finish_timeout / finish_deadline = finish_until() -> Stream
    }

    fn finish_until(&self, until: Until) -> Result<Stream> {
        loop {
            if let Some(stream) = self.step()? {
                return Ok(stream);
            }
            let mut fds = [PollFd::new(&self.epoll, PollFlags::IN)];
            match wait_any(&mut fds, until) {
                Ok(true) => {}
                Ok(false) => return Err(until.over("connect")),
                Err(errno) => return Err(os_error("connect", errno)),
            }
        }
    }

    fn step(&self) -> Result<Option<Stream>> {
        let mut attempts = self.attempts();
        let mut started =
            |fd: BorrowedFd<'_>| watch(self.epoll.as_fd(), fd, epoll::EventFlags::OUT);
        let stream = attempts.step(&self.options, &mut started)?;
        self.set_timer(attempts.next)?;
        Ok(stream)
    }

    /// The timer is readable from `at` on; setting it takes back what it has shown before.
    fn set_timer(&self, at: Option<Instant>) -> Result<()> {
        let left = at.map(|at| at.saturating_duration_since(Instant::now()));
        let timespec = |secs, nanos| Timespec {
            tv_sec: secs,
            tv_nsec: nanos,
        };
        let it_value = match left {
            // Nought would disarm it.
            Some(left) => timespec(left.as_secs() as _, left.subsec_nanos().max(1) as _),
            None => timespec(0, 0),
        };
        let it_interval = timespec(0, 0);
        let value = Itimerspec {
            it_interval,
            it_value,
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &value)
            .map(drop)
            .map_err(|errno| os_error("connect", errno))
    }

    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt that is closed takes its registration along.
fn watch(epoll: BorrowedFd<'_>, fd: BorrowedFd<'_>, flags: epoll::EventFlags) -> Result<()> {
    epoll::add(epoll, fd, epoll::EventData::new_u64(0), flags)
        .map_err(|errno| os_error("connect", errno))
}

impl Pollable for Connecting {
    fn descriptor(&self, _interest: Interest) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
    fn is_plain(&self) -> bool {
        true
    }
    fn wait_ready(&self, _interests: &[Interest], until: Until) -> Result<()> {
        wait_ready(self, &[Interest::Read], until)
    }
}
