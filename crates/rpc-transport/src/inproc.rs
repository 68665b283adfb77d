//! Calls to a server of this process, found by its name: the typed value itself moves.

use ipc_core::{Error, ErrorKind};
use rpc_core::{
    Body, Call, CallFuture, Channel, Code, Comparison, Context, MethodKind, Payload, Peer,
    Protobuf, Reply, Served, Status, ready,
};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;

mod guarded;

use guarded::{Mapped, Seat, guarded, guarded_items};

/// How many oneway calls may run at once; further ones are dropped.
pub const MAX_ONEWAYS: usize = 50;

/// The names of this process and who serves under them.
static NAMES: Mutex<BTreeMap<String, Weak<Shared>>> = Mutex::new(BTreeMap::new());

/// Takes `name` for a server that is about to run. Callers find it from now on, and wait until it
/// runs.
///
/// ```
/// use rpc_core::{Router, Server};
/// use rpc_transport::inproc;
/// let entrance = inproc::bind("shop")?;
/// let channel = inproc::connect("shop")?; // for a stub
/// let served = Server::new(Router::new()).served();
/// let drain = std::time::Duration::from_secs(10);
/// let serving = entrance.serve(served, std::future::pending(), drain); // to be awaited
/// # drop((channel, serving));
/// # Ok::<(), rpc_transport::Error>(())
/// ```
///
/// # Errors
/// [`AlreadyExists`](ErrorKind::AlreadyExists) where another server has the name.
pub fn bind(name: &str) -> Result<Entrance, Error> {
    let mut names = names();
    if names.contains_key(name) {
        let error = Error::new("bind", ErrorKind::AlreadyExists);
        return Err(error.on(format!("inproc:{name}")));
    }
    let shared = Arc::new(Shared {
        name: name.to_owned(),
        phase: watch::Sender::new(Phase::Bound),
        under_way: watch::Sender::new(0),
        oneways: AtomicUsize::new(0),
    });
    names.insert(name.to_owned(), Arc::downgrade(&shared));
    Ok(Entrance { shared })
}

/// A channel to the server of this name.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) where this process has none.
pub fn connect(name: &str) -> Result<Inproc, Error> {
    let shared = names().get(name).and_then(Weak::upgrade);
    match shared {
        Some(shared) => Ok(Inproc { shared }),
        None => Err(Error::new("connect", ErrorKind::NotFound)
            .on(format!("inproc:{name}"))
            .hint("no server of this process has the name")),
    }
}

fn names() -> MutexGuard<'static, BTreeMap<String, Weak<Shared>>> {
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a server and its callers share.
struct Shared {
    name: String,
    phase: watch::Sender<Phase>,
    under_way: watch::Sender<usize>,
    oneways: AtomicUsize,
}

#[derive(Clone)]
enum Phase {
    /// The name is taken; calls wait.
    Bound,
    /// Calls run.
    Open(Served, Handle),
    /// What runs is finished, nothing begins.
    Draining,
    /// Nothing runs any more.
    Ended,
}

/// A name that a server has. Dropped, it is free again, and every call under way has ended.
pub struct Entrance {
    shared: Arc<Shared>,
}

impl Entrance {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Serves calls until `stopped` is done, and then those that run, for no longer than `drain`.
    /// To be awaited in a runtime: handlers run in whoever calls them, oneway calls in tasks of
    /// this runtime.
    pub async fn serve(self, served: Served, stopped: impl Future<Output = ()>, drain: Duration) {
        let open = Phase::Open(served, Handle::current());
        self.shared.phase.send_replace(open);
        stopped.await;
        self.shared.phase.send_replace(Phase::Draining);
        let mut under_way = self.shared.under_way.subscribe();
        let idle = under_way.wait_for(|calls| *calls == 0);
        let _ = tokio::time::timeout(drain, idle).await;
    }
}

impl Drop for Entrance {
    fn drop(&mut self) {
        names().remove(&self.shared.name);
        self.shared.phase.send_replace(Phase::Ended);
    }
}

impl fmt::Debug for Entrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entrance")
            .field("name", &self.shared.name)
            .finish_non_exhaustive()
    }
}

/// A channel to a server of this process. A call runs in the task that makes it; it has the
/// deadline, trace and metadata of one that came over a wire, and [`Peer::Inproc`].
#[derive(Clone)]
pub struct Inproc {
    shared: Arc<Shared>,
}

impl Inproc {
    /// The name of the server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }
}

impl Channel for Inproc {
    fn call(&self, call: Call) -> CallFuture {
        let phase = self.shared.phase.borrow().clone();
        if let Phase::Bound = phase {
            let this = self.clone();
            return Box::pin(async move {
                let mut phase = this.shared.phase.subscribe();
                let _ = phase.wait_for(|phase| !matches!(phase, Phase::Bound)).await;
                this.call(call).await
            });
        }
        let Phase::Open(served, runtime) = phase else {
            let text = "the server of this process has ended";
            return ready(Err(Status::new(Code::Unavailable, text).before_running()));
        };
        self.begin(&served, runtime, call)
            .unwrap_or_else(|status| ready(Err(status.before_running())))
    }
}

impl crate::Connected for Inproc {
    fn is_usable(&self) -> bool {
        matches!(*self.shared.phase.borrow(), Phase::Bound | Phase::Open(..))
    }
}

impl fmt::Debug for Inproc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inproc(..)")
    }
}

impl Inproc {
    fn begin(
        &self,
        served: &Served,
        runtime: Handle,
        mut call: Call,
    ) -> Result<CallFuture, Status> {
        let marshalled = agree(served, &mut call)?;
        call.context = arrived(&call.context);
        let kind = call.method.kind;
        let seat = Seat::take(&self.shared);
        if kind == MethodKind::Oneway {
            let running = self.shared.oneways.fetch_add(1, Ordering::Relaxed);
            let done = Oneway(Arc::clone(&self.shared));
            if running < MAX_ONEWAYS {
                let work = guarded(seat, runtime.clone(), served.call(call));
                runtime.spawn(async move {
                    let _done = done;
                    let _ = work.await;
                });
            }
            return Ok(ready(Ok(Reply::one(Payload::of(())))));
        }
        let work = {
            // Handlers may need the runtime before they first wait.
            let _entered = runtime.enter();
            served.call(call)
        };
        let shared = Arc::clone(&self.shared);
        let work = guarded(seat, runtime.clone(), work);
        Ok(Box::pin(async move {
            let mut reply = work.await?;
            if marshalled {
                reply.body = encoded(reply.body)?;
            }
            if let Body::Many(items) = reply.body {
                let seat = Seat::take(&shared);
                reply.body = Body::Many(guarded_items(seat, runtime, items));
            }
            Ok(reply)
        }))
    }
}

/// A oneway call that counts.
struct Oneway(Arc<Shared>);

impl Drop for Oneway {
    fn drop(&mut self) {
        self.0.oneways.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The types of both sides: one definition, mostly. Where two were compiled in, they are compared
/// as two programs compare theirs, and values go over as bytes; returns whether they do. What is
/// called is a method of the server's own table, by which its policies decide.
fn agree(served: &Served, call: &mut Call) -> Result<bool, Status> {
    let (service, ours) = (call.method.service, call.method.descriptor.get());
    let Some(theirs) = served.find(service) else {
        let text = format!("the server has no service {service}");
        return Err(Status::new(Code::Unimplemented, text));
    };
    let index = usize::from(call.method.index);
    if std::ptr::eq(ours, theirs)
        && (theirs.methods().get(index)).is_some_and(|method| std::ptr::eq(method, call.method))
    {
        return Ok(false);
    }
    if let change @ Comparison::Incompatible(_) = ours.contract().compare(theirs.contract()) {
        let text = format!("{service}: {change}");
        return Err(Status::new(Code::FailedPrecondition, text));
    }
    let Some(method) = theirs.method(call.method.id) else {
        let text = format!("{service} has no method {}", call.method.name);
        return Err(Status::new(Code::Unimplemented, text));
    };
    call.method = method;
    let body = std::mem::replace(&mut call.body, Body::One(Payload::of(())));
    call.body = encoded(body)?;
    Ok(true)
}

/// The same as bytes, which either side's type is read from.
fn encoded(body: Body) -> Result<Body, Status> {
    match body {
        Body::One(payload) => marshal(payload).map(Body::One),
        Body::Many(items) => Ok(Body::Many(Box::pin(Mapped(items, marshal)))),
    }
}

fn marshal(payload: Payload) -> Result<Payload, Status> {
    let mut bytes = Default::default();
    payload.append(&Protobuf, &mut bytes)?;
    Ok(Payload::Encoded(&Protobuf, bytes.freeze()))
}

/// What the server sees of a caller's context: what would have come over a wire. Whom the caller
/// takes itself for is not in it.
fn arrived(sent: &Context) -> Context {
    let mut context = Context::inbound(Peer::Inproc).with_metadata(sent.metadata().clone());
    if let Some(trace) = sent.traced() {
        context = context.trace(trace);
    }
    if let Some(deadline) = sent.expires() {
        context.set_deadline(deadline);
    }
    context
}
