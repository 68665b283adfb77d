//! How calls and connections end: cancelled, drained, unsent, of another contract.

use crate::remote::{PATIENCE, router};
use ipc_testkit::{TempDir, watchdog};
use rpc_core::{Call, CallFuture, Channel, Code, Context, Router, Server, Status, service};
use rpc_native::Options;
use rpc_testkit::inventory::{StockClient, item};
use rpc_transport::Wire;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// Tells of each handler that begins and of each that is dropped or done.
#[derive(Clone)]
struct Watched {
    inner: Router,
    running: Arc<AtomicUsize>,
    changed: Arc<Notify>,
}

struct Leave(Watched);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
        self.0.changed.notify_one();
    }
}

impl Channel for Watched {
    fn call(&self, call: Call) -> CallFuture {
        self.running.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_one();
        let (leave, work) = (Leave(self.clone()), self.inner.call(call));
        Box::pin(async move {
            let _leave = leave;
            work.await
        })
    }
}

impl Watched {
    async fn until_running(&self, many: usize) {
        while self.running.load(Ordering::SeqCst) != many {
            self.changed.notified().await;
        }
    }
}

struct Watch(Watched);

impl tower_layer::Layer<Router> for Watch {
    type Service = Watched;
    fn layer(&self, _: Router) -> Watched {
        self.0.clone()
    }
}

/// A client and a server in this process, over `wires`, and who tells of its handlers.
async fn connected() -> (
    StockClient<rpc_native::Connection>,
    Watched,
    rpc_native::Stopper,
    TempDir,
) {
    let watched = Watched {
        inner: router(),
        running: Arc::default(),
        changed: Arc::default(),
    };
    let directory = TempDir::new();
    let endpoint = format!("unix:{}", directory.join("socket").display());
    let serving = rpc_native::bind(&endpoint).expect("bind");
    let stopper = serving.stopper();
    let server = Server::new(router()).layer(Watch(watched.clone()));
    let server = server.with(serving).expect("it carries all");
    tokio::spawn(server.run());
    let connection = rpc_native::connect(&endpoint).await.expect("connect");
    (StockClient::new(connection), watched, stopper, directory)
}

#[tokio::test]
async fn a_dropped_call_drops_its_handler() {
    let _watchdog = watchdog(PATIENCE);
    let (stock, watched, _stopper, _directory) = connected().await;
    let cx = Context::new();
    for _ in 0..100 {
        tokio::select! {
            _ = stock.get(&cx, "never".into()) => unreachable!("nobody answers it"),
            () = watched.until_running(1) => {}
        }
        watched.until_running(0).await;
    }
    assert_eq!(stock.put(&cx, item("a", 1)).await, Ok(1));
}

#[tokio::test]
async fn a_lost_connection_drops_every_handler() {
    let _watchdog = watchdog(PATIENCE);
    let (stock, watched, _stopper, _directory) = connected().await;
    let callers: Vec<_> = (0..10)
        .map(|_| {
            let stock = stock.clone();
            tokio::spawn(async move { stock.get(&Context::new(), "never".into()).await })
        })
        .collect();
    watched.until_running(10).await;
    drop(stock);
    for caller in callers {
        caller.abort();
    }
    watched.until_running(0).await;
}

#[tokio::test]
async fn a_storm_of_cancelled_calls_leaves_no_slot_behind() {
    let _watchdog = watchdog(PATIENCE);
    let (stock, watched, _stopper, _directory) = connected().await;
    let storms: Vec<_> = (0..300)
        .map(|_| {
            let stock = stock.clone();
            tokio::spawn(async move {
                for _ in 0..10 {
                    let cx = Context::new().timeout(std::time::Duration::from_millis(1));
                    let outcome = stock.get(&cx, "never".into()).await;
                    assert_eq!(outcome.expect_err("late").code(), Code::DeadlineExceeded);
                }
            })
        })
        .collect();
    for storm in storms {
        storm.await.expect("no panic");
    }
    watched.until_running(0).await;
    // All 128 numbers are there again.
    let all: Vec<_> = (0..128)
        .map(|_| {
            let stock = stock.clone();
            tokio::spawn(async move { stock.get(&Context::new(), "never".into()).await })
        })
        .collect();
    watched.until_running(128).await;
    all.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn an_orderly_end_finishes_what_runs_and_refuses_what_comes() {
    let _watchdog = watchdog(PATIENCE);
    let (stock, watched, stopper, _directory) = connected().await;
    let cx = Context::new();
    let (send, mut names) = tokio::sync::mpsc::channel::<String>(1);
    let names = futures_util::stream::poll_fn(move |task| names.poll_recv(task));
    assert_eq!(stock.put(&cx, item("a", 1)).await, Ok(1));
    let mut look = stock.look(&cx, names).await.expect("a stream");
    send.send("a".into()).await.expect("it listens");
    assert_eq!(look.next().await, Some(Ok(item("a", 1))));
    stopper.stop();
    let refused = loop {
        // Until the word has come, calls are still run.
        match stock.put(&cx, item("b", 1)).await {
            Ok(_) => tokio::task::yield_now().await,
            Err(status) => break status,
        }
    };
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.did_not_run());
    send.send("a".into()).await.expect("it still listens");
    assert_eq!(look.next().await, Some(Ok(item("a", 1))));
    drop(send);
    assert_eq!(look.next().await, None);
    watched.until_running(0).await;
}

#[tokio::test]
async fn another_contract_is_refused_with_what_differs_and_a_compatible_one_works() {
    mod newer {
        use super::{Context, Status, service};
        use rpc_testkit::inventory::Item;
        #[service(name = "inventory.v1.Stock")]
        pub(super) trait Stock {
            async fn get(&self, cx: &Context, sku: u64) -> Result<Item, Status>;
        }
        pub(super) mod fewer {
            use super::{Context, Item, Status, service};
            #[service(name = "inventory.v1.Stock")]
            pub(in super::super) trait Stock {
                async fn put(&self, cx: &Context, item: Item) -> Result<u32, Status>;
            }
        }
    }
    let _watchdog = watchdog(PATIENCE);
    let (client, server) = Wire::pair().expect("a pair");
    let served = Server::new(router()).served();
    tokio::spawn(Options::new().serve(server, served));
    let connection = Options::new().over(client).await.expect("greeted");
    let stock = newer::StockClient::new(connection.clone());
    let refused = stock
        .get(&Context::new(), 7)
        .await
        .expect_err("other types");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(
        refused.message(),
        "inventory.v1.Stock: incompatible, because field inventory.v1.StockGetRequest 1: \
         the client has `singular uint64 sku`, the server `singular string sku`"
    );
    // Another connection: this one knows the service as refused.
    let (client, server) = Wire::pair().expect("a pair");
    let served = Server::new(router()).served();
    tokio::spawn(Options::new().serve(server, served));
    let connection = Options::new().over(client).await.expect("greeted");
    let stock = newer::fewer::StockClient::new(connection);
    let put = stock.put(&Context::new(), item("a", 3)).await;
    assert_eq!(put, Ok(3), "a client that knows less than the server");
}

#[tokio::test]
async fn pipes_carry_calls_too() {
    let _watchdog = watchdog(PATIENCE);
    let (client, server) = Wire::pipe_pair().expect("pipes");
    let served = Server::new(router()).served();
    tokio::spawn(Options::new().serve(server, served));
    let connection = Options::new().over(client).await.expect("greeted");
    let stock = StockClient::new(connection);
    assert_eq!(stock.put(&Context::new(), item("a", 3)).await, Ok(3));
}

#[tokio::test]
async fn a_chain_of_three_hops_keeps_deadline_trace_and_origin() {
    use rpc_core::layers::Authenticate;
    use rpc_core::{Principal, TraceContext};
    use tower_layer::Layer;

    /// Answers with what it was given, or asks the next.
    struct Chained<C>(Option<HopClient<C>>);

    #[service(name = "chain.v1.Hop")]
    trait Hop {
        async fn ask(&self, cx: &Context) -> Result<String, Status>;
    }
    impl<C: Channel> Hop for Chained<C> {
        async fn ask(&self, cx: &Context) -> Result<String, Status> {
            let left = cx
                .remaining()
                .ok_or(Status::bare(Code::Internal))?
                .as_micros();
            let trace = cx.traced().map_or(0, |trace| trace.trace_id);
            let origin = cx.principal().map_or("", Principal::origin).to_owned();
            let own = format!("{left} {trace} {origin}");
            match &self.0 {
                None => Ok(own),
                // No word of deadline, trace or identity: they are inherited.
                Some(next) => Ok(format!("{own}\n{}", next.ask(&Context::new()).await?)),
            }
        }
    }
    let _watchdog = watchdog(PATIENCE);
    let authenticate =
        |name: &'static str| Authenticate::by(move |_, _| Some(Principal::new(name, ["delegate"])));
    let last = Router::new().service(HopServer::new(Chained::<Router>(None)));
    let (client, server) = Wire::pair().expect("a pair");
    let served = Server::new(last).layer(authenticate("middle")).served();
    tokio::spawn(Options::new().serve(server, served));
    let connection = Options::new().over(client).await.expect("greeted");
    let middle = Router::new().service(HopServer::new(Chained(Some(HopClient::new(connection)))));
    let (client, server) = Wire::pipe_pair().expect("pipes");
    let served = Server::new(middle).layer(authenticate("first")).served();
    tokio::spawn(Options::new().serve(server, served));
    let connection = Options::new().over(client).await.expect("greeted");
    let first = Router::new().service(HopServer::new(Chained(Some(HopClient::new(connection)))));
    let asker = HopClient::new(authenticate("ann").layer(first));
    let root = TraceContext::root();
    let cx = Context::new().trace(root).timeout(PATIENCE);
    let answer = asker.ask(&cx).await.expect("three hops");
    let hops: Vec<Vec<&str>> = answer
        .lines()
        .map(|line| line.split(' ').collect())
        .collect();
    assert_eq!(hops.len(), 3);
    let left: Vec<u128> = hops
        .iter()
        .map(|hop| hop[0].parse().expect("a number"))
        .collect();
    assert!(left[0] > left[1] && left[1] > left[2], "{left:?}");
    for hop in &hops {
        assert_eq!(
            (hop[1], hop[2]),
            (&*root.trace_id.to_string(), "ann"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn tcp_is_refused_unless_asked_for_and_then_carries_calls() {
    let _watchdog = watchdog(PATIENCE);
    let refused = rpc_native::bind("tcp:127.0.0.1:0").expect_err("nobody is proven");
    assert_eq!(refused.code(), Code::PermissionDenied);
    let refused = rpc_native::connect("tcp:127.0.0.1:9")
        .await
        .expect_err("nobody is proven");
    assert!(refused.code() == Code::PermissionDenied && refused.did_not_run());
    let transport = rpc_transport::Options::new()
        .insecure_plain_text(true)
        .clone();
    let options = Options::new().transport(transport).clone();
    let serving = options.bind("tcp:127.0.0.1:0").expect("a port");
    let endpoint = serving.endpoint().expect("bound").to_string();
    tokio::spawn(
        Server::new(router())
            .with(serving)
            .expect("it carries all")
            .run(),
    );
    let connection = options.connect(&endpoint).await.expect("connect");
    let stock = StockClient::new(connection);
    assert_eq!(stock.put(&Context::new(), item("a", 3)).await, Ok(3));
}
