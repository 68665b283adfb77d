//! The awaited client: many calls over one connection.

use crate::bindings::Bindings;
use crate::client_call::{Guard, answers, pump};
use crate::client_side::ClientSide;
use crate::client_state::{Slot, State};
use crate::codecs::Format;
use crate::frame::CallHead;
use crate::io::{self, Io, Outlet, Side, remember};
use crate::limits::Limits;
use crate::options::Options;
use crate::straight::{Message, straight_from};
use bytes::Bytes;
use rpc_core::{
    Body, Call, CallFuture, Channel, Code, Context, MethodDescriptor, MethodKind, Payload, Reply,
    Status,
};
use rpc_transport::{Endpoint, Wire};
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, MutexGuard};
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::AbortHandle;

/// A connection over a byte stream. Tasks of the runtime in which it was made read and write for
/// it; they end with the last clone, and with the last stream of answers.
#[derive(Clone)]
pub(crate) struct Wired {
    owner: Arc<Owner>,
}

/// What ends the tasks when nobody calls any more.
pub(crate) struct Owner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) tasks: Vec<AbortHandle>,
}

/// What the connection's tasks and its calls share.
pub(crate) struct Shared {
    pub(crate) io: Arc<Io<State>>,
    pub(crate) format: Format,
    /// From how many bytes on a message goes straight to where it is read.
    pub(crate) straight: usize,
    /// One permit for each call that may be under way.
    pub(crate) numbers: Semaphore,
}

impl Wired {
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
            straight: straight_from(&wire, &options.limits),
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

    /// Where it leads.
    pub(crate) fn endpoint(&self) -> Option<&Endpoint> {
        self.owner.shared.io.wire.get_ref().endpoint()
    }

    /// How many calls are under way.
    pub(crate) fn calls_under_way(&self) -> u32 {
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
            let head = head(binding, method, context, None)?;
            let oneway = method.kind == MethodKind::Oneway;
            let (codec, mut behind) = (format.codec(), 0);
            let begun = state
                .machine
                .call(&head, oneway, message.is_some(), |out| {
                    if let Some(message) = message.map(Message::Owned) {
                        behind = message.append(codec, method, shared.straight, out)?;
                    }
                    Ok(behind)
                })?;
            let Some(call) = begun else {
                state.wait(task);
                return Poll::Pending;
            };
            if let (Some(message), 1..) = (message, behind) {
                let link = &mut state.machine.link;
                link.send_behind(message.clone(), codec, behind);
            }
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

impl Channel for Wired {
    fn call(&self, call: Call) -> CallFuture {
        Box::pin(self.clone().run(call))
    }
}

impl rpc_transport::Connected for Wired {
    fn is_usable(&self) -> bool {
        self.owner.shared.lock().machine.usable().is_ok()
    }
}

impl fmt::Debug for Wired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wired")
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

    pub(crate) fn give_back(&self, state: &mut State) {
        let freed = std::mem::take(&mut state.machine.freed);
        if freed > 0 {
            self.numbers.add_permits(freed);
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.io.lock()
    }

    /// One call alone is written at once; what many callers say is put together.
    pub(crate) fn flush(&self, state: &mut State) {
        let alone = state.machine.under_way <= 1;
        self.io.flush(state, alone);
    }
}

/// The task that reads.
async fn read(shared: Arc<Shared>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let came = shared.io.read(&mut buffer).await;
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
            // The peer need not wait until nobody holds the connection any more.
            shared.io.wire.get_ref().shut_down();
            shared.numbers.close();
            return;
        }
    }
}

pub(crate) fn head(
    binding: u16,
    method: &MethodDescriptor,
    context: &Context,
    times: Option<(Instant, Instant)>,
) -> Result<CallHead, Status> {
    let of_context = || context.expires().map(|at| (Instant::now(), at));
    let timeout_micros = match times.or_else(of_context) {
        None => None,
        Some((now, deadline)) => {
            let left = deadline.saturating_duration_since(now);
            if left.is_zero() {
                return Err(Status::bare(Code::DeadlineExceeded).before_running());
            }
            Some(micros(left))
        }
    };
    Ok(CallHead {
        binding,
        method: method.id,
        timeout_micros,
        trace: context.traced(),
        metadata: context.metadata().clone(),
    })
}

/// Whole microseconds, by 64-bit arithmetic: a hundred years have room.
fn micros(time: Duration) -> u64 {
    time.as_secs()
        .saturating_mul(1_000_000)
        .saturating_add(u64::from(time.subsec_micros()))
}
