//! How each form of a verb tries a socket, waits for it and tries again.

use crate::socket::Socket;
use ipc_core::{Error, ErrorKind, Interest, Result, SpinBudget, Until};
use ipc_sys::{PollFd, PollFlags, os_error, wait_any};
use rustix::io::Errno;

impl Socket {
    /// Waits until the socket is ready for one of `interests`, or the watched peer is dead.
    pub(crate) fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        // The end is there to be read already, but not what it means.
        if let Some(watch) = &self.watch
            && watch.awaits_verdict()
        {
            let known = watch.ended_by_death(until).map(drop);
            return known.ok_or_else(|| until.over("wait"));
        }
        let flags = interests
            .iter()
            .fold(PollFlags::empty(), |flags, interest| {
                flags | wanted(*interest)
            });
        self.wait("wait", flags, until)
    }

    /// Tries, and waits, until `call` does something else than ask to come again. The blocking
    /// form is the call itself, which blocks in the kernel; only a watched peer, which may die
    /// while others keep its end open, needs both descriptors in one wait.
    #[inline(always)]
    pub(crate) fn run<T>(
        &self,
        operation: &'static str,
        interest: Interest,
        until: Until,
        call: impl FnMut(bool) -> rustix::io::Result<T>,
    ) -> Result<T> {
        // Who spins leaves here: a second copy of the call would cost those who do not.
        match &self.budget {
            None => self.run_at_once(operation, interest, until, call),
            Some(budget) => self.run_spinning(budget, operation, interest, until, call),
        }
    }

    #[inline(always)]
    fn run_at_once<T>(
        &self,
        operation: &'static str,
        interest: Interest,
        until: Until,
        mut call: impl FnMut(bool) -> rustix::io::Result<T>,
    ) -> Result<T> {
        let dont_wait = self.tries(until);
        match call(dont_wait) {
            Ok(done) => Ok(done),
            Err(errno) => self.run_on(operation, interest, until, errno, || call(dont_wait)),
        }
    }

    /// The same, with tries before it waits.
    #[cold]
    #[inline(never)]
    fn run_spinning<T>(
        &self,
        budget: &SpinBudget,
        operation: &'static str,
        interest: Interest,
        until: Until,
        mut call: impl FnMut(bool) -> rustix::io::Result<T>,
    ) -> Result<T> {
        if let Some(Ok(done)) = budget.spin(until, || self.unless_again(call(true))) {
            return Ok(done);
        }
        self.run_at_once(operation, interest, until, call)
    }

    /// What follows a first try that failed.
    #[cold]
    #[inline(never)]
    fn run_on<T>(
        &self,
        operation: &'static str,
        interest: Interest,
        until: Until,
        mut errno: Errno,
        mut call: impl FnMut() -> rustix::io::Result<T>,
    ) -> Result<T> {
        loop {
            match errno {
                Errno::INTR => {}
                // A blocking form comes here too where somebody set O_NONBLOCK on what we share.
                Errno::AGAIN => self.again(operation, interest, until)?,
                // The peer has closed with something unread. A packet socket says so at once and
                // once only, before what the peer had sent.
                Errno::CONNRESET if interest == Interest::Read && self.holds_some() => {}
                errno => return Err(self.failed(operation, errno, until)),
            }
            match call() {
                Ok(done) => return Ok(done),
                Err(next) => errno = next,
            }
        }
    }

    /// Whether bytes wait to be received.
    fn holds_some(&self) -> bool {
        matches!(rustix::io::ioctl_fionread(self.fd()), Ok(1..))
    }

    /// What a try has come to, if to anything: a death is something too.
    fn unless_again<T>(&self, tried: rustix::io::Result<T>) -> Option<rustix::io::Result<T>> {
        match tried {
            Err(Errno::AGAIN) => match self.watch.as_ref().is_some_and(|w| w.has_died()) {
                true => Some(tried),
                false => None,
            },
            Err(Errno::INTR) => None,
            _ => Some(tried),
        }
    }

    #[inline]
    pub(crate) fn tries(&self, until: Until) -> bool {
        until != Until::Forever || self.watch.is_some()
    }

    fn again(&self, operation: &'static str, interest: Interest, until: Until) -> Result<()> {
        if self.watch.as_ref().is_some_and(|watch| watch.has_died()) {
            return self.last_look(operation, interest);
        }
        if until == Until::Now {
            return Err(until.over(operation));
        }
        self.wait(operation, wanted(interest), until)
    }

    /// The peer is dead: what it sent before may have come in since we looked.
    #[cold]
    fn last_look(&self, operation: &'static str, interest: Interest) -> Result<()> {
        let mut fds = [PollFd::from_borrowed_fd(self.fd(), wanted(interest))];
        match wait_any(&mut fds, Until::Now) {
            Ok(true) => Ok(()),
            _ => Err(Error::new(operation, ErrorKind::PeerDied)),
        }
    }

    pub(crate) fn wait(
        &self,
        operation: &'static str,
        flags: PollFlags,
        until: Until,
    ) -> Result<()> {
        let own = PollFd::from_borrowed_fd(self.fd(), flags);
        let ready = match self.watch.as_ref().and_then(|watch| watch.process()) {
            Some(process) => wait_any(&mut [own, PollFd::new(process, PollFlags::IN)], until),
            None => wait_any(&mut [own], until),
        };
        match ready {
            Ok(true) => Ok(()),
            Ok(false) => Err(until.over(operation)),
            Err(errno) => Err(os_error(operation, errno)),
        }
    }
}

const fn wanted(interest: Interest) -> PollFlags {
    match interest {
        Interest::Read => PollFlags::IN,
        Interest::Write => PollFlags::OUT,
    }
}
