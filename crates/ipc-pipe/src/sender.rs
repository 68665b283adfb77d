//! The end of a pipe to send into.

use crate::MAX_RECORD_BYTES;
use crate::sys::WriteEnd;
use ipc_core::{
    ByteSink, Debt, Error, ErrorKind, Flush, Framed, Interest, Pollable, Result, Spin, SpinBudget,
    TrySend, Until, four_forms,
};
use ipc_sys::{os_error, wait_ready};
use rustix::io::Errno;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

/// From this size on a send asks for a larger pipe.
const LARGE_BYTES: usize = 32 * 1024;
/// The size that it asks for; the kernel gives an unprivileged process up to
/// `fs.pipe-max-size`, which is this by default.
const AMPLE_BYTES: usize = 1024 * 1024;

/// The end of a pipe to send into.
///
/// It may be shared by threads, and given to a child as standard output. Dropping the last sender
/// ends the stream.
///
/// ```
/// let (tx, rx) = ipc_pipe::pair()?;
/// tx.send(b"pear\n")?;
/// drop(tx);
/// let mut bytes = [0; 16];
/// assert_eq!(rx.recv(&mut bytes)?, 5);
/// assert_eq!(rx.recv(&mut bytes).unwrap_err().kind(), ipc_pipe::ErrorKind::Closed);
/// # Ok::<(), ipc_pipe::Error>(())
/// ```
#[derive(Debug)]
pub struct Sender {
    end: WriteEnd,
    record: bool,
    /// A send of so many bytes enlarges the pipe first; `usize::MAX` when that is done or off.
    enlarge_from: AtomicUsize,
    debt: Debt,
    budget: Option<Box<SpinBudget>>,
}

impl Sender {
    pub(crate) fn new(end: WriteEnd, record: bool, grows: bool) -> Self {
        let enlarge_from = if grows { LARGE_BYTES } else { usize::MAX };
        let enlarge_from = AtomicUsize::new(enlarge_from);
        Self {
            end,
            record,
            enlarge_from,
            debt: Debt::default(),
            budget: None,
        }
    }

    pub(crate) fn spinning(mut self, spin: Option<Spin>) -> Self {
        self.budget = spin.map(|spin| Box::new(SpinBudget::of_calls(spin)));
        self
    }

    four_forms! {
        /// Sends `bytes`, all of them; in [`record`](crate::Options::record) mode as one record.
        ///
        /// Where they do not fit in time but have begun, the rest is owed: the next send writes
        /// it first, and [`flush`](Sender::flush) does it alone. Several threads' sends of more
        /// than [`MAX_RECORD_BYTES`] may mingle; [`framed`](Sender::framed) messages do not.
        ///
        /// # Errors
        /// [`Closed`](ErrorKind::Closed) when nobody can read any more. For records:
        /// [`TooLarge`](ErrorKind::TooLarge) above [`MAX_RECORD_BYTES`], and
        /// [`InvalidInput`](ErrorKind::InvalidInput) for an empty one, which a pipe cannot carry.
        send / try_send / send_timeout / send_deadline = send_until(bytes: &[u8]) -> ()
    }

    four_forms! {
        /// Finishes a send that is begun and did not fit in time.
        ///
        /// # Errors
        /// [`Closed`](ErrorKind::Closed) when nobody can read any more.
        flush / try_flush / flush_timeout / flush_deadline = flush_until() -> ()
    }

    /// Messages with their length before them: whole, of any size up to a limit, empty ones too.
    #[must_use]
    pub fn framed(self) -> Framed<Self> {
        Framed::new(self)
    }

    /// How many bytes the pipe holds.
    ///
    /// # Errors
    /// As fcntl(2) with `F_GETPIPE_SZ`.
    pub fn capacity_bytes(&self) -> Result<usize> {
        self.end.capacity_bytes()
    }

    pub(crate) const fn end(&self) -> &WriteEnd {
        &self.end
    }

    pub(crate) const fn keeps_records(&self) -> bool {
        self.record
    }

    /// Makes room for `bytes`, and writes what is owed, before they come in another way.
    pub(crate) fn make_ready(&self, bytes: usize, until: Until) -> Result<()> {
        if bytes >= self.enlarge_from.load(Ordering::Relaxed) {
            self.enlarge();
        }
        self.flush_until(until)
    }

    /// What most sends are, a plain write, is inlined down to the system call: where returns are
    /// guarded against speculation, each one after a system call costs more than the rest of it.
    #[inline(always)]
    pub(crate) fn send_until(&self, bytes: &[u8], until: Until) -> Result<()> {
        let plain = until == Until::Forever
            && (!self.record || (1..=MAX_RECORD_BYTES).contains(&bytes.len()))
            && !self.debt.owes()
            && self
                .budget
                .as_ref()
                .is_none_or(|budget| budget.needs_none())
            && bytes.len() < self.enlarge_from.load(Ordering::Relaxed);
        let written = if plain {
            self.end.try_plain(bytes)
        } else {
            None
        };
        if written == Some(bytes.len()) {
            return Ok(());
        }
        self.send_slowly(bytes, written.unwrap_or(0), until)
    }

    /// Sends the rest of `bytes`, of which `written` are out; most often none.
    #[cold]
    #[inline(never)]
    fn send_slowly(&self, bytes: &[u8], mut written: usize, until: Until) -> Result<()> {
        if written == 0 {
            if self.record {
                check_record(bytes)?;
            } else if bytes.len() >= self.enlarge_from.load(Ordering::Relaxed) {
                self.enlarge();
            }
            if self.debt.owes() {
                return self.debt.send(self, &[], bytes, until);
            }
            written = self.write_spinning(bytes, until)?;
        }
        if written == bytes.len() {
            return Ok(());
        }
        self.debt.finish(self, bytes, written, until)
    }

    /// Writes what there is room for, or waits; tries again before it sleeps where it may.
    fn write_spinning(&self, bytes: &[u8], until: Until) -> Result<usize> {
        if let Some(budget) = &self.budget
            && let Some(Some(written)) = budget.spin(until, || self.end.try_write(bytes))
        {
            return Ok(written);
        }
        self.end.write(&[], bytes, until)
    }

    fn flush_until(&self, until: Until) -> Result<()> {
        self.debt.flush(self, until)
    }

    /// Asks once for an ample pipe. Being refused is no failure: the pipe works as it is.
    #[cold]
    fn enlarge(&self) {
        self.enlarge_from.store(usize::MAX, Ordering::Relaxed);
        let now = self.end.capacity_bytes().unwrap_or(AMPLE_BYTES);
        let mut bytes = AMPLE_BYTES;
        while bytes > now {
            match self.end.set_capacity_bytes(bytes) {
                Err(Errno::PERM) => bytes /= 2,
                outcome => {
                    tracing::debug!(from = now, to = bytes, ?outcome, "pipe enlarged");
                    return;
                }
            }
        }
    }

    pub(crate) fn set_capacity(&self, operation: &'static str, bytes: usize) -> Result<()> {
        self.end
            .set_capacity_bytes(bytes)
            .map(drop)
            .map_err(|errno| match errno {
                Errno::PERM => Error::new(operation, ErrorKind::LimitReached)
                    .hint(capacity_hint(bytes))
                    .caused_by(errno.into()),
                Errno::INVAL => Error::new(operation, ErrorKind::InvalidInput)
                    .hint(format!(
                        "a pipe of {bytes} bytes is beyond what the kernel can count"
                    ))
                    .caused_by(errno.into()),
                Errno::BUSY => Error::new(operation, ErrorKind::Full)
                    .hint(format!("the pipe holds more than {bytes} bytes already"))
                    .caused_by(errno.into()),
                errno => os_error(operation, errno),
            })
    }
}

fn check_record(record: &[u8]) -> Result<()> {
    match record.len() {
        0 => Err(Error::new("send", ErrorKind::InvalidInput)
            .hint("a pipe cannot carry an empty record; framed messages may be empty")),
        1..=MAX_RECORD_BYTES => Ok(()),
        length => Err(Error::new("send", ErrorKind::TooLarge).hint(format!(
            "a record of {length} bytes is above PIPE_BUF ({MAX_RECORD_BYTES}), up to which the \
             kernel keeps it whole; use framed messages with one writer"
        ))),
    }
}

/// Which of the kernel's two limits stands in the way.
fn capacity_hint(bytes: usize) -> String {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/sys/fs/{name}"));
    let most = read("pipe-max-size")
        .ok()
        .and_then(|text| text.trim().parse::<usize>().ok());
    match most {
        Some(most) if bytes > most => format!(
            "{bytes} bytes are above this host's limit {most} (fs.pipe-max-size); \
             ask for less, or raise it with sysctl"
        ),
        _ => format!(
            "{bytes} bytes are beyond this user's share of pipe memory \
             (fs.pipe-user-pages-soft, fs.pipe-user-pages-hard); close other pipes or raise it"
        ),
    }
}

impl ByteSink for Sender {
    #[inline]
    fn write_until(&self, head: &[u8], body: &[u8], until: Until) -> Result<usize> {
        if head.len() + body.len() >= self.enlarge_from.load(Ordering::Relaxed) {
            self.enlarge();
        }
        self.end.write(head, body, until)
    }

    #[inline]
    fn debt(&self) -> &Debt {
        &self.debt
    }
}

impl Pollable for Sender {
    fn descriptor(&self, _interest: Interest) -> BorrowedFd<'_> {
        self.end.fd()
    }
    fn is_plain(&self) -> bool {
        true
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        wait_ready(self, interests, until)
    }
    fn owes(&self) -> bool {
        self.debt.owes()
    }
    fn pay(&self) -> Result<()> {
        self.try_flush()
    }
}

impl TrySend for Sender {
    fn try_send(&self, message: &[u8]) -> Result<()> {
        self.send_until(message, Until::Now)
    }
}

impl Flush for Sender {
    fn try_flush(&self) -> Result<()> {
        self.flush_until(Until::Now)
    }
}

impl Write for &Sender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.record {
            self.send(bytes)?;
            return Ok(bytes.len());
        }
        self.flush_until(Until::Forever)?;
        Ok(self.write_until(&[], bytes, Until::Forever)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(self.flush_until(Until::Forever)?)
    }
}

impl Write for Sender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Write::flush(&mut &*self)
    }
}

impl AsFd for Sender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.fd()
    }
}

impl From<OwnedFd> for Sender {
    /// Takes the writing end of a pipe from elsewhere: bytes, its capacity left as it is.
    fn from(fd: OwnedFd) -> Self {
        Self::new(WriteEnd::new(fd, false), false, false)
    }
}

impl From<Sender> for OwnedFd {
    /// Gives the descriptor away. What is owed and does not fit now is lost:
    /// [`flush`](Sender::flush) first.
    fn from(mut sender: Sender) -> Self {
        let _ = sender.try_flush();
        sender.end.take_fd()
    }
}

impl Drop for Sender {
    /// Writes what is owed, as far as it fits without waiting; [`flush`](Sender::flush) waits.
    fn drop(&mut self) {
        if self.debt.owes() && self.end.has_fd() {
            let _ = self.try_flush();
        }
    }
}

impl From<Sender> for Stdio {
    fn from(sender: Sender) -> Self {
        OwnedFd::from(sender).into()
    }
}
