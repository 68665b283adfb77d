//! From which size on calls over shared memory carry more than those over a Unix socket, and from
//! which size on they are better written straight into it than copied, as
//! `cargo run --release -p rpc-native --example large_calls`.

use rpc_core::{Context, Router, Server, Status, block_on, service};
use rpc_native::{BlockingConnection, Limits, Options};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Instant;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const SLICES: usize = 100;
const CALLS: u32 = 20;
const KIB: usize = 1 << 10;
const SIZES: [usize; 11] = [
    KIB,
    4 * KIB,
    8 * KIB,
    16 * KIB,
    32 * KIB,
    64 * KIB,
    128 * KIB,
    256 * KIB,
    512 * KIB,
    1024 * KIB,
    3072 * KIB,
];
/// Names of the ways: what carries them, and from how many bytes on messages go straight.
const WAYS: [(&str, &str, usize); 3] = [
    ("straight", "shm", 0),
    ("copied", "shm", usize::MAX),
    ("unix", "unix", usize::MAX),
];
/// Of the ways, which is beside which.
const BESIDE: [(usize, usize); 2] = [(0, 2), (0, 1)];

#[service(name = "large.v1.Echo")]
trait Echo {
    #[rpc(idempotency = "no_side_effects")]
    async fn echo(&self, cx: &Context, bytes: Vec<u8>) -> Result<Vec<u8>, Status>;
}

/// Gives back, and counts.
struct Back(Arc<AtomicU32>);

impl Echo for Back {
    async fn echo(&self, _: &Context, bytes: Vec<u8>) -> Result<Vec<u8>, Status> {
        self.0.fetch_add(1, Relaxed);
        Ok(bytes)
    }
}

fn main() -> Outcome {
    if let Some(directory) = std::env::args().nth(1) {
        return serve(Path::new(&directory));
    }
    let directory = std::env::temp_dir().join(format!("large-calls-{}", std::process::id()));
    std::fs::create_dir(&directory)?;
    let program = std::env::current_exe()?;
    let server = Command::new(program).arg(&directory).spawn();
    let outcome = server.map_err(Into::into).and_then(|mut server| {
        let outcome = measure(&directory);
        server.kill()?;
        server.wait()?;
        outcome
    });
    std::fs::remove_dir_all(&directory)?;
    outcome
}

fn options(straight: usize) -> Options {
    let mut limits = Limits::new();
    limits.max_message_bytes(8 << 20).straight_bytes(straight);
    let mut ring = ipc_ring::Options::new();
    ring.capacity_bytes(4 << 20);
    let mut transport = rpc_transport::Options::new();
    transport.ring(&ring);
    Options::new().limits(limits).transport(transport).clone()
}

fn address((name, way, _): (&str, &str, usize), directory: &Path) -> String {
    format!("{way}:{}", directory.join(name).display())
}

/// The allocator gives no memory back to the kernel from now on, which would be what is measured:
/// it has seen an object that was larger than all that come.
fn keep_memory() {
    drop(std::hint::black_box(vec![1_u8; 16 << 20]));
}

/// Takes the first or the last processor that this process may have.
fn settle(last: bool) -> Outcome {
    let mine = sched_getaffinity(None)?;
    let mut all = (0..CpuSet::MAX_CPU).filter(|&cpu| mine.is_set(cpu));
    let cpu = match last {
        true => all.next_back(),
        false => all.next(),
    };
    let mut only = CpuSet::new();
    only.set(cpu.ok_or("no processor")?);
    Ok(sched_setaffinity(None, &only)?)
}

fn measure(directory: &Path) -> Outcome {
    settle(false)?;
    keep_memory();
    // The last of them is there when all are.
    while !directory.join(WAYS[WAYS.len() - 1].0).exists() {
        std::thread::yield_now();
    }
    let mut clients = Vec::new();
    for way in WAYS {
        let connection: Arc<BlockingConnection> =
            Arc::new(options(way.2).connect_blocking(&address(way, directory))?);
        clients.push(EchoClient::new(connection));
    }
    let mut out = std::io::stdout();
    writeln!(
        out,
        "  bytes  straight    copied      unix  straight / unix, / copied, 95 % interval"
    )?;
    let mut crossovers = [None; BESIDE.len()];
    for size in SIZES {
        let mut times = [const { Vec::new() }; WAYS.len()];
        for _ in 0..SLICES {
            for (client, times) in clients.iter().zip(&mut times) {
                let start = Instant::now();
                for _ in 0..CALLS {
                    let back = block_on(client.echo(&Context::new(), vec![7; size]))?;
                    assert_eq!(back.len(), size);
                }
                times.push(start.elapsed().as_secs_f64() / f64::from(CALLS));
            }
        }
        // The places between which the median lies with 95 % confidence.
        let off = (1.96 * (SLICES as f64).sqrt() / 2.0).ceil() as usize;
        let (middle, low, high) = (SLICES / 2, SLICES / 2 - off, SLICES / 2 + off);
        write!(out, "{size:>7}")?;
        for times in &times {
            write!(out, " {:>6.1} µs", sorted(times)[middle] * 1e6)?;
        }
        for ((one, other), crossover) in BESIDE.into_iter().zip(&mut crossovers) {
            let ratios: Vec<_> = times[one]
                .iter()
                .zip(&times[other])
                .map(|(a, b)| a / b)
                .collect();
            let ratios = sorted(&ratios);
            let (low, high) = (ratios[low], ratios[high]);
            write!(out, "  {:.3} [{low:.3}, {high:.3}]", ratios[middle])?;
            // From the first on after which all are.
            *crossover = match high < 1.0 {
                true => crossover.or(Some(size)),
                false => None,
            };
        }
        writeln!(out)?;
    }
    for ((one, other), crossover) in BESIDE.into_iter().zip(crossovers) {
        let (one, other) = (WAYS[one].0, WAYS[other].0);
        let says = match crossover {
            Some(size) => format!("is faster than {other} from {size} bytes on"),
            None => format!("is not faster than {other} at the largest of these sizes"),
        };
        writeln!(out, "{one} {says}")?;
    }
    Ok(())
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// One thread is all servers, in turns, so that none is in another's way.
fn serve(directory: &Path) -> Outcome {
    // Whoever started it may be killed before it can say so.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    settle(true)?;
    keep_memory();
    let count = Arc::new(AtomicU32::new(0));
    let mut listeners = Vec::new();
    for way in WAYS {
        let router = Router::new().service(EchoServer::new(Back(Arc::clone(&count))));
        let served = Server::new(router).served();
        listeners.push(options(way.2).bind_blocking(&address(way, directory), served)?);
    }
    let mut sessions = Vec::new();
    for listener in &listeners {
        let mut session = listener.accept()?;
        // It greets.
        session.serve_next()?;
        sessions.push(session);
    }
    for _ in 0..SIZES.len() * SLICES {
        for session in &mut sessions {
            count.store(0, Relaxed);
            while count.load(Relaxed) < CALLS {
                session.serve_next()?;
            }
        }
    }
    // The client ends it.
    loop {
        std::thread::park();
    }
}
