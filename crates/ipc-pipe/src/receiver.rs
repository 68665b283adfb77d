//! The end of a pipe to receive from.

use crate::MAX_RECORD_BYTES;
use crate::sys::ReadEnd;
use ipc_core::{
    ByteSource, Error, ErrorKind, Framed, Interest, Pollable, Result, Spin, SpinBudget, TryRecv,
    Until, four_forms,
};
use ipc_sys::wait_ready;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The end of a pipe to receive from.
///
/// It may be shared by threads, and given to a child as standard input. When the last receiver is
/// gone, sending fails with [`ErrorKind::Closed`].
#[derive(Debug)]
pub struct Receiver {
    end: ReadEnd,
    record: bool,
    /// No writer has been seen at this FIFO yet: an empty read is no end.
    awaiting: AtomicBool,
    /// Our own writer, so that a FIFO does not end when its last sender goes.
    _keeper: Option<OwnedFd>,
    /// A record that did not fit the buffer it was to be received in.
    spilled: AtomicBool,
    spill: Mutex<Vec<u8>>,
    budget: Option<Box<SpinBudget>>,
}

impl Receiver {
    pub(crate) fn new(end: ReadEnd, record: bool) -> Self {
        let (awaiting, spilled) = (AtomicBool::new(false), AtomicBool::new(false));
        Self {
            end,
            record,
            awaiting,
            _keeper: None,
            spilled,
            spill: Mutex::default(),
            budget: None,
        }
    }

    pub(crate) fn spinning(mut self, spin: Option<Spin>) -> Self {
        self.budget = spin.map(|spin| Box::new(SpinBudget::of_calls(spin)));
        self
    }

    /// A FIFO's receiver, which may have come before any sender.
    pub(crate) fn of_fifo(end: ReadEnd, record: bool, keeper: Option<OwnedFd>) -> Self {
        let awaiting = AtomicBool::new(true);
        Self {
            awaiting,
            _keeper: keeper,
            ..Self::new(end, record)
        }
    }

    four_forms! {
        /// Receives at least one byte into `buffer`, or one record in
        /// [`record`](crate::Options::record) mode, and returns the length in bytes. At a FIFO
        /// it waits for the first sender too.
        ///
        /// # Errors
        /// [`Closed`](ErrorKind::Closed) when the last sender has gone and all is received.
        /// [`TooLarge`](ErrorKind::TooLarge) where a record does not fit `buffer`: it stays, and
        /// a buffer of [`MAX_RECORD_BYTES`] always does.
        recv / try_recv / recv_timeout / recv_deadline = recv_until(buffer: &mut [u8]) -> usize
    }

    /// Messages with their length before them, as [`Sender::framed`](crate::Sender::framed) sends.
    #[must_use]
    pub fn framed(self) -> Framed<Self> {
        Framed::new(self)
    }

    pub(crate) const fn end(&self) -> &ReadEnd {
        &self.end
    }

    pub(crate) const fn keeps_records(&self) -> bool {
        self.record
    }

    /// What most receives are, a plain read, is inlined down to the system call, as in a send.
    #[inline(always)]
    fn recv_until(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        if self.budget.is_some()
            && !self.may_spill(buffer)
            && let Some(length) = self.spin(buffer, until)
        {
            return Ok(length);
        }
        if until == Until::Forever
            && !self.may_spill(buffer)
            && let Some(length @ 1..) = self.end.try_plain(buffer)
        {
            return Ok(length);
        }
        self.recv_slowly(buffer, until)
    }

    /// Tries again for a while, where that may pay.
    #[inline]
    fn spin(&self, buffer: &mut [u8], until: Until) -> Option<usize> {
        let budget = self.budget.as_ref()?;
        budget.spin(until, || self.end.try_read(buffer)).flatten()
    }

    #[cold]
    #[inline(never)]
    fn recv_slowly(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        if self.may_spill(buffer) {
            return self.recv_small(buffer, until);
        }
        if buffer.is_empty() {
            return Ok(0);
        }
        match self.read_end(buffer, &mut [], until)? {
            0 => Err(Error::new("recv", ErrorKind::Closed)),
            length => Ok(length),
        }
    }

    /// Whether a record may not fit `buffer`, or one that did not is to be received first.
    #[inline]
    fn may_spill(&self, buffer: &[u8]) -> bool {
        self.record && (buffer.len() < MAX_RECORD_BYTES || self.spilled.load(Ordering::Relaxed))
    }

    /// A record into a buffer that it may not fit: what is beyond is caught, not cut off.
    #[cold]
    fn recv_small(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        if self.spilled.load(Ordering::Acquire) {
            let mut spill = self.spill();
            if !spill.is_empty() {
                let Some(place) = buffer.get_mut(..spill.len()) else {
                    return Err(does_not_fit(spill.len(), buffer.len()));
                };
                place.copy_from_slice(&spill);
                let length = spill.len();
                spill.clear();
                self.spilled.store(false, Ordering::Release);
                return Ok(length);
            }
        }
        let mut beyond = [0; MAX_RECORD_BYTES];
        let length = match self.read_end(buffer, &mut beyond, until)? {
            0 => return Err(Error::new("recv", ErrorKind::Closed)),
            length => length,
        };
        if length <= buffer.len() {
            return Ok(length);
        }
        let mut spill = self.spill();
        spill.extend_from_slice(buffer);
        spill.extend_from_slice(&beyond[..length - buffer.len()]);
        self.spilled.store(true, Ordering::Release);
        Err(does_not_fit(length, buffer.len()))
    }

    /// Reads; 0 is the end, and never a FIFO whose first sender is still to come.
    #[inline]
    fn read_end(&self, buffer: &mut [u8], beyond: &mut [u8], until: Until) -> Result<usize> {
        loop {
            let length = self.end.read(buffer, beyond, until)?;
            if length > 0 || !self.awaiting.load(Ordering::Relaxed) {
                return Ok(length);
            }
            // One may have come, sent and left since.
            if self.end.is_at_end("recv")? {
                self.awaiting.store(false, Ordering::Relaxed);
                return Ok(0);
            }
            self.end.wait_for_writer(until)?;
        }
    }

    fn spill(&self) -> MutexGuard<'_, Vec<u8>> {
        self.spill.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn does_not_fit(length: usize, room: usize) -> Error {
    Error::new("recv", ErrorKind::TooLarge).hint(format!(
        "the record has {length} bytes, the buffer {room}; receive it again with more room"
    ))
}

impl ByteSource for Receiver {
    #[inline]
    fn read_until(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        match self.recv_until(buffer, until) {
            Err(error) if error.kind() == ErrorKind::Closed => Ok(0),
            outcome => outcome,
        }
    }
}

impl Pollable for Receiver {
    fn descriptor(&self, _interest: Interest) -> BorrowedFd<'_> {
        self.end.fd()
    }
    fn is_plain(&self) -> bool {
        // The rest of a record is kept.
        !self.record
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        if self.has_buffered() {
            Ok(())
        } else {
            wait_ready(self, interests, until)
        }
    }
    fn has_buffered(&self) -> bool {
        self.spilled.load(Ordering::Relaxed)
    }
}

impl TryRecv for Receiver {
    fn try_recv(&self, buffer: &mut [u8]) -> Result<usize> {
        self.recv_until(buffer, Until::Now)
    }
}

impl Read for &Receiver {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.read_until(buffer, Until::Forever)?)
    }
}

impl Read for Receiver {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.fd()
    }
}

impl From<OwnedFd> for Receiver {
    /// Takes the reading end of a pipe from elsewhere: bytes.
    fn from(fd: OwnedFd) -> Self {
        Self::new(ReadEnd::new(fd), false)
    }
}

impl From<Receiver> for OwnedFd {
    /// Gives the descriptor away; a record kept for a larger buffer is lost.
    fn from(receiver: Receiver) -> Self {
        receiver.end.into_fd()
    }
}

impl From<Receiver> for Stdio {
    fn from(receiver: Receiver) -> Self {
        OwnedFd::from(receiver).into()
    }
}
