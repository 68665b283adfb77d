//! One signal, by its number: what the kernel has, less what belongs to the C library.

use ipc_core::{Error, ErrorKind, Result};
use std::fmt;

/// Largest number of a signal (signal(7)).
const LAST: i32 = 64;

/// A signal that a program may use.
///
/// ```
/// use ipc_signal::Signal;
/// let job = Signal::real_time(3)?;
/// assert_eq!(job.to_string(), "SIGRTMIN+3");
/// assert!(job.is_real_time() && !Signal::TERM.is_real_time());
/// assert!(Signal::new(0).is_err() && Signal::new(65).is_err());
/// # Ok::<(), ipc_signal::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(u8);

macro_rules! standard {
    ($($name:ident = $number:ident, $doc:literal;)*) => {
        impl Signal {
            $(#[doc = $doc] pub const $name: Self = Self(libc::$number as u8);)*
        }

        /// The names of the standard signals.
        const NAMES: &[(Signal, &str)] = &[$((Signal::$name, stringify!($number)),)*];
    };
}

standard! {
    HUP = SIGHUP, "The terminal is gone, or: read your configuration again.";
    INT = SIGINT, "Interrupted from the keyboard.";
    QUIT = SIGQUIT, "Quit from the keyboard, with a core dump.";
    ILL = SIGILL, "An illegal instruction.";
    TRAP = SIGTRAP, "A breakpoint.";
    ABRT = SIGABRT, "An abort of its own.";
    BUS = SIGBUS, "Memory that is not there.";
    FPE = SIGFPE, "An arithmetic fault.";
    KILL = SIGKILL, "Ends the process; can be sent, not received.";
    USR1 = SIGUSR1, "For the program's own use.";
    SEGV = SIGSEGV, "A reference to no memory.";
    USR2 = SIGUSR2, "For the program's own use.";
    PIPE = SIGPIPE, "A write that nobody reads.";
    ALRM = SIGALRM, "A timer.";
    TERM = SIGTERM, "A polite request to end.";
    STKFLT = SIGSTKFLT, "Unused by the kernel.";
    CHLD = SIGCHLD, "A child has ended or stopped; better: [`Child`](crate::Child).";
    CONT = SIGCONT, "Continues a stopped process, also where it is blocked.";
    STOP = SIGSTOP, "Stops the process; can be sent, not received.";
    TSTP = SIGTSTP, "Stop, from the keyboard.";
    TTIN = SIGTTIN, "A background process reads from the terminal.";
    TTOU = SIGTTOU, "A background process writes to the terminal.";
    URG = SIGURG, "Urgent data at a socket.";
    XCPU = SIGXCPU, "The limit of processor time is reached.";
    XFSZ = SIGXFSZ, "The limit of a file's size is reached.";
    VTALRM = SIGVTALRM, "A timer of processor time.";
    PROF = SIGPROF, "A timer for profilers.";
    WINCH = SIGWINCH, "The terminal has another size.";
    IO = SIGIO, "Input or output is possible.";
    PWR = SIGPWR, "The power fails.";
    SYS = SIGSYS, "A bad system call.";
}

impl Signal {
    /// The signal of this number.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] outside 1 to 64, and for the two or three numbers between the
    /// standard and the real-time signals, which the C library keeps for itself.
    pub fn new(number: i32) -> Result<Self> {
        let refuse = |hint: String| {
            Err(Error::new("choose signal", ErrorKind::InvalidInput)
                .on(number)
                .hint(hint))
        };
        if !(1..=LAST).contains(&number) {
            return refuse(format!("signals have the numbers 1 to {LAST}"));
        }
        if number > libc::SIGSYS && !(libc::SIGRTMIN()..=libc::SIGRTMAX()).contains(&number) {
            return refuse("this number belongs to the C library".into());
        }
        // In range: checked above.
        Ok(Self(number as u8))
    }

    /// The real-time signal `index`, counted from 0: the lower, the sooner it is received.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] from [`real_time_count`](Self::real_time_count) on.
    pub fn real_time(index: u8) -> Result<Self> {
        if index >= Self::real_time_count() {
            let last = Self::real_time_count().saturating_sub(1);
            return Err(Error::new("choose signal", ErrorKind::InvalidInput)
                .on(format_args!("SIGRTMIN+{index}"))
                .hint(format!("real-time signals are counted from 0 to {last}")));
        }
        Self::new(libc::SIGRTMIN() + i32::from(index))
    }

    /// How many real-time signals the C library leaves to programs (31 on glibc, 30 on musl).
    #[must_use]
    pub fn real_time_count() -> u8 {
        u8::try_from(libc::SIGRTMAX() - libc::SIGRTMIN() + 1).unwrap_or(0)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0 as i32
    }

    /// Whether each one sent is queued, and so received; of a standard signal at most one is
    /// pending at a time.
    #[must_use]
    pub const fn is_real_time(self) -> bool {
        self.number() > libc::SIGSYS
    }

    /// Its bit in the kernel's sets.
    pub(crate) const fn bit(self) -> u64 {
        1 << (self.0 - 1)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_real_time() {
            return write!(f, "SIGRTMIN+{}", self.number() - libc::SIGRTMIN());
        }
        let named = NAMES.iter().find(|(signal, _)| signal == self);
        f.write_str(named.map_or("SIG?", |(_, name)| name))
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<i32> for Signal {
    type Error = Error;
    fn try_from(number: i32) -> Result<Self> {
        Self::new(number)
    }
}
