//! The server that is attacked, in a process of its own, and the caller whose calls are timed
//! meanwhile.

use ipc_testkit::crash::Tally;
use ipc_testkit::{Child, Role, Stage, TempDir};
use rpc_core::{Call, CallFuture, Channel, Context, Router, Server};
use rpc_native::{Connection, Limits, Options};
use rpc_testkit::calculator::{Adder, CalculatorClient, CalculatorServer};
use rpc_testkit::identities::{Identities, side};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// After so many calls over a connection that stands, the caller comes in once more.
const CALLS_A_CONNECTION: usize = 50;
/// What an attack may make of the 99th percentile.
pub(crate) const WORSE: f64 = 2.0;

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
    crate::counted::runtime(2).block_on(async {
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

/// Times of calls, over a connection that stands and over new ones.
#[derive(Default)]
pub(crate) struct Times {
    pub(crate) calls: Vec<Duration>,
    pub(crate) ways_in: Vec<Duration>,
}

impl Times {
    /// Calls one after the other until it is told to stop; each failure is the tally's.
    pub(crate) async fn take(
        &mut self,
        (options, endpoint): (&Options, &str),
        connection: &Connection,
        tally: &mut Tally,
        more: impl Fn() -> bool,
    ) {
        while more() {
            for _ in 0..CALLS_A_CONNECTION {
                let begun = Instant::now();
                tally.trial(sum(connection).await);
                self.calls.push(begun.elapsed());
            }
            let begun = Instant::now();
            tally.trial(match options.connect(endpoint).await {
                Ok(new) => sum(&new).await,
                Err(status) => Err(format!("no way in: {status}")),
            });
            self.ways_in.push(begun.elapsed());
        }
    }
}

async fn sum(connection: &Connection) -> Result<(), String> {
    let calculator = CalculatorClient::new(connection.clone());
    match calculator.add(&Context::new(), 2, 3).await {
        Ok(5) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

pub(crate) fn percentile(times: &[Duration], share: f64) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    let at = ((times.len() as f64 * share).ceil() as usize).saturating_sub(1);
    times.get(at).copied().unwrap_or_default()
}

/// Times without and under attack, taken in turns: one pair a round.
#[derive(Default)]
pub(crate) struct Compared(pub(crate) Vec<(Times, Times)>);

impl Compared {
    /// The 99th percentiles of all rounds together, which `judge` lets fail where the attack makes
    /// it twice of what it is; with the smallest and largest ratio of a round.
    pub(crate) fn enter(&self, tally: &mut Tally, judge: bool) -> String {
        let mut words = Vec::new();
        type Part = fn(&Times) -> &Vec<Duration>;
        let parts: [(&str, Part); 2] = [
            ("calls", |times| &times.calls),
            ("ways in", |times| &times.ways_in),
        ];
        for (what, part) in parts {
            let all = |side: fn(&(Times, Times)) -> &Times| -> Vec<Duration> {
                let rounds = self.0.iter();
                rounds.flat_map(|round| part(side(round)).clone()).collect()
            };
            let (calm, stormy) = (all(|round| &round.0), all(|round| &round.1));
            let p99 = |times: &[Duration]| percentile(times, 0.99);
            let ratio = |calm: &[Duration], stormy: &[Duration]| {
                p99(stormy).as_secs_f64() / p99(calm).as_secs_f64()
            };
            let rounds = self.0.iter();
            let rounds = rounds.map(|(calm, stormy)| ratio(part(calm), part(stormy)));
            let (least, most) = rounds.fold((f64::INFINITY, 0.0_f64), |(least, most), one| {
                (least.min(one), most.max(one))
            });
            let whole = ratio(&calm, &stormy);
            words.push(format!(
                "{what} p99 {:.0?} calm, {:.0?} meanwhile: {whole:.2} x [{least:.2}, {most:.2}] n \
                 {}",
                p99(&calm),
                p99(&stormy),
                stormy.len()
            ));
            if judge && whole >= WORSE {
                tally.fail(format!(
                    "{what}: {whole:.2} x as long at the 99th percentile"
                ));
            }
        }
        words.join("; ")
    }
}
