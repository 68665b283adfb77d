//! How a stream makes its handshake, within its own time and the caller's.

use super::{Stream, in_time, is_late};
use ipc_core::{Duplex, Error, ErrorKind, Result, Until};
use std::sync::atomic::Ordering;
use std::time::Instant;

impl<T: Duplex> Stream<T> {
    #[cold]
    pub(super) fn shake_hands(&self, until: Until) -> Result<()> {
        let limit = self.sooner(until);
        // A turn of its own: who receives after the handshake may hold the other for ever.
        let _turn = self
            .shaking
            .take(limit)
            .ok_or_else(|| self.late(until, limit))?;
        if self.established.load(Ordering::Acquire) {
            return Ok(()); // Another thread has made it meanwhile.
        }
        let mut sealed = self.sealed();
        loop {
            {
                let mut session = self.session();
                session.check("handshake")?;
                self.push_out(&mut session)?;
                if !session.is_handshaking() {
                    break;
                }
                let fed = session.feed("handshake", &mut sealed);
                if fed.is_err() {
                    // The other side is told why, as far as it listens.
                    let _ = self.push_out(&mut session);
                }
                if fed? {
                    continue;
                }
                if sealed.has_ended() {
                    let error = Error::new("handshake", ErrorKind::Closed)
                        .hint("the other side has gone in the middle of the handshake");
                    return Err(session.fail(error));
                }
            }
            match self.inner.read_until(sealed.room(), limit) {
                Ok(length) => sealed.filled(length),
                Err(error) if is_late(error.kind()) => return Err(self.late(until, limit)),
                Err(error) => return Err(self.session().fail(error)),
            }
        }
        self.note_buffered(&self.session(), &sealed);
        self.established.store(true, Ordering::Release);
        drop(sealed); // Receivers need it now.
        // The last of our own handshake goes out even if nothing is sent for a long time.
        match until {
            Until::Now => Ok(()),
            _ => in_time(self.inner.pay_until(limit)),
        }
    }

    /// The caller's time, or the handshake's where that ends sooner.
    fn sooner(&self, until: Until) -> Until {
        match (until, self.handshake_end) {
            (Until::Now, _) | (_, Until::Forever) => until,
            (Until::At(deadline), Until::At(end)) => Until::At(deadline.min(end)),
            (_, end) => end,
        }
    }

    /// The error when a handshake is not done in time: the caller's, or that of a handshake which
    /// may not go on.
    #[cold]
    fn late(&self, until: Until, limit: Until) -> Error {
        match self.handshake_end {
            Until::At(end) if Instant::now() >= end => {}
            _ => {
                debug_assert!(limit == until, "only the handshake's end is sooner");
                return until.over("handshake");
            }
        }
        let error = Error::new("handshake", ErrorKind::TimedOut)
            .hint("the other side has not made its part of the handshake in time; drop it");
        self.session().fail(error)
    }
}
