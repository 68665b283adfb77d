//! The awaited client: the machine, a socket and a clock.

use crate::client_side::{ClientSide, Outcome};
use crate::limits::Limits;
use crate::packet::{Request, write_metadata};
use crate::session::Class;
use bytes::{Bytes, BytesMut};
use ipc_async::Async;
use ipc_core::{ErrorKind, Interest};
use ipc_net::Datagram;
use ring::rand::{SecureRandom, SystemRandom};
use rpc_core::stub::DEFAULT_DEADLINE;
use rpc_core::{
    Body, Call, CallFuture, Channel, Code, MethodDescriptor, MethodKind, Payload, Protobuf, Reply,
    ServiceDescriptor, Status,
};
use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;

/// How long a socket rests after a failure that does not pass by itself.
const REST: Duration = Duration::from_millis(50);

/// A client's connection: calls go over sessions that it makes as it needs them, and that outlive
/// lost packets, not a server. Clones share it; a task of the runtime in which it was made reads
/// and keeps time for it, and ends with the last.
#[derive(Clone)]
pub struct Connection {
    owner: Arc<Owner>,
}

/// What ends the task when nobody calls any more.
struct Owner {
    shared: Arc<Shared>,
    task: AbortHandle,
}

struct Shared {
    socket: Async<Datagram>,
    peer: SocketAddr,
    state: Mutex<State>,
    /// There is something to be done earlier than the task knows.
    earlier: Notify,
    /// Whether there is a session has been found out.
    greeted: Notify,
}

struct State {
    machine: ClientSide,
    waiters: HashMap<u64, oneshot::Sender<Outcome>>,
    /// When the task will look at the clock.
    armed: Option<Instant>,
}

impl Connection {
    pub(crate) async fn greet(datagram: Datagram, limits: Limits) -> Result<Self, Status> {
        let mut seed = [0; 8];
        SystemRandom::new()
            .fill(&mut seed)
            .map_err(|_| Status::new(Code::Internal, "the host gives no random bytes"))?;
        let peer = datagram.peer_address().map_err(Status::from)?;
        let shared = Arc::new(Shared {
            socket: Async::new(datagram).map_err(Status::from)?,
            peer,
            state: Mutex::new(State {
                machine: ClientSide::new(limits, u64::from_le_bytes(seed)),
                waiters: HashMap::new(),
                armed: None,
            }),
            earlier: Notify::new(),
            greeted: Notify::new(),
        });
        let owner = Owner {
            task: tokio::spawn(drive(Arc::clone(&shared))).abort_handle(),
            shared,
        };
        let connection = Self {
            owner: Arc::new(owner),
        };
        connection.open().await?;
        Ok(connection)
    }

    /// The server's address.
    #[must_use]
    pub fn peer_address(&self) -> SocketAddr {
        self.owner.shared.peer
    }

    /// How many calls are under way, or wait to be.
    #[must_use]
    pub fn calls_under_way(&self) -> usize {
        self.owner.shared.lock().machine.calls()
    }

    /// Why this binding cannot carry a service, if it cannot: for who wants to know before the
    /// first call.
    ///
    /// # Errors
    /// [`Code::Unimplemented`], naming the first method that streams.
    pub fn carries(&self, service: &ServiceDescriptor) -> Result<(), Status> {
        service.methods().iter().try_for_each(carries)
    }

    /// Waits until there is a session, or none is to be had.
    async fn open(&self) -> Result<(), Status> {
        let shared = &self.owner.shared;
        shared.with(|state, now| state.machine.connect(now));
        loop {
            let told = shared.greeted.notified();
            {
                let mut state = shared.lock();
                if state.machine.is_open() {
                    return Ok(());
                }
                if let Some(refusal) = state.machine.refusal.take() {
                    return Err(refusal);
                }
            }
            told.await;
        }
    }

    async fn run(self, call: Call) -> Result<Reply, Status> {
        let (class, deadline, request) = prepare(call)?;
        let (tell, told) = oneshot::channel();
        let number = self.owner.shared.with(|state, now| {
            let number = state.machine.call(class, request, deadline, now)?;
            state.waiters.insert(number, tell);
            Ok::<_, Status>(number)
        })?;
        let mut guard = Guard {
            connection: self,
            call: Some(number),
        };
        let outcome = tokio::select! {
            // An answer that is there is taken, however late this task was woken.
            biased;
            outcome = told => outcome,
            () = tokio::time::sleep_until(deadline.into()) => {
                let late = Status::bare(Code::DeadlineExceeded);
                return Err(match guard.give_up() {
                    true => late,
                    false => late.before_running(),
                });
            }
        };
        guard.call = None;
        let (metadata, body) = outcome.unwrap_or_else(|_| Err(Status::bare(Code::Unavailable)))?;
        Ok(Reply {
            metadata,
            body: Body::One(Payload::Encoded(&Protobuf, body)),
        })
    }
}

impl Channel for Connection {
    fn call(&self, call: Call) -> CallFuture {
        Box::pin(self.clone().run(call))
    }
}

impl rpc_transport::Connected for Connection {
    /// Always: what it lacks, it makes again.
    fn is_usable(&self) -> bool {
        true
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("peer", &self.peer_address())
            .finish_non_exhaustive()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.with(|state, _| state.machine.goodbye());
        self.task.abort();
    }
}

/// A call that is under way; dropped before it is over, it cancels.
struct Guard {
    connection: Connection,
    call: Option<u64>,
}

impl Guard {
    /// Whether it was ever sent.
    fn give_up(&mut self) -> bool {
        let Some(call) = self.call.take() else {
            return true;
        };
        self.connection.owner.shared.with(|state, now| {
            state.waiters.remove(&call);
            state.machine.cancel(call, now)
        })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the machine, and then what it asks for.
    fn with<R>(&self, work: impl FnOnce(&mut State, Instant) -> R) -> R {
        let mut guard = self.lock();
        let state = &mut *guard;
        let now = Instant::now();
        let result = work(state, now);
        self.settle(state, now);
        let next = state.machine.next_timeout();
        if next.is_some_and(|next| state.armed.is_none_or(|armed| next < armed)) {
            self.earlier.notify_one();
        }
        result
    }

    /// Sends what is to be sent, and tells callers what has ended.
    fn settle(&self, state: &mut State, now: Instant) {
        while let Some(packet) = state.machine.output.pop_front() {
            match self.socket.get_ref().try_send(&packet) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Refused => {
                    state.machine.nobody_there(now);
                }
                // As lost on the way: it is sent again, or was sent for nobody to wait for.
                Err(error) => tracing::debug!(%error, "a packet was not sent"),
            }
        }
        while let Some((call, outcome)) = state.machine.ended.pop_front() {
            if let Some(waiter) = state.waiters.remove(&call) {
                // Whoever is gone does not want it.
                let _ = waiter.send(outcome);
            }
        }
        if state.machine.is_open() || state.machine.refusal.is_some() {
            self.greeted.notify_one();
        }
    }
}

/// The task that reads and looks at the clock.
async fn drive(shared: Arc<Shared>) {
    let mut buffer = vec![0; Limits::MAX_DATAGRAM_BYTES];
    loop {
        let armed = {
            let mut state = shared.lock();
            state.armed = state.machine.next_timeout();
            state.armed
        };
        let clock = async {
            match armed {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        let receive = |socket: &Datagram| socket.try_recv(&mut buffer);
        let came = tokio::select! {
            came = shared.socket.ready(Interest::Read, receive) => Some(came),
            () = clock => None,
            () = shared.earlier.notified() => None,
        };
        let rest = shared.with(|state, now| {
            let rest = match came {
                None => false,
                Some(Ok(length)) => {
                    let packet = Bytes::copy_from_slice(&buffer[..length]);
                    state.machine.receive(packet, now);
                    false
                }
                Some(Err(error)) if error.kind() == ErrorKind::Refused => {
                    state.machine.nobody_there(now);
                    false
                }
                Some(Err(error)) => {
                    tracing::debug!(%error, "a packet was not received");
                    error.kind() != ErrorKind::TooLarge
                }
            };
            state.machine.tick(now);
            rest
        });
        if rest {
            tokio::time::sleep(REST).await;
        }
    }
}

/// The call as it goes out, and when it is of no use any more.
fn prepare(call: Call) -> Result<(Class, Instant, Request), Status> {
    let Call {
        method,
        context,
        body,
    } = call;
    carries(method)?;
    let refuse = |status: Status| status.before_running();
    context.check().map_err(refuse)?;
    let Body::One(message) = body else {
        return Err(refuse(Status::bare(Code::Internal)));
    };
    let mut bytes = BytesMut::new();
    message.append(&Protobuf, &mut bytes).map_err(refuse)?;
    method.admit(bytes.len()).map_err(refuse)?;
    let class = class(method);
    let now = Instant::now();
    let deadline = context.expires().unwrap_or(now + DEFAULT_DEADLINE);
    let fingerprint = method.descriptor.get().contract().fingerprint();
    let request = Request {
        service: method.service.to_owned(),
        fingerprint: Bytes::copy_from_slice(&fingerprint),
        method: method.id,
        traceparent: context
            .traced()
            .map(|trace| trace.to_string())
            .unwrap_or_default(),
        metadata: write_metadata(context.metadata()),
        body: bytes.freeze(),
        ..Request::default()
    };
    Ok((class, deadline, request))
}

/// How calls of a method are held.
pub(crate) fn class(method: &MethodDescriptor) -> Class {
    match method.kind {
        MethodKind::Oneway => Class::Oneway,
        _ if method.idempotency.may_repeat() => Class::Idempotent,
        _ => Class::Once,
    }
}

/// Refuses what no datagram can carry.
pub(crate) fn carries(method: &MethodDescriptor) -> Result<(), Status> {
    if !method.kind.client_streams() && !method.kind.server_streams() {
        return Ok(());
    }
    let (service, name, kind) = (method.service, method.name, method.kind.name());
    let text = format!("{service}/{name} is {kind}, which no datagram carries: use tcp");
    Err(Status::new(Code::Unimplemented, text).before_running())
}
