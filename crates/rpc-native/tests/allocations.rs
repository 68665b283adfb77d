//! How often a unary call allocates on each side, without a runtime in between.

use rpc_core::{Context, Router, Server, Status, block_on, service};
use rpc_native::Options;
use rpc_transport::Wire;
use std::sync::mpsc;

#[global_allocator]
static ALLOCATOR: ipc_testkit::CountingAllocator = ipc_testkit::CountingAllocator;

#[service(name = "count.v1.Adder")]
trait Adder {
    async fn add(&self, cx: &Context, a: u64, b: u64) -> Result<u64, Status>;
}

struct Sum;

impl Adder for Sum {
    async fn add(&self, _: &Context, a: u64, b: u64) -> Result<u64, Status> {
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
        let served = Server::new(Router::new().service(AdderServer::new(Sum))).served();
        let mut session = Options::new().session(far, served);
        // The greeting, the word on the service, the first call.
        for _ in 0..3 {
            assert!(session.serve_next().expect("a client"));
        }
        let serve = || (0..CALLS).for_each(|_| assert!(session.serve_next().expect("a client")));
        tell.send(ipc_testkit::allocations(serve))
            .expect("asked for");
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
