//! A connection of any transport as hyper reads and writes it, with its frames watched.

use crate::Limits;
use crate::meter::{Cut, Meter};
use hyper::rt::{Read, ReadBufCursor, Write};
use ipc_async::Async;
use ipc_core::{ByteSink, ByteSource, Interest, Pollable, Until};
use rpc_transport::Wire;
use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};
use std::time::Instant;
use tokio::time::Sleep;

/// How much is read at once.
const SCRATCH_BYTES: usize = 16 << 10;

/// A connection of any transport as hyper reads and writes it.
pub struct WireStream {
    wire: Async<Wire>,
    meter: Meter,
    limits: Limits,
    timer: Option<Pin<Box<Sleep>>>,
    armed: Option<Instant>,
    /// Since when the peer takes nothing.
    stuck_since: Option<Instant>,
    stuck: Option<Pin<Box<Sleep>>>,
    scratch: Box<[u8]>,
    /// What of it has come and was not asked for yet.
    filled: std::ops::Range<usize>,
    cut: bool,
    is_client: bool,
    /// Nobody reads what is written; why is still to be read.
    unheard: bool,
}

impl WireStream {
    pub(crate) fn server(wire: Wire, limits: Limits) -> ipc_core::Result<Self> {
        Self::new(wire, limits, Meter::server(Instant::now()), false)
    }

    pub(crate) fn client(wire: Wire, limits: Limits) -> ipc_core::Result<Self> {
        Self::new(wire, limits, Meter::client(Instant::now()), true)
    }

    fn new(wire: Wire, limits: Limits, meter: Meter, is_client: bool) -> ipc_core::Result<Self> {
        Ok(Self {
            wire: Async::new(wire)?,
            meter,
            limits,
            timer: None,
            armed: None,
            stuck_since: None,
            stuck: None,
            scratch: vec![0; SCRATCH_BYTES].into(),
            filled: 0..0,
            cut: false,
            is_client,
            unheard: false,
        })
    }

    /// Fails where a frame or the greeting takes too long.
    fn poll_clock(&mut self, task: &mut Task<'_>) -> io::Result<()> {
        loop {
            let Some(at) = self.meter.wakes(&self.limits) else {
                return Ok(());
            };
            if let Some(cut) = self.meter.late(&self.limits, Instant::now()) {
                return Err(self.cut(cut));
            }
            // An armed timer that rings early looks again; one is made for each deadline at most.
            let timer = self
                .timer
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at.into())));
            if self.armed.is_none_or(|armed| at < armed) || timer.is_elapsed() {
                timer.as_mut().reset(at.into());
                self.armed = Some(at);
            }
            if timer.as_mut().poll(task).is_pending() {
                return Ok(());
            }
            self.armed = None;
        }
    }

    /// Fails where the peer has taken nothing for too long.
    fn poll_stuck(&mut self, task: &mut Task<'_>) -> io::Result<()> {
        let now = Instant::now();
        let since = *self.stuck_since.get_or_insert(now);
        let Some(at) = since.checked_add(self.limits.frame) else {
            return Ok(());
        };
        let timer = self
            .stuck
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at.into())));
        match timer.as_mut().poll(task) {
            Poll::Ready(()) => Err(self.cut(Cut::Frame)),
            Poll::Pending => Ok(()),
        }
    }

    #[cold]
    fn cut(&mut self, why: Cut) -> io::Error {
        let text = match why {
            Cut::Flood => "too many frames that do nothing",
            Cut::Greeting => "the greeting took too long",
            Cut::Frame => "a frame took too long",
        };
        let wire = self.wire.get_ref();
        tracing::debug!(peer = ?wire.peer(), "cut: {text}");
        // A peer that does not take it does not get it.
        if let (false, Cut::Flood, Some(farewell)) = (self.cut, why, self.meter.farewell()) {
            let _ = wire.write_until(&[], &farewell, Until::Now);
            let _ = wire.pay_until(Until::Now);
        }
        self.cut = true;
        io::Error::new(io::ErrorKind::ConnectionAborted, text)
    }

    fn wrote(&mut self, first: &[u8], second: &[u8], length: usize) {
        self.stuck_since = None;
        self.stuck = None;
        let from_first = length.min(first.len());
        self.meter.wrote(&first[..from_first]);
        self.meter.wrote(&second[..length - from_first]);
    }

    fn poll_write_both(
        &mut self,
        task: &mut Task<'_>,
        first: &[u8],
        second: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.unheard {
            return Poll::Ready(Ok(first.len() + second.len()));
        }
        let attempt = |wire: &Wire| wire.write_until(first, second, Until::Now);
        match self.wire.poll_ready(task, Interest::Write, attempt) {
            Poll::Ready(Ok(length)) => {
                self.wrote(first, second, length);
                Poll::Ready(Ok(length))
            }
            // A server that ends in order says so before it hangs up, and which calls it took: that
            // is to be read before the connection is given up.
            Poll::Ready(Err(_)) if self.is_client && !self.cut => {
                self.unheard = true;
                self.stuck = None;
                self.stuck_since = None;
                task.waker().wake_by_ref();
                Poll::Ready(Ok(first.len() + second.len()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
            Poll::Pending => match self.poll_stuck(task) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            },
        }
    }
}

impl Read for WireStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.cut {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if this.filled.is_empty() {
            let came = if this.wire.get_ref().short_reads_empty_it() {
                this.wire.poll_read(task, &mut this.scratch)
            } else {
                let scratch = &mut this.scratch;
                let attempt = |wire: &Wire| wire.read_until(scratch, Until::Now);
                this.wire.poll_ready(task, Interest::Read, attempt)
            };
            let length = match came {
                Poll::Ready(came) => came.map_err(io::Error::from)?,
                Poll::Pending => {
                    this.poll_clock(task)?;
                    if this.unheard {
                        this.poll_stuck(task)?;
                    }
                    return Poll::Pending;
                }
            };
            this.filled = 0..length;
            if let Err(cut) = this.meter.read(&this.scratch[..length], Instant::now()) {
                return Poll::Ready(Err(this.cut(cut)));
            }
            // Frames that trickle are looked at here too: it may never be pending.
            this.poll_clock(task)?;
        }
        let length = this.filled.len().min(cursor.remaining());
        let start = this.filled.start;
        cursor.put_slice(&this.scratch[start..start + length]);
        this.filled.start += length;
        Poll::Ready(Ok(()))
    }
}

impl Write for WireStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_both(task, &[], bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut slices = slices.iter().filter(|slice| !slice.is_empty());
        let first = slices.next().map_or(&[][..], |slice| slice);
        let second = slices.next().map_or(&[][..], |slice| slice);
        self.poll_write_both(task, first, second)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.unheard || !this.wire.get_ref().owes() {
            return Poll::Ready(Ok(()));
        }
        let attempt = |wire: &Wire| wire.pay_until(Until::Now);
        match this.wire.poll_ready(task, Interest::Write, attempt) {
            Poll::Ready(Err(_)) if this.is_client && !this.cut => {
                this.unheard = true;
                task.waker().wake_by_ref();
                Poll::Ready(Ok(()))
            }
            Poll::Ready(paid) => Poll::Ready(paid.map_err(io::Error::from)),
            Poll::Pending => {
                this.poll_stuck(task)?;
                Poll::Pending
            }
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        // The end itself is told when the connection is dropped, which is next.
        let _ = ready!(self.poll_flush(task));
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for WireStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireStream")
            .field("peer", self.wire.get_ref().peer())
            .finish_non_exhaustive()
    }
}
