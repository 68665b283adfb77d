//! Messages that are written and read where they stand, in the shared memory.

use crate::receiver::Found;
use crate::turns::Lending;
use crate::{Receiver, Sender};
use ipc_core::{Error, ErrorKind, Result};

/// Room for a message, to be filled and then sent. Dropped, it is given back and nothing is sent.
///
/// Other threads' sends wait for it; those of the thread that has it are refused
/// ([`Deadlock`](ErrorKind::Deadlock)).
#[derive(Debug)]
#[must_use = "what is not sent is given back"]
pub struct Loan<'a> {
    pub(crate) sender: &'a Sender,
    pub(crate) _turn: Lending<'a>,
    pub(crate) at: usize,
    pub(crate) len: usize,
    /// Where the bytes of all messages up to it end.
    pub(crate) end: u64,
    pub(crate) filled: usize,
}

impl Loan<'_> {
    /// How many bytes the message has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Writes behind what was written.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) beyond the end.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.write_at(self.filled, bytes)?;
        self.filled += bytes.len();
        Ok(())
    }

    /// Writes at `offset`.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) beyond the end.
    pub fn write_at(&mut self, offset: usize, bytes: &[u8]) -> Result<()> {
        inside("write", self.len, offset, bytes.len())?;
        self.sender.link.own.write(self.at + offset, bytes);
        Ok(())
    }

    /// Sends it as it is. What was not written is what an earlier message left there, which the
    /// receiver has seen; or nought.
    #[inline]
    pub fn send(self) {
        self.sender.commit(self.len, self.end);
        self.sender.look_ahead(self.len);
    }
}

/// A message that stands where it was sent, to be read there. Dropped, it is taken, and its room
/// is the sender's again: at once where half of all room is, else with the next receive.
///
/// Other threads' receives wait for it; those of the thread that has it are refused
/// ([`Deadlock`](ErrorKind::Deadlock)).
#[derive(Debug)]
pub struct Lent<'a> {
    pub(crate) receiver: &'a Receiver,
    pub(crate) _turn: Lending<'a>,
    pub(crate) found: Found,
    pub(crate) taken: bool,
}

impl Lent<'_> {
    /// Leaves the message where it is: the next receive finds it again.
    pub fn leave(mut self) {
        self.taken = false;
    }

    /// How many bytes the message has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.found.len
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.found.len == 0
    }

    /// Copies what stands at `offset` into `buffer`, all of it. A sender that breaks the rules can
    /// still change what is read later: check the copy, and use the copy.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) beyond the end.
    pub fn read_at(&self, offset: usize, buffer: &mut [u8]) -> Result<()> {
        inside("read", self.found.len, offset, buffer.len())?;
        self.receiver
            .link
            .theirs
            .read(self.found.at + offset, buffer);
        Ok(())
    }
}

impl Drop for Lent<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.taken {
            self.receiver.take_lent(self.found);
        }
    }
}

pub(crate) fn inside(
    operation: &'static str,
    whole: usize,
    offset: usize,
    len: usize,
) -> Result<()> {
    match offset.checked_add(len) {
        Some(end) if end <= whole => Ok(()),
        _ => Err(Error::new(operation, ErrorKind::InvalidInput).hint(format!(
            "{len} bytes at {offset} are not inside a message of {whole}"
        ))),
    }
}
