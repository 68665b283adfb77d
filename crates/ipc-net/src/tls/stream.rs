//! A byte stream whose bytes nobody on the way can read or change.

mod handshake;

use super::identity::Identity;
use super::session::{Opened, Sealed, Session};
use ipc_core::{
    ByteSink, ByteSource, Debt, Duplex, Error, ErrorKind, Framed, HalfClose, Interest, Pollable,
    Result, Turn, Until, byte_stream, four_forms,
};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A byte stream over any other, by default TCP, whose bytes nobody on the way can read or
/// change, and whose peer has proven who it is.
///
/// No byte of the caller's goes out and none comes in before the handshake is done: every verb
/// makes it first, within its own time and the handshake's. It may be shared by threads.
#[derive(Debug)]
pub struct Stream<T: Duplex = crate::Stream> {
    inner: T,
    /// Held for moments only, never across a wait.
    session: Mutex<Session>,
    shaking: Turn,
    receiving: Turn,
    sealed: Mutex<Sealed>,
    /// Plain bytes that were accepted and not sealed yet; sealed ones are owed by `inner`.
    debt: Debt,
    established: AtomicBool,
    buffered: AtomicBool,
    ended: AtomicBool,
    handshake_end: Until,
}

impl<T: Duplex> Stream<T> {
    pub(crate) fn new(inner: T, session: Session, handshake_timeout: Duration) -> Self {
        Self {
            inner,
            session: Mutex::new(session),
            shaking: Turn::default(),
            receiving: Turn::default(),
            sealed: Mutex::default(),
            debt: Debt::default(),
            established: AtomicBool::new(false),
            buffered: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            handshake_end: Until::after(handshake_timeout),
        }
    }

    four_forms! {
        /// Makes the handshake, where it is not made yet, within the time that
        /// [`Options::handshake_timeout`](super::Options::handshake_timeout) gives it from the
        /// moment that the connection was there.
        ///
        /// With TLS 1.3 a client is done before the server has looked at its certificate: a
        /// refusal then shows at its first receive.
        ///
        /// # Errors
        /// [`Denied`](ErrorKind::Denied) where one side refuses the other, with the reason;
        /// [`Corrupt`](ErrorKind::Corrupt) where the other side does not speak TLS;
        /// [`Closed`](ErrorKind::Closed) where it has gone; and
        /// [`TimedOut`](ErrorKind::TimedOut) from then on when the handshake's own time is over,
        /// in every form.
        handshake / try_handshake / handshake_timeout / handshake_deadline = handshake_until() -> ()
    }

    four_forms! {
        /// Sends `bytes`, all of them, sealed. Where they do not fit in time but have begun, the
        /// rest is owed, as by [`Stream::send`](crate::Stream::send).
        ///
        /// # Errors
        /// As [`handshake`](Stream::handshake); [`Closed`](ErrorKind::Closed) when the peer can
        /// read no more, or after [`close_write`](Stream::close_write).
        send / try_send / send_timeout / send_deadline = send_until(bytes: &[u8]) -> ()
    }

    four_forms! {
        /// Receives at least one byte into `buffer` and returns how many. While it waits, what
        /// this stream owes goes out.
        ///
        /// # Errors
        /// As [`handshake`](Stream::handshake); [`Closed`](ErrorKind::Closed) at the end of what
        /// the peer sent, [`Truncated`](ErrorKind::Truncated) where it was cut off before the
        /// peer said so, [`Corrupt`](ErrorKind::Corrupt) where it was changed on the way.
        recv / try_recv / recv_timeout / recv_deadline = recv_until(buffer: &mut [u8]) -> usize
    }

    four_forms! {
        /// Finishes a send that is begun and did not fit in time.
        ///
        /// # Errors
        /// [`Closed`](ErrorKind::Closed) when the peer can read no more.
        flush / try_flush / flush_timeout / flush_deadline = flush_until() -> ()
    }

    four_forms! {
        /// Writes what is owed and says that nothing more will be sent: the peer receives to the
        /// end, and its answer can still come. The stream below stays open.
        ///
        /// The word itself has a few bytes: where they do not fit in time they are owed, and
        /// that is a success.
        ///
        /// # Errors
        /// [`Closed`](ErrorKind::Closed) where it is ended already.
        close_write / try_close_write / close_write_timeout / close_write_deadline
            = close_write_until() -> ()
    }

    /// Whom the peer has proven to be; `None` before the handshake is done, and for a client of
    /// a server that asks for no certificate.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        if !self.established.load(Ordering::Acquire) {
            return None;
        }
        self.session().identity()
    }

    /// What both sides have agreed to speak inside, by what they named as
    /// [`protocols`](super::Options::protocols); `None` before the handshake is done, and where
    /// one of them names nothing.
    #[must_use]
    pub fn protocol(&self) -> Option<Vec<u8>> {
        if !self.established.load(Ordering::Acquire) {
            return None;
        }
        self.session().protocol()
    }

    /// Messages with their length before them, in both directions.
    #[must_use]
    pub fn framed(self) -> Framed<Self> {
        Framed::new(self)
    }

    /// The stream below: its addresses, and what else it knows. What is written to it or read
    /// from it breaks this one.
    pub const fn inner(&self) -> &T {
        &self.inner
    }

    #[inline]
    pub(crate) fn handshake_until(&self, until: Until) -> Result<()> {
        if self.established.load(Ordering::Acquire) {
            return Ok(());
        }
        self.shake_hands(until)
    }

    fn close_write_until(&self, until: Until) -> Result<()> {
        self.handshake_until(until)?;
        self.flush_until(until)?;
        if self.ended.swap(true, Ordering::Relaxed) {
            return Err(Error::new("close", ErrorKind::Closed));
        }
        let mut session = self.session();
        session.seal_end();
        self.push_out(&mut session)?;
        drop(session);
        in_time(self.inner.pay_until(until))
    }

    #[inline]
    fn send_until(&self, bytes: &[u8], until: Until) -> Result<()> {
        if self.debt.owes() {
            return self.debt.send(self, &[], bytes, until);
        }
        let written = self.write_until(&[], bytes, until)?;
        if written == bytes.len() {
            return Ok(());
        }
        self.debt.finish(self, bytes, written, until)
    }

    fn flush_until(&self, until: Until) -> Result<()> {
        self.pay_until(until)
    }

    #[inline]
    fn recv_until(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        match self.read_until(buffer, until)? {
            0 if !buffer.is_empty() => Err(Error::new("recv", ErrorKind::Closed)),
            length => Ok(length),
        }
    }

    fn open_until(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        self.handshake_until(until)?;
        let _turn = self
            .receiving
            .take(until)
            .ok_or_else(|| until.over("recv"))?;
        let mut sealed = self.sealed();
        loop {
            {
                let mut session = self.session();
                let opened = session.open(buffer, &mut sealed);
                // What came may have to be answered (new keys), a failure be told. A peer that
                // cannot hear it hinders nobody from receiving what it sent.
                let _ = self.push_out(&mut session);
                self.note_buffered(&session, &sealed);
                match opened? {
                    Opened::Bytes(length) => return Ok(length),
                    Opened::End => return Ok(0),
                    Opened::Nothing => {}
                }
            }
            let length = self.inner.read_until(sealed.room(), until)?;
            sealed.filled(length);
        }
    }

    /// Gives what the engine wants to go out to the stream below, which owes what does not fit:
    /// sealed bytes have an order, and none can be taken back.
    fn push_out(&self, session: &mut Session) -> Result<()> {
        session.collect();
        if session.outgoing.is_empty() {
            return Ok(());
        }
        let debt = self.inner.debt();
        let written = match debt.owes() {
            true => Ok(0),
            false => match self.inner.write_until(&[], &session.outgoing, Until::Now) {
                Err(error) if is_late(error.kind()) => Ok(0),
                outcome => outcome,
            },
        };
        let outcome = written.and_then(|written| match session.outgoing.get(written..) {
            None | Some([]) => Ok(()),
            Some(_) => debt.finish(&self.inner, &session.outgoing, written, Until::Now),
        });
        session.outgoing.clear();
        outcome
    }

    fn note_buffered(&self, session: &Session, sealed: &Sealed) {
        let holds = session.holds_more(sealed);
        self.buffered.store(holds, Ordering::Relaxed);
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sealed(&self) -> MutexGuard<'_, Sealed> {
        self.sealed.lock().unwrap_or_else(PoisonError::into_inner)
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

impl<T: Duplex> ByteSource for Stream<T> {
    #[inline]
    fn read_until(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.debt.owes() {
            let try_read = || self.open_until(&mut *buffer, Until::Now);
            return self.debt.read_paying(self, try_read, until);
        }
        self.open_until(buffer, until)
    }
}

impl<T: Duplex> ByteSink for Stream<T> {
    fn write_until(&self, head: &[u8], body: &[u8], until: Until) -> Result<usize> {
        self.handshake_until(until)?;
        if self.ended.load(Ordering::Relaxed) {
            return Err(Error::new("send", ErrorKind::Closed));
        }
        if head.is_empty() && body.is_empty() {
            return Ok(0);
        }
        loop {
            // What is sealed is accepted, so nothing is sealed while there is no room at all.
            self.inner.pay_until(until)?;
            let mut session = self.session();
            session.check("send")?;
            if self.inner.owes() {
                continue; // Another thread was faster.
            }
            let taken = session.seal(head, body)?;
            self.push_out(&mut session)?;
            drop(session);
            if until != Until::Now && self.inner.owes() {
                in_time(self.inner.pay_until(until))?;
            }
            return Ok(taken);
        }
    }

    #[inline]
    fn debt(&self) -> &Debt {
        &self.debt
    }

    fn pay_until(&self, until: Until) -> Result<()> {
        self.debt.flush(self, until)?;
        self.inner.pay_until(until)
    }
    fn end_until(&self, until: Until) -> Result<()> {
        self.close_write_until(until)
    }
}

impl<T: Duplex> HalfClose for Stream<T> {
    /// The try form: it waits for nothing.
    fn close_write(&self) -> Result<()> {
        self.close_write_until(Until::Now)
    }
}

impl<T: Duplex> Pollable for Stream<T> {
    fn descriptor(&self, interest: Interest) -> BorrowedFd<'_> {
        self.inner.descriptor(interest)
    }
    fn shown_by(&self, interest: Interest) -> Interest {
        self.inner.shown_by(interest)
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        if interests.contains(&Interest::Read) && self.has_buffered() {
            return Ok(());
        }
        if self.inner.owes() {
            // A receive pays what is sealed and owed, and the answer may wait for that.
            return self
                .inner
                .wait_ready(&[Interest::Read, Interest::Write], until);
        }
        self.inner.wait_ready(interests, until)
    }
    fn arm(&self, interest: Interest) -> Result<bool> {
        self.inner.arm(interest)
    }
    fn has_buffered(&self) -> bool {
        self.buffered.load(Ordering::Relaxed)
    }
    fn owes(&self) -> bool {
        self.debt.owes() || self.inner.owes()
    }
    fn pay(&self) -> Result<()> {
        self.flush_until(Until::Now)
    }
}

byte_stream!([T: Duplex] Stream<T>);

impl<T: Duplex> Drop for Stream<T> {
    /// Writes what is owed, and says that it was all, as far as that fits without waiting. A
    /// process that is killed says nothing, and its peer sees that it was cut off.
    fn drop(&mut self) {
        if self.established.load(Ordering::Acquire) {
            let _ = self.close_write_until(Until::Now);
        }
    }
}
