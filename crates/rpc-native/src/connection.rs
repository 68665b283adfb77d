//! One connection of the awaited server: from frames to calls and back.

use crate::codecs::Format;
use crate::io::{self, Io, Outlet, Side, remember, wake};
use crate::limits::Limits;
use crate::link::Link;
use crate::named::{Named, context, within};
use crate::server_side::{Event, Incoming, ServerSide};
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use rpc_core::{
    Body, Call, CallFuture, Channel, Code, Metadata, MethodDescriptor, Payload, PayloadStream,
    Peer, Reply, Status,
};
use rpc_transport::Wire;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// A connection that is served.
pub(crate) struct Served {
    shared: Arc<Shared>,
}

struct Shared {
    io: Arc<Io<State>>,
    served: rpc_core::Served,
    peer: Peer,
    drain: Duration,
}

struct State {
    machine: ServerSide,
    named: Named,
    calls: Vec<Running>,
    outlet: Outlet,
    /// The reader takes in what came, and sends for all when it is through.
    reading: bool,
    /// The reader, while it waits for the client to take what it asked for.
    room: Option<Waker>,
    /// Who waits for the last call to end.
    idle: Option<Waker>,
}

/// A call that runs.
#[derive(Default)]
struct Running {
    /// Tells a call from the one that had its number before.
    generation: u64,
    task: Option<AbortHandle>,
    items: VecDeque<Bytes>,
    items_ended: Option<Result<(), Status>>,
    receiver: Option<Waker>,
    sender: Option<Waker>,
}

impl Served {
    pub(crate) fn new(
        wire: Wire,
        served: rpc_core::Served,
        limits: Limits,
    ) -> ipc_core::Result<Self> {
        let (peer, drain) = (wire.peer().clone(), limits.drain);
        let state = State {
            machine: ServerSide::new(limits, Instant::now()),
            named: Named::default(),
            calls: Vec::new(),
            outlet: Outlet::default(),
            reading: false,
            room: None,
            idle: None,
        };
        let shared = Arc::new(Shared {
            io: Arc::new(Io::new(wire, state)?),
            served,
            peer,
            drain,
        });
        Ok(Self { shared })
    }

    /// Serves until the client goes, or until what runs is finished after `stopped`.
    pub(crate) async fn run(self, mut stopped: watch::Receiver<bool>) {
        let shared = &self.shared;
        shared.io.flush(&mut shared.io.lock(), true);
        let tasks = [
            tokio::spawn(io::write(Arc::clone(&shared.io))).abort_handle(),
            tokio::spawn(io::keep_time(Arc::clone(&shared.io))).abort_handle(),
        ];
        let _tasks = Tasks(tasks);
        let reading = read(Arc::clone(shared));
        tokio::pin!(reading);
        tokio::select! {
            () = &mut reading => return,
            _ = stopped.wait_for(|stop| *stop) => {}
        }
        {
            let mut state = shared.io.lock();
            state.machine.link.drain();
            shared.io.flush(&mut state, true);
        }
        tokio::select! {
            () = &mut reading => return,
            () = shared.idle() => {}
            () = tokio::time::sleep(shared.drain) => {}
        }
        let mut state = shared.io.lock();
        let end = Status::new(Code::Unavailable, "the server is ending");
        state.machine.link.end(end.clone());
        shared.io.write_now(&mut state);
        state.lost(&end);
    }
}

struct Tasks([AbortHandle; 2]);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let gone = Status::new(Code::Unavailable, "the client has gone");
        self.shared.io.lock().lost(&gone);
    }
}

/// Reads and runs what comes until the connection ends.
async fn read(shared: Arc<Shared>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        shared.room().await;
        let came = shared.io.wire.read(&mut buffer).await;
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
        loop {
            let event = shared.io.lock().machine.next_event(now);
            match event {
                Ok(None) => break,
                Ok(Some(event)) => shared.take_event(event, now),
                Err(status) => {
                    tracing::warn!(%status, peer = ?shared.peer, "a connection is ended");
                    let mut state = shared.io.lock();
                    shared.io.write_now(&mut state);
                    state.lost(&status);
                    return;
                }
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
    /// Waits while the client does not take what it has asked for.
    async fn room(&self) {
        poll_fn(|task| {
            let mut state = self.io.lock();
            let link = &state.machine.link;
            if link.output.len() <= link.limits.max_output_bytes {
                return Poll::Ready(());
            }
            self.io.flush(&mut state, false);
            remember(&mut state.room, task);
            Poll::Pending
        })
        .await;
    }

    /// Waits until no call runs.
    async fn idle(&self) {
        poll_fn(|task| {
            let mut state = self.io.lock();
            if state.machine.under_way == 0 {
                return Poll::Ready(());
            }
            remember(&mut state.idle, task);
            Poll::Pending
        })
        .await;
    }

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
                if let Some(running) = state.running(call) {
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
                if let Err(status) = within(method, message.len()) {
                    return answer.finish(Err(status.before_running()));
                }
                Body::One(Payload::Encoded(format.codec(), message))
            }
            None => Body::Many(self.items(number, answer.generation, format)),
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
            Some(running) => running.task = Some(rest.abort_handle()),
            None => {}
        }
    }

    fn items(self: &Arc<Self>, call: u32, generation: u64, format: Format) -> PayloadStream {
        Box::pin(Items {
            shared: Arc::clone(self),
            call,
            generation,
            format,
        })
    }
}

impl State {
    fn running(&mut self, call: u32) -> Option<&mut Running> {
        self.calls.get_mut((call as usize).checked_sub(1)?)
    }

    fn start(&mut self, call: u32) -> u64 {
        if self.calls.len() < call as usize {
            self.calls.resize_with(call as usize, Running::default);
        }
        let Some(running) = self.running(call) else {
            return 0;
        };
        let generation = running.generation + 1;
        *running = Running {
            generation,
            ..Running::default()
        };
        generation
    }
}

impl Side for State {
    fn link(&mut self) -> &mut Link {
        &mut self.machine.link
    }

    fn outlet(&mut self) -> &mut Outlet {
        &mut self.outlet
    }

    fn has_room(&mut self) {
        wake(&mut self.room);
        for running in &mut self.calls {
            wake(&mut running.sender);
        }
    }

    fn lost(&mut self, status: &Status) {
        self.machine.link.lost(status.clone());
        for running in &mut self.calls {
            if let Some(task) = running.task.take() {
                task.abort();
            }
            running.items_ended = Some(Err(Status::bare(Code::Cancelled)));
            wake(&mut running.receiver);
            wake(&mut running.sender);
        }
        wake(&mut self.room);
        wake(&mut self.idle);
    }
}

/// The answer that is owed to a call. Dropped without one, it says that there is none.
struct Answer {
    shared: Arc<Shared>,
    call: u32,
    generation: u64,
    oneway_cost: Option<u32>,
    format: Format,
    done: bool,
}

impl Answer {
    fn reply(self, method: &MethodDescriptor, outcome: Result<Reply, Status>) {
        match outcome {
            Ok(Reply {
                metadata,
                body: Body::One(payload),
            }) => {
                let codec = self.format.codec();
                self.give(
                    &metadata,
                    Ok(|out: &mut BytesMut| {
                        let before = out.len();
                        payload.append(codec, out)?;
                        within(method, out.len() - before)
                    }),
                );
            }
            Ok(_) => self.finish(Err(Status::bare(Code::Internal))),
            Err(status) => self.finish(Err(status)),
        }
    }

    /// Ends the call without a message.
    fn finish(self, outcome: Result<(), Status>) {
        let nothing = |_: &mut BytesMut| Ok(());
        self.give(&Metadata::new(), outcome.map(|()| nothing));
    }

    fn give(
        mut self,
        metadata: &Metadata,
        outcome: Result<impl FnOnce(&mut BytesMut) -> Result<(), Status>, Status>,
    ) {
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
        outcome: Result<impl FnOnce(&mut BytesMut) -> Result<(), Status>, Status>,
    ) {
        match self.oneway_cost {
            Some(cost) => state.machine.oneway_done(cost),
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
                state.machine.finish(self.call, metadata, outcome);
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
            let nothing = Err::<fn(&mut BytesMut) -> Result<(), Status>, _>(nobody);
            self.end(&mut state, &Metadata::new(), nothing);
            self.shared.io.flush(&mut state, false);
        }
    }
}

/// Sends a stream of answers.
async fn stream(
    answer: Answer,
    method: &'static MethodDescriptor,
    metadata: Metadata,
    mut items: PayloadStream,
) {
    let io = Arc::clone(&answer.shared.io);
    let (call, codec) = (answer.call, answer.format.codec());
    while let Some(item) = rpc_core::next(&mut items).await {
        let item = match item {
            Ok(item) => item,
            Err(status) => return answer.finish(Err(status)),
        };
        let sent = poll_fn(|task| {
            let mut guard = io.lock();
            let state = &mut *guard;
            let sent = state.machine.message(call, |out| {
                let before = out.len();
                item.append(codec, out)?;
                within(method, out.len() - before)
            });
            match sent {
                Ok(true) => {
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
    let nothing = |_: &mut BytesMut| Ok(());
    answer.give(&metadata, Ok(nothing));
}

/// The items of a stream of arguments.
struct Items {
    shared: Arc<Shared>,
    call: u32,
    generation: u64,
    format: Format,
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
