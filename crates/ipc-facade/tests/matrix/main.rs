//! Every protocol of calls over every transport: each cell works, and then has the outcomes of one
//! table, or is refused with its reason.

mod outcomes;
mod service;

use ipc_testkit::{TempDir, watchdog};
use outcomes::{TABLE, outcomes};
use rpc_core::{Channel, Code, Served, Server, Status};
use rpc_testkit::identities::{Identities, side};
use rpc_transport::Wire;
use service::served;
use std::path::Path;
use std::time::Duration;
use tokio::task::JoinHandle;

/// A guard against hanging, never a claim about speed.
const PATIENCE: Duration = Duration::from_secs(180);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Protocol {
    Native,
    NativeJson,
    /// A client without a runtime, of an awaited server.
    Blocking,
    Grpc,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Transport {
    Inproc,
    Pipe,
    Shm,
    Unix,
    Local,
    Tcp,
    Tls,
    Mtls,
}

const PROTOCOLS: [Protocol; 4] = [
    Protocol::Native,
    Protocol::NativeJson,
    Protocol::Blocking,
    Protocol::Grpc,
];
const TRANSPORTS: [Transport; 8] = [
    Transport::Inproc,
    Transport::Pipe,
    Transport::Shm,
    Transport::Unix,
    Transport::Local,
    Transport::Tcp,
    Transport::Tls,
    Transport::Mtls,
];

/// Why a cell is none.
fn refusal(protocol: Protocol, transport: Transport) -> Option<&'static str> {
    match (protocol, transport) {
        (Protocol::Grpc, Transport::Inproc) => Some("no bytes go there"),
        _ => None,
    }
}

/// Whom a server takes the client for, who says nothing of itself.
fn caller(protocol: Protocol, transport: Transport) -> &'static str {
    match transport {
        Transport::Inproc => "inproc",
        // The server is in this process, and the first way that leads there is taken.
        Transport::Local if protocol != Protocol::Grpc => "inproc",
        Transport::Pipe => "unknown",
        Transport::Shm | Transport::Unix | Transport::Local => "our user",
        Transport::Tcp | Transport::Tls => "an address",
        Transport::Mtls => "spiffe://example/clerk",
    }
}

/// What is common to all cells.
struct Scene {
    directory: TempDir,
    identities: Identities,
}

impl Scene {
    fn place(&self, protocol: Protocol, transport: Transport) -> String {
        let name = format!("{protocol:?}-{transport:?}").to_lowercase();
        let path = self.directory.join(&name);
        match transport {
            Transport::Inproc => format!("inproc:{name}"),
            Transport::Pipe => String::new(),
            Transport::Shm => format!("shm:{}", path.display()),
            Transport::Unix => format!("unix:{}", path.display()),
            Transport::Local => format!("local:{name}"),
            Transport::Tcp => "tcp:127.0.0.1:0".to_owned(),
            Transport::Tls => "tls:127.0.0.1:0".to_owned(),
            Transport::Mtls => "mtls:127.0.0.1:0".to_owned(),
        }
    }

    fn options(&self, transport: Transport, name: Option<&str>) -> rpc_transport::Options {
        let mut options = match transport {
            Transport::Tls => side(self.identities.path(), name, name.is_none()),
            Transport::Mtls => side(self.identities.path(), name.or(Some("clerk")), true),
            _ => rpc_transport::Options::new(),
        };
        options.insecure_plain_text(transport == Transport::Tcp);
        options.directory(Path::new(&self.directory.join("names")));
        options
    }
}

/// A server, and what ends it.
struct Serving {
    endpoint: String,
    stopper: Option<rpc_transport::Stopper>,
    task: JoinHandle<Result<(), Status>>,
    /// The client's end, where there is no place to connect to.
    wire: Option<Wire>,
}

impl Serving {
    fn start(scene: &Scene, protocol: Protocol, transport: Transport) -> Result<Self, Status> {
        let options = scene.options(transport, Some("server"));
        let (native, grpc) = (
            rpc_native::Options::new()
                .transport(options.clone())
                .clone(),
            rpc_grpc::Options::new().transport(options).clone(),
        );
        if transport == Transport::Pipe {
            let (near, far) = Wire::pipe_pair().map_err(Status::from)?;
            let served: Served = served().served();
            let task = match protocol {
                Protocol::Grpc => tokio::spawn(async move { grpc.serve(far, served).await }),
                _ => tokio::spawn(native.serve(far, served)),
            };
            return Ok(Self {
                endpoint: String::new(),
                stopper: None,
                task,
                wire: Some(near),
            });
        }
        let place = scene.place(protocol, transport);
        let server: Server<_> = served();
        let (server, endpoint, stopper) = match protocol {
            Protocol::Grpc => {
                let serving = grpc.bind(&place)?;
                let (endpoint, stopper) = (serving.endpoint()?, serving.stopper());
                (server.with(serving)?, endpoint, stopper)
            }
            _ => {
                let serving = native.bind(&place)?;
                let (endpoint, stopper) = (serving.endpoint()?, serving.stopper());
                (server.with(serving)?, endpoint, stopper)
            }
        };
        Ok(Self {
            endpoint: endpoint.to_string(),
            stopper: Some(stopper),
            task: tokio::spawn(server.run()),
            wire: None,
        })
    }
}

/// Every outcome over a channel, then the server's end.
async fn ask(
    channel: impl Channel + Clone,
    awaited: bool,
    serving: Serving,
) -> Vec<(&'static str, String)> {
    let mut all = outcomes(channel.clone(), awaited).await;
    if let Some(stopper) = serving.stopper {
        stopper.stop();
        serving
            .task
            .await
            .expect("no panic")
            .expect("ended in order");
        all.push((
            "after the server's end",
            outcomes::after_the_end(channel).await,
        ));
    }
    all
}

async fn cell(
    scene: &Scene,
    protocol: Protocol,
    transport: Transport,
) -> Result<Vec<(&'static str, String)>, Status> {
    let mut serving = Serving::start(scene, protocol, transport)?;
    let options = scene.options(transport, None);
    let awaited = protocol != Protocol::Blocking;
    let mut native = rpc_native::Options::new();
    native.transport(options.clone());
    if protocol == Protocol::NativeJson {
        native.format(rpc_native::Format::Json);
    }
    let wire = serving.wire.take();
    let endpoint = serving.endpoint.clone();
    match protocol {
        Protocol::Native | Protocol::NativeJson => {
            let connection = match wire {
                Some(wire) => native.over(wire).await,
                None => native.connect(&endpoint).await,
            };
            Ok(ask(connection?, awaited, serving).await)
        }
        Protocol::Blocking => {
            // Its calls block: another thread makes them, and this one serves.
            let runtime = tokio::runtime::Handle::current();
            let work = move || {
                let connection = match wire {
                    Some(wire) => native.over_blocking(wire),
                    None => native.connect_blocking(&endpoint),
                }?;
                Ok(runtime.block_on(ask(connection, awaited, serving)))
            };
            tokio::task::spawn_blocking(work).await.expect("no panic")
        }
        Protocol::Grpc => {
            let grpc = rpc_grpc::Options::new().transport(options).clone();
            let connection = match wire {
                Some(wire) => grpc.over(wire).await,
                None => grpc.connect(&endpoint).await,
            };
            Ok(ask(connection?, awaited, serving).await)
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_cell_works_by_one_table_or_is_refused_with_its_reason() {
    let _watchdog = watchdog(PATIENCE);
    let scene = Scene {
        directory: TempDir::new(),
        identities: Identities::new(),
    };
    let mut failures = Vec::new();
    for protocol in PROTOCOLS {
        for transport in TRANSPORTS {
            let name = format!("{protocol:?} over {transport:?}");
            let came = cell(&scene, protocol, transport).await;
            match (came, refusal(protocol, transport)) {
                (Ok(all), None) => {
                    println!("{name}: works");
                    let awaited = protocol != Protocol::Blocking;
                    let caller = caller(protocol, transport);
                    // A pair of pipes is served to its end, which no stopper brings.
                    let asked = TABLE.len() - usize::from(transport == Transport::Pipe);
                    assert_eq!(all.len(), asked, "{name}: each case once");
                    for (case, outcome) in all {
                        let expected = outcomes::expected(case, awaited, caller);
                        if outcome != expected {
                            failures.push(format!("{name}: {case}: {outcome}, not {expected}"));
                        }
                    }
                }
                (Err(status), Some(reason)) if status.message().contains(reason) => {
                    assert_ne!(status.code(), Code::Internal);
                    println!("{name}: refused because {reason}");
                }
                (Ok(_), Some(reason)) => failures.push(format!("{name}: works, though {reason}")),
                (Err(status), _) => failures.push(format!("{name}: {status}")),
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
