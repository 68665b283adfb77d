//! Large messages that meet on one connection: a blocking client takes in while it writes.

use crate::raw::{LAST, Raw, bind, call, hello};
use crate::reads::reads;
use crate::remote::PATIENCE;
use crate::straight::narrow;
use crate::verified::verified;
use futures_core::Stream;
use ipc_core::ByteSource;
use ipc_testkit::watchdog;
use rpc_core::{Code, Context, Router, Server, Status, block_on, items, next, service};
use rpc_native::{BlockingConnection, Limits, Options};
use rpc_testkit::shm;
use rpc_transport::Wire;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// As large as a message may be, but for what stands around its bytes.
const LARGE: usize = (4 << 20) - 64;
/// The time of a call that is given up.
const SHORT: Duration = Duration::from_millis(20);

#[service(name = "crossing.v1.Ferry")]
trait Ferry {
    /// Gives back what came.
    async fn echo(&self, cx: &Context, bytes: Vec<u8>) -> Result<Vec<u8>, Status>;
    /// Much, once the gate is open.
    async fn late(&self, cx: &Context) -> Result<Vec<u8>, Status>;
    /// Much as one item.
    async fn stream(
        &self,
        cx: &Context,
    ) -> Result<impl Stream<Item = Result<Vec<u8>, Status>>, Status>;
}

#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn open(&self) {
        *self.0.0.lock().expect("no panic") = true;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let shut = self.0.0.lock().expect("no panic");
        drop(self.0.1.wait_while(shut, |open| !*open).expect("no panic"));
    }
}

struct Boat(Gate);

impl Ferry for Boat {
    async fn echo(&self, _: &Context, bytes: Vec<u8>) -> Result<Vec<u8>, Status> {
        Ok(bytes)
    }

    async fn late(&self, _: &Context) -> Result<Vec<u8>, Status> {
        self.0.pass();
        Ok(vec![1; LARGE])
    }

    async fn stream(
        &self,
        _: &Context,
    ) -> Result<impl Stream<Item = Result<Vec<u8>, Status>>, Status> {
        Ok(items([Ok(vec![2; LARGE])]))
    }
}

/// What makes two ends that are connected.
type Pair = fn() -> (Wire, Wire);

/// Each transport; what a kernel buffers of it is less than one large message.
const CARRIERS: [(&str, Pair); 9] = [
    ("unix", unix),
    ("tcp", tcp),
    ("pipe", pipe),
    ("shm", ring),
    ("shm with little room", narrow),
    ("tls over tcp", || secured(tcp())),
    ("tls over unix", || secured(unix())),
    ("tls over pipes", || secured(pipe())),
    ("tls over shm", || secured(ring())),
];

fn unix() -> (Wire, Wire) {
    Wire::pair().expect("a pair")
}

fn pipe() -> (Wire, Wire) {
    Wire::pipe_pair().expect("pipes")
}

fn ring() -> (Wire, Wire) {
    shm::pair(&ipc_ring::Options::new()).expect("memory")
}

fn secured((near, far): (Wire, Wire)) -> (Wire, Wire) {
    verified(near, far)
}

fn tcp() -> (Wire, Wire) {
    let mut options = ipc_net::Options::new();
    options
        .send_buffer_bytes(64 << 10)
        .receive_buffer_bytes(64 << 10);
    let listener = options.bind("127.0.0.1:0").expect("bind");
    let near = options.connect(listener.address().expect("bound"));
    let far = listener.accept().expect("a client");
    let near = near.expect("connect");
    (
        Wire::tcp(near).expect("a peer"),
        Wire::tcp(far).expect("a peer"),
    )
}

/// Without a frame's time limit that a slow host could reach.
fn options() -> Options {
    let limits = Limits::new().frame_timeout(PATIENCE).clone();
    Options::new().limits(limits).clone()
}

/// What a session ends with.
type Ending = JoinHandle<Result<(), Status>>;

/// A blocking server, and its gate.
fn serve(far: Wire) -> (Gate, Ending) {
    let gate = Gate::default();
    let served = Server::new(Router::new().service(FerryServer::new(Boat(gate.clone())))).served();
    let session = options().session(far, served);
    (gate, std::thread::spawn(move || session.run()))
}

/// A blocking client of such a server.
fn meet((near, far): (Wire, Wire)) -> (FerryClient<BlockingConnection>, Gate, Ending) {
    let (gate, server) = serve(far);
    let connection = options().over_blocking(near).expect("greeted");
    (FerryClient::new(connection), gate, server)
}

/// Makes a call that waits at the gate, and gives it up.
fn give_up(ferry: &FerryClient<BlockingConnection>) {
    loop {
        let late = block_on(ferry.late(&Context::new().timeout(SHORT)));
        let late = late.expect_err("the gate is shut");
        assert_eq!(late.code(), Code::DeadlineExceeded);
        // On a slow host the time may be over before it begins.
        if !late.did_not_run() {
            return;
        }
    }
}

/// Makes a large call, and then a small one on the same connection.
fn goes_on(ferry: &FerryClient<BlockingConnection>, over: &str) {
    for size in [LARGE, 5] {
        let back = block_on(ferry.echo(&Context::new(), vec![3; size]));
        assert!(back.expect(over) == vec![3; size], "{over}: {size} bytes");
    }
}

#[test]
fn a_large_call_passes_the_late_answer_to_one_that_was_given_up() {
    let _watchdog = watchdog(PATIENCE);
    for (over, pair) in CARRIERS {
        let (ferry, gate, server) = meet(pair());
        give_up(&ferry);
        gate.open();
        goes_on(&ferry, over);
        drop(ferry);
        server.join().expect("no panic").expect(over);
    }
}

#[test]
fn so_it_does_where_the_client_is_awaited() {
    let _watchdog = watchdog(PATIENCE);
    for (over, pair) in CARRIERS {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.expect("a runtime");
        let (near, far) = pair();
        let (gate, server) = serve(far);
        runtime.block_on(async {
            let ferry = FerryClient::new(options().over(near).await.expect("greeted"));
            let late = ferry.late(&Context::new().timeout(SHORT)).await;
            assert_eq!(late.expect_err("shut").code(), Code::DeadlineExceeded);
            gate.open();
            let back = ferry.echo(&Context::new(), vec![3; LARGE]).await;
            assert!(back.expect(over) == vec![3; LARGE], "{over}");
        });
        // The connection ends with its tasks.
        drop(runtime);
        server.join().expect("no panic").expect(over);
    }
}

#[test]
fn a_large_call_passes_an_item_that_nobody_has_taken_yet() {
    let _watchdog = watchdog(PATIENCE);
    for (over, pair) in CARRIERS {
        let (ferry, _, server) = meet(pair());
        let mut stream = block_on(ferry.stream(&Context::new())).expect(over);
        goes_on(&ferry, over);
        let item = block_on(next(&mut stream)).expect("an item").expect(over);
        assert!(item == vec![2; LARGE]);
        assert!(block_on(next(&mut stream)).is_none());
        drop((stream, ferry));
        server.join().expect("no panic").expect(over);
    }
}

#[test]
fn a_large_call_passes_the_rest_of_an_answer_that_was_given_up_halfway() {
    let _watchdog = watchdog(PATIENCE);
    for come in [100, 70_000, 1 << 20] {
        // So many more bytes come before a time is over.
        let left = Arc::new(AtomicUsize::new(usize::MAX));
        let (wire, far) = Wire::pair().expect("a pair");
        let coming = Arc::clone(&left);
        let near = reads(wire, move |wire, buffer, until| {
            let left = coming.load(Relaxed);
            if left == 0 {
                return Err(until.over("read"));
            }
            let most = buffer.len().min(left);
            let length = wire.read_until(&mut buffer[..most], until)?;
            coming.fetch_sub(length, Relaxed);
            Ok(length)
        });
        let (ferry, gate, server) = meet((near, far));
        goes_on(&ferry, "before");
        gate.open();
        left.store(come, Relaxed);
        let late = block_on(ferry.late(&Context::new())).expect_err("it comes no further");
        assert_eq!(late.code(), Code::DeadlineExceeded);
        left.store(usize::MAX, Relaxed);
        goes_on(&ferry, "after");
        drop(ferry);
        server.join().expect("no panic").expect("it went in order");
    }
}

#[test]
fn a_call_of_which_nobody_takes_all_ends_with_its_time() {
    let _watchdog = watchdog(PATIENCE);
    for (over, pair) in CARRIERS {
        let (ferry, gate, server) = meet(pair());
        // The server's thread waits at the gate, and reads nothing.
        give_up(&ferry);
        let stuck = block_on(ferry.echo(&Context::new().timeout(SHORT), vec![4; LARGE]));
        let stuck = stuck.expect_err("nobody reads");
        assert_eq!(stuck.code(), Code::DeadlineExceeded, "{over}");
        gate.open();
        // What is left of it goes out before anything else does.
        goes_on(&ferry, over);
        drop(ferry);
        server.join().expect("no panic").expect(over);
    }
}

#[test]
fn a_client_that_never_reads_is_ended_when_the_time_of_a_frame_is_over() {
    let _watchdog = watchdog(PATIENCE);
    let (raw, far) = Raw::pair();
    let limits = Limits::new().frame_timeout(SHORT).clone();
    let gate = Gate::default();
    gate.open();
    let served = Server::new(Router::new().service(FerryServer::new(Boat(gate)))).served();
    let session = Options::new().limits(limits).session(far, served);
    let server = std::thread::spawn(move || session.run());
    let mut hello = hello();
    // The largest message that it takes.
    hello[24..28].copy_from_slice(&(4_u32 << 20).to_le_bytes());
    raw.send(&[hello, bind(1, 1, &FERRY_SERVICE)].concat());
    raw.send(&call(1, "Late", LAST, &[]));
    let ended = server.join().expect("no panic").expect_err("it is ended");
    assert_eq!(ended.code(), Code::DeadlineExceeded, "{ended}");
    drop(raw);
}
