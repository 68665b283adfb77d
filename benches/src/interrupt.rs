//! Ctrl-C and its relatives as a descriptor, so that a run always ends by its own clean-up.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

use nix::sys::{
    signal::{SigSet, Signal},
    signalfd::{SfdFlags, SignalFd},
};

/// Readable once the run shall end.
#[derive(Debug)]
pub struct Interrupt(SignalFd);

impl Interrupt {
    /// Blocks the signals that end a program and watches them instead. Children start with no
    /// signal blocked, as the standard library sees to.
    pub fn watch() -> io::Result<Interrupt> {
        let mut set = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            set.add(signal);
        }
        set.thread_block()?;
        Ok(Interrupt(SignalFd::with_flags(
            &set,
            SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK,
        )?))
    }
}

impl AsFd for Interrupt {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
