//! What a server owes to a call: its one return, its stream of answers, its items.

use crate::codecs::Format;
use crate::connection::{Running, Shared, State};
use crate::io::{remember, wake};
use crate::straight::Message;
use bytes::BytesMut;
use futures_core::Stream;
use rpc_core::{Body, Code, Metadata, MethodDescriptor, Payload, PayloadStream, Reply, Status};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll};

/// The answer that is owed to a call. Dropped without one, it says that there is none.
pub(crate) struct Answer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) call: u32,
    pub(crate) generation: u64,
    pub(crate) oneway_cost: Option<u32>,
    pub(crate) format: Format,
    pub(crate) done: bool,
}

/// An answer, and by what it may be too large.
type Told<'a> = (&'a MethodDescriptor, &'a Payload);

impl Answer {
    pub(crate) fn reply(self, method: &MethodDescriptor, outcome: Result<Reply, Status>) {
        match outcome {
            Ok(Reply {
                metadata,
                body: Body::One(payload),
            }) => {
                self.give(&metadata, Ok(Some((method, &payload))));
            }
            Ok(_) => self.finish(Err(Status::bare(Code::Internal))),
            Err(status) => self.finish(Err(status)),
        }
    }

    /// Ends the call without a message.
    pub(crate) fn finish(self, outcome: Result<(), Status>) {
        self.give(&Metadata::new(), outcome.map(|()| None));
    }

    fn give(mut self, metadata: &Metadata, outcome: Result<Option<Told<'_>>, Status>) {
        self.done = true;
        let mut state = self.shared.io.lock();
        self.end(&mut state, metadata, outcome);
        if !state.reading {
            let alone = state.machine.under_way == 0;
            self.shared.io.flush(&mut state, alone);
        }
    }

    fn end(
        &self,
        state: &mut State,
        metadata: &Metadata,
        outcome: Result<Option<Told<'_>>, Status>,
    ) {
        match self.oneway_cost {
            Some(cost) => {
                state
                    .oneways
                    .retain(|(number, _)| *number != self.generation);
                state.machine.oneway_done(cost);
            }
            None => {
                let ours = |running: &&mut Running| running.generation == self.generation;
                let Some(running) = state.running(self.call).filter(ours) else {
                    return;
                };
                running.task = None;
                let items = std::mem::take(&mut running.items);
                for item in items {
                    state.machine.consumed(self.call, item.len());
                }
                let (codec, straight) = (self.format.codec(), self.shared.straight);
                let told = outcome.as_ref().ok().copied().flatten();
                let mut bytes = 0;
                let behind = &mut bytes;
                let fill = outcome.map(|told| {
                    move |out: &mut BytesMut| {
                        if let Some((method, payload)) = told {
                            *behind =
                                Message::Owned(payload).append(codec, method, straight, out)?;
                        }
                        Ok(*behind)
                    }
                });
                if state.machine.finish(self.call, metadata, fill)
                    && let (Some((_, payload)), 1..) = (told, bytes)
                {
                    let link = &mut state.machine.link;
                    link.send_behind(payload.clone(), codec, bytes);
                }
            }
        }
        if state.machine.under_way == 0 {
            wake(&mut state.idle);
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if !self.done {
            let mut state = self.shared.io.lock();
            let nobody = Status::bare(Code::Cancelled);
            self.end(&mut state, &Metadata::new(), Err(nobody));
            self.shared.io.flush(&mut state, false);
        }
    }
}

/// Sends a stream of answers.
pub(crate) async fn stream(
    answer: Answer,
    method: &'static MethodDescriptor,
    metadata: Metadata,
    mut items: PayloadStream,
) {
    let io = Arc::clone(&answer.shared.io);
    let (call, codec) = (answer.call, answer.format.codec());
    let straight = answer.shared.straight;
    while let Some(item) = rpc_core::next(&mut items).await {
        let item = match item {
            Ok(item) => item,
            Err(status) => return answer.finish(Err(status)),
        };
        let sent = poll_fn(|task| {
            let mut guard = io.lock();
            let state = &mut *guard;
            let mut behind = 0;
            let sent = state.machine.message(call, |out| {
                behind = Message::Owned(&item).append(codec, method, straight, out)?;
                Ok(behind)
            });
            match sent {
                Ok(true) => {
                    if behind > 0 {
                        let link = &mut state.machine.link;
                        link.send_behind(item.clone(), codec, behind);
                    }
                    io.flush(state, false);
                    Poll::Ready(Ok(()))
                }
                Ok(false) => {
                    if let Some(running) = state.running(call) {
                        remember(&mut running.sender, task);
                    }
                    Poll::Pending
                }
                Err(status) => Poll::Ready(Err(status)),
            }
        })
        .await;
        if let Err(status) = sent {
            return answer.finish(Err(status));
        }
    }
    answer.give(&metadata, Ok(None));
}

/// The items of a stream of arguments.
pub(crate) struct Items {
    pub(crate) shared: Arc<Shared>,
    pub(crate) method: &'static MethodDescriptor,
    pub(crate) call: u32,
    pub(crate) generation: u64,
    pub(crate) format: Format,
}

impl Stream for Items {
    type Item = Result<Payload, Status>;

    fn poll_next(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        let mut guard = self.shared.io.lock();
        let state = &mut *guard;
        let ours = |running: &&mut Running| running.generation == self.generation;
        let Some(running) = state.running(self.call).filter(ours) else {
            return Poll::Ready(Some(Err(Status::bare(Code::Cancelled))));
        };
        if let Some(item) = running.items.pop_front() {
            state.machine.consumed(self.call, item.len());
            self.shared.io.flush(state, false);
            if let Err(status) = self.method.admit(item.len()) {
                return Poll::Ready(Some(Err(status)));
            }
            let payload = Payload::Encoded(self.format.codec(), item);
            return Poll::Ready(Some(Ok(payload)));
        }
        match &running.items_ended {
            Some(Ok(())) => Poll::Ready(None),
            Some(Err(status)) => Poll::Ready(Some(Err(status.clone()))),
            None => {
                remember(&mut running.receiver, task);
                Poll::Pending
            }
        }
    }
}
