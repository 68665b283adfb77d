//! One table of cases over every transport, awaited and blocking, in every format; a cell that
//! cannot be says why.

use crate::identities::{Identities, side};
use crate::remote::{PATIENCE, router};
use ipc_testkit::{Child, Role, Stage, TempDir, watchdog};
use rpc_core::{Code, Router, Server, Status, block_on};
use rpc_native::{BlockingConnection, Connection, Format, Limits, Options};
use rpc_testkit::calculator::{Adder, CalculatorServer};
use rpc_testkit::table;
use rpc_transport::Wire;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

/// The transports of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Transport {
    Inproc,
    Pipe,
    Unix,
    Shm,
    Tcp,
    Tls,
    Mtls,
}

impl Transport {
    pub(crate) const ALL: [Self; 7] = [
        Self::Inproc,
        Self::Pipe,
        Self::Unix,
        Self::Shm,
        Self::Tcp,
        Self::Tls,
        Self::Mtls,
    ];

    pub(crate) fn from_name(name: &str) -> Self {
        let found = Self::ALL.into_iter().find(|one| format!("{one:?}") == name);
        found.expect("a transport")
    }

    /// Where a server over it listens, if it listens.
    pub(crate) fn place(self, directory: &Path) -> String {
        self.place_at("127.0.0.1:0", directory)
    }

    /// The same at an address of the network.
    pub(crate) fn place_at(self, address: &str, directory: &Path) -> String {
        match self {
            Self::Inproc => format!("inproc:{}", directory.display()),
            Self::Pipe => "a pair of pipes has no place".into(),
            Self::Unix => format!("unix:{}/socket", directory.display()),
            Self::Shm => format!("shm:{}/socket", directory.display()),
            Self::Tcp => format!("tcp:{address}"),
            Self::Tls => format!("tls:{address}"),
            Self::Mtls => format!("mtls:{address}"),
        }
    }

    /// Options of a server, with the identities in `directory`.
    pub(crate) fn server(self, directory: &Path) -> Options {
        let mut options = Options::new();
        options.transport(match self {
            Self::Tls => side(directory, Some("server"), false),
            Self::Mtls => side(directory, Some("server"), true),
            Self::Tcp => insecure(),
            _ => rpc_transport::Options::new(),
        });
        options
    }

    /// Options of a client that is `name` where its transport asks for that.
    pub(crate) fn client(self, identities: &Identities, name: &str) -> Options {
        let mut options = Options::new();
        options.transport(match self {
            Self::Tls => identities.client(None),
            Self::Mtls => identities.client(Some(name)),
            Self::Tcp => insecure(),
            _ => rpc_transport::Options::new(),
        });
        options
    }
}

/// Transport options that accept TCP without TLS.
pub(crate) fn insecure() -> rpc_transport::Options {
    let mut options = rpc_transport::Options::new();
    options.insecure_plain_text(true);
    options
}

/// A server over any transport: argument 0 names it, 1 is the directory of the identities, 2
/// the address in a network. It tells its string binding through its last descriptor; those
/// before are its pipes.
pub(crate) fn serve(mut stage: Stage) {
    let transport = Transport::from_name(stage.argument(0));
    let directory = stage.argument(1).to_owned();
    let mut options = transport.server(Path::new(&directory));
    // A client that is only an address away may die without a word.
    let limits = Limits::new()
        .keep_alive(Some(Limits::MIN_KEEP_ALIVE))
        .keep_alive_answer(Duration::from_secs(1))
        .clone();
    options.limits(limits);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        if transport == Transport::Pipe {
            let wire = piped(stage.descriptor(), stage.descriptor());
            let served = Server::new(router()).served();
            return options.serve(wire, served).await.expect("served");
        }
        let place = transport.place_at(stage.argument(2), Path::new(&directory));
        let serving = options.bind(&place);
        let serving = serving.expect("bind");
        tell(
            stage.descriptor(),
            &serving.endpoint().expect("bound").to_string(),
        );
        let server = Server::new(router()).with(serving).expect("it carries all");
        server.run().await.expect("it serves until it is killed");
    });
}

/// The same without a runtime.
pub(crate) fn serve_blocking(mut stage: Stage) {
    let transport = Transport::from_name(stage.argument(0));
    let directory = stage.argument(1).to_owned();
    let options = transport.server(Path::new(&directory));
    let served = Server::new(Router::new().service(CalculatorServer::new(Adder))).served();
    if transport == Transport::Pipe {
        let wire = piped(stage.descriptor(), stage.descriptor());
        // A client that goes ends a pair of pipes as it ends its process.
        let _ = options.session(wire, served).run();
        return;
    }
    let listener = options.bind_blocking(&transport.place(Path::new(&directory)), served);
    let listener = listener.expect("bind");
    tell(
        stage.descriptor(),
        &listener.endpoint().expect("bound").to_string(),
    );
    loop {
        let session = listener.accept().expect("a client");
        std::thread::spawn(move || session.run());
    }
}

pub(crate) fn tell(to: OwnedFd, text: &str) {
    use std::io::Write;
    std::fs::File::from(to)
        .write_all(text.as_bytes())
        .expect("somebody listens");
}

fn piped(receiver: OwnedFd, sender: OwnedFd) -> Wire {
    Wire::pipe(ipc_pipe::Stream::join(sender.into(), receiver.into()))
}

/// A server in another process, over any transport that leads there.
pub(crate) struct There {
    pub(crate) child: Child,
    /// Its string binding.
    pub(crate) endpoint: String,
    pub(crate) pipes: Option<Wire>,
    _directory: TempDir,
}

impl There {
    pub(crate) fn start(role: &str, transport: Transport, identities: &Identities) -> Self {
        Self::start_with(role, transport, identities, &[])
    }

    /// The same, with more arguments for the role.
    pub(crate) fn start_with(
        role: &str,
        transport: Transport,
        identities: &Identities,
        further: &[&str],
    ) -> Self {
        let directory = TempDir::new();
        for name in ["root.pem", "server.pem", "server.key"] {
            let from = identities.path().join(name);
            std::fs::copy(from, directory.join(name)).expect("room");
        }
        let role = Role::new(role)
            .argument(format!("{transport:?}"))
            .argument(directory.path().display())
            .argument("127.0.0.1:0");
        let role = further.iter().fold(role, |role, more| role.argument(more));
        if transport == Transport::Pipe {
            let (ours, theirs) = ipc_pipe::duplex().expect("pipes");
            let (sender, receiver) = theirs.split();
            return Self {
                child: role.descriptor(&receiver).descriptor(&sender).spawn(),
                endpoint: String::new(),
                pipes: Some(Wire::pipe(ours)),
                _directory: directory,
            };
        }
        let (told, tell) = std::io::pipe().expect("a pipe");
        let child = role.descriptor(&tell).spawn();
        drop(tell);
        let endpoint = std::io::read_to_string(told).expect("its place");
        Self {
            child,
            endpoint,
            pipes: None,
            _directory: directory,
        }
    }

    pub(crate) async fn connect(&mut self, options: &Options) -> Result<Connection, Status> {
        match self.pipes.take() {
            Some(wire) => options.over(wire).await,
            None => options.connect(&self.endpoint).await,
        }
    }

    pub(crate) fn connect_blocking(
        &mut self,
        options: &Options,
    ) -> Result<BlockingConnection, Status> {
        match self.pipes.take() {
            Some(wire) => options.over_blocking(wire),
            None => options.connect_blocking(&self.endpoint),
        }
    }
}

fn formats() -> [(Format, &'static str); 2] {
    [(Format::Protobuf, "p"), (Format::Json, "j")]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_transport_carries_every_kind_of_call_awaited() {
    let _watchdog = watchdog(PATIENCE);
    let identities = Identities::new();
    for transport in Transport::ALL {
        if transport == Transport::Inproc {
            continue; // It leads to no other process: see below.
        }
        for (format, prefix) in formats() {
            let mut there = There::start("transport-server", transport, &identities);
            let options = transport
                .client(&identities, "clerk")
                .format(format)
                .clone();
            let channel = there.connect(&options).await;
            let channel = channel.unwrap_or_else(|status| panic!("{transport:?}: {status}"));
            table::of_the_inventory(channel.clone(), prefix).await;
            table::of_the_calculator(channel).await;
        }
    }
}

#[test]
fn every_transport_carries_blocking_calls_to_either_server() {
    let _watchdog = watchdog(PATIENCE);
    let identities = Identities::new();
    for transport in Transport::ALL {
        if transport == Transport::Inproc {
            continue;
        }
        for role in ["transport-server", "blocking-transport-server"] {
            for (format, _) in formats() {
                let mut there = There::start(role, transport, &identities);
                let options = transport
                    .client(&identities, "clerk")
                    .format(format)
                    .clone();
                let channel = there.connect_blocking(&options);
                let channel = channel.unwrap_or_else(|status| panic!("{transport:?}: {status}"));
                block_on(table::of_the_calculator(channel));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocking_server_answers_awaited_clients_over_every_transport() {
    let _watchdog = watchdog(PATIENCE);
    let identities = Identities::new();
    for transport in Transport::ALL {
        if transport == Transport::Inproc {
            continue;
        }
        for (format, _) in formats() {
            let mut there = There::start("blocking-transport-server", transport, &identities);
            let options = transport
                .client(&identities, "clerk")
                .format(format)
                .clone();
            let channel = there.connect(&options).await.expect("connect");
            table::of_the_calculator(channel).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_table_within_the_process_awaited_and_blocking() {
    let _watchdog = watchdog(PATIENCE);
    let serving = rpc_native::bind("inproc:transports").expect("a free name");
    let stopper = serving.stopper();
    let server = Server::new(router()).with(serving).expect("it carries all");
    let serving = tokio::spawn(server.run());
    for (format, prefix) in formats() {
        // Nothing is marshalled, so the format says nothing here.
        let options = Options::new().format(format).clone();
        let channel = options.connect("inproc:transports").await.expect("found");
        table::of_the_inventory(channel.clone(), prefix).await;
        table::of_the_calculator(channel).await;
        let channel = options
            .connect_blocking("inproc:transports")
            .expect("found");
        let blocking = move || block_on(table::of_the_calculator(channel));
        std::thread::spawn(blocking).join().expect("the same");
    }
    stopper.stop();
    serving.await.expect("no panic").expect("ended in order");
    let gone = rpc_native::connect("inproc:transports").await;
    assert_eq!(gone.expect_err("free again").code(), Code::Unavailable);
}

#[test]
fn a_cell_that_cannot_be_says_why() {
    let served = Server::new(Router::new().service(CalculatorServer::new(Adder))).served();
    let refused = Options::new().bind_blocking("inproc:nobody", served);
    let refused = refused.expect_err("calls run in their callers");
    assert_eq!(refused.code(), Code::Unimplemented);
    assert!(refused.message().contains("nothing to accept"), "{refused}");
}
