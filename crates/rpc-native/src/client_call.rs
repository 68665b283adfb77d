//! A call of the awaited client that is under way: its end, its items, its cancellation.

use crate::client::{Owner, Shared};
use crate::client_state::State;
use crate::io::{remember, wake};
use crate::straight::Message;
use futures_core::Stream;
use rpc_core::{Code, MethodDescriptor, Payload, PayloadStream, Status};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use tokio::task::AbortHandle;

/// A call that is under way; dropped before it is over, it cancels.
pub(crate) struct Guard {
    pub(crate) owner: Arc<Owner>,
    pub(crate) call: u32,
    pub(crate) pump: Option<AbortHandle>,
    pub(crate) over: bool,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(pump) = &self.pump {
            pump.abort();
        }
        let shared = &self.owner.shared;
        let mut guard = shared.lock();
        let state = &mut *guard;
        let slot = &mut state.slots[self.call as usize - 1];
        slot.receiver = None;
        slot.sender = None;
        let dropped: usize = slot.items.len();
        for _ in 0..dropped {
            if let Some(item) = slot.items.pop_front() {
                state.machine.consumed(self.call, item.len());
            }
        }
        state.machine.release(self.call);
        shared.give_back(state);
        shared.flush(state);
    }
}

/// The items of a stream of answers.
struct Answers {
    guard: Guard,
}

pub(crate) fn answers(guard: Guard) -> PayloadStream {
    Box::pin(Answers { guard })
}

impl Stream for Answers {
    type Item = Result<Payload, Status>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        if self.guard.over {
            return Poll::Ready(None);
        }
        let owner = Arc::clone(&self.guard.owner);
        let mut guard = owner.shared.lock();
        let state = &mut *guard;
        let call = self.guard.call;
        let slot = &mut state.slots[call as usize - 1];
        if let Some(item) = slot.items.pop_front() {
            state.machine.consumed(call, item.len());
            owner.shared.flush(state);
            let codec = owner.shared.format.codec();
            return Poll::Ready(Some(Ok(Payload::Encoded(codec, item))));
        }
        match slot.outcome.take() {
            None => {
                remember(&mut slot.receiver, task);
                Poll::Pending
            }
            Some(outcome) => {
                drop(guard);
                self.guard.over = true;
                Poll::Ready(outcome.err().map(Err))
            }
        }
    }
}

/// Sends the items of a stream of arguments.
pub(crate) async fn pump(
    shared: Arc<Shared>,
    method: &'static MethodDescriptor,
    (call, generation): (u32, u64),
    mut items: PayloadStream,
) {
    // The call may be over, and its number another's, before this task hears of it.
    let is_ours = |state: &State| state.slots[call as usize - 1].generation == generation;
    while let Some(item) = rpc_core::next(&mut items).await {
        let Ok(item) = item else {
            let mut state = shared.lock();
            if is_ours(&state) {
                state.machine.cancel(call);
                shared.flush(&mut state);
            }
            return;
        };
        let sent = poll_fn(|task| {
            let mut guard = shared.lock();
            let state = &mut *guard;
            if !is_ours(state) {
                return Poll::Ready(Err(Status::bare(Code::Cancelled)));
            }
            let (codec, mut behind) = (shared.format.codec(), 0);
            let sent = state.machine.message(call, |out| {
                behind = Message::Owned(&item).append(codec, method, shared.straight, out)?;
                Ok(behind)
            });
            match sent {
                Ok(true) => {
                    if behind > 0 {
                        let link = &mut state.machine.link;
                        link.send_behind(item.clone(), codec, behind);
                    }
                    // The next item may be there already: they go out together.
                    shared.io.flush(state, false);
                    Poll::Ready(Ok(()))
                }
                Ok(false) => {
                    remember(&mut state.slots[call as usize - 1].sender, task);
                    Poll::Pending
                }
                Err(status) => Poll::Ready(Err(status)),
            }
        })
        .await;
        if let Err(status) = sent {
            let mut guard = shared.lock();
            let state = &mut *guard;
            // An item that cannot be sent ends the call, and the caller hears why.
            if status.code() != Code::Cancelled && is_ours(state) {
                state.machine.cancel(call);
                let slot = &mut state.slots[call as usize - 1];
                slot.outcome = Some(Err(status));
                wake(&mut slot.receiver);
            }
            shared.flush(state);
            return;
        }
    }
    let mut state = shared.lock();
    if is_ours(&state) {
        state.machine.end(call);
        shared.flush(&mut state);
    }
}
