//! What a call over shared memory costs beside a round trip of the ring itself: `one` runs both
//! sides on one processor, `two` and `spin` on two, as
//! `cargo run --release -p rpc-native --example shm_cost spin`.

use ipc_ring::Spin;
use rpc_core::{Context, Router, Server, Status, block_on, service};
use rpc_native::Options;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Instant;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const SLICES: usize = 1_000;
const BYTES: usize = 8;

#[service(name = "cost.v1.Echo")]
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

/// How the two sides run, and how many rounds a slice has.
#[derive(Clone)]
struct How {
    spin: Spin,
    apart: bool,
    batch: u32,
}

impl How {
    fn named(name: &str) -> Self {
        let (spin, apart, batch) = match name {
            "spin" => (Spin::Always, true, 200),
            "two" => (Spin::Learned, true, 100),
            _ => (Spin::Learned, false, 50),
        };
        Self { spin, apart, batch }
    }

    fn ring(&self) -> ipc_ring::Options {
        let mut ring = ipc_ring::Options::new();
        ring.spin(self.spin);
        ring
    }

    fn calls(&self) -> Options {
        let mut transport = rpc_transport::Options::new();
        transport.ring(&self.ring());
        let mut options = Options::new();
        options.transport(transport);
        options
    }
}

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = arguments.first().map_or("one", String::as_str);
    if let Some(directory) = arguments.get(1) {
        return serve(&How::named(name), Path::new(directory));
    }
    let directory = std::env::temp_dir().join(format!("shm-cost-{}", std::process::id()));
    std::fs::create_dir(&directory)?;
    let program = std::env::current_exe()?;
    let server = Command::new(program).arg(name).arg(&directory).spawn();
    let outcome = server.map_err(Into::into).and_then(|mut server| {
        let outcome = measure(&How::named(name), &directory);
        server.kill()?;
        server.wait()?;
        outcome
    });
    std::fs::remove_dir_all(&directory)?;
    outcome
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

fn measure(how: &How, directory: &Path) -> Outcome {
    settle(false)?;
    let (raw, calls) = (directory.join("raw"), directory.join("calls"));
    // The second of them is there when both are.
    while !calls.exists() {
        std::thread::yield_now();
    }
    let raw = how.ring().connect(&raw)?;
    let calls = how
        .calls()
        .connect_blocking(&format!("shm:{}", calls.display()))?;
    let echo = EchoClient::new(calls);
    let (mut raws, mut blockings) = (Vec::new(), Vec::new());
    for _ in 0..SLICES {
        raws.push(timed(how.batch, || {
            let mut bytes = [7; BYTES];
            raw.sender().send(&bytes)?;
            raw.receiver().recv(&mut bytes)?;
            Ok(())
        })?);
        blockings.push(timed(how.batch, || {
            let back = block_on(echo.echo(&Context::new(), vec![7; BYTES]))?;
            assert_eq!(back.len(), BYTES);
            Ok(())
        })?);
    }
    let mut ratios: Vec<_> = blockings.iter().zip(&raws).map(|(a, b)| a / b).collect();
    ratios.sort_by(f64::total_cmp);
    // The places between which the median lies with 95 % confidence.
    let off = (1.96 * (SLICES as f64).sqrt() / 2.0).ceil() as usize;
    let (low, high) = (ratios[SLICES / 2 - off], ratios[SLICES / 2 + off]);
    let (raw, call) = (median(&raws) * 1e9, median(&blockings) * 1e9);
    writeln!(std::io::stdout(), "ring {raw:>8.0} ns, call {call:>8.0} ns")?;
    writeln!(
        std::io::stdout(),
        "{:.3} x [{low:.3}, {high:.3}]",
        median(&ratios)
    )?;
    Ok(())
}

/// One thread is both servers, in turns, so that neither is in the other's way.
fn serve(how: &How, directory: &Path) -> Outcome {
    // Whoever started it may be killed before it can say so.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    settle(how.apart)?;
    let count = Arc::new(AtomicU32::new(0));
    let router = Router::new().service(EchoServer::new(Back(Arc::clone(&count))));
    let raws = how.ring().bind(directory.join("raw"))?;
    let calls = format!("shm:{}", directory.join("calls").display());
    let calls = how
        .calls()
        .bind_blocking(&calls, Server::new(router).served())?;
    let raw = raws.accept()?;
    let mut session = calls.accept()?;
    // It greets.
    session.serve_next()?;
    let mut bytes = [0; BYTES];
    for _ in 0..SLICES {
        for _ in 0..how.batch {
            raw.receiver().recv(&mut bytes)?;
            raw.sender().send(&bytes)?;
        }
        count.store(0, Relaxed);
        while count.load(Relaxed) < how.batch {
            session.serve_next()?;
        }
    }
    // The client ends it.
    loop {
        std::thread::park();
    }
}

/// Seconds for one round of so many.
fn timed(
    rounds: u32,
    mut round: impl FnMut() -> Outcome,
) -> Result<f64, Box<dyn std::error::Error>> {
    let start = Instant::now();
    for _ in 0..rounds {
        round()?;
    }
    Ok(start.elapsed().as_secs_f64() / f64::from(rounds))
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
