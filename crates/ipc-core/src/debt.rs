//! The tail of a message that is begun: a sink accepts it whole, and owes what did not fit.

use crate::turn::{Held, Turn};
use crate::{ByteSink, Duplex, ErrorKind, Interest, Result, Until};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many debts of this process are not paid.
static UNPAID: AtomicUsize = AtomicUsize::new(0);

/// What a sink has accepted and not yet written.
///
/// Once one byte of a message is out, the message cannot be taken back: a deadline that passes
/// then leaves the rest here, and the send has succeeded. Whatever is sent next is written after
/// it. So `TimedOut` and a cancelled future always mean that no byte of that message went out.
///
/// The debt is bounded by one message per sending thread, since a send pays before it begins.
#[derive(Debug, Default)]
pub struct Debt {
    owing: AtomicBool,
    turn: Turn,
    tail: Mutex<Tail>,
}

#[derive(Debug, Default)]
struct Tail {
    bytes: Vec<u8>,
    paid: usize,
}

/// Two slices that go out as one message, of which a part is out.
struct Rest<'a> {
    head: &'a [u8],
    body: &'a [u8],
}

impl Debt {
    /// Whether something is owed. One relaxed load: the fast path of every send asks it.
    #[inline]
    #[must_use]
    pub fn owes(&self) -> bool {
        self.owing.load(Ordering::Relaxed)
    }

    /// Whether anything in this process is owed: who waits at many endpoints asks them for their
    /// debts only then.
    #[inline]
    #[must_use]
    pub fn is_any_unpaid() -> bool {
        UNPAID.load(Ordering::Relaxed) != 0
    }

    /// Sends `head` and `body` as one message, after what is owed.
    ///
    /// # Errors
    /// As [`ByteSink::write_until`]; `WouldBlock` and `TimedOut` mean that no byte is out.
    #[inline(always)]
    pub fn send(&self, sink: &impl ByteSink, head: &[u8], body: &[u8], until: Until) -> Result<()> {
        let turn = self.turn.take(until).ok_or_else(|| until.over("send"))?;
        if self.owes() {
            self.pay(&turn, sink, until)?;
        }
        let written = sink.write_until(head, body, until)?;
        if written == head.len() + body.len() {
            return Ok(());
        }
        let mut rest = Rest { head, body };
        rest.advance(written);
        self.finish_in_turn(&turn, sink, rest, until)
    }

    /// Finishes a message of which `written` bytes went out without [`Debt::send`]: what does not
    /// go out in time is owed, and that is a success.
    ///
    /// # Errors
    /// [`Closed`](ErrorKind::Closed) and the like: the peer is gone, the message is torn.
    #[cold]
    #[inline(never)]
    pub fn finish(
        &self,
        sink: &impl ByteSink,
        body: &[u8],
        written: usize,
        until: Until,
    ) -> Result<()> {
        let mut rest = Rest { head: &[], body };
        rest.advance(written);
        match self.turn.take(until) {
            Some(turn) if !self.owes() => self.finish_in_turn(&turn, sink, rest, until),
            turn => {
                self.owe(&rest);
                turn.map_or(Ok(()), |turn| in_time(self.pay(&turn, sink, until)))
            }
        }
    }

    /// Writes what is owed.
    ///
    /// # Errors
    /// `WouldBlock` and `TimedOut` while something is still owed.
    pub fn flush(&self, sink: &(impl ByteSink + ?Sized), until: Until) -> Result<()> {
        if !self.owes() {
            return Ok(());
        }
        let turn = self.turn.take(until).ok_or_else(|| until.over("flush"))?;
        self.pay(&turn, sink, until)
    }

    /// Reads from a stream that owes: pays while it waits, since the peer may need the rest of a
    /// message before it answers. `try_read` reads without waiting.
    ///
    /// # Errors
    /// As [`ByteSource::read_until`](crate::ByteSource::read_until).
    #[cold]
    #[inline(never)]
    pub fn read_paying(
        &self,
        stream: &impl Duplex,
        mut try_read: impl FnMut() -> Result<usize>,
        until: Until,
    ) -> Result<usize> {
        loop {
            // A peer that is gone does not hinder reading what it sent before.
            let interests: &[Interest] = match self.flush(stream, Until::Now) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    &[Interest::Read, Interest::Write]
                }
                _ => &[Interest::Read],
            };
            match try_read() {
                Err(error) if error.kind() == ErrorKind::WouldBlock && until != Until::Now => {
                    stream.wait_ready(interests, until)?;
                }
                outcome => return outcome,
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn finish_in_turn(
        &self,
        _held: &Held<'_>,
        sink: &impl ByteSink,
        mut rest: Rest<'_>,
        until: Until,
    ) -> Result<()> {
        while !rest.is_empty() {
            // A try form has been told how much fits: asking again is a wasted system call.
            let more = match until {
                Until::Now => Err(until.over("send")),
                _ => sink.write_until(rest.head, rest.body, until),
            };
            match more {
                Ok(written) => rest.advance(written),
                Err(error) => {
                    if is_late(error.kind()) {
                        self.owe(&rest);
                        return Ok(());
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn owe(&self, rest: &Rest<'_>) {
        let mut tail = self.tail();
        tail.bytes.extend_from_slice(rest.head);
        tail.bytes.extend_from_slice(rest.body);
        self.set_owing(true);
    }

    /// Pays from a copy of nothing: the tail is taken out while it is written, so that the lock
    /// is never held across a wait; the turn keeps every other writer away meanwhile.
    #[cold]
    #[inline(never)]
    fn pay(&self, _held: &Held<'_>, sink: &(impl ByteSink + ?Sized), until: Until) -> Result<()> {
        loop {
            let mut taken = std::mem::take(&mut *self.tail());
            let outcome = taken.write(sink, until);
            let mut tail = self.tail();
            match outcome {
                Ok(()) => {
                    // Another thread may have left a tail of its own behind ours meanwhile.
                    if tail.bytes.is_empty() {
                        taken.clear();
                        *tail = taken;
                        self.set_owing(false);
                        return Ok(());
                    }
                }
                Err(error) if is_late(error.kind()) => {
                    taken.bytes.extend_from_slice(&tail.bytes);
                    *tail = taken;
                    return Err(error);
                }
                Err(error) => {
                    // Nobody will ever read it.
                    *tail = Tail::default();
                    self.set_owing(false);
                    return Err(error);
                }
            }
        }
    }

    fn set_owing(&self, owing: bool) {
        match (self.owing.swap(owing, Ordering::AcqRel), owing) {
            (false, true) => _ = UNPAID.fetch_add(1, Ordering::Relaxed),
            (true, false) => _ = UNPAID.fetch_sub(1, Ordering::Relaxed),
            _ => {}
        }
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Debt {
    fn drop(&mut self) {
        // It is nobody's any more.
        if *self.owing.get_mut() {
            self.set_owing(false);
        }
    }
}

impl Tail {
    fn write(&mut self, sink: &(impl ByteSink + ?Sized), until: Until) -> Result<()> {
        while let Some(unpaid) = self
            .bytes
            .get(self.paid..)
            .filter(|unpaid| !unpaid.is_empty())
        {
            self.paid += sink.write_until(&[], unpaid, until)?;
        }
        Ok(())
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.paid = 0;
    }
}

impl Rest<'_> {
    fn advance(&mut self, written: usize) {
        let of_head = written.min(self.head.len());
        self.head = &self.head[of_head..];
        self.body = &self.body[(written - of_head).min(self.body.len())..];
    }

    fn is_empty(&self) -> bool {
        self.head.is_empty() && self.body.is_empty()
    }
}

const fn is_late(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn in_time(outcome: Result<()>) -> Result<()> {
    match outcome {
        Err(error) if is_late(error.kind()) => Ok(()),
        other => other,
    }
}
