//! How often a unary call allocates on each side, without a runtime in between and with one.

use rpc_core::{Context, Router, Server, Status, block_on, service};
use rpc_native::Options;
use rpc_transport::Wire;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

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
