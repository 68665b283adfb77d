//! The awaited client: many calls over one connection.

use crate::bindings::Bindings;
use crate::client_side::{ClientSide, Event};
use crate::codecs::Format;
use crate::frame::CallHead;
use crate::io::{self, Io, Outlet, Side, remember, wake};
use crate::limits::Limits;
use crate::link::Link;
use crate::named::within;
use crate::options::Options;
use bytes::Bytes;
use futures_core::Stream;
use rpc_core::{
    Body, Call, CallFuture, Channel, Code, Context, Metadata, MethodDescriptor, MethodKind,
    Payload, PayloadStream, Reply, Status,
};
use rpc_transport::{Connected, Wire};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, MutexGuard};
use std::task::{Context as Task, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::AbortHandle;

/// A connection to a server, as a channel for stubs. Clones share it; it ends with the last, and
/// with the last stream of answers.
///
/// Two tasks of the runtime in which it was made read and write for it.
#[derive(Clone)]
pub struct Connection {
    owner: Arc<Owner>,
}

/// What ends the tasks when nobody calls any more.
struct Owner {
    shared: Arc<Shared>,
    tasks: Vec<AbortHandle>,
}

struct Shared {
    io: Arc<Io<State>>,
    format: Format,
    /// One permit for each call that may be under way.
    numbers: Semaphore,
}

struct State {
    machine: ClientSide,
    bindings: Bindings,
    slots: Vec<Slot>,
    /// Callers that wait for credit or for the server's word.
    waiting: Vec<Waker>,
    outlet: Outlet,
}

/// What came for a call and was not taken yet.
#[derive(Default)]
struct Slot {
    outcome: Option<Result<(Metadata, Bytes), Status>>,
    items: VecDeque<Bytes>,
    receiver: Option<Waker>,
    sender: Option<Waker>,
    /// Tells a call from the one that had its number before.
    generation: u64,
}

impl Connection {
    /// A connection over `wire`, once the server has greeted.
    pub(crate) async fn greet(wire: Wire, options: &Options) -> Result<Self, Status> {
        let machine = ClientSide::new(options.limits.clone(), Instant::now());
        let state = State {
            machine,
            bindings: Bindings::default(),
            slots: Vec::new(),
            waiting: Vec::new(),
            outlet: Outlet::default(),
        };
        let shared = Arc::new(Shared {
            io: Arc::new(Io::new(wire, state)?),
            format: options.format,
            numbers: Semaphore::new(0),
        });
        shared.io.flush(&mut shared.lock(), true);
        let tasks = [
            tokio::spawn(read(Arc::clone(&shared))).abort_handle(),
            tokio::spawn(io::write(Arc::clone(&shared.io))).abort_handle(),
            tokio::spawn(io::keep_time(Arc::clone(&shared.io))).abort_handle(),
        ];
        let owner = Owner {
            shared: Arc::clone(&shared),
            tasks: tasks.into(),
        };
        let connection = Self {
            owner: Arc::new(owner),
        };
        poll_fn(|task| {
            let mut state = shared.lock();
            match (&state.machine.link.ended, state.machine.link.theirs) {
                (Some(status), _) => Poll::Ready(Err(status.clone().before_running())),
                (None, Some(_)) => Poll::Ready(Ok(())),
                (None, None) => {
                    state.wait(task);
                    Poll::Pending
                }
            }
        })
        .await?;
        Ok(connection)
    }

    /// How many calls are under way.
    #[must_use]
    pub fn calls_under_way(&self) -> u32 {
        self.owner.shared.lock().machine.under_way
    }

    /// Begins a call; waits for the server's word on the service, a number and credit.
    async fn begin(
        &self,
        method: &'static MethodDescriptor,
        context: &Context,
        message: Option<&Payload>,
    ) -> Result<u32, Status> {
        let shared = &self.owner.shared;
        let permit = match method.kind {
            MethodKind::Oneway => None,
            _ => Some(shared.number().await?),
        };
        let call = poll_fn(|task| -> Poll<Result<u32, Status>> {
            let mut guard = shared.lock();
            let state = &mut *guard;
            let format = shared.format;
            let number = state.bindings.number(&mut state.machine, method, format)?;
            let Some(binding) = number else {
                state.wait(task);
                shared.flush(state);
                return Poll::Pending;
            };
            let head = head(binding, method, context)?;
            let oneway = method.kind == MethodKind::Oneway;
            let begun = state
                .machine
                .call(&head, oneway, message.is_some(), |out| {
                    let Some(message) = message else {
                        return Ok(());
                    };
                    let before = out.len();
                    message.append(format.codec(), out)?;
                    within(method, out.len() - before)
                })?;
            let Some(call) = begun else {
                state.wait(task);
                return Poll::Pending;
            };
            if call as usize > state.slots.len() {
                state.slots.push(Slot::default());
            }
            if let Some(index) = (call as usize).checked_sub(1) {
                let slot = &mut state.slots[index];
                let generation = slot.generation + 1;
                *slot = Slot {
                    generation,
                    ..Slot::default()
                };
            }
            shared.flush(state);
            Poll::Ready(Ok(call))
        })
        .await?;
        // Given back with the number.
        if let Some(permit) = permit {
            permit.forget();
        }
        Ok(call)
    }

    async fn run(self, call: Call) -> Result<Reply, Status> {
        let Call {
            method,
            context,
            body,
        } = call;
        let (message, items) = match body {
            Body::One(message) => (Some(message), None),
            Body::Many(items) => (None, Some(items)),
        };
        let number = self.begin(method, &context, message.as_ref()).await?;
        drop(message);
        if method.kind == MethodKind::Oneway {
            let empty = Payload::Encoded(self.owner.shared.format.codec(), Bytes::new());
            return Ok(Reply::one(empty));
        }
        let mut guard = Guard {
            owner: Arc::clone(&self.owner),
            call: number,
            pump: None,
            over: false,
        };
        if let Some(items) = items {
            let shared = Arc::clone(&self.owner.shared);
            let generation = shared.lock().slots[number as usize - 1].generation;
            let pump = pump(shared, method, (number, generation), items);
            guard.pump = Some(tokio::spawn(pump).abort_handle());
        }
        if method.kind.server_streams() {
            return Ok(Reply::many(answers(guard)));
        }
        let outcome = poll_fn(|task| {
            let mut state = self.owner.shared.lock();
            let slot = &mut state.slots[number as usize - 1];
            match slot.outcome.take() {
                Some(outcome) => Poll::Ready(outcome),
                None => {
                    remember(&mut slot.receiver, task);
                    Poll::Pending
                }
            }
        })
        .await;
        guard.over = true;
        let (metadata, bytes) = outcome?;
        Ok(Reply {
            metadata,
            body: Body::One(Payload::Encoded(self.owner.shared.format.codec(), bytes)),
        })
    }
}

impl Channel for Connection {
    fn call(&self, call: Call) -> CallFuture {
        Box::pin(self.clone().run(call))
    }
}

impl Connected for Connection {
    fn is_usable(&self) -> bool {
        self.owner.shared.lock().machine.usable().is_ok()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("peer", self.owner.shared.io.wire.get_ref().peer())
            .finish_non_exhaustive()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // What still fits goes out: oneway calls, cancellations.
        self.shared.io.write_now(&mut self.shared.lock());
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// A call that is under way; dropped before it is over, it cancels.
struct Guard {
    owner: Arc<Owner>,
    call: u32,
    pump: Option<AbortHandle>,
    over: bool,
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

fn answers(guard: Guard) -> PayloadStream {
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
async fn pump(
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
            let sent = state.machine.message(call, |out| {
                let before = out.len();
                item.append(shared.format.codec(), out)?;
                within(method, out.len() - before)
            });
            match sent {
                Ok(true) => {
                    shared.flush(state);
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

impl Shared {
    /// The right to one more call.
    async fn number(&self) -> Result<SemaphorePermit<'_>, Status> {
        match self.numbers.try_acquire() {
            Ok(permit) => Ok(permit),
            Err(_) => match self.numbers.acquire().await {
                Ok(permit) => Ok(permit),
                Err(_) => match self.lock().machine.usable() {
                    Err(status) => Err(status),
                    Ok(()) => Err(Status::bare(Code::Unavailable).before_running()),
                },
            },
        }
    }

    fn give_back(&self, state: &mut State) {
        let freed = std::mem::take(&mut state.machine.freed);
        if freed > 0 {
            self.numbers.add_permits(freed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.io.lock()
    }

    /// One call alone is written at once; what many callers say is put together.
    fn flush(&self, state: &mut State) {
        let alone = state.machine.under_way <= 1;
        self.io.flush(state, alone);
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
        self.wake_waiting();
        for slot in &mut self.slots {
            wake(&mut slot.sender);
        }
    }

    fn lost(&mut self, status: &Status) {
        self.machine.link.lost(status.clone());
        for slot in &mut self.slots {
            if slot.outcome.is_none() {
                let text = format!("the connection was lost: {}", status.message());
                slot.outcome = Some(Err(Status::new(Code::Unavailable, text)));
            }
            wake(&mut slot.receiver);
            wake(&mut slot.sender);
        }
        self.wake_waiting();
    }
}

impl State {
    fn wait(&mut self, task: &Task<'_>) {
        if !self
            .waiting
            .iter()
            .any(|waker| waker.will_wake(task.waker()))
        {
            self.waiting.push(task.waker().clone());
        }
    }

    fn wake_waiting(&mut self) {
        for waker in self.waiting.drain(..) {
            waker.wake();
        }
    }

    /// Takes in what the machine has understood.
    fn take_events(&mut self, format: Format, now: Instant) {
        loop {
            match self.machine.next_event(now) {
                Ok(None) => return,
                Ok(Some(event)) => self.take_event(event, format),
                Err(status) => return self.lost(&status),
            }
        }
    }

    fn take_event(&mut self, event: Event, format: Format) {
        match event {
            Event::Greeted | Event::Draining => self.wake_waiting(),
            Event::Bound(number, verdict, text) => {
                self.bindings
                    .bound(&mut self.machine, number, verdict, &text, format);
                self.wake_waiting();
            }
            Event::Message(call, item) => {
                let slot = &mut self.slots[call as usize - 1];
                slot.items.push_back(item);
                wake(&mut slot.receiver);
            }
            Event::Returned(call, outcome) => {
                let slot = &mut self.slots[call as usize - 1];
                wake(&mut slot.sender);
                slot.outcome = Some(outcome);
                wake(&mut slot.receiver);
            }
            Event::Credit(0) => {
                for slot in &mut self.slots {
                    wake(&mut slot.sender);
                }
                self.wake_waiting();
            }
            Event::Credit(call) => {
                if let Some(slot) = self.slots.get_mut(call as usize - 1) {
                    wake(&mut slot.sender);
                }
            }
        }
    }
}

/// The task that reads.
async fn read(shared: Arc<Shared>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let came = shared.io.wire.read(&mut buffer).await;
        let mut guard = shared.lock();
        let state = &mut *guard;
        let now = Instant::now();
        match came {
            Ok(length @ 1..) => {
                state.machine.link.receive(&buffer[..length], now);
                let greeted = state.machine.link.theirs.is_some();
                state.take_events(shared.format, now);
                shared.give_back(state);
                if let (false, Some(theirs)) = (greeted, state.machine.link.theirs) {
                    let calls = theirs.max_calls.min(Limits::MAX_CALLS);
                    shared.numbers.add_permits(calls as usize);
                }
                Io::look_at_clock(state);
                shared.flush(state);
            }
            Ok(0) => state.lost(&Status::new(Code::Unavailable, "the server has gone")),
            Err(error) => state.lost(&Status::new(Code::Unavailable, error.to_string())),
        }
        if state.machine.link.ended.is_some() {
            shared.io.write_now(state);
            shared.numbers.close();
            return;
        }
    }
}

pub(crate) fn head(
    binding: u16,
    method: &MethodDescriptor,
    context: &Context,
) -> Result<CallHead, Status> {
    let timeout_micros = match context.remaining() {
        Some(Duration::ZERO) => {
            return Err(Status::bare(Code::DeadlineExceeded).before_running());
        }
        left => left.map(|left| u64::try_from(left.as_micros()).unwrap_or(u64::MAX)),
    };
    Ok(CallHead {
        binding,
        method: method.id,
        timeout_micros,
        trace: context.traced(),
        metadata: context.metadata().clone(),
    })
}
