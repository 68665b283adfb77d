//! Bytes that never change, which a pipe can hold without copying them.

use crate::Sender;
use crate::splice::check_bytes;
use crate::sys::Memory;
use ipc_core::{Debt, ErrorKind, Result, Until, four_forms};
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// Bytes that never change: a pipe holds their very pages, so there is nothing that a later write
/// could spoil. There are two sources, a `&'static [u8]` and sealed memory, and no other.
///
/// A copy of it is the same bytes.
///
/// ```
/// use ipc_pipe::Pages;
/// static GREETING: [u8; 5] = *b"hello";
/// let (tx, rx) = ipc_pipe::pair()?;
/// tx.send_pages(&Pages::of_static(&GREETING))?;
/// let mut bytes = [0; 5];
/// assert_eq!(rx.recv(&mut bytes)?, 5);
/// # Ok::<(), ipc_pipe::Error>(())
/// ```
///
/// What may still change is not taken:
///
/// ```compile_fail
/// let mut bytes = vec![0; 4096];
/// let pages = ipc_pipe::Pages::of_static(&bytes);
/// bytes[0] = 1;
/// ```
#[derive(Clone, Debug)]
pub struct Pages {
    memory: Arc<Memory>,
    range: Range<usize>,
}

impl Pages {
    /// Bytes that live for ever, such as a constant's, or a `Box` that is leaked.
    #[must_use]
    pub fn of_static(bytes: &'static [u8]) -> Self {
        Self {
            memory: Arc::new(Memory::Static(bytes)),
            range: 0..bytes.len(),
        }
    }

    /// All bytes of the memory file `fd`, which must be sealed against writing and shrinking, as
    /// an immutable region of `ipc-shm` is. They are mapped; `fd` itself is not kept.
    ///
    /// # Errors
    /// [`WrongType`](ErrorKind::WrongType) for what cannot be sealed;
    /// [`Denied`](ErrorKind::Denied) where it could still change.
    #[doc(alias = "F_SEAL_WRITE")]
    pub fn of_sealed(fd: BorrowedFd<'_>) -> Result<Self> {
        let memory = Arc::new(Memory::sealed(fd)?);
        let range = 0..memory.bytes().len();
        Ok(Self { memory, range })
    }

    /// A part of them; what is beyond the end is left out.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        let length = self.range.len();
        let end = self.range.start + range.end.min(length);
        let start = (self.range.start + range.start.min(length)).min(end);
        Self {
            memory: Arc::clone(&self.memory),
            range: start..end,
        }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.memory.bytes().get(self.range.clone()).unwrap_or(&[])
    }
}

impl Sender {
    four_forms! {
        /// Sends all of `pages`, as [`send`](Sender::send) sends bytes, without copying them
        /// where the kernel can ([`probe`](crate::probe)). It pays for large ones that are sent
        /// again and again; the receiver copies them out as ever, or [splices them
        /// on](crate::Receiver::splice_to).
        ///
        /// Where they do not fit in time but have begun, the rest is owed, as a copy.
        ///
        /// # Errors
        /// As [`send`](Sender::send); [`InvalidInput`](ErrorKind::InvalidInput) in
        /// [`record`](crate::Options::record) mode.
        #[doc(alias = "vmsplice")]
        send_pages / try_send_pages / send_pages_timeout / send_pages_deadline
            = send_pages_until(pages: &Pages) -> ()
    }

    fn send_pages_until(&self, pages: &Pages, until: Until) -> Result<()> {
        check_bytes("send", self.keeps_records())?;
        self.make_ready(pages.range.len(), until)?;
        let (mut from, to) = (pages.range.start, pages.range.end);
        while from < to {
            match self.end().give(&pages.memory, from, to, until) {
                Ok(given) => from += given,
                Err(error) => return self.send_rest(pages, from, until, error),
            }
        }
        Ok(())
    }

    /// A frame begun is a frame owed; and where the kernel gives no pages, bytes do as well.
    #[cold]
    fn send_rest(
        &self,
        pages: &Pages,
        from: usize,
        until: Until,
        error: ipc_core::Error,
    ) -> Result<()> {
        let out = from - pages.range.start;
        let debt: &Debt = ipc_core::ByteSink::debt(self);
        match error.kind() {
            ErrorKind::Unsupported if out == 0 => self.send_until(pages.bytes(), until),
            ErrorKind::Unsupported => debt.finish(self, pages.bytes(), out, until),
            ErrorKind::WouldBlock | ErrorKind::TimedOut if out > 0 => {
                debt.finish(self, pages.bytes(), out, Until::Now)
            }
            _ => Err(error),
        }
    }
}
