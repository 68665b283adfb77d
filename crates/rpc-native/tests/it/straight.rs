//! Large messages that are encoded straight into shared memory, in every shape, with little room.

use ipc_testkit::watchdog;
use prost::Message as _;
use rpc_core::{Code, Context, Describe, Router, Server, Status, block_on, service};
use rpc_native::{Limits, Options};
use rpc_testkit::shm;
use rpc_transport::Wire;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

/// What stands between long fields, and long fields.
#[derive(Clone, PartialEq, prost::Message, Describe, Serialize, Deserialize)]
#[describe(name = "straight.v1.Parcel")]
pub(crate) struct Parcel {
    #[prost(string, repeated, tag = 1)]
    names: Vec<String>,
    #[prost(bytes = "vec", repeated, tag = 2)]
    parts: Vec<Vec<u8>>,
    #[prost(uint64, repeated, tag = 3)]
    numbers: Vec<u64>,
}

#[service(name = "straight.v1.Post")]
trait Post {
    async fn echo(&self, cx: &Context, parcel: Parcel) -> Result<Parcel, Status>;
    async fn never(&self, cx: &Context, parcel: Parcel) -> Result<Parcel, Status>;
}

/// Gives back, and counts.
#[derive(Default)]
struct Back(Arc<AtomicU64>);

impl Post for Back {
    async fn echo(&self, _: &Context, parcel: Parcel) -> Result<Parcel, Status> {
        self.0.fetch_add(1, Relaxed);
        Ok(parcel)
    }

    async fn never(&self, _: &Context, _: Parcel) -> Result<Parcel, Status> {
        std::future::pending().await
    }
}

/// Parcels of all shapes: long parts alone, among little, little alone, and what is not large.
fn parcels() -> Vec<Parcel> {
    let part = |len: usize| (0..len).map(|at| (at % 251) as u8).collect::<Vec<u8>>();
    let names = |count: usize| (0..count).map(|at| format!("name {at}")).collect();
    let numbers = |count: u64| (0..count).map(|at| at * at).collect();
    let parcel = |names, parts, numbers| Parcel {
        names,
        parts,
        numbers,
    };
    vec![
        parcel(vec![], vec![], vec![]),
        parcel(vec![], vec![part(40_000)], vec![]),
        parcel(vec![], vec![part(1_000_000)], vec![]),
        parcel(
            names(100),
            vec![part(300_000), part(1), part(70_000)],
            numbers(100),
        ),
        parcel(names(30_000), vec![], numbers(50_000)),
        parcel(names(30_000), vec![part(5_000); 60], numbers(10_000)),
        parcel(names(3), vec![part(4_095); 100], vec![]),
    ]
}

/// Two ends of a channel with much less room than a parcel needs.
pub(crate) fn narrow() -> (Wire, Wire) {
    let mut ring = ipc_ring::Options::new();
    ring.capacity_messages(16).capacity_bytes(32 << 10);
    shm::pair(&ring).expect("memory")
}

/// Straight from the first byte on, or never.
fn options(straight: usize) -> Options {
    let limits = Limits::new().straight_bytes(straight).clone();
    Options::new().limits(limits).clone()
}

fn served() -> rpc_core::Served {
    counted(Back::default())
}

fn counted(back: Back) -> rpc_core::Served {
    Server::new(Router::new().service(PostServer::new(back))).served()
}

#[test]
fn what_is_sent_straight_is_what_is_sent_by_a_copy() {
    let _watchdog = watchdog(PATIENCE);
    for straight in [0, 32 << 10, usize::MAX] {
        let (near, far) = narrow();
        let session = options(straight).session(far, served());
        let server = std::thread::spawn(move || session.run());
        let connection = options(straight).over_blocking(near).expect("greeted");
        let post = PostClient::new(connection);
        for parcel in parcels() {
            let back = block_on(post.echo(&Context::new(), parcel.clone()));
            assert!(back.expect("an answer") == parcel, "straight: {straight}");
        }
        drop(post);
        server.join().expect("no panic").expect("it went in order");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn awaited_calls_send_straight_beside_each_other() {
    let _watchdog = watchdog(PATIENCE);
    for straight in [0, 32 << 10] {
        let (near, far) = narrow();
        tokio::spawn(options(straight).serve(far, served()));
        let connection = options(straight).over(near).await.expect("greeted");
        let post = Arc::new(PostClient::new(connection));
        let mut calls = tokio::task::JoinSet::new();
        for parcel in parcels().into_iter().chain(parcels()) {
            let post = Arc::clone(&post);
            calls.spawn(async move {
                let back = post.echo(&Context::new(), parcel.clone()).await;
                assert!(back.expect("an answer") == parcel);
            });
        }
        while let Some(call) = calls.join_next().await {
            call.expect("the same came back");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_dropped_half_sent_harms_no_other() {
    let _watchdog = watchdog(PATIENCE);
    let (near, far) = narrow();
    tokio::spawn(options(0).serve(far, served()));
    let connection = options(0).over(near).await.expect("greeted");
    let post = PostClient::new(connection);
    let small = parcels().swap_remove(0);
    for parcel in parcels() {
        let cx = Context::new();
        {
            // Its first poll sends what there is room for.
            let never = std::pin::pin!(post.never(&cx, parcel.clone()));
            tokio::select! {
                biased;
                _ = never => unreachable!("nobody answers"),
                () = std::future::ready(()) => {}
            }
        }
        let back = post.echo(&cx, small.clone()).await.expect("an answer");
        assert!(back == small);
        let back = post.echo(&cx, parcel.clone()).await.expect("an answer");
        assert!(back == parcel, "{} bytes", parcel.encoded_len());
    }
}

#[test]
fn a_call_whose_time_is_over_half_sent_harms_no_other() {
    let _watchdog = watchdog(PATIENCE);
    let (near, far) = narrow();
    let back = Back::default();
    let count = Arc::clone(&back.0);
    let mut session = options(0).session(far, counted(back));
    // One call, and then nothing is read until the next one has no more time.
    let (tell, told) = std::sync::mpsc::channel();
    let server = std::thread::spawn(move || {
        while count.load(Relaxed) == 0 {
            assert!(session.serve_next().expect("a client"));
        }
        told.recv().expect("told");
        while session.serve_next().expect("a client") {}
    });
    let connection = options(0).over_blocking(near).expect("greeted");
    let post = PostClient::new(connection);
    let [small, .., large] = &parcels()[..] else {
        unreachable!("there are more");
    };
    let back = block_on(post.echo(&Context::new(), small.clone()));
    assert_eq!(back.expect("an answer"), *small);
    let cx = Context::new().timeout(Duration::from_millis(20));
    let late = block_on(post.echo(&cx, large.clone())).expect_err("nobody reads");
    assert_eq!(late.code(), Code::DeadlineExceeded);
    tell.send(()).expect("it waits");
    for parcel in [small, large] {
        let back = block_on(post.echo(&Context::new(), parcel.clone()));
        assert!(back.expect("an answer") == *parcel);
    }
    drop(post);
    server.join().expect("no panic");
}
