//! What comes in over a connection of the awaited server: frames become calls, and calls run.
use crate::answer::{Answer, Items, stream};
use crate::codecs::Format;
use crate::connection::Shared;
use crate::io::{Io, Side, wake};
use crate::named::context;
use crate::server_side::{Event, Incoming};
use rpc_core::{
    Body, Call, CallFuture, Channel, Code, MethodDescriptor, Payload, PayloadStream, Reply, Status,
};
use std::sync::Arc;
use std::task::{Context as Task, Poll, Waker};
use std::time::Instant;
use tokio::runtime::{Handle, RuntimeFlavor};

/// After so many oneway calls of one connection others have their turn, where one thread runs all:
/// nothing else bounds how many come at once. Where there are several threads the others go on
/// meanwhile, and to stop would only cost them the event loop.
const TURN: u32 = 16;

/// Reads and runs what comes until the connection ends.
pub(crate) async fn read(shared: Arc<Shared>) {
    let alone = Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        shared.room().await;
        let came = shared.io.read(&mut buffer).await;
        let length = match came {
            Ok(length @ 1..) => length,
            Ok(0) => break,
            Err(error) => {
                tracing::debug!(%error, "a connection ended");
                break;
            }
        };
        let now = Instant::now();
        {
            let mut state = shared.io.lock();
            state.reading = true;
            state.machine.link.receive(&buffer[..length], now);
        }
        let mut oneways = 0;
        loop {
            let event = shared.io.lock().machine.next_event(now);
            match event {
                Ok(None) => break,
                Ok(Some(event)) => {
                    oneways += u32::from(matches!(&event, Event::Call(came) if came.call == 0));
                    shared.take_event(event, now);
                }
                Err(status) => {
                    tracing::warn!(%status, peer = ?shared.peer, "a connection is ended");
                    let mut state = shared.io.lock();
                    shared.io.write_now(&mut state);
                    state.lost(&status);
                    return;
                }
            }
            if alone && oneways >= TURN {
                oneways = 0;
                // What is to be said still goes out together, when all is taken in.
                tokio::task::yield_now().await;
            }
        }
        let mut state = shared.io.lock();
        Io::look_at_clock(&mut *state);
        state.reading = false;
        shared.io.flush(&mut state, true);
    }
    let gone = Status::new(Code::Unavailable, "the client has gone");
    shared.io.lock().lost(&gone);
}

impl Shared {
    fn take_event(self: &Arc<Self>, event: Event, now: Instant) {
        match event {
            Event::Bind {
                binding,
                codec,
                fingerprint,
                name,
            } => {
                let mut guard = self.io.lock();
                let state = &mut *guard;
                let word = (binding, codec, fingerprint, &name[..]);
                state.named.bind(&mut state.machine, &self.served, word);
            }
            Event::Call(incoming) => self.begin(incoming, now),
            Event::Message(call, item) => {
                let mut state = self.io.lock();
                if !state.machine.runs(call) {
                    // It has ended since the machine spoke: nobody will take the item.
                    state.machine.consumed(call, item.len());
                } else if let Some(running) = state.running(call) {
                    running.items.push_back(item);
                    wake(&mut running.receiver);
                }
            }
            Event::End(call) => {
                let mut state = self.io.lock();
                if let Some(running) = state.running(call) {
                    running.items_ended = Some(Ok(()));
                    wake(&mut running.receiver);
                }
            }
            Event::Cancelled(call) => {
                let mut state = self.io.lock();
                if let Some(running) = state.running(call) {
                    let cancelled = Status::bare(Code::Cancelled);
                    running.items_ended = Some(Err(cancelled));
                    wake(&mut running.receiver);
                    if let Some(task) = running.task.take() {
                        // Its answer is owed all the same: the task's own end gives it.
                        task.abort();
                    }
                }
            }
            Event::Credit(0) => self.io.lock().has_room(),
            Event::Credit(call) => {
                let mut state = self.io.lock();
                if let Some(running) = state.running(call) {
                    wake(&mut running.sender);
                }
            }
        }
    }

    fn begin(self: &Arc<Self>, incoming: Incoming, now: Instant) {
        let number = incoming.call;
        let (answer, target) = {
            let mut state = self.io.lock();
            let answer = Answer {
                shared: Arc::clone(self),
                call: number,
                generation: state.start(number),
                oneway_cost: (number == 0).then_some(incoming.cost),
                format: Format::Protobuf,
                done: false,
            };
            (answer, state.named.target(&incoming))
        };
        let (method, format) = match target {
            Ok(target) => target,
            Err(status) => return answer.finish(Err(status.before_running())),
        };
        let mut answer = answer;
        answer.format = format;
        let body = match incoming.message {
            Some(message) => {
                if let Err(status) = method.admit(message.len()) {
                    return answer.finish(Err(status.before_running()));
                }
                Body::One(Payload::Encoded(format.codec(), message))
            }
            None => Body::Many(self.items(method, &answer)),
        };
        let context = context(&self.peer, &incoming.head, now);
        let call = Call {
            method,
            context,
            body,
        };
        self.run(answer, method, self.served.call(call));
    }

    /// Runs the handler here as far as it comes without waiting, and the rest in a task.
    fn run(
        self: &Arc<Self>,
        answer: Answer,
        method: &'static MethodDescriptor,
        mut work: CallFuture,
    ) {
        let mut task = Task::from_waker(Waker::noop());
        let first = work.as_mut().poll(&mut task);
        let (call, generation) = (answer.call, answer.generation);
        let rest = match first {
            Poll::Ready(Ok(Reply {
                metadata,
                body: Body::Many(items),
            })) => tokio::spawn(stream(answer, method, metadata, items)),
            Poll::Ready(outcome) => return answer.reply(method, outcome),
            Poll::Pending => tokio::spawn(async move {
                match work.await {
                    Ok(Reply {
                        metadata,
                        body: Body::Many(items),
                    }) => stream(answer, method, metadata, items).await,
                    outcome => answer.reply(method, outcome),
                }
            }),
        };
        let mut state = self.io.lock();
        let cancelled = state.machine.link.ended.is_some();
        match state
            .running(call)
            .filter(|running| running.generation == generation)
        {
            // A connection that ended meanwhile has not seen this task.
            _ if cancelled => rest.abort(),
            _ if call == 0 => {
                let mut own = state.oneways.iter_mut();
                if let Some((_, task)) = own.find(|(number, _)| *number == generation) {
                    *task = Some(rest.abort_handle());
                }
            }
            Some(running) => running.task = Some(rest.abort_handle()),
            None => {}
        }
    }

    fn items(
        self: &Arc<Self>,
        method: &'static MethodDescriptor,
        answer: &Answer,
    ) -> PayloadStream {
        Box::pin(Items {
            shared: Arc::clone(self),
            method,
            call: answer.call,
            generation: answer.generation,
            format: answer.format,
        })
    }
}
