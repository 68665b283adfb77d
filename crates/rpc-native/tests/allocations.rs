//! How often a unary call allocates on each side, without a runtime in between and with one, and
//! that a large message is allocated on neither to be sent.

use rpc_core::{Context, Router, Server, Status, block_on, service};
use rpc_native::Options;
use rpc_testkit::shm;
use rpc_transport::Wire;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};

#[global_allocator]
static ALLOCATOR: ipc_testkit::CountingAllocator = ipc_testkit::CountingAllocator;

#[service(name = "count.v1.Adder")]
trait Adder {
    async fn add(&self, cx: &Context, a: u64, b: u64) -> Result<u64, Status>;
}

/// Counts the calls it has answered.
#[derive(Clone, Default)]
struct Sum(Arc<AtomicU64>);

impl Adder for Sum {
    async fn add(&self, _: &Context, a: u64, b: u64) -> Result<u64, Status> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(a + b)
    }
}

#[test]
fn a_unary_call_allocates_at_most_four_times_on_each_side() {
    const CALLS: u64 = 1_000;
    let _watchdog = ipc_testkit::watchdog(std::time::Duration::from_secs(60));
    let (near, far) = Wire::pair().expect("a pair");
    let (tell, told) = mpsc::channel();
    let server = std::thread::spawn(move || {
        let sum = Sum::default();
        let served = Server::new(Router::new().service(AdderServer::new(sum.clone()))).served();
        let mut session = Options::new().session(far, served);
        let mut serve_up_to = |calls| {
            while sum.0.load(Ordering::Relaxed) < calls {
                assert!(session.serve_next().expect("a client"));
            }
        };
        // What comes before it, the greeting and the word on the service, may come in one piece.
        serve_up_to(1);
        let counted = ipc_testkit::allocations(|| serve_up_to(1 + CALLS));
        tell.send(counted).expect("asked for");
    });
    let connection = Options::new().over_blocking(near).expect("greeted");
    let adder = AdderClient::new(connection);
    let call = |n: u64| {
        let sum = block_on(adder.add(&Context::new(), n, 1));
        assert_eq!(sum, Ok(n + 1));
    };
    call(0);
    let client = ipc_testkit::allocations(|| (0..CALLS).for_each(call));
    let server = {
        let counted = told.recv().expect("counted");
        server.join().expect("no panic");
        counted
    };
    println!("{CALLS} calls: {client} allocations of the client, {server} of the server");
    assert!(client <= 4 * CALLS, "{client} allocations of the client");
    assert!(server <= 4 * CALLS, "{server} allocations of the server");
}

/// Each side has its runtime on a thread of its own, where all its tasks run.
#[test]
fn an_awaited_unary_call_allocates_at_most_four_times_on_each_side() {
    const CALLS: u64 = 1_000;
    let _watchdog = ipc_testkit::watchdog(std::time::Duration::from_secs(60));
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().expect("a runtime")
    };
    let (near, far) = Wire::pair().expect("a pair");
    let (tell, told) = mpsc::channel();
    let server = std::thread::spawn(move || {
        let (sum, runtime) = (Sum::default(), runtime());
        let served = Server::new(Router::new().service(AdderServer::new(sum.clone()))).served();
        let mut serving = std::pin::pin!(Options::new().serve(far, served));
        let mut serve_up_to = |calls| {
            let reached = std::future::poll_fn(|task| {
                let ended = serving.as_mut().poll(task).is_ready();
                match ended || sum.0.load(Ordering::Relaxed) >= calls {
                    true => std::task::Poll::Ready(()),
                    false => std::task::Poll::Pending,
                }
            });
            runtime.block_on(reached);
        };
        serve_up_to(1);
        let counted = ipc_testkit::allocations(|| serve_up_to(1 + CALLS));
        tell.send(counted).expect("asked for");
        // Until the client goes.
        serve_up_to(u64::MAX);
    });
    let client = {
        let runtime = runtime();
        let connection = runtime
            .block_on(Options::new().over(near))
            .expect("greeted");
        let adder = AdderClient::new(connection);
        let call = |n: u64| {
            let sum = runtime.block_on(async { adder.add(&Context::new(), n, 1).await });
            assert_eq!(sum, Ok(n + 1));
        };
        call(0);
        ipc_testkit::allocations(|| (0..CALLS).for_each(call))
    };
    let counted = told.recv().expect("counted");
    server.join().expect("no panic");
    println!("{CALLS} awaited calls: {client} allocations of the client, {counted} of the server");
    assert!(client <= 4 * CALLS, "{client} allocations of the client");
    assert!(counted <= 4 * CALLS, "{counted} allocations of the server");
}

const LARGE: usize = 3 << 20;
/// What is allocated to send a message is less than a piece of one.
const SMALL: usize = 64 << 10;

#[service(name = "count.v1.Cargo")]
trait Cargo {
    /// Takes it.
    async fn load(&self, cx: &Context, bytes: Vec<u8>) -> Result<u64, Status>;
    /// Gives it back.
    async fn unload(&self, cx: &Context) -> Result<Vec<u8>, Status>;
}

/// What was made before anybody counts.
struct Ship(Mutex<Vec<u8>>, Arc<AtomicU64>);

impl Cargo for Ship {
    async fn load(&self, _: &Context, bytes: Vec<u8>) -> Result<u64, Status> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Ok(bytes.len() as u64)
    }
    async fn unload(&self, _: &Context) -> Result<Vec<u8>, Status> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Ok(std::mem::take(&mut *self.0.lock().expect("no panic")))
    }
}

impl Ship {
    fn served(count: &Arc<AtomicU64>) -> rpc_core::Served {
        let ship = Self(Mutex::new(vec![7; LARGE]), Arc::clone(count));
        Server::new(Router::new().service(CargoServer::new(ship))).served()
    }
}

#[test]
fn a_large_argument_and_a_large_answer_are_never_in_a_buffer_of_their_sender() {
    let _watchdog = ipc_testkit::watchdog(std::time::Duration::from_secs(60));
    let (near, far) = shm::pair(&ipc_ring::Options::new()).expect("memory");
    let server = std::thread::spawn(move || {
        let count = Arc::default();
        let mut session = Options::new().session(far, Ship::served(&count));
        let mut serve_up_to = |calls| {
            while count.load(Ordering::Relaxed) < calls {
                assert!(session.serve_next().expect("a client"));
            }
        };
        // What it is put together in is kept; then it is the argument itself.
        serve_up_to(1);
        let taken = ipc_testkit::large_allocations(LARGE / 8, || serve_up_to(2));
        assert_eq!(taken, 1);
        // Only the third call has a large answer; what it takes in is small.
        ipc_testkit::largest_allocation(|| serve_up_to(3))
    });
    let connection = Options::new().over_blocking(near).expect("greeted");
    let cargo = CargoClient::new(connection);
    // Made before: the call only takes it.
    let bytes = vec![7; LARGE];
    let client = ipc_testkit::largest_allocation(|| {
        let load = block_on(cargo.load(&Context::new(), bytes));
        assert_eq!(load, Ok(LARGE as u64));
    });
    let load = block_on(cargo.load(&Context::new(), vec![7; LARGE]));
    assert_eq!(load, Ok(LARGE as u64));
    let back = block_on(cargo.unload(&Context::new())).expect("an answer");
    assert!(back == vec![7; LARGE]);
    let server = server.join().expect("no panic");
    println!("the largest allocation: {client} bytes of the client, {server} of the server");
    assert!(client < SMALL && server < SMALL, "{client}, {server}");
}

/// The first call finds less room than it needs, and waits for it.
#[test]
fn awaited_they_are_in_no_buffer_either() {
    let _watchdog = ipc_testkit::watchdog(std::time::Duration::from_secs(60));
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().expect("a runtime")
    };
    let (near, far) = shm::pair(&ipc_ring::Options::new()).expect("memory");
    let server = std::thread::spawn(move || {
        let (count, runtime) = (Arc::default(), runtime());
        let mut serving = std::pin::pin!(Options::new().serve(far, Ship::served(&count)));
        let mut serve_up_to = |calls| {
            let reached = std::future::poll_fn(|task| {
                let ended = serving.as_mut().poll(task).is_ready();
                match ended || count.load(Ordering::Relaxed) >= calls {
                    true => std::task::Poll::Ready(()),
                    false => std::task::Poll::Pending,
                }
            });
            runtime.block_on(reached);
        };
        serve_up_to(1);
        // Until the client goes, which it does when all is out.
        ipc_testkit::largest_allocation(|| serve_up_to(u64::MAX))
    });
    let runtime = runtime();
    let connection = runtime
        .block_on(Options::new().over(near))
        .expect("greeted");
    let cargo = CargoClient::new(connection);
    let bytes = vec![7; LARGE];
    let client = ipc_testkit::largest_allocation(|| {
        let load = runtime.block_on(async { cargo.load(&Context::new(), bytes).await });
        assert_eq!(load, Ok(LARGE as u64));
    });
    let back = runtime
        .block_on(async { cargo.unload(&Context::new()).await })
        .expect("an answer");
    assert!(back == vec![7; LARGE]);
    drop((cargo, runtime));
    let server = server.join().expect("no panic");
    println!("awaited: {client} bytes of the client, {server} of the server");
    assert!(client < SMALL && server < SMALL, "{client}, {server}");
}
