//! What a handler sees of a call, and how a server ends in order.

use crate::calls::refused;
use crate::here::{PATIENCE, block_on};
use crate::remote::options;
use ipc_testkit::watchdog;
use rpc_core::{Code, Context, Peer, Router, Server, Status, TraceContext, service};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

#[service(name = "seen.v1.Seen")]
trait Seen {
    /// The tenant, the trace, the address and the milliseconds that are left.
    async fn all(&self, cx: &Context) -> Result<String, Status>;
    /// Ends when it is let go.
    async fn slow(&self, cx: &Context) -> Result<u32, Status>;
}

/// Says that one has begun, and waits to be let go.
#[derive(Clone, Default)]
struct Gate {
    begun: Arc<Notify>,
    go: Arc<Notify>,
}

impl Seen for Gate {
    async fn all(&self, cx: &Context) -> Result<String, Status> {
        let tenant = cx.metadata().text("tenant").unwrap_or("none");
        let trace = cx.traced().map_or(0, |trace| trace.trace_id);
        let Peer::Tcp(address) = cx.peer() else {
            return Err(Status::bare(Code::Internal));
        };
        let left = cx.remaining().unwrap_or(Duration::MAX).as_secs();
        Ok(format!("{tenant} {trace:032x} {} {left}", address.ip()))
    }

    async fn slow(&self, _: &Context) -> Result<u32, Status> {
        self.begun.notify_one();
        self.go.notified().await;
        Ok(7)
    }
}

#[test]
fn a_handler_sees_metadata_the_trace_the_address_and_the_deadline() {
    let _watchdog = watchdog(PATIENCE);
    block_on(async {
        let serving = options().bind("udp:127.0.0.1:0").expect("bind");
        let place = serving.endpoint().expect("bound");
        let router = Router::new().service(SeenServer::new(Gate::default()));
        tokio::spawn(Server::new(router).with(serving).expect("unary").run());
        let seen = SeenClient::new(options().connect(&place).await.expect("connect"));
        let trace = TraceContext::root();
        let cx = Context::new()
            .trace(trace)
            .entry("tenant", b"blue")
            .expect("short");
        let told = seen
            .all(&cx.timeout(Duration::from_secs(3600)))
            .await
            .expect("an answer");
        let id = trace.trace_id;
        let (told, left) = told.rsplit_once(' ').expect("four words");
        assert_eq!(told, format!("blue {id:032x} 127.0.0.1"));
        let seconds = |left: &str| left.parse::<u64>().expect("seconds");
        assert!((1_800..3_600).contains(&seconds(left)), "{left}");
        // Where nobody says anything, the default is told.
        let told = seen.all(&Context::new()).await.expect("an answer");
        let left = told.rsplit_once(' ').expect("four words").1;
        assert!(seconds(left) < 30, "{told}");
    });
}

#[test]
fn a_server_that_is_stopped_ends_what_runs_and_takes_nothing_new() {
    let _watchdog = watchdog(PATIENCE);
    block_on(async {
        let serving = options().bind("udp:127.0.0.1:0").expect("bind");
        let (place, stopper) = (serving.endpoint().expect("bound"), serving.stopper());
        let gate = Gate::default();
        let router = Router::new().service(SeenServer::new(gate.clone()));
        let server = tokio::spawn(Server::new(router).with(serving).expect("unary").run());
        let seen = SeenClient::new(options().connect(&place).await.expect("connect"));
        let running = tokio::spawn({
            let seen = seen.clone();
            async move { seen.slow(&Context::new()).await }
        });
        gate.begun.notified().await;
        stopper.stop();
        let refusal = loop {
            // It may take one more before it has heard.
            if let Err(status) = seen.all(&Context::new()).await {
                break status;
            }
        };
        assert_eq!(refusal.code(), Code::Unavailable);
        assert!(refusal.did_not_run(), "{refusal}");
        refused(options().connect(&place).await, Code::Unavailable);
        gate.go.notify_one();
        assert_eq!(running.await.expect("no panic"), Ok(7));
        assert_eq!(server.await.expect("no panic"), Ok(()));
    });
}
