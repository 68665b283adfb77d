//! The server that is attacked, in a process of its own.

use ipc_testkit::{Child, Role, Stage, TempDir};
use rpc_core::{Call, CallFuture, Channel, Router, Server};
use rpc_native::{Limits, Options};
use rpc_testkit::calculator::{Adder, CalculatorServer};
use rpc_testkit::identities::{Identities, side};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How a server is reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Transport {
    Unix,
    Tcp,
    Tls,
    Mtls,
}

impl Transport {
    pub(crate) const ALL: [Self; 4] = [Self::Unix, Self::Tcp, Self::Tls, Self::Mtls];

    fn place(self, directory: &Path) -> String {
        match self {
            Self::Unix => format!("unix:{}/socket", directory.display()),
            Self::Tcp => "tcp:127.0.0.1:0".into(),
            Self::Tls => "tls:127.0.0.1:0".into(),
            Self::Mtls => "mtls:127.0.0.1:0".into(),
        }
    }

    fn options(self, transport: impl FnOnce() -> rpc_transport::Options) -> Options {
        let transport = match self {
            Self::Unix => rpc_transport::Options::new(),
            Self::Tcp => {
                let mut options = rpc_transport::Options::new();
                options.insecure_plain_text(true).clone()
            }
            Self::Tls | Self::Mtls => transport(),
        };
        Options::new().transport(transport).clone()
    }

    fn server(self, directory: &Path) -> Options {
        self.options(|| side(directory, Some("server"), self == Self::Mtls))
    }

    pub(crate) fn client(self, identities: &Identities) -> Options {
        let name = (self == Self::Mtls).then_some("clerk");
        self.options(|| identities.client(name))
    }
}

/// What a server is started with.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) role: &'static str,
    pub(crate) transport: Transport,
    /// How long a greeting and a frame may take, if not as long as by default.
    pub(crate) patience: Option<Duration>,
    /// How many descriptors it may have; 0: as many as may be.
    pub(crate) descriptors: u64,
    /// How many threads run it, if it is awaited.
    pub(crate) threads: usize,
}

impl Default for Target {
    fn default() -> Self {
        Self {
            role: "target",
            transport: Transport::Unix,
            patience: None,
            descriptors: 0,
            threads: 2,
        }
    }
}

/// A server of another process.
pub(crate) struct There {
    pub(crate) child: Child,
    pub(crate) endpoint: String,
    _directory: TempDir,
}

impl Target {
    /// Starts it; `events` is where it tells of the handlers of `Never`.
    pub(crate) fn start(self, identities: &Identities, events: Option<OwnedFd>) -> There {
        let directory = TempDir::new();
        for name in ["root.pem", "server.pem", "server.key"] {
            let from = identities.path().join(name);
            std::fs::copy(from, directory.join(name)).expect("room");
        }
        let (told, tell) = std::io::pipe().expect("a pipe");
        let patience = self.patience.map_or(0, |patience| patience.as_millis());
        let mut role = Role::new(self.role)
            .argument(format!("{:?}", self.transport))
            .argument(directory.path().display())
            .argument(patience)
            .argument(self.descriptors)
            .argument(u8::from(events.is_some()))
            .argument(self.threads)
            .descriptor(&tell);
        if let Some(events) = events {
            role = role.descriptor(&events);
        }
        let child = role.spawn();
        drop(tell);
        let endpoint = std::io::read_to_string(told).expect("its place");
        There {
            child,
            endpoint,
            _directory: directory,
        }
    }
}

fn options(stage: &Stage) -> (Options, String) {
    let transport = Transport::ALL.into_iter();
    let named = |one: &Transport| format!("{one:?}") == stage.argument(0);
    let transport = transport.clone().find(named).expect("a transport");
    let directory = Path::new(stage.argument(1));
    let mut options = transport.server(directory);
    // All that attack over a Unix socket are of one user.
    options.max_connections(4096, 4096);
    let patience = stage.argument(2).parse().expect("a number");
    if patience > 0 {
        let patience = Duration::from_millis(patience);
        let mut limits = Limits::new();
        limits.handshake_timeout(patience).frame_timeout(patience);
        options.limits(limits);
    }
    raise_descriptors();
    (options, transport.place(directory))
}

fn tell(to: OwnedFd, text: &str) {
    let mut to = std::fs::File::from(to);
    to.write_all(text.as_bytes()).expect("somebody listens");
}

/// As many descriptors as this process may have.
pub(crate) fn raise_descriptors() -> Option<u64> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let current = maximum;
    let _ = setrlimit(Resource::Nofile, Rlimit { current, maximum });
    maximum
}

fn lower_descriptors(stage: &Stage) {
    let descriptors: u64 = stage.argument(3).parse().expect("a number");
    if descriptors > 0 {
        let maximum = getrlimit(Resource::Nofile).maximum;
        let current = Some(descriptors);
        setrlimit(Resource::Nofile, Rlimit { current, maximum }).expect("lower is allowed");
    }
}

/// The awaited server.
pub(crate) fn serve(mut stage: Stage) {
    let (options, place) = options(&stage);
    let threads = stage.argument(5).parse().expect("a number");
    crate::counted::runtime(threads).block_on(async {
        let serving = options.bind(&place).expect("bind");
        tell(
            stage.descriptor(),
            &serving.endpoint().expect("bound").to_string(),
        );
        let events = (stage.argument(4) == "1").then(|| stage.descriptor());
        lower_descriptors(&stage);
        let router = Router::new().service(CalculatorServer::new(Adder));
        let server = Server::new(router).layer(Watch(events.map(Told::new)));
        let server = server.with(serving).expect("it carries all");
        server.run().await.expect("it serves until it is killed");
    });
}

/// The blocking server, with a thread for each client.
pub(crate) fn serve_blocking(mut stage: Stage) {
    let (options, place) = options(&stage);
    let served = Server::new(Router::new().service(CalculatorServer::new(Adder))).served();
    let listener = options.bind_blocking(&place, served).expect("bind");
    tell(
        stage.descriptor(),
        &listener.endpoint().expect("bound").to_string(),
    );
    lower_descriptors(&stage);
    loop {
        let session = listener.accept().expect("it goes on");
        std::thread::spawn(move || session.run());
    }
}

/// Who is told of each handler of `Never` that begins, and of when it was dropped.
#[derive(Clone)]
struct Told(Arc<Mutex<std::fs::File>>);

impl Told {
    fn new(events: OwnedFd) -> Self {
        Self(Arc::new(Mutex::new(events.into())))
    }

    fn tell(&self, word: u64) {
        let mut to = self.0.lock().expect("no panic while it is held");
        to.write_all(&word.to_le_bytes()).expect("somebody listens");
    }
}

struct Dropped(Told);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.tell(now_nanos());
    }
}

struct Watch(Option<Told>);

struct Watched {
    inner: Router,
    told: Option<Told>,
}

impl tower_layer::Layer<Router> for Watch {
    type Service = Watched;
    fn layer(&self, inner: Router) -> Watched {
        let told = self.0.clone();
        Watched { inner, told }
    }
}

impl Channel for Watched {
    fn call(&self, call: Call) -> CallFuture {
        let watched = call.method.name == "Never";
        let told = self.told.clone().filter(|_| watched);
        let work = self.inner.call(call);
        match told {
            None => work,
            Some(told) => Box::pin(async move {
                told.tell(0);
                let _dropped = Dropped(told);
                work.await
            }),
        }
    }
}

/// The clock that all processes of this host share.
pub(crate) fn now_nanos() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    (now.tv_sec * 1_000_000_000 + now.tv_nsec).unsigned_abs()
}
