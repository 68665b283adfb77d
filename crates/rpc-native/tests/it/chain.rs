//! A chain of three hops, within the process, over a Unix socket and over TCP, in three processes.

use crate::remote::PATIENCE;
use crate::transports::{insecure, tell};
use ipc_testkit::{Child, Role, Stage, TempDir, watchdog};
use rpc_core::layers::Authenticate;
use rpc_core::{
    Channel, Code, Context, Peer, Principal, Router, Server, Status, TraceContext, service,
};
use rpc_native::{Connection, Options, Serving};
use std::io::{PipeReader, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::Mutex;
use std::time::Duration;

#[service(name = "chain.v1.Hop")]
pub(crate) trait Hop {
    /// What each hop was given, a line each.
    async fn ask(&self, cx: &Context) -> Result<String, Status>;
    /// Waits in the last hop for as long as somebody waits for that.
    async fn wait(&self, cx: &Context) -> Result<(), Status>;
}

/// Asks the next.
struct Passing(HopClient<Connection>);

impl Hop for Passing {
    async fn ask(&self, cx: &Context) -> Result<String, Status> {
        // What is left is looked at before the next hop takes its time of it.
        let own = seen(cx)?;
        // No word of deadline, trace or identity: they are inherited.
        let further = self.0.ask(&Context::new()).await?;
        Ok(format!("{own}\n{further}"))
    }
    async fn wait(&self, _: &Context) -> Result<(), Status> {
        self.0.wait(&Context::new()).await
    }
}

/// The end of the chain: tells of each wait that begins and of its end.
struct Last(Mutex<std::fs::File>);

impl Hop for Last {
    async fn ask(&self, cx: &Context) -> Result<String, Status> {
        seen(cx)
    }
    async fn wait(&self, _: &Context) -> Result<(), Status> {
        let _ending = Ending(&self.0);
        write(&self.0, 0);
        std::future::pending().await
    }
}

/// Tells when it is dropped.
struct Ending<'a>(&'a Mutex<std::fs::File>);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        write(self.0, now_nanos());
    }
}

fn write(to: &Mutex<std::fs::File>, word: u64) {
    let mut to = to.lock().expect("no panic while it is held");
    to.write_all(&word.to_le_bytes()).expect("the test listens");
}

/// The clock that all processes of this host share.
fn now_nanos() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    (now.tv_sec * 1_000_000_000 + now.tv_nsec).unsigned_abs()
}

fn seen(cx: &Context) -> Result<String, Status> {
    let left = cx.remaining().ok_or(Status::bare(Code::Internal))?;
    let trace = cx.traced().ok_or(Status::bare(Code::Internal))?;
    let who = cx.principal().ok_or(Status::bare(Code::Internal))?;
    let (left, name, origin) = (left.as_micros(), who.name(), who.origin());
    let (trace, span) = (trace.trace_id, trace.span_id);
    Ok(format!("{left} {trace} {span} {name} {origin}"))
}

/// Who calls, by what the transport proves.
fn authenticate() -> Authenticate {
    Authenticate::by(|peer, _| match peer {
        Peer::Inproc => Some(Principal::new("ann", ["asker"])),
        Peer::Unix(_) => Some(Principal::new("unix", ["delegate"])),
        // An address proves nobody: this chain takes every program of its host for the middle.
        Peer::Tcp(address) if address.ip().is_loopback() => {
            Some(Principal::new("tcp", ["delegate"]))
        }
        _ => None,
    })
}

fn server(hop: impl Hop, serving: Serving) -> Server<impl Channel> {
    let router = Router::new().service(HopServer::new(hop));
    let server = Server::new(router).layer(authenticate());
    server.with(serving).expect("it carries all")
}

fn run(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(work);
}

/// The last hop: it tells its place, then of its waits.
pub(crate) fn last(mut stage: Stage) {
    let (place, events) = (stage.descriptor(), stage.descriptor());
    run(async {
        let options = Options::new().transport(insecure()).clone();
        let serving = options.bind("tcp:127.0.0.1:0").expect("a port");
        tell(place, &serving.endpoint().expect("bound").to_string());
        let last = Last(Mutex::new(events.into()));
        server(last, serving).run().await.expect("it is killed");
    });
}

/// The hop in the middle: argument 0 is its place, 1 that of the last.
pub(crate) fn middle(mut stage: Stage) {
    let ready = stage.descriptor();
    run(async {
        let options = Options::new().transport(insecure()).clone();
        let next = options.connect(stage.argument(1)).await.expect("the last");
        let serving = rpc_native::bind(stage.argument(0)).expect("bind");
        tell(ready, "ready");
        let hop = Passing(HopClient::new(next));
        server(hop, serving).run().await.expect("it is killed");
    });
}

/// The whole chain, and what asks its first hop.
struct Chain {
    first: HopClient<Connection>,
    events: PipeReader,
    _processes: [Child; 2],
    _directory: TempDir,
}

impl Chain {
    async fn start(name: &str) -> Self {
        let directory = TempDir::new();
        let (events, tell_events) = std::io::pipe().expect("a pipe");
        let (last, place) = Self::spawn(Role::new("chain-last"), Some(tell_events.into()));
        let here = format!("unix:{}", directory.join("socket").display());
        let role = Role::new("chain-middle").argument(&here).argument(place);
        let (middle, _) = Self::spawn(role, None);
        let next = rpc_native::connect(&here).await.expect("the middle");
        let name = format!("inproc:{name}");
        let serving = rpc_native::bind(&name).expect("a free name");
        tokio::spawn(server(Passing(HopClient::new(next)), serving).run());
        let first = rpc_native::connect(&name).await.expect("found");
        Self {
            first: HopClient::new(first),
            events,
            _processes: [last, middle],
            _directory: directory,
        }
    }

    /// Starts a role and waits for its word.
    fn spawn(role: Role, events: Option<OwnedFd>) -> (Child, String) {
        let (told, tell) = std::io::pipe().expect("a pipe");
        let mut role = role.descriptor(&tell);
        if let Some(events) = &events {
            role = role.descriptor(events);
        }
        let child = role.spawn();
        drop(tell);
        (child, std::io::read_to_string(told).expect("its word"))
    }

    /// The next word of the last hop.
    async fn event(&self) -> u64 {
        let mut events = self.events.try_clone().expect("a descriptor");
        let read = move || {
            let mut word = [0; 8];
            events.read_exact(&mut word).expect("the last hop lives");
            u64::from_le_bytes(word)
        };
        tokio::task::spawn_blocking(read).await.expect("no panic")
    }
}

#[tokio::test]
async fn three_hops_in_three_processes_keep_deadline_trace_and_identity() {
    let _watchdog = watchdog(PATIENCE);
    let chain = Chain::start("chain-keeps").await;
    let root = TraceContext::root();
    let cx = Context::new().trace(root).timeout(PATIENCE);
    let answer = chain.first.ask(&cx).await.expect("three hops");
    let hops: Vec<Vec<&str>> = answer
        .lines()
        .map(|line| line.split(' ').collect())
        .collect();
    let left: Vec<u128> = hops
        .iter()
        .map(|hop| hop[0].parse().expect("a number"))
        .collect();
    assert!(left[0] > left[1] && left[1] > left[2], "{left:?}");
    assert!(left[0] < PATIENCE.as_micros(), "{left:?}");
    let trace = root.trace_id.to_string();
    assert!(hops.iter().all(|hop| hop[1] == trace), "{answer}");
    let spans: std::collections::BTreeSet<_> = hops.iter().map(|hop| hop[2]).collect();
    assert_eq!(spans.len(), 3, "{answer}");
    let who: Vec<_> = hops.iter().map(|hop| (hop[3], hop[4])).collect();
    assert_eq!(who, [("ann", "ann"), ("unix", "ann"), ("tcp", "ann")]);
}

#[tokio::test]
async fn a_dropped_call_drops_the_third_handler_within_ten_milliseconds() {
    let _watchdog = watchdog(PATIENCE);
    let chain = Chain::start("chain-cancels").await;
    let (mut took, mut asked) = (Vec::new(), Vec::new());
    for _ in 0..51 {
        let cx = Context::new();
        let asking = cx.clone().trace(TraceContext::root()).timeout(PATIENCE);
        let begun = now_nanos();
        chain.first.ask(&asking).await.expect("three hops");
        asked.push(now_nanos().saturating_sub(begun));
        let dropped = tokio::select! {
            _ = chain.first.wait(&cx) => unreachable!("nobody answers it"),
            began = chain.event() => {
                assert_eq!(began, 0);
                now_nanos()
            }
        };
        took.push(chain.event().await.saturating_sub(dropped));
    }
    let [median, question] = [took, asked].map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    println!("dropped in the third process after {median} ns, a question took {question} ns");
    // Where a question takes longer, there and back in the same turns, it is the host that is slow.
    assert!(median < question.max(10_000_000), "{median} ns");
}

#[tokio::test]
async fn an_expired_deadline_drops_the_third_handler_too() {
    let _watchdog = watchdog(PATIENCE);
    let chain = Chain::start("chain-expires").await;
    let mut time = Duration::from_millis(100);
    let mut event = std::pin::pin!(chain.event());
    // On a slow host the time may be over before the third hop has heard of it.
    loop {
        let cx = Context::new().timeout(time);
        let late = chain.first.wait(&cx).await.expect_err("nobody answers it");
        assert_eq!(late.code(), Code::DeadlineExceeded);
        tokio::select! {
            began = &mut event => {
                assert_eq!(began, 0);
                break;
            }
            () = tokio::time::sleep(time) => time *= 2,
        }
    }
    // Of each that has begun, earlier or later, the end is told.
    let mut running = 1_i32;
    while running > 0 {
        running += if chain.event().await == 0 { 1 } else { -1 };
    }
}
