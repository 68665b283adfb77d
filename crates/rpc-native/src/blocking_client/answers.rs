//! The stream of answers to a call of the blocking client, read by whoever takes the next.

use super::{BlockingWired, Inner};
use futures_core::Stream;
use ipc_core::Until;
use rpc_core::{Payload, Status};
use std::pin::Pin;
use std::sync::{MutexGuard, PoisonError};
use std::task::{Context as Task, Poll};

/// The items of a stream of answers.
pub(super) struct Answers {
    connection: BlockingWired,
    call: u32,
    until: Until,
    over: bool,
}

impl Answers {
    pub(super) const fn new(connection: BlockingWired, call: u32, until: Until) -> Self {
        Self {
            connection,
            call,
            until,
            over: false,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        let inner = &self.connection.inner;
        inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream for Answers {
    type Item = Result<Payload, Status>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        let (call, until, format) = (self.call, self.until, self.connection.format);
        let outcome = {
            let mut inner = self.inner();
            loop {
                let slot = &mut inner.slots[call as usize - 1];
                if let Some(item) = slot.items.pop_front() {
                    inner.machine.consumed(call, item.len());
                    let payload = Payload::Encoded(format.codec(), item);
                    return Poll::Ready(Some(Ok(payload)));
                }
                if let Some(outcome) = slot.outcome.take() {
                    break outcome.map(drop);
                }
                if let Err(status) = inner.turn(until) {
                    break Err(status);
                }
            }
        };
        self.over = true;
        Poll::Ready(outcome.err().map(Err))
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        let call = self.call;
        self.inner().release(call);
    }
}
