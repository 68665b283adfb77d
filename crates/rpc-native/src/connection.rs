//! One connection of the awaited server: from frames to calls and back.

use crate::answer::{Answer, Items, stream};
use crate::codecs::Format;
use crate::io::{self, Io, Outlet, Side, remember, wake};
use crate::limits::Limits;
use crate::link::Link;
use crate::named::{Named, context, within};
use crate::server_side::{Event, Incoming, ServerSide};
use bytes::Bytes;
use ipc_core::{Interest, Until};
use rpc_core::{
    Body, Call, CallFuture, Channel, Code, MethodDescriptor, Payload, PayloadStream, Peer, Reply,
    Status,
};
use rpc_transport::{Stopped, Wire};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context as Task, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::task::AbortHandle;

/// How long a client has to take what it is owed when the server ends.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A connection that is served.
pub(crate) struct Served {
    shared: Arc<Shared>,
}

/// What the connection's tasks and its calls share.
pub(crate) struct Shared {
    pub(crate) io: Arc<Io<State>>,
    pub(crate) served: rpc_core::Served,
    pub(crate) peer: Peer,
    pub(crate) drain: Duration,
}

/// The same, behind its lock.
pub(crate) struct State {
    pub(crate) machine: ServerSide,
    pub(crate) named: Named,
    pub(crate) calls: Vec<Running>,
    /// Oneway calls that run, which have no number: the limit bounds them.
    pub(crate) oneways: Vec<(u64, Option<AbortHandle>)>,
    last_oneway: u64,
    pub(crate) outlet: Outlet,
    /// The reader takes in what came, and sends for all when it is through.
    pub(crate) reading: bool,
    /// The reader, while it waits for the client to take what it asked for.
    pub(crate) room: Option<Waker>,
    /// Who waits for the last call to end.
    pub(crate) idle: Option<Waker>,
}

/// A call that runs.
#[derive(Default)]
pub(crate) struct Running {
    /// Tells a call from the one that had its number before.
    pub(crate) generation: u64,
    pub(crate) task: Option<AbortHandle>,
    pub(crate) items: VecDeque<Bytes>,
    pub(crate) items_ended: Option<Result<(), Status>>,
    pub(crate) receiver: Option<Waker>,
    pub(crate) sender: Option<Waker>,
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
            oneways: Vec::new(),
            last_oneway: 0,
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
    pub(crate) async fn run(self, mut stopped: Stopped) {
        let shared = &self.shared;
        shared.io.flush(&mut shared.io.lock(), true);
        let writing = tokio::spawn(io::write(Arc::clone(&shared.io)));
        // It is over when the client has dawdled, which may say nothing for ever.
        let mut timing = tokio::spawn(io::keep_time(Arc::clone(&shared.io)));
        let _tasks = Tasks([writing.abort_handle(), timing.abort_handle()]);
        let reading = read(Arc::clone(shared));
        tokio::pin!(reading);
        tokio::select! {
            () = &mut reading => return,
            _ = &mut timing => return,
            () = stopped.wait() => {}
        }
        {
            let mut state = shared.io.lock();
            state.machine.link.drain();
            shared.io.flush(&mut state, true);
        }
        tokio::select! {
            () = &mut reading => return,
            _ = &mut timing => return,
            () = shared.idle() => {}
            () = tokio::time::sleep(shared.drain) => {}
        }
        let end = Status::new(Code::Unavailable, "the server is ending");
        {
            let mut state = shared.io.lock();
            // What had no time to finish is told so: a call without a return did not run.
            state.machine.finish_all(&end);
            state.machine.link.end_in_order();
        }
        // Answers that wait for room in the socket are answers that a client waits for.
        let written = shared.io.wire.ready(Interest::Write, |_| {
            match shared.io.write_now(&mut shared.io.lock()) {
                true => Ok(()),
                false => Err(Until::Now.over("write")),
            }
        });
        let _ = tokio::time::timeout(LAST_WORDS, written).await;
        shared.io.lock().lost(&end);
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
                if let Err(status) = within(method, message.len()) {
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

impl State {
    pub(crate) fn running(&mut self, call: u32) -> Option<&mut Running> {
        self.calls.get_mut((call as usize).checked_sub(1)?)
    }

    fn start(&mut self, call: u32) -> u64 {
        if self.calls.len() < call as usize {
            self.calls.resize_with(call as usize, Running::default);
        }
        let Some(running) = self.running(call) else {
            self.last_oneway += 1;
            self.oneways.push((self.last_oneway, None));
            return self.last_oneway;
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
        for (_, task) in self.oneways.drain(..) {
            task.inspect(AbortHandle::abort);
        }
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
