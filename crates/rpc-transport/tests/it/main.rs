//! Connections that come and go, and the endpoints they come from.

mod awaited;
mod inproc;
#[cfg(feature = "tls")]
mod proofs;

use ipc_core::Until;
use ipc_testkit::TempDir;
use rpc_core::{Call, CallFuture, Channel, Code, Payload, Peer, Reply, Status, ready};
use rpc_transport::{Connected, Endpoint, ErrorKind, Options, Pool, Reconnecting};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// A connection that works until it is told not to.
#[derive(Clone, Debug)]
struct Fake {
    number: usize,
    broken: Arc<AtomicBool>,
}

impl Channel for Fake {
    fn call(&self, _: Call) -> CallFuture {
        ready(Ok(Reply::one(Payload::of(self.number as u64))))
    }
}

impl Connected for Fake {
    fn is_usable(&self) -> bool {
        !self.broken.load(Ordering::SeqCst)
    }
}

/// Connects as often as it may, and counts.
fn connector(
    made: &Arc<AtomicUsize>,
    broken: &Arc<AtomicBool>,
    fail: &Arc<AtomicBool>,
) -> impl Fn() -> std::future::Ready<Result<Fake, Status>> + Clone + use<> {
    let (made, broken, fail) = (Arc::clone(made), Arc::clone(broken), Arc::clone(fail));
    move || {
        let number = made.fetch_add(1, Ordering::SeqCst);
        std::future::ready(match fail.load(Ordering::SeqCst) {
            true => Err(Status::new(Code::Unavailable, "nobody listens")),
            false => Ok(Fake {
                number,
                broken: Arc::clone(&broken),
            }),
        })
    }
}

#[tokio::test]
async fn a_lost_connection_is_made_again_and_a_good_one_is_kept() {
    let (made, broken, fail) = Default::default();
    let channel = Reconnecting::new(connector(&made, &broken, &fail));
    for _ in 0..3 {
        channel.connection().await.expect("connected");
    }
    assert_eq!(made.load(Ordering::SeqCst), 1);
    broken.store(true, Ordering::SeqCst);
    channel.connection().await.expect("connected again");
    assert_eq!(made.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn while_nobody_listens_calls_fail_at_once_and_say_when_to_come_again() {
    let (made, broken, fail): (Arc<AtomicUsize>, _, Arc<AtomicBool>) = Default::default();
    fail.store(true, Ordering::SeqCst);
    let hour = Duration::from_secs(3600);
    let channel = Reconnecting::with_backoff(connector(&made, &broken, &fail), hour, hour);
    let first = channel.connection().await.expect_err("nobody");
    assert!(first.code() == Code::Unavailable && first.did_not_run());
    for _ in 0..100 {
        let later = channel.connection().await.expect_err("not tried again");
        assert!(later.did_not_run());
        let millis = later.push_back_millis().expect("when");
        assert!((1_700_000..=3_600_001).contains(&millis), "{millis}");
    }
    assert_eq!(made.load(Ordering::SeqCst), 1, "one attempt in all that");
}

#[tokio::test]
async fn a_pool_takes_its_connections_in_turn() {
    let (made, broken, fail) = Default::default();
    let pool = Pool::new(3, connector(&made, &broken, &fail));
    let call = || Call {
        method: &TURN_SERVICE.methods()[0],
        context: rpc_core::Context::background(),
        body: rpc_core::Body::One(Payload::of(())),
    };
    let mut counts = [0; 3];
    for _ in 0..30 {
        let reply = pool.call(call()).await.expect("answered");
        let number: u64 = reply.body.one().expect("a number");
        counts[number as usize] += 1;
    }
    assert_eq!(counts, [10; 3]);
}

#[rpc_core::service(name = "turn.v1.Turn")]
trait Turn {
    async fn take(&self, cx: &rpc_core::Context) -> Result<u64, Status>;
}

#[test]
fn a_default_start_on_plain_tcp_is_refused_wherever_it_listens() {
    for place in [
        "tcp:127.0.0.1:0",
        "tcp:[::1]:0",
        "tcp:0.0.0.0:0",
        "tcp:192.0.2.1:7000",
    ] {
        let endpoint: Endpoint = place.parse().expect("a binding");
        let refused = Options::new().bind(&endpoint).expect_err(place);
        assert_eq!(refused.kind(), ErrorKind::Denied, "{place}");
        assert!(
            refused.to_string().contains("insecure_plain_text"),
            "{refused}"
        );
        let refused = Options::new().connect(&endpoint, Until::Now);
        let refused = refused.expect_err(place);
        assert_eq!(refused.kind(), ErrorKind::Denied, "{place}");
    }
    let mut accepted = Options::new();
    accepted.insecure_plain_text(true);
    for place in ["tcp:127.0.0.1:0", "tcp:0.0.0.0:0"] {
        let endpoint: Endpoint = place.parse().expect("a binding");
        accepted.bind(&endpoint).expect(place);
    }
}

#[cfg(not(feature = "tls"))]
#[test]
fn tls_without_its_feature_says_so() {
    let endpoint: Endpoint = "tls:localhost:0".parse().expect("a binding");
    let refused = Options::new().bind(&endpoint).expect_err("not built in");
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    assert!(refused.to_string().contains("feature `tls`"), "{refused}");
}

#[test]
fn a_unix_peer_is_named_by_the_kernel_and_a_pipe_by_nobody() {
    let directory = TempDir::new();
    let endpoint = Endpoint::unix(directory.join("socket"));
    let listener = Options::new().bind(&endpoint).expect("bind");
    assert_eq!(listener.endpoint().expect("a path"), endpoint);
    let client = Options::new().connect(&endpoint, Until::Forever);
    let server = listener.accept(Until::Forever).expect("a client");
    for wire in [&client.expect("connect"), &server] {
        let Peer::Unix(ids) = wire.peer() else {
            panic!("{wire:?}");
        };
        assert_eq!(ids.pid, std::process::id());
    }
    let (left, _right) = rpc_transport::Wire::pipe_pair().expect("pipes");
    assert_eq!(*left.peer(), Peer::Unknown);
    let nobody = Options::new().connect(&Endpoint::unix(directory.join("x")), Until::Now);
    assert_eq!(nobody.expect_err("nobody").kind(), ErrorKind::NotFound);
}
