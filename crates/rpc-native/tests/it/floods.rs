//! Clients that connect and say nothing, or hardly anything, or too often, or until no descriptor
//! is left: the others are served meanwhile.

use crate::identities::Identities;
use crate::remote::{PATIENCE, router};
use crate::transports::{There, Transport, tell};
use ipc_testkit::{Role, Stage, TempDir, skip, watchdog};
use rpc_core::{Context, Router, Server};
use rpc_native::{Connection, Limits, Options};
use rpc_testkit::calculator::{Adder, CalculatorClient, CalculatorServer};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How many clients say nothing.
const MANY: usize = 1_000;
/// How long the greeting of one of so many may take.
const GREETING: Duration = Duration::from_millis(1_500);
/// Who floods; no user of this host.
const STRANGER: u32 = 65_533;

/// A server: argument 0 names its transport, 1 is the directory of the identities, 3 how long a
/// greeting may take in milliseconds, 4 how many connections one user has, 5 how many descriptors
/// there are (0: as many as may be).
pub(crate) fn serve(mut stage: Stage) {
    let (transport, options) = guarded(&stage);
    let directory = stage.argument(1).to_owned();
    raise_descriptors();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let serving = match stage.argument(2) {
            "everyone" => options.listen(for_everyone(&directory)),
            _ => {
                let serving = options.bind(&transport.place(Path::new(&directory)));
                serving.expect("bind")
            }
        };
        tell(
            stage.descriptor(),
            &serving.endpoint().expect("bound").to_string(),
        );
        lower_descriptors(&stage);
        let server = Server::new(router()).with(serving).expect("it carries all");
        server.run().await.expect("it serves until it is killed");
    });
}

/// The same without a runtime: a thread for each client.
pub(crate) fn serve_blocking(mut stage: Stage) {
    let (transport, options) = guarded(&stage);
    let directory = stage.argument(1).to_owned();
    raise_descriptors();
    let served = Server::new(Router::new().service(CalculatorServer::new(Adder))).served();
    let listener = match stage.argument(2) {
        "everyone" => options.listen_blocking(for_everyone(&directory), served),
        _ => options.bind_blocking(&transport.place(Path::new(&directory)), served),
    };
    let listener = listener.expect("bind");
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

fn guarded(stage: &Stage) -> (Transport, Options) {
    let number = |at: usize| stage.argument(at).parse::<u64>().expect("a number");
    let transport = Transport::from_name(stage.argument(0));
    let limits = Limits::new()
        .handshake_timeout(Duration::from_millis(number(3)))
        .clone();
    let options = transport
        .server(Path::new(stage.argument(1)))
        .limits(limits)
        .max_connections(4096, usize::try_from(number(4)).expect("few"))
        .clone();
    (transport, options)
}

/// A socket in `directory` that lets every user in.
fn for_everyone(directory: &str) -> rpc_transport::Listener {
    let listener = ipc_uds::Options::new()
        .mode(0o666)
        .policy(ipc_uds::Policy::custom(|_| true))
        .bind(Path::new(directory).join("socket"));
    listener.expect("bind").into()
}

fn lower_descriptors(stage: &Stage) {
    let descriptors = stage.argument(5).parse::<u64>().expect("a number");
    if descriptors > 0 {
        let maximum = getrlimit(Resource::Nofile).maximum;
        let current = Some(descriptors);
        setrlimit(Resource::Nofile, Rlimit { current, maximum }).expect("lower is allowed");
    }
}

/// As many descriptors as this process may have; whether they are enough for many connections.
fn raise_descriptors() -> bool {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let current = maximum;
    let _ = setrlimit(Resource::Nofile, Rlimit { current, maximum });
    maximum.is_none_or(|most| most >= 3 * MANY as u64)
}

/// A connection that knows no protocol.
enum Raw {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Raw {
    /// Connects to `endpoint`; over TCP from another address of this host than others have.
    fn connect(endpoint: &str) -> std::io::Result<Self> {
        let (transport, address) = endpoint.split_once(':').expect("a string binding");
        if transport == "unix" {
            return UnixStream::connect(address).map(Self::Unix);
        }
        let to: SocketAddr = address.parse().expect("an address");
        let from: SocketAddr = "127.0.0.2:0".parse().expect("an address");
        use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        bind(&socket, &from)?;
        connect(&socket, &to)?;
        Ok(Self::Tcp(socket.into()))
    }

    fn write(&mut self, byte: u8) -> std::io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(&[byte]),
            Self::Tcp(stream) => stream.write(&[byte]),
        }
    }

    /// Reads until the server has ended it.
    fn until_cut(&mut self) {
        let mut nothing = Vec::new();
        let _ = match self {
            Self::Unix(stream) => stream.read_to_end(&mut nothing),
            Self::Tcp(stream) => stream.read_to_end(&mut nothing),
        };
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clients_that_say_hardly_anything_are_cut_and_hinder_nobody() {
    let _watchdog = watchdog(PATIENCE);
    if !raise_descriptors() {
        skip!("fewer than {} descriptors (RLIMIT_NOFILE)", 3 * MANY);
    }
    let identities = Identities::new();
    for transport in [Transport::Unix, Transport::Tcp, Transport::Mtls] {
        // Over a Unix socket all are of one user; over TCP the silent have another address.
        let per_user = if transport == Transport::Unix {
            "2000"
        } else {
            "256"
        };
        let greeting = GREETING.as_millis().to_string();
        let further = [&greeting[..], per_user, "0"];
        let there = There::start_with("guarded-server", transport, &identities, &further);
        let options = transport.client(&identities, "clerk");
        let connection = options.connect(&there.endpoint).await.expect("the first");
        let mut silent: Vec<_> = (0..MANY)
            .map(|_| Raw::connect(&there.endpoint).expect("room in the queue"))
            .collect();
        let slow = silent.split_off(MANY / 2);
        let over = Arc::new(AtomicBool::new(false));
        let greeting: &[u8] = match transport {
            // A handshake that is half open: a ClientHello of 512 bytes, as far as it comes.
            Transport::Mtls => &[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3],
            _ => b"\x18\0\0\0\x01\0\0\0\0\0\0\0IPCR",
        };
        let dribbling = dribble(slow, greeting, Arc::clone(&over));
        let cutting = std::thread::spawn(move || silent.iter_mut().for_each(Raw::until_cut));
        let mut calls = 0_u32;
        while !cutting.is_finished() {
            call(&connection).await;
            let begun = Instant::now();
            match options.connect(&there.endpoint).await {
                Ok(way_in) => call(&way_in).await,
                // Who is as slow as those who are cut is taken for one: a host may stand still.
                Err(refused) => assert!(begun.elapsed() >= GREETING, "{refused}"),
            }
            calls += 2;
        }
        over.store(true, Ordering::Relaxed);
        cutting.join().expect("no panic");
        dribbling.join().expect("no panic");
        println!("{transport:?}: {calls} calls while {MANY} were cut");
    }
}

/// A byte now and then on each connection until it is cut, all of them in the end.
fn dribble(
    mut slow: Vec<Raw>,
    greeting: &'static [u8],
    over: Arc<AtomicBool>,
) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        for byte in greeting {
            slow.retain_mut(|raw| raw.write(*byte).is_ok());
            if over.load(Ordering::Relaxed) {
                break;
            }
            // The pace of the attack; nothing waits for it.
            std::thread::park_timeout(Duration::from_millis(500));
        }
        slow.iter_mut().for_each(Raw::until_cut);
    })
}

async fn call(connection: &Connection) {
    let calculator = CalculatorClient::new(connection.clone());
    let sum = calculator.add(&Context::new(), 2, 3).await;
    assert_eq!(sum.expect("a legitimate call"), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_descriptors_waits_without_spinning_and_recovers() {
    let _watchdog = watchdog(PATIENCE);
    let identities = Identities::new();
    for (role, transport) in [
        ("guarded-server", Transport::Unix),
        ("guarded-server", Transport::Tcp),
        ("guarded-server", Transport::Mtls),
        ("guarded-blocking-server", Transport::Unix),
        ("guarded-blocking-server", Transport::Tcp),
    ] {
        let further = ["60000", "2000", "48"];
        let there = There::start_with(role, transport, &identities, &further);
        let options = transport.client(&identities, "clerk");
        let connection = options.connect(&there.endpoint).await.expect("the first");
        let flood: Vec<_> = (0..200)
            .map(|_| Raw::connect(&there.endpoint).expect("room in the queue"))
            .collect();
        let pid = there.child.id();
        while std::fs::read_dir(format!("/proc/{pid}/fd"))
            .expect("our child")
            .count()
            < 48
        {
            std::thread::yield_now();
        }
        let before = cpu_ticks(pid);
        let begun = Instant::now();
        // The time over which it is measured.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let busy = 10 * (cpu_ticks(pid) - before);
        let elapsed = u64::try_from(begun.elapsed().as_millis()).expect("short");
        println!("{role}, {transport:?}: busy for {busy} of {elapsed} ms");
        assert!(busy * 5 < elapsed, "busy for {busy} of {elapsed} ms");
        call(&connection).await;
        drop(flood);
        call(&options.connect(&there.endpoint).await.expect("recovered")).await;
    }
}

#[tokio::test]
async fn clients_that_reset_before_they_are_accepted_hold_up_nobody() {
    let _watchdog = watchdog(PATIENCE);
    let identities = Identities::new();
    for transport in [Transport::Tcp, Transport::Mtls] {
        let there = There::start("transport-server", transport, &identities);
        let options = transport.client(&identities, "clerk");
        let connection = options.connect(&there.endpoint).await.expect("the first");
        for _ in 0..500 {
            let Raw::Tcp(reset) = Raw::connect(&there.endpoint).expect("room") else {
                unreachable!("it is TCP");
            };
            let at_once = Some(Duration::ZERO);
            rustix::net::sockopt::set_socket_linger(&reset, at_once).expect("a socket");
        }
        call(&connection).await;
        call(&options.connect(&there.endpoint).await.expect("a way in")).await;
    }
}

/// What a process has used of a processor, in hundredths of a second.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("our child");
    let after_name = stat.rsplit_once(')').expect("proc(5)").1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    // utime and stime, fields 14 and 15 (proc_pid_stat(5)); the state is field 3.
    let ticks = |at: usize| fields[at - 3].parse::<u64>().expect("a number");
    ticks(14) + ticks(15)
}

/// Many connections of another user, and then one after the other without end.
pub(crate) fn flood(mut stage: Stage) {
    raise_descriptors();
    nix::unistd::setgid(STRANGER.into()).expect("root may");
    nix::unistd::setuid(STRANGER.into()).expect("root may");
    let held: Vec<_> = (0..MANY)
        .map(|_| UnixStream::connect(stage.argument(0)))
        .collect();
    assert!(held.iter().all(Result::is_ok), "each is let into the queue");
    drop(stage.descriptor());
    loop {
        let _ = UnixStream::connect(stage.argument(0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_user_with_a_thousand_connections_keeps_no_other_out() {
    let _watchdog = watchdog(PATIENCE);
    if !rustix::process::getuid().is_root() {
        skip!("needs root, to be another user");
    }
    for role in ["guarded-server", "guarded-blocking-server"] {
        keeps_no_other_out(role).await;
    }
}

async fn keeps_no_other_out(role: &'static str) {
    let identities = Identities::new();
    let directory = TempDir::new();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(directory.path(), open).expect("our own");
    let (told, tell) = std::io::pipe().expect("a pipe");
    let server = Role::new(role)
        .argument("Unix")
        .argument(directory.path().display())
        .argument("everyone")
        .argument("5000")
        .argument("256")
        .argument("0")
        .descriptor(&tell)
        .spawn();
    drop(tell);
    let endpoint = std::io::read_to_string(told).expect("its place");
    let options = Transport::Unix.client(&identities, "");
    let (told, tell) = std::io::pipe().expect("a pipe");
    let path = endpoint.strip_prefix("unix:").expect("a path");
    let flood = Role::new("flood").argument(path).descriptor(&tell).spawn();
    drop(tell);
    std::io::read_to_string(told).expect("its word");
    for _ in 0..100 {
        call(&options.connect(&endpoint).await.expect("there is a seat")).await;
    }
    drop((flood, server, options));
}

#[test]
fn options_are_for_many_connections() {
    // What the table of limits in the README says.
    let options = format!("{:?}", Options::new());
    assert!(options.contains("max_connections: 4096"), "{options}");
    assert!(
        options.contains("max_connections_per_user: 256"),
        "{options}"
    );
}
