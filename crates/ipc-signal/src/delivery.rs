//! What a receiver is told of one signal.

use crate::{Signal, sys};

/// A signal that was received, and what the kernel told of it.
///
/// # Hints, not proofs
/// Who may signal a process may also claim things: a process that queues a signal writes the
/// sender's number, user, value and a negative code itself, and the kernel passes them on. Never
/// authorise by them; where it matters who speaks, take a Unix socket.
///
/// ```
/// use ipc_signal::{Code, Options, Signal, Target};
/// let job = Signal::real_time(0)?;
/// // Sent to this thread itself, so what the others block does not matter.
/// let signals = Options::new().unchecked_threads(true).receiver(job)?;
/// Target::this_thread().notify_with(job, 7)?;
/// let delivery = signals.wait()?;
/// assert_eq!((delivery.signal(), delivery.value()), (job, Some(7)));
/// assert_eq!(delivery.code(), Code::Queued);
/// assert_eq!(delivery.sender_pid(), Some(std::process::id()));
/// # Ok::<(), ipc_signal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    signal: Signal,
    code: Code,
    pid: u32,
    uid: u32,
    value: i32,
}

/// Why a signal came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// A process sent it (kill(2), pidfd_send_signal(2)).
    User,
    /// A process sent it to one thread (tgkill(2)).
    Thread,
    /// A process queued it, with a value (sigqueue(3)).
    Queued,
    /// The kernel sent it.
    Kernel,
    /// A child has ended, stopped or continued.
    Child,
    /// A timer expired.
    Timer,
    /// A message came into an empty POSIX queue.
    MessageQueue,
    /// An asynchronous read or write is done.
    AsyncIo,
    /// Any other, by its number.
    Other(i32),
}

impl Delivery {
    pub(crate) fn new(raw: &sys::Info) -> Option<Self> {
        let signal = Signal::new(raw.signal).ok()?;
        Some(Self {
            signal,
            code: Code::new(signal, raw.code),
            pid: raw.pid.cast_unsigned(),
            uid: raw.uid,
            value: raw.value(),
        })
    }

    /// Which signal it is.
    #[must_use]
    pub const fn signal(&self) -> Signal {
        self.signal
    }

    /// Why it came; a hint.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The process that sent it, or the child that it tells of, where the code has one; a hint.
    /// 0 where that process lives in a PID namespace that we cannot see, or where the kernel had
    /// no room left to keep it.
    #[must_use]
    pub const fn sender_pid(&self) -> Option<u32> {
        if self.code.has_sender() {
            Some(self.pid)
        } else {
            None
        }
    }

    /// The real user of that process; a hint.
    #[must_use]
    pub const fn sender_uid(&self) -> Option<u32> {
        if self.code.has_sender() {
            Some(self.uid)
        } else {
            None
        }
    }

    /// The value it was queued with, where the code has one; a hint.
    #[must_use]
    pub const fn value(&self) -> Option<i32> {
        match self.code {
            Code::Queued | Code::Timer | Code::MessageQueue | Code::AsyncIo => Some(self.value),
            _ => None,
        }
    }
}

impl Code {
    fn new(signal: Signal, code: i32) -> Self {
        match code {
            libc::SI_USER => Self::User,
            libc::SI_TKILL => Self::Thread,
            libc::SI_QUEUE => Self::Queued,
            libc::SI_KERNEL => Self::Kernel,
            libc::SI_TIMER => Self::Timer,
            libc::SI_MESGQ => Self::MessageQueue,
            libc::SI_ASYNCIO => Self::AsyncIo,
            libc::CLD_EXITED..=libc::CLD_CONTINUED if signal == Signal::CHLD => Self::Child,
            other => Self::Other(other),
        }
    }

    const fn has_sender(self) -> bool {
        matches!(
            self,
            Self::User | Self::Thread | Self::Queued | Self::Child | Self::MessageQueue
        )
    }
}
