//! The awaited server: the machine, a socket, a clock, and the handlers.

use crate::connection::{carries, class};
use crate::counts::Counts;
use crate::limits::Limits;
use crate::packet::{Request, read_metadata};
use crate::server_side::{Event, ServerSide, Ticket};
use crate::session::Class;
use bytes::{Bytes, BytesMut};
use ipc_async::Async;
use ipc_core::{ErrorKind, Interest};
use ipc_net::Datagram;
use ring::rand::{SecureRandom, SystemRandom};
use rpc_core::{
    Binding, Body, Call, CallFuture, Channel, Code, Context, Metadata, MethodDescriptor, Payload,
    Peer, Protobuf, Reply, Served, Status, TraceContext,
};
use rpc_transport::Stopper;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as Task, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// How long a socket rests after a failure that does not pass by itself.
const REST: Duration = Duration::from_millis(50);
/// How long answers that may have been lost are kept at hand when a server ends.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A way into a server, for [`Server::with`](rpc_core::Server::with).
#[derive(Debug)]
pub struct Serving {
    datagram: Datagram,
    limits: Limits,
    partial_contracts: bool,
    stopper: Stopper,
    counted: Counted,
}

/// Tells what a server has counted, while it serves.
#[derive(Clone, Debug, Default)]
pub struct Counted(Arc<Mutex<Counts>>);

impl Counted {
    /// What was counted until now.
    #[must_use]
    pub fn now(&self) -> Counts {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Serving {
    pub(crate) fn new(datagram: Datagram, limits: Limits, partial_contracts: bool) -> Self {
        Self {
            datagram,
            limits,
            partial_contracts,
            stopper: Stopper::new(),
            counted: Counted::default(),
        }
    }

    /// What ends it in order: no new calls, and those that run have the drain timeout of the
    /// limits to finish.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// What tells what it counts.
    #[must_use]
    pub fn counted(&self) -> Counted {
        self.counted.clone()
    }

    /// Where it receives, as a string binding, with the port that the system chose.
    ///
    /// # Errors
    /// As getsockname(2).
    pub fn endpoint(&self) -> Result<String, Status> {
        Ok(format!("udp:{}", self.datagram.address()?))
    }

    async fn run(self, served: Served) -> Result<(), Status> {
        let mut secret = [0; 32];
        SystemRandom::new()
            .fill(&mut secret)
            .map_err(|_| Status::new(Code::Internal, "the host gives no random bytes"))?;
        let drain = self.limits.drain;
        let shared = Arc::new(Shared {
            socket: Async::new(self.datagram)?,
            served,
            state: Mutex::new(State {
                machine: ServerSide::new(self.limits, &secret, Instant::now()),
                running: HashMap::new(),
            }),
            quieter: Notify::new(),
            counted: self.counted,
        });
        let _tasks = Tasks(Arc::clone(&shared));
        let mut stopped = self.stopper.stopped();
        let serving = serve(Arc::clone(&shared));
        tokio::pin!(serving);
        tokio::select! {
            () = &mut serving => return Ok(()),
            () = stopped.wait() => {}
        }
        shared.lock().machine.drain();
        let ended = async {
            let _ =
                tokio::time::timeout(drain, shared.until(|machine| machine.under_way() == 0)).await;
            // A client may not have its answer yet, and asks again.
            let had = shared.until(|machine| machine.kept_bytes() == 0);
            let _ = tokio::time::timeout(LAST_WORDS.min(drain), had).await;
        };
        tokio::select! {
            () = &mut serving => {}
            () = ended => {}
        }
        Ok(())
    }
}

impl Binding for Serving {
    fn serve(
        self: Box<Self>,
        served: Served,
    ) -> Pin<Box<dyn Future<Output = Result<(), Status>> + Send>> {
        Box::pin(self.run(served))
    }

    fn carries(&self, method: &MethodDescriptor) -> Result<(), Status> {
        match self.partial_contracts {
            true => Ok(()),
            false => carries(method),
        }
    }
}

struct Shared {
    socket: Async<Datagram>,
    served: Served,
    state: Mutex<State>,
    /// Something has ended, or an answer has arrived.
    quieter: Notify,
    counted: Counted,
}

struct State {
    machine: ServerSide,
    running: HashMap<Ticket, AbortHandle>,
}

/// Ends the handlers with the server.
struct Tasks(Arc<Shared>);

impl Drop for Tasks {
    fn drop(&mut self) {
        for (_, task) in self.0.lock().running.drain() {
            task.abort();
        }
    }
}

/// Reads and runs what comes.
async fn serve(shared: Arc<Shared>) {
    let mut buffer = vec![0; Limits::MAX_DATAGRAM_BYTES];
    loop {
        let armed = shared.lock().machine.next_timeout();
        let clock = async {
            match armed {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        let receive = |socket: &Datagram| socket.try_recv_from(&mut buffer);
        let came = tokio::select! {
            came = shared.socket.ready(Interest::Read, receive) => Some(came),
            () = clock => None,
        };
        let now = Instant::now();
        match came {
            None => {}
            Some(Ok((length, from))) => {
                let packet = Bytes::copy_from_slice(&buffer[..length]);
                let resolve = |request: &Request| resolve(&shared.served, request);
                shared.lock().machine.receive(from, packet, now, &resolve);
            }
            // An answer came back, since its client is gone: it will be silent.
            Some(Err(error)) if error.kind() == ErrorKind::Refused => {}
            Some(Err(error)) if error.kind() == ErrorKind::TooLarge => {}
            Some(Err(error)) => {
                tracing::warn!(%error, "a packet could not be received");
                tokio::time::sleep(REST).await;
            }
        }
        shared.lock().machine.tick(now);
        loop {
            let event = shared.lock().machine.events.pop_front();
            match event {
                None => break,
                Some(Event::Call(ticket, from, request)) => shared.begin(ticket, from, *request),
                Some(Event::Cancel(ticket)) => {
                    if let Some(task) = shared.lock().running.remove(&ticket) {
                        task.abort();
                    }
                }
            }
        }
        shared.flush(&mut shared.lock());
        shared.quieter.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what is to be sent.
    fn flush(&self, state: &mut State) {
        // Before the answers: whoever has one finds itself counted.
        let counts = state.machine.counts;
        *self
            .counted
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = counts;
        while let Some((to, packet)) = state.machine.output.pop_front() {
            // As lost on the way: whoever needs it asks again.
            if let Err(error) = self.socket.get_ref().try_send_to(&packet, to) {
                tracing::debug!(%error, "a packet was not sent");
            }
        }
    }

    /// Waits until the machine is so.
    async fn until(&self, is: impl Fn(&ServerSide) -> bool) {
        while !is(&self.lock().machine) {
            self.quieter.notified().await;
        }
    }

    /// Runs the handler here as far as it comes without waiting, and the rest in a task.
    fn begin(self: &Arc<Self>, ticket: Ticket, from: SocketAddr, request: Request) {
        let answer = Answer {
            shared: Arc::clone(self),
            ticket,
            done: false,
        };
        let call = match call(&self.served, from, request) {
            Ok(call) => call,
            Err(status) => return answer.give(Err(status.before_running())),
        };
        let method = call.method;
        let mut work: CallFuture = self.served.call(call);
        let mut task = Task::from_waker(Waker::noop());
        match work.as_mut().poll(&mut task) {
            Poll::Ready(outcome) => answer.give(encode(method, outcome)),
            Poll::Pending => {
                // Its end needs the lock, and so comes after it is known.
                let mut state = self.lock();
                let rest = tokio::spawn(async move { answer.give(encode(method, work.await)) });
                state.running.insert(ticket, rest.abort_handle());
            }
        }
    }
}

/// The answer that is owed to a call. Dropped without one, it says that there is none.
struct Answer {
    shared: Arc<Shared>,
    ticket: Ticket,
    done: bool,
}

impl Answer {
    fn give(mut self, outcome: Result<(Metadata, Bytes), Status>) {
        self.done = true;
        self.end(outcome);
    }

    fn end(&self, outcome: Result<(Metadata, Bytes), Status>) {
        let mut state = self.shared.lock();
        state.running.remove(&self.ticket);
        state.machine.finish(self.ticket, outcome, Instant::now());
        self.shared.flush(&mut state);
        drop(state);
        self.shared.quieter.notify_one();
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if !self.done {
            self.end(Err(Status::bare(Code::Cancelled)));
        }
    }
}

/// How a request's calls are held, or why it is refused.
fn resolve(served: &Served, request: &Request) -> Result<Class, Status> {
    let method = method(served, request)?;
    carries(method)?;
    method.admit(request.body.len())?;
    read_metadata(&request.metadata)?;
    Ok(class(method))
}

fn method(served: &Served, request: &Request) -> Result<&'static MethodDescriptor, Status> {
    let name = &request.service;
    let Some(service) = served.find(name) else {
        let text = format!("the server has no service {name}");
        return Err(Status::new(Code::Unimplemented, text));
    };
    if service.contract().fingerprint()[..] != request.fingerprint[..] {
        let text = format!(
            "{name}: the two sides have different contracts; over datagrams both must have the \
             same one: use tcp, over which contracts are compared"
        );
        return Err(Status::new(Code::FailedPrecondition, text));
    }
    service.method(request.method).ok_or_else(|| {
        let text = format!("{name} has no such method");
        Status::new(Code::Unimplemented, text)
    })
}

/// The call that a request asks for.
fn call(served: &Served, from: SocketAddr, request: Request) -> Result<Call, Status> {
    let method = method(served, &request)?;
    let left = Duration::from_millis(u64::from(request.remaining_ms));
    let mut context = Context::inbound(Peer::Tcp(from))
        .with_metadata(read_metadata(&request.metadata)?)
        .timeout(left);
    if let Some(trace) = TraceContext::parse(&request.traceparent) {
        context = context.trace(trace);
    }
    let body = Body::One(Payload::Encoded(&Protobuf, request.body));
    Ok(Call {
        method,
        context,
        body,
    })
}

fn encode(
    method: &MethodDescriptor,
    outcome: Result<Reply, Status>,
) -> Result<(Metadata, Bytes), Status> {
    let Reply { metadata, body } = outcome?;
    let Body::One(payload) = body else {
        return Err(Status::bare(Code::Internal));
    };
    let mut bytes = BytesMut::new();
    payload.append(&Protobuf, &mut bytes)?;
    method.admit(bytes.len())?;
    Ok((metadata, bytes.freeze()))
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}
