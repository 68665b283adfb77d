//! Calls within the process: found by name, moved without marshalling, ended with their server.

use futures_util::future::poll_immediate;
use rpc_core::export::Stream;
use rpc_core::{
    Body, Call, Channel, Code, Context, Payload, Peer, Principal, Router, Server, Status, items,
    service,
};
use rpc_testkit::calculator::{Adder, CalculatorClient, CalculatorServer};
use rpc_transport::inproc::{self, Entrance};
use rpc_transport::{Connected, ErrorKind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

#[service(name = "inproc.v1.Places")]
trait Places {
    /// Where in memory the text is that came.
    async fn place(&self, cx: &Context, text: String) -> Result<u64, Status>;
    /// Whether the call looks as one that came over a wire.
    async fn inbound(&self, cx: &Context) -> Result<(), Status>;
    /// Counts those that run.
    #[rpc(oneway)]
    async fn linger(&self, cx: &Context);
    /// One item, and then none for ever.
    async fn endless(
        &self,
        cx: &Context,
    ) -> Result<impl Stream<Item = Result<u64, Status>>, Status>;
}

#[derive(Default)]
struct Here {
    lingering: AtomicUsize,
    changed: Notify,
}

impl Places for Arc<Here> {
    async fn place(&self, _: &Context, text: String) -> Result<u64, Status> {
        Ok(text.as_ptr().addr() as u64)
    }
    async fn inbound(&self, cx: &Context) -> Result<(), Status> {
        let is = *cx.peer() == Peer::Inproc
            && cx.principal().is_none()
            && cx.remaining().is_some()
            && cx.metadata().text("note") == Some("kept");
        is.then_some(()).ok_or(Status::bare(Code::Internal))
    }
    async fn linger(&self, _: &Context) {
        self.lingering.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_one();
        std::future::pending().await
    }
    async fn endless(
        &self,
        _: &Context,
    ) -> Result<impl Stream<Item = Result<u64, Status>>, Status> {
        use futures_util::StreamExt;
        Ok(items([Ok(1)]).chain(futures_util::stream::pending()))
    }
}

/// A server of this name in a task, what tells it to end, and the task.
fn serve(name: &str, router: Router) -> (oneshot::Sender<()>, JoinHandle<()>) {
    let entrance = inproc::bind(name).expect("a free name");
    let (stop, stopped) = oneshot::channel::<()>();
    let served = Server::new(router).served();
    let stopped = async {
        let _ = stopped.await;
    };
    (
        stop,
        tokio::spawn(entrance.serve(served, stopped, Duration::from_secs(60))),
    )
}

fn places(here: &Arc<Here>) -> Router {
    Router::new().service(PlacesServer::new(Arc::clone(here)))
}

#[tokio::test]
async fn the_value_itself_moves() {
    let here = Arc::<Here>::default();
    let _server = serve("moves", places(&here));
    let client = PlacesClient::new(inproc::connect("moves").expect("found"));
    let text = "x".repeat(1 << 20);
    let ours = text.as_ptr().addr() as u64;
    // The very same bytes, in the same place: they were neither encoded nor copied.
    assert_eq!(client.place(&Context::new(), text).await, Ok(ours));
}

#[tokio::test]
async fn a_call_arrives_as_over_a_wire() {
    let here = Arc::<Here>::default();
    let _server = serve("arrives", places(&here));
    let client = PlacesClient::new(inproc::connect("arrives").expect("found"));
    let mut cx = Context::new().entry("note", b"kept").expect("room");
    // Whom the caller takes itself for is no proof.
    cx.set_principal(Principal::new("root", ["admin"]));
    assert_eq!(client.inbound(&cx).await, Ok(()));
}

#[tokio::test]
async fn a_name_has_one_server_and_is_free_after_it() {
    assert_eq!(
        inproc::connect("one").expect_err("nobody").kind(),
        ErrorKind::NotFound
    );
    let first = inproc::bind("one").expect("a free name");
    let taken = inproc::bind("one").expect_err("taken");
    assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
    let channel = inproc::connect("one").expect("found");
    assert!(channel.is_usable());
    drop(first);
    assert!(!channel.is_usable());
    let client = CalculatorClient::new(channel);
    let gone = client.add(&Context::new(), 1, 2).await.expect_err("gone");
    assert!(gone.code() == Code::Unavailable && gone.did_not_run());
    let _second: Entrance = inproc::bind("one").expect("free again");
}

#[tokio::test]
async fn calls_wait_for_a_server_that_has_its_name_already() {
    let entrance = inproc::bind("later").expect("a free name");
    let client = CalculatorClient::new(inproc::connect("later").expect("found"));
    let cx = Context::new();
    let mut sum = pin!(client.add(&cx, 1, 2));
    assert!(poll_immediate(&mut sum).await.is_none());
    let served = Server::new(Router::new().service(CalculatorServer::new(Adder))).served();
    tokio::spawn(entrance.serve(served, std::future::pending(), Duration::ZERO));
    assert_eq!(sum.await, Ok(3));
}

#[tokio::test]
async fn an_orderly_end_finishes_what_runs_and_an_abrupt_one_ends_it() {
    for orderly in [true, false] {
        let name = format!("ends {orderly}");
        let here = Arc::<Here>::default();
        let (stop, server) = serve(&name, places(&here));
        let client = PlacesClient::new(inproc::connect(&name).expect("found"));
        let mut endless = client.endless(&Context::new()).await.expect("a stream");
        assert_eq!(endless.next().await, Some(Ok(1)));
        if orderly {
            stop.send(()).expect("it runs");
            while !refuses(&client).await {
                tokio::task::yield_now().await;
            }
            assert!(!server.is_finished(), "a stream is under way");
            drop(endless);
            server.await.expect("ended");
        } else {
            server.abort();
            let ended = endless.next().await.expect("an item").expect_err("the end");
            assert_eq!(ended.code(), Code::Unavailable);
        }
    }
}

async fn refuses(client: &PlacesClient<inproc::Inproc>) -> bool {
    match client.place(&Context::new(), String::new()).await {
        Ok(_) => false,
        Err(status) => {
            assert!(status.code() == Code::Unavailable && status.did_not_run());
            true
        }
    }
}

#[tokio::test]
async fn oneway_calls_do_not_hold_their_caller_and_are_bounded() {
    let here = Arc::<Here>::default();
    let _server = serve("oneway", places(&here));
    let client = PlacesClient::new(inproc::connect("oneway").expect("found"));
    for _ in 0..3 * inproc::MAX_ONEWAYS {
        client.linger(&Context::new()).await.expect("on its way");
    }
    while here.lingering.load(Ordering::SeqCst) < inproc::MAX_ONEWAYS {
        here.changed.notified().await;
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(here.lingering.load(Ordering::SeqCst), inproc::MAX_ONEWAYS);
}

/// The same service as the calculator's, compiled in a second time, and one that differs.
mod other {
    use rpc_core::{Context, Status, service};
    pub(super) mod alike {
        use super::{Context, Status, service};
        #[service(name = "calculator.v1.Calculator")]
        pub(in super::super) trait Calculator {
            async fn add(&self, cx: &Context, a: u64, b: u64) -> Result<u64, Status>;
        }
    }
    pub(super) mod different {
        use super::{Context, Status, service};
        #[service(name = "calculator.v1.Calculator")]
        pub(in super::super) trait Calculator {
            async fn add(&self, cx: &Context, a: String, b: u64) -> Result<u64, Status>;
        }
    }
}

#[tokio::test]
async fn two_definitions_of_a_service_are_compared_as_those_of_two_programs() {
    let router = Router::new().service(CalculatorServer::new(Adder));
    let _server = serve("definitions", router);
    let channel = inproc::connect("definitions").expect("found");
    let alike = other::alike::CalculatorClient::new(channel.clone());
    assert_eq!(alike.add(&Context::new(), 2, 3).await, Ok(5));
    let different = other::different::CalculatorClient::new(channel.clone());
    let refused = different.add(&Context::new(), "2".into(), 3).await;
    let refused = refused.expect_err("other types");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused
            .message()
            .contains("the client has `singular string a`"),
        "{refused}"
    );
    let elsewhere = PlacesClient::new(channel);
    let unknown = elsewhere
        .inbound(&Context::new())
        .await
        .expect_err("not there");
    assert!(unknown.code() == Code::Unimplemented && unknown.did_not_run());
}

#[tokio::test]
async fn a_forged_entry_of_the_table_is_the_servers_own_in_the_end() {
    /// A method of another name with this number in the table.
    fn forged() -> &'static rpc_core::MethodDescriptor {
        let real = &PLACES_SERVICE.methods()[1];
        let forged = rpc_core::MethodDescriptor {
            name: "Place",
            id: rpc_core::method_id("Nothing"),
            ..*real
        };
        Box::leak(Box::new(forged))
    }
    let here = Arc::<Here>::default();
    let _server = serve("forged", places(&here));
    let channel = inproc::connect("forged").expect("found");
    let call = Call {
        method: forged(),
        context: Context::background(),
        body: Body::One(Payload::of(())),
    };
    let refused = channel.call(call).await.expect_err("no such entry");
    assert_eq!(refused.code(), Code::Unimplemented);
}

#[test]
fn a_thread_without_a_runtime_calls_too() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let _entered = runtime.enter();
    let _server = serve(
        "threads",
        Router::new().service(CalculatorServer::new(Adder)),
    );
    let channel = inproc::connect("threads").expect("found");
    let calls: Box<dyn FnOnce() + Send> = Box::new(move || {
        rpc_core::block_on(rpc_testkit::table::of_the_calculator(channel));
    });
    std::thread::spawn(calls).join().expect("the same table");
}
