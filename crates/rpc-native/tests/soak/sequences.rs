//! F2: random sequences of calls, made from a contract's descriptor, against a twin of the same
//! service that is called in this process without a wire.
//!
//! A message is made from its type alone; its strings are taken from a small stock of names that
//! one call at a time has. A call that ended must have answered what the twin answers; one that was
//! given up leaves its names in doubt, and they are used no more.

use crate::counted::{Counter, PATIENCE, STREAMS, runtime};
use crate::plans::{Plan, Random, body, plan};
use bytes::{Bytes, BytesMut};
use ipc_testkit::crash::Lab;
use ipc_testkit::{soak, watchdog};
use rpc_core::{
    Body, Call, Channel, Code, Context, MethodDescriptor, MethodKind, Payload, Protobuf, Router,
    Server, ServiceDescriptor, Status,
};
use rpc_native::{Connection, Limits, Options};
use rpc_testkit::calculator::{Adder, CALCULATOR_SERVICE, CalculatorServer};
use rpc_testkit::inventory::{Shop, StockServer};
use rpc_transport::Wire;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::{JoinSet, yield_now};

/// Sequences over one connection, which then ends.
const A_TURN: u64 = 10;
/// Turns before what grows is measured.
const WARM: u64 = 60;
/// Small, so that sequences reach them.
const NUMBERS: u32 = 4;
/// Sequences over each kind of stream, on one thread, where a seed repeats all of it, and on two.
pub(crate) fn of_the_contract(lab: &mut Lab) {
    let _watchdog = watchdog(Duration::from_secs(24 * 3600));
    let turns = lab.count(160, 25_000, 250_000);
    for (name, pair) in STREAMS {
        for threads in [1, 2] {
            let runtime = runtime(threads);
            let mut random = Random(lab.below(u64::MAX) | 1);
            // Allocators take their memory in the beginning: what grows later is a leak.
            for _ in 0..WARM {
                let warm = runtime.block_on(turn(&mut random, pair));
                warm.expect("a turn like the others");
            }
            let what = format!("{name}, {threads} threads: turns of {A_TURN} sequences");
            soak::repeat_freely(lab, "F2", &what, turns, |_| {
                let seed = random.0;
                let outcome = runtime.block_on(turn(&mut random, pair));
                outcome.map_err(|wrong| format!("turn {seed:#x}: {wrong}"))
            });
        }
    }
}

/// The services, served and as a twin.
struct World {
    shops: [Arc<Shop>; 2],
    served: Router,
    twin: Router,
}

impl World {
    fn new() -> Self {
        let shops = [Arc::<Shop>::default(), Arc::default()];
        let [served, twin] = [&shops[0], &shops[1]].map(|shop| {
            let stock = StockServer::new(Arc::clone(shop));
            Router::new()
                .service(stock)
                .service(CalculatorServer::new(Adder))
        });
        Self {
            shops,
            served,
            twin,
        }
    }
}

/// A connection, its sequences, and its end: then nothing is left.
async fn turn(
    random: &mut Random,
    pair: fn() -> ipc_core::Result<(Wire, Wire)>,
) -> Result<(), String> {
    let (world, counter) = (World::new(), Counter::default());
    let mut limits = Limits::new();
    limits
        .max_calls(NUMBERS)
        .stream_credit_bytes(256)
        .connection_credit_bytes(1 << 10)
        .max_oneways(4);
    let options = Options::new().limits(limits).clone();
    let (near, far) = pair().map_err(|error| error.to_string())?;
    let served = Server::new(world.served.clone())
        .layer(counter.clone())
        .served();
    let serving = tokio::spawn(options.clone().serve(far, served));
    let connection = options
        .over(near)
        .await
        .map_err(|status| status.to_string())?;
    let mut names = Names::default();
    for number in 0..A_TURN {
        let cut = number + 1 == A_TURN && random.one_in(2);
        let calls = sequence(random, &world, &connection, &mut names, cut);
        // In the midst of the last sequence the server may go.
        if cut {
            for _ in 0..random.below(40) {
                yield_now().await;
            }
            serving.abort();
        }
        calls.await?;
        if !cut {
            counter.until(0).await?;
            // After each it would be most of the time.
            if number % 5 == 4 {
                settle(&connection, &counter).await?;
            }
        }
    }
    drop(connection);
    let _ = serving.await;
    counter.until(0).await?;
    let tasks = tokio::runtime::Handle::current().metrics();
    let start = Instant::now();
    while tasks.num_alive_tasks() > 0 {
        if start.elapsed() > PATIENCE {
            return Err(format!("{} tasks are left", tasks.num_alive_tasks()));
        }
        yield_now().await;
    }
    Ok(())
}

/// All numbers of calls are free: as many calls as there are can run at once.
async fn settle(connection: &Connection, counter: &Counter) -> Result<(), String> {
    let start = Instant::now();
    while connection.calls_under_way() > 0 {
        if start.elapsed() > PATIENCE {
            return Err(format!("{} calls are left", connection.calls_under_way()));
        }
        yield_now().await;
    }
    let method = named(&CALCULATOR_SERVICE, "Never");
    let mut calls = JoinSet::new();
    for _ in 0..NUMBERS {
        let call = Call {
            method,
            context: Context::new(),
            body: Body::One(Payload::Encoded(&Protobuf, Bytes::new())),
        };
        calls.spawn(connection.call(call));
    }
    counter.until(NUMBERS as usize).await?;
    calls.shutdown().await;
    counter.until(0).await
}

fn named(service: &'static ServiceDescriptor, name: &str) -> &'static MethodDescriptor {
    let method = service.methods().iter().find(|method| method.name == name);
    method.expect("it is in the contract")
}

/// Stocks of names, each of which one call at a time has.
#[derive(Default)]
struct Names {
    free: Vec<u64>,
    next: u64,
}

/// How a call ended.
enum Ended {
    /// As its answers, or its failure, say.
    Well(Vec<Bytes>, Option<Status>),
    GivenUp,
}

/// Makes random calls, all at once, and compares each with the twin's.
fn sequence<'a>(
    random: &mut Random,
    world: &'a World,
    connection: &'a Connection,
    names: &'a mut Names,
    cut: bool,
) -> impl Future<Output = Result<(), String>> + use<'a> {
    let (mut calls, mut methods) = (JoinSet::new(), Vec::new());
    for _ in 0..1 + random.below(7) {
        let own = names.free.pop().unwrap_or_else(|| {
            names.next += 1;
            names.next
        });
        let plan = plan(random, own);
        methods.push((plan.method.name, plan.messages.len(), plan.takes));
        calls.spawn(make(connection.clone(), plan));
    }
    async move {
        loop {
            let made = tokio::time::timeout(PATIENCE, calls.join_next()).await;
            let Some(made) = made.map_err(|_| format!("calls hang, of {methods:?}"))? else {
                break;
            };
            let (plan, ended) = made.map_err(|error| error.to_string())?;
            if compare(world, &plan, ended, cut).await? {
                names.free.push(plan.names);
            }
        }
        // What is in doubt is forgotten, so that nothing grows.
        if names.free.len() as u64 == names.next {
            for shop in &world.shops {
                shop.shelves.lock().expect("no panic").clear();
            }
        }
        for shop in &world.shops {
            shop.notes.lock().expect("no panic").clear();
        }
        Ok(())
    }
}

async fn make(connection: Connection, plan: Plan) -> (Plan, Ended) {
    let mut context = Context::new();
    if let Some(timeout) = plan.timeout {
        context = context.timeout(timeout);
    }
    let call = Call {
        method: plan.method,
        context,
        body: body(&plan),
    };
    let work = outcome(&connection, call, plan.takes);
    let bored = async {
        match plan.patience {
            None => std::future::pending::<()>().await,
            Some(turns) => {
                for _ in 0..turns {
                    yield_now().await;
                }
            }
        }
    };
    let ended = tokio::select! {
        biased;
        ended = work => ended,
        () = bored => Ended::GivenUp,
    };
    (plan, ended)
}

/// Makes a call and takes so many of its answers.
async fn outcome(channel: &impl Channel, call: Call, takes: usize) -> Ended {
    // What stubs do too: the deadline holds also where the server does not keep it.
    let deadline = call.context.expires();
    let many = call.method.kind.server_streams();
    let work = async {
        let mut answers = Vec::new();
        match channel.call(call).await {
            Err(status) => Ended::Well(answers, Some(status)),
            Ok(reply) => match reply.body {
                Body::One(payload) => {
                    answers.push(encoded(&payload));
                    Ended::Well(answers, None)
                }
                Body::Many(mut items) => {
                    while answers.len() < takes {
                        match rpc_core::next(&mut items).await {
                            None => return Ended::Well(answers, None),
                            Some(Err(status)) => return Ended::Well(answers, Some(status)),
                            Some(Ok(payload)) => answers.push(encoded(&payload)),
                        }
                        if many && answers.len() % 7 == 3 {
                            yield_now().await;
                        }
                    }
                    Ended::GivenUp
                }
            },
        }
    };
    match deadline {
        None => work.await,
        Some(at) => match tokio::time::timeout_at(at.into(), work).await {
            Ok(ended) => ended,
            Err(_) => Ended::Well(Vec::new(), Some(Status::bare(Code::DeadlineExceeded))),
        },
    }
}

fn encoded(payload: &Payload) -> Bytes {
    let mut out = BytesMut::new();
    payload
        .append(&Protobuf, &mut out)
        .expect("protobuf, or a value");
    out.freeze()
}

/// Whether the twin is still the same as what is served, for the names of this call.
async fn compare(world: &World, plan: &Plan, ended: Ended, cut: bool) -> Result<bool, String> {
    let Ended::Well(answers, failure) = ended else {
        return Ok(false);
    };
    // Nobody says when a oneway call has run.
    if plan.method.kind == MethodKind::Oneway || plan.hangs {
        return Ok(false);
    }
    if let Some(status) = &failure {
        let expected = match status.code() {
            Code::DeadlineExceeded => plan.timeout.is_some(),
            Code::Unavailable | Code::Cancelled => cut,
            _ => false,
        };
        if expected {
            // It says that it did not run: then nothing has changed.
            return Ok(status.did_not_run());
        }
    }
    let call = Call {
        method: plan.method,
        context: Context::new(),
        body: body(plan),
    };
    match outcome(&world.twin, call, plan.takes).await {
        Ended::Well(same, ending)
            if same == answers && ending.as_ref().map(key) == failure.as_ref().map(key) =>
        {
            Ok(true)
        }
        Ended::Well(other, ending) => Err(format!(
            "{}: {} answers, {failure:?}; without a wire {}, {ending:?}",
            plan.method.name,
            answers.len(),
            other.len()
        )),
        Ended::GivenUp => Err(format!("{}: it ended early", plan.method.name)),
    }
}

fn key(status: &Status) -> (Code, String) {
    (status.code(), status.message().to_owned())
}
