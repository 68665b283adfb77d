//! The body of a client's request: its messages.

use crate::compression::Encoding;
use crate::framing::Pieces;
use crate::messages::BoxError;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use rpc_core::{PayloadStream, Status};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as Task, Poll, Waker};

/// What a call and the messages that it sends tell each other.
pub(crate) type Link = Arc<Shared>;

#[derive(Debug, Default)]
pub(crate) struct Shared(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Why the own messages ended too early: the caller hears that, not what the reset stream says.
    failure: Option<Status>,
    /// Nobody waits for the answer any more.
    cancelled: bool,
    sender: Option<Waker>,
    /// All messages that there are have gone, and there will be more.
    idle: bool,
    caller: Option<Waker>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What went wrong here, or else what came of it.
    pub(crate) fn failure_or(&self, status: Status) -> Status {
        self.lock().failure.take().unwrap_or(status)
    }

    /// Waits until all messages that there are have gone, where there will be more.
    pub(crate) fn poll_idle(&self, task: &Task<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.idle {
            return Poll::Ready(());
        }
        state.caller = Some(task.waker().clone());
        Poll::Pending
    }

    fn set_idle(&self) {
        let mut state = self.lock();
        state.idle = true;
        if let Some(caller) = state.caller.take() {
            drop(state);
            caller.wake();
        }
    }

    /// Whether the call is cancelled; if not, who sends is woken when it is.
    fn is_cancelled(&self, task: &Task<'_>) -> bool {
        let mut state = self.lock();
        match &mut state.sender {
            Some(waker) => waker.clone_from(task.waker()),
            None => state.sender = Some(task.waker().clone()),
        }
        state.cancelled
    }
}

/// A call that is under way: dropped, it ends the messages that are still sent for it. Without
/// that a stream is reset only when both of its directions are dropped.
pub(crate) struct Caller(pub(crate) Link);

impl Drop for Caller {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.cancelled = true;
        if let Some(sender) = state.sender.take() {
            drop(state);
            sender.wake();
        }
    }
}

/// The body of a client's request.
pub(crate) struct Outgoing(Kind);

enum Kind {
    One(Option<Bytes>),
    Many {
        items: PayloadStream,
        pieces: Pieces,
        link: Link,
    },
}

impl Outgoing {
    pub(crate) const fn one(message: Bytes) -> Self {
        Self(Kind::One(Some(message)))
    }

    pub(crate) fn many(items: PayloadStream, encoding: Encoding, limit: usize, link: Link) -> Self {
        Self(Kind::Many {
            items,
            pieces: Pieces::new(encoding, limit),
            link,
        })
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Kind::One(message) => Poll::Ready(message.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Many {
                items,
                pieces,
                link,
            } => {
                if link.is_cancelled(task) {
                    let cancel = h2::Error::from(h2::Reason::CANCEL);
                    return Poll::Ready(Some(Err(cancel.into())));
                }
                let piece = pieces.poll(items, task);
                if piece.is_pending() {
                    link.set_idle();
                }
                piece.map(|piece| match piece {
                    Ok(piece) => Some(Ok(Frame::data(piece))),
                    Err(Ok(())) => None,
                    Err(Err(status)) => {
                        link.lock().failure = Some(status.clone());
                        Some(Err(status.into()))
                    }
                })
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Kind::One(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::One(message) => {
                SizeHint::with_exact(message.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Kind::Many { .. } => SizeHint::default(),
        }
    }
}
