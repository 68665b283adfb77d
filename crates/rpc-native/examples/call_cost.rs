//! What a call costs beside a raw round trip of the same bytes: run it on one processor, as
//! `taskset -c 2 cargo run --release -p rpc-native --example call_cost`.

use rpc_core::{Context, Router, Server, Status, block_on, service};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::time::{Duration, Instant};

const BATCH: u32 = 200;
const SLICES: usize = 60;
const CALLERS: u32 = 256;
const BYTES: usize = 64;

#[service(name = "cost.v1.Echo")]
trait Echo {
    #[rpc(idempotency = "no_side_effects")]
    async fn echo(&self, cx: &Context, bytes: Vec<u8>) -> Result<Vec<u8>, Status>;
}

struct Back;

impl Echo for Back {
    async fn echo(&self, _: &Context, bytes: Vec<u8>) -> Result<Vec<u8>, Status> {
        Ok(bytes)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    if let (Some(kind), Some(path)) = (arguments.next(), arguments.next()) {
        return serve(&kind, &path);
    }
    let directory = std::env::temp_dir().join(format!("call-cost-{}", std::process::id()));
    std::fs::create_dir(&directory)?;
    let outcome = measure(&directory);
    std::fs::remove_dir_all(&directory)?;
    outcome
}

fn measure(directory: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut servers = Vec::new();
    for kind in ["raw", "blocking", "awaited"] {
        let path = directory.join(kind);
        let program = std::env::current_exe()?;
        servers.push(Command::new(program).arg(kind).arg(&path).spawn()?);
        while !path.exists() {
            std::thread::yield_now();
        }
    }
    let endpoint = |kind: &str| format!("unix:{}", directory.join(kind).display());
    let mut raw = UnixStream::connect(directory.join("raw"))?;
    let blocking = EchoClient::new(rpc_native::connect_blocking(&endpoint("blocking"))?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let awaited = runtime.block_on(rpc_native::connect(&endpoint("awaited")))?;
    let awaited = EchoClient::new(awaited);
    let (mut raws, mut blockings, mut awaiteds) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..SLICES {
        raws.push(timed(|| {
            let mut bytes = [7; BYTES];
            for _ in 0..BATCH {
                raw.write_all(&bytes)?;
                raw.read_exact(&mut bytes)?;
            }
            Ok(())
        })?);
        blockings.push(timed(|| {
            for _ in 0..BATCH {
                let cx = Context::new();
                block_on(blocking.echo(&cx, vec![7; BYTES]))?;
            }
            Ok(())
        })?);
        awaiteds.push(timed(|| {
            runtime.block_on(async {
                for _ in 0..BATCH {
                    awaited.echo(&Context::new(), vec![7; BYTES]).await?;
                }
                Ok(())
            })
        })?);
    }
    writeln!(
        std::io::stdout(),
        "raw      {:>8.2} us",
        median(&raws) * 1e6
    )?;
    for (name, times) in [("blocking", &blockings), ("awaited", &awaiteds)] {
        let ratios: Vec<_> = times
            .iter()
            .zip(&raws)
            .map(|(ours, raw)| ours / raw)
            .collect();
        writeln!(
            std::io::stdout(),
            "{name:<8} {:>8.2} us, {:.2} x raw",
            median(times) * 1e6,
            median(&ratios)
        )?;
    }
    let many = runtime.block_on(async {
        let start = Instant::now();
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let awaited = awaited.clone();
                tokio::spawn(async move {
                    for _ in 0..BATCH {
                        awaited.echo(&Context::new(), vec![7; BYTES]).await?;
                    }
                    Ok::<_, Status>(())
                })
            })
            .collect();
        for caller in callers {
            caller.await??;
        }
        let calls = f64::from(CALLERS) * f64::from(BATCH);
        Ok::<_, Box<dyn std::error::Error>>(calls / start.elapsed().as_secs_f64())
    })?;
    writeln!(
        std::io::stdout(),
        "awaited, {CALLERS} callers: {many:.0} calls/s"
    )?;
    drop((raw, blocking, awaited));
    for mut server in servers {
        server.kill()?;
        server.wait()?;
    }
    Ok(())
}

fn serve(kind: &str, path: &str) -> Result<(), Box<dyn std::error::Error>> {
    // Whoever started it may be killed before it can say so.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let served = || Server::new(Router::new().service(EchoServer::new(Back)));
    let endpoint = format!("unix:{path}");
    match kind {
        "raw" => {
            let (mut client, _) = UnixListener::bind(path)?.accept()?;
            let mut bytes = [0; BYTES];
            while client.read_exact(&mut bytes).is_ok() {
                client.write_all(&bytes)?;
            }
        }
        "blocking" => {
            let options = rpc_native::Options::new();
            let listener = options.bind_blocking(&endpoint, served().served())?;
            listener.accept()?.run()?;
        }
        _ => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async { served().with(rpc_native::bind(&endpoint)?)?.run().await })?;
        }
    }
    Ok(())
}

/// Seconds for one round of `batch`.
fn timed(
    batch: impl FnOnce() -> Result<(), Box<dyn std::error::Error>>,
) -> Result<f64, Box<dyn std::error::Error>> {
    let start = Instant::now();
    batch()?;
    let taken: Duration = start.elapsed();
    Ok(taken.as_secs_f64() / f64::from(BATCH))
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
