//! A server in a process of its own, what it holds, and how quickly it answers.

use ipc_testkit::{Child, Role, Stage, TempDir};
use rpc_core::{Context, Router, Server};
use rpc_grpc::{Connection, Limits, Options};
use rpc_testkit::identities::{self, Identities};
use rpc_testkit::inventory::{Shop, StockClient, StockServer, item};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// What takes longer hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// A runtime of one thread, or of several.
pub(crate) fn runtime(threads: usize) -> Runtime {
    let runtime = match threads {
        1 => Builder::new_current_thread().enable_all().build(),
        _ => Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build(),
    };
    runtime.expect("a runtime")
}

/// What allows TCP on this host, and as many connections of one user as a test makes.
pub(crate) fn options() -> Options {
    let mut transport = rpc_transport::Options::new();
    transport.insecure_plain_text(true);
    let mut options = Options::new();
    options
        .transport(transport)
        .max_connections(4_096, 4_096)
        .clone()
}

/// A server of the inventory. Argument 0 is where, 1 how long a greeting and a frame may take in
/// milliseconds (0: the default), 2 where its certificate is, if it has one, 3 how many bytes a
/// message may have, 4 how many descriptors there are (0: as many as may be).
pub(crate) fn serve(mut stage: Stage) {
    raise_descriptors();
    let tell = stage.descriptor();
    let number = |at: usize| stage.argument(at).parse::<u64>().expect("a number");
    let mut options = options();
    let mut limits = Limits::new();
    if number(1) > 0 {
        let time = Duration::from_millis(number(1));
        limits.greeting_timeout(time).frame_timeout(time);
        options.request_timeout(time);
    }
    options.limits(limits);
    options.max_message_bytes(u32::try_from(number(3)).expect("not so large"));
    if !stage.argument(2).is_empty() {
        let directory = std::path::Path::new(stage.argument(2));
        options.transport(identities::side(directory, Some("server"), true));
    }
    runtime(2).block_on(async {
        let serving = options.bind(stage.argument(0)).expect("bind");
        let endpoint = serving.endpoint().expect("bound").to_string();
        rustix::io::write(&tell, endpoint.as_bytes()).expect("somebody listens");
        drop(tell);
        let router = Router::new().service(StockServer::new(Arc::<Shop>::default()));
        let server = Server::new(router).with(serving).expect("it carries all");
        lower_descriptors(number(4));
        server.run().await.expect("it serves until it is killed");
    });
}

/// As many descriptors as this process may have.
pub(crate) fn raise_descriptors() -> bool {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    let all = Rlimit {
        current: maximum,
        maximum,
    };
    let _ = setrlimit(Resource::Nofile, all);
    maximum.is_none_or(|most| most >= 4_096)
}

fn lower_descriptors(to: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    if to > 0 {
        let maximum = getrlimit(Resource::Nofile).maximum;
        let current = Some(to);
        setrlimit(Resource::Nofile, Rlimit { current, maximum }).expect("lower is allowed");
    }
}

/// How a server is to be.
pub(crate) struct Wanted<'a> {
    pub(crate) millis: u64,
    pub(crate) identities: Option<&'a Identities>,
    pub(crate) max_message_bytes: u64,
    pub(crate) descriptors: u64,
}

impl Default for Wanted<'_> {
    fn default() -> Self {
        Self {
            millis: 0,
            identities: None,
            max_message_bytes: 4 << 20,
            descriptors: 0,
        }
    }
}

/// A server in another process.
pub(crate) struct There {
    pub(crate) server: Child,
    pub(crate) endpoint: String,
    _directory: TempDir,
}

impl There {
    /// Over a Unix socket, as it is by default.
    pub(crate) fn start() -> Self {
        Self::wanted("unix", &Wanted::default())
    }

    /// Over `transport`.
    pub(crate) fn wanted(transport: &str, wanted: &Wanted<'_>) -> Self {
        let directory = TempDir::new();
        let place = match transport {
            "unix" => format!("unix:{}", directory.join("socket").display()),
            other => format!("{other}:127.0.0.1:0"),
        };
        let identities = wanted
            .identities
            .map(|own| own.path().display().to_string());
        let (told, tell) = std::io::pipe().expect("a pipe");
        let server = Role::new("inventory")
            .argument(place)
            .argument(wanted.millis)
            .argument(identities.unwrap_or_default())
            .argument(wanted.max_message_bytes)
            .argument(wanted.descriptors)
            .descriptor(&tell)
            .spawn();
        drop(tell);
        let endpoint = std::io::read_to_string(told).expect("its place");
        Self {
            server,
            endpoint,
            _directory: directory,
        }
    }

    pub(crate) async fn connect(&self) -> Connection {
        options().connect(&self.endpoint).await.expect("it listens")
    }

    /// As a client that shows this identity.
    pub(crate) fn known(identities: &Identities, name: &str) -> Options {
        let transport = identities.client(Some(name));
        options().transport(transport).clone()
    }

    /// What it holds now, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most that it has held since the last call of this, in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        let peak = self.status("VmHWM:");
        let reset = format!("/proc/{}/clear_refs", self.server.id());
        std::fs::write(reset, "5").expect("our own child");
        peak
    }

    fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.server.id()));
        let status = status.expect("it lives");
        let line = status.lines().find(|line| line.starts_with(name));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        number
            .and_then(|number| number.parse().ok())
            .expect("a number")
    }

    pub(crate) fn descriptors(&self) -> usize {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.server.id()));
        open.expect("it lives").count()
    }

    /// What it has used of a processor.
    pub(crate) fn busy(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.server.id()));
        let stat = stat.expect("it lives");
        let after_name = stat.rsplit_once(')').expect("proc(5)").1;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        // utime and stime, fields 14 and 15 (proc_pid_stat(5)); the state is field 3.
        let ticks = |at: usize| fields[at - 3].parse::<u64>().expect("a number");
        Duration::from_millis(10 * (ticks(14) + ticks(15)))
    }
}

/// Makes at least so many calls, and on while it is asked for; how long each took.
pub(crate) async fn timed(
    stock: &StockClient<Connection>,
    at_least: usize,
    more: impl Fn() -> bool,
) -> Result<Vec<Duration>, String> {
    let cx = Context::new();
    let mut times = Vec::new();
    while times.len() < at_least || more() {
        let start = Instant::now();
        let put = stock.put(&cx, item("other", 0)).await;
        times.push(start.elapsed());
        put.map_err(|status| format!("another's call: {status}"))?;
    }
    Ok(times)
}

/// The 99th percentile.
pub(crate) fn p99(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() * 99 / 100]
}
