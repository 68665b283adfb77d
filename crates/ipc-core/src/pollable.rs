//! What a wait surface needs of an endpoint: a descriptor, and whether it still holds something.

use crate::{Error, ErrorKind, Rest, Result, Until};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interest {
    /// Something to receive, or the end.
    Read,
    /// Room to send, or the end.
    Write,
}

/// An endpoint that an event loop can wait for.
///
/// # The rules an implementation keeps
/// - [`descriptor`](Pollable::descriptor) gives the same open descriptor for the whole life of
///   the value: the borrow says so, and [`Async`](https://docs.rs/ipc-async) relies on it.
/// - A waiter asks [`has_buffered`](Pollable::has_buffered) and then [`arm`](Pollable::arm)
///   before it sleeps; what either reports needs no sleep.
pub trait Pollable {
    /// The descriptor on which readiness for `interest` shows.
    fn descriptor(&self, interest: Interest) -> BorrowedFd<'_>;

    /// The readiness of the descriptor by which `interest` shows: the same, but where a mechanism
    /// is told of room by a message, and the descriptor becomes readable for both.
    fn shown_by(&self, interest: Interest) -> Interest {
        interest
    }

    /// Blocks until the endpoint is ready for any of `interests`, or has ended.
    ///
    /// # Errors
    /// [`WouldBlock`](crate::ErrorKind::WouldBlock) or [`TimedOut`](crate::ErrorKind::TimedOut).
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()>;

    /// Prepares for a sleep on the descriptor, where the mechanism must be told; true where the
    /// endpoint is ready already, or where no readiness will come for what it waits for, so that
    /// a waiter must try again soon.
    ///
    /// # Errors
    /// As the mechanism says.
    fn arm(&self, interest: Interest) -> Result<bool> {
        let _ = interest;
        Ok(false)
    }

    /// Whether a former [`arm`](Pollable::arm) still holds: nothing has come that a receive or a
    /// send would find, and whatever comes shows on the descriptor. It makes no system call. Only
    /// a waiter that is told of a readiness for as long as it lasts, as epoll tells unless it is
    /// asked to tell of edges, may then do without another arm.
    fn is_armed(&self, interest: Interest) -> bool {
        let _ = interest;
        false
    }

    /// Whether nothing has come since the last [`arm`](Pollable::arm), taken or not. It makes no
    /// system call. A waiter that is told of edges may do without another arm then, where it has
    /// seen no readiness since.
    fn is_undisturbed(&self, interest: Interest) -> bool {
        let _ = interest;
        false
    }

    /// Whether a receive would be served from memory, without the descriptor ever becoming
    /// readable again.
    fn has_buffered(&self) -> bool {
        false
    }

    /// How often a waiter at this endpoint alone may ask [`has_buffered`](Pollable::has_buffered)
    /// before it arms and sleeps: as often as the mechanism has learned that it pays, and not at
    /// all where the peer needs the processor. The waiter then says what
    /// [came of it](Pollable::looked), and lets others have their turn between two looks.
    fn looks(&self) -> u64 {
        0
    }

    /// Of so many looks whether the last has found something.
    fn looked(&self, looks: u64, found: bool) {
        let _ = (looks, found);
    }

    /// Whether [`arm`](Pollable::arm) finds all that the descriptor has shown before it: a waiter
    /// then forgets an earlier readiness before it arms, and not by an attempt in vain.
    fn arms_anew(&self) -> bool {
        false
    }

    /// Whether the descriptor alone shows what there is before a sleep, for as long as the endpoint
    /// lives: nothing is ever buffered, [`arm`](Pollable::arm) prepares nothing, and what is owed
    /// stands in a [`Debt`](crate::Debt). A waiter at many endpoints need not ask such a one.
    fn is_plain(&self) -> bool {
        false
    }

    /// Whether the descriptor is ready only where there is something, or was a moment ago: what it
    /// shows need not be verified, and [`arm`](Pollable::arm) prepares nothing.
    fn shows_truly(&self) -> bool {
        self.is_plain()
    }

    /// Where it says that one of the endpoint's own verbs has ended what
    /// [`is_armed`](Pollable::is_armed) found, if it does: a waiter at many endpoints may then
    /// [rely](Rest::begin) on one that is armed and not ask it before each sleep. What is owed
    /// stands in a [`Debt`](crate::Debt).
    fn rest(&self, interest: Interest) -> Option<&Rest> {
        let _ = interest;
        None
    }

    /// Whether an accepted message is not wholly out yet (see [`Flush`](crate::Flush)).
    fn owes(&self) -> bool {
        false
    }

    /// Writes what is owed without waiting: [`Flush`](crate::Flush) for a waiter that knows
    /// nothing else of the endpoint. Whoever can owe implements it.
    ///
    /// # Errors
    /// [`WouldBlock`](crate::ErrorKind::WouldBlock) while something is still owed.
    fn pay(&self) -> Result<()> {
        if self.owes() {
            return Err(Error::new("pay", ErrorKind::Unsupported));
        }
        Ok(())
    }
}

macro_rules! through {
    ($pointer:ty) => {
        impl<T: Pollable + ?Sized> Pollable for $pointer {
            fn descriptor(&self, interest: Interest) -> BorrowedFd<'_> {
                (**self).descriptor(interest)
            }
            fn shown_by(&self, interest: Interest) -> Interest {
                (**self).shown_by(interest)
            }
            fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
                (**self).wait_ready(interests, until)
            }
            fn arm(&self, interest: Interest) -> Result<bool> {
                (**self).arm(interest)
            }
            fn is_armed(&self, interest: Interest) -> bool {
                (**self).is_armed(interest)
            }
            fn is_undisturbed(&self, interest: Interest) -> bool {
                (**self).is_undisturbed(interest)
            }
            fn has_buffered(&self) -> bool {
                (**self).has_buffered()
            }
            fn looks(&self) -> u64 {
                (**self).looks()
            }
            fn looked(&self, looks: u64, found: bool) {
                (**self).looked(looks, found);
            }
            fn arms_anew(&self) -> bool {
                (**self).arms_anew()
            }
            fn is_plain(&self) -> bool {
                (**self).is_plain()
            }
            fn shows_truly(&self) -> bool {
                (**self).shows_truly()
            }
            fn rest(&self, interest: Interest) -> Option<&Rest> {
                (**self).rest(interest)
            }
            fn owes(&self) -> bool {
                (**self).owes()
            }
            fn pay(&self) -> Result<()> {
                (**self).pay()
            }
        }
    };
}

through!(&T);
through!(Arc<T>);
