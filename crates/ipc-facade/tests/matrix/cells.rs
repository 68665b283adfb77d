//! One cell of the matrix: a server and a client of a protocol over a transport.

use crate::outcomes::{self, outcomes};
use crate::service::served;
use crate::{Protocol, Transport};
use ipc_core::Until;
use ipc_testkit::TempDir;
use rpc_core::{Channel, Served, Server, Status};
use rpc_testkit::identities::{Identities, SERVER, side};
use rpc_transport::Wire;
use std::path::Path;
use tokio::task::JoinHandle;

/// What is common to all cells.
pub(crate) struct Scene {
    directory: TempDir,
    identities: Identities,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self {
            directory: TempDir::new(),
            identities: Identities::new(),
        }
    }

    /// Two ends that are connected: the client's and the server's.
    fn pair(&self, transport: Transport) -> Result<(Wire, Wire), Status> {
        match transport {
            Transport::TlsOverUnix => self.secured(Wire::pair()?),
            Transport::TlsOverShm => self.secured(rings()?),
            _ => Wire::pipe_pair().map_err(Status::from),
        }
    }

    /// TLS over both ends, whose handshake is still to be made.
    fn secured(&self, (near, far): (Wire, Wire)) -> Result<(Wire, Wire), Status> {
        let read = |name: &str| std::fs::read(self.identities.path().join(name)).expect("a file");
        let of = |name: &str| {
            let mut options = ipc_net::tls::Options::new();
            let key = read(&format!("{name}.key"));
            options.certificate(read(&format!("{name}.pem")), key);
            options.trust(read("root.pem")).protocols([b"h2"]);
            options
        };
        let server = of("server").admit(|_| true).server()?;
        let client = of("clerk").client()?;
        let near = Wire::tls_over(client.begin(SERVER, near)?);
        Ok((near, Wire::tls_over(server.begin(far)?)))
    }

    fn place(&self, protocol: Protocol, transport: Transport) -> String {
        let name = format!("{protocol:?}-{transport:?}").to_lowercase();
        let path = self.directory.join(&name);
        match transport {
            Transport::Inproc => format!("inproc:{name}"),
            Transport::Pipe | Transport::TlsOverUnix | Transport::TlsOverShm => String::new(),
            Transport::Shm => format!("shm:{}", path.display()),
            Transport::Unix => format!("unix:{}", path.display()),
            Transport::Local => format!("local:{name}"),
            Transport::Tcp => "tcp:127.0.0.1:0".to_owned(),
            Transport::Tls => "tls:127.0.0.1:0".to_owned(),
            Transport::Mtls => "mtls:127.0.0.1:0".to_owned(),
            Transport::Udp => "udp:127.0.0.1:0".to_owned(),
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

/// Two ends of a channel in shared memory.
fn rings() -> Result<(Wire, Wire), Status> {
    let (left, right) = ipc_uds::pair_seqpacket()?;
    let begin = |socket| Wire::shm_meeting(ipc_ring::Options::new().begin(socket)?);
    let (mut left, mut right) = (begin(left)?, begin(right)?);
    left.handshake(Until::Forever)?;
    right.handshake(Until::Forever)?;
    Ok((left, right))
}

/// Datagrams prove nobody, and carry no streams: both is said.
fn datagrams() -> rpc_udp::Options {
    let mut options = rpc_udp::Options::new();
    options.insecure_plain_text(true).partial_contracts(true);
    options
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
        if transport.is_pair() {
            let (near, far) = scene.pair(transport)?;
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
        let (server, endpoint, stopper) = match (protocol, transport) {
            (Protocol::Native, Transport::Udp) => {
                let serving = datagrams().bind(&place)?;
                let (endpoint, stopper) = (serving.endpoint()?, serving.stopper());
                (server.with(serving)?, endpoint, stopper)
            }
            (Protocol::Grpc, _) => {
                let serving = grpc.bind(&place)?;
                let (endpoint, stopper) = (serving.endpoint()?, serving.stopper());
                (server.with(serving)?, endpoint.to_string(), stopper)
            }
            _ => {
                let serving = native.bind(&place)?;
                let (endpoint, stopper) = (serving.endpoint()?, serving.stopper());
                (server.with(serving)?, endpoint.to_string(), stopper)
            }
        };
        Ok(Self {
            endpoint,
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

pub(crate) async fn cell(
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
        Protocol::Native if transport == Transport::Udp => {
            let connection = datagrams().connect(&endpoint).await?;
            Ok(ask(connection, awaited, serving).await)
        }
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
