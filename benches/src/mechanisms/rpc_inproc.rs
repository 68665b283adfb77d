//! Calls within one process, which move the value itself: nothing is marshalled and nobody woken.

use std::{
    collections::{BTreeMap, VecDeque},
    future, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rpc_core::{Channel, Context, Router, Served, Server, Status, block_on, service};
use rpc_transport::inproc;
use tokio::runtime::Runtime;

use crate::{
    abilities::Abilities,
    calls,
    family::{Endpoint, Family, Maker, Role},
    meet::Meet,
    scenario::{Scenario, Shape, Side},
};

/// Calls within one process.
pub fn family() -> Family {
    let here = |maker: Maker| Maker {
        copies: "2 (into the value and out of it)",
        fits: one_thread,
        calls: true,
        usual: |_| false,
        ..maker
    };
    let named = Maker {
        fits: one_process,
        ..here(Maker::ours("named", |side, meet, shape| {
            match shape.scenario {
                Scenario::SingleThread => connect(side, meet, By::Name),
                _ => calls::by_name(side, meet),
            }
        }))
    };
    Family {
        name: "rpc-inproc",
        about: "calls within one process (raw: the value through a locked queue)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: true,
        makers: vec![
            here(Maker::raw(|side, meet, _| connect(side, meet, By::Queue))),
            here(Maker::ours("direct", |side, meet, _| {
                connect(side, meet, By::Served)
            })),
            named,
        ],
        sweep: None,
    }
    .able(Abilities::MESSAGES)
}

fn one_thread(shape: &Shape) -> Result<(), String> {
    match shape.scenario {
        Scenario::SingleThread => Ok(()),
        _ => Err("it reaches no other process".to_owned()),
    }
}

/// What one process can do, whose threads are one.
fn one_process(shape: &Shape) -> Result<(), String> {
    match shape.scenario {
        Scenario::SingleThread => Ok(()),
        Scenario::FanIn => Err("it reaches no other process".to_owned()),
        scenario if scenario.connections() > 1 => Err("it has no connections".to_owned()),
        Scenario::RoundTripAwake | Scenario::RoundTripAsleep => {
            Err("both sides are one thread, on one CPU".to_owned())
        }
        _ => calls::calls_only(shape),
    }
}

#[service(name = "bench.v1.Here")]
trait Here {
    /// What it is given.
    async fn echo(&self, cx: &Context, bytes: Vec<u8>) -> Result<Vec<u8>, Status>;
}

/// Where messages wait that have come.
#[derive(Clone, Default)]
struct Queue(Arc<Mutex<VecDeque<Vec<u8>>>>);

impl Queue {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives back an empty message: the other end of the bench wants what it was given.
impl Here for Queue {
    async fn echo(&self, _: &Context, bytes: Vec<u8>) -> Result<Vec<u8>, Status> {
        self.lock().push_back(bytes);
        Ok(Vec::new())
    }
}

/// How a message gets to the other end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    /// By no call at all.
    Queue,
    /// By a stub over the server itself.
    Served,
    /// By a stub over the `inproc` transport, which finds the server by its name.
    Name,
}

/// What a server has made for the client of its pair, which is in the same process.
static MADE: Mutex<BTreeMap<u32, Vec<Queue>>> = Mutex::new(BTreeMap::new());

fn connect(side: Side, meet: &Meet, by: By) -> io::Result<Box<dyn Endpoint>> {
    let made = || MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let place = format!("bench-{}", meet.tag());
    match side {
        Side::Server => {
            let queue = Queue::default();
            let runtime = match by {
                By::Name => Some(serve(&place, queue.clone())?),
                By::Queue | By::Served => None,
            };
            made().entry(meet.tag()).or_default().push(queue.clone());
            meet.send(b"made")?;
            Ok(Box::new(End {
                echo: None,
                queue,
                _runtime: runtime,
            }))
        }
        Side::Client => {
            meet.recv()?;
            let queue = made().get_mut(&meet.tag()).and_then(Vec::pop);
            let queue = queue.ok_or(io::ErrorKind::NotFound)?;
            let echo: Option<Arc<dyn Channel>> = match by {
                By::Queue => None,
                By::Served => Some(Arc::new(served(queue.clone()))),
                By::Name => Some(Arc::new(inproc::connect(&place)?)),
            };
            Ok(Box::new(End {
                echo: echo.map(HereClient::new),
                queue,
                _runtime: None,
            }))
        }
    }
}

fn served(queue: Queue) -> Served {
    Server::new(Router::new().service(HereServer::new(queue))).served()
}

/// A server under a name, open before this returns.
fn serve(place: &str, queue: Queue) -> io::Result<Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let entrance = inproc::bind(place)?;
    let serving = entrance.serve(served(queue), future::pending::<()>(), Duration::ZERO);
    runtime.block_on(async {
        tokio::spawn(serving);
        tokio::task::yield_now().await;
    });
    Ok(runtime)
}

struct End {
    echo: Option<HereClient<Arc<dyn Channel>>>,
    queue: Queue,
    /// What the server stands on.
    _runtime: Option<Runtime>,
}

impl Endpoint for End {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match &self.echo {
            None => self.queue.lock().push_back(message.to_vec()),
            Some(echo) => {
                let cx = Context::background();
                block_on(echo.echo(&cx, message.to_vec())).map_err(io::Error::other)?;
            }
        }
        Ok(())
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        let message = self.queue.lock().pop_front();
        let message = message.ok_or(io::ErrorKind::WouldBlock)?;
        if message.len() != into.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        into.copy_from_slice(&message);
        Ok(())
    }
}
