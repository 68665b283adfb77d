//! One client and one contract, over a server in the same process, in another, and over a network
//! socket; then the server is killed in the middle of a call.
//!
//! `rpc_native` carries the calls; what differs is a string. Run it: `cargo run --release -p
//! ipc-facade --features rpc --example near_or_far`. It prints the middle time of a call over each
//! transport, whom the server saw, and what a caller knows of a call whose server died.

use ipc_facade::rpc::{Channel, Code, Context, Router, Server, Status, block_on, service};
use ipc_facade::{rpc_native, rpc_transport};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, io};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
Calls one service near and far, and kills it.

usage: near_or_far [calls over each transport]";

const CALLS: usize = 500;

/// The contract, which both sides have.
#[service(name = "till.v1.Till")]
trait Till {
    /// What an item costs. It may be asked again.
    #[rpc(idempotency = "no_side_effects")]
    async fn price(&self, cx: &Context, sku: String) -> Result<u64, Status>;
    /// Whom the server sees.
    #[rpc(idempotency = "no_side_effects")]
    async fn who(&self, cx: &Context) -> Result<String, Status>;
    /// Takes money, which must not happen twice; this till takes for ever.
    async fn charge(&self, cx: &Context, amount: u64) -> Result<(), Status>;
}

struct Shop;

impl Till for Shop {
    async fn price(&self, _: &Context, sku: String) -> Result<u64, Status> {
        Ok(sku.len() as u64)
    }

    async fn who(&self, cx: &Context) -> Result<String, Status> {
        Ok(format!("{:?}", cx.peer()))
    }

    async fn charge(&self, _: &Context, amount: u64) -> Result<(), Status> {
        println!("charging {amount}");
        let _ = io::stdout().flush();
        std::future::pending().await
    }
}

fn main() -> ExitCode {
    let arguments = env::args_os().skip(1).map(OsString::into_string);
    let Ok(arguments) = arguments.collect::<Result<Vec<String>, _>>() else {
        eprintln!("an argument is not UTF-8\n{HELP}");
        return ExitCode::FAILURE;
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        [] => visit(CALLS),
        ["serve", ref places @ ..] => serve(places),
        ["--help"] => {
            println!("{HELP}");
            Ok(())
        }
        [calls] => calls.parse().map_err(|_| HELP.into()).and_then(visit),
        _ => Err(HELP.into()),
    };
    outcome.map_or_else(
        |error| {
            eprintln!("{error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

/// Plain text over loopback is asked for by name: every user of the host can connect to it.
fn options() -> rpc_native::Options {
    let mut transport = rpc_transport::Options::new();
    transport.insecure_plain_text(true);
    rpc_native::Options::new().transport(transport).clone()
}

#[tokio::main(flavor = "current_thread")]
async fn serve(places: &[&str]) -> Outcome {
    // Whoever started it may be killed before it can say so.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let mut server = Server::new(Router::new().service(TillServer::new(Shop)));
    for place in places {
        let serving = options().bind(place)?;
        println!("{}", serving.endpoint()?);
        server = server.with(serving)?;
    }
    Ok(server.run().await?)
}

/// A server in another process, and where it is.
struct Far {
    process: Child,
    output: BufReader<std::process::ChildStdout>,
    places: Vec<String>,
}

impl Far {
    fn start(places: &[String]) -> Outcome<Self> {
        let mut process = Command::new(env::current_exe()?);
        let process = process.arg("serve").args(places).stdout(Stdio::piped());
        let mut process = process.spawn()?;
        let mut output = BufReader::new(process.stdout.take().ok_or("it is piped")?);
        let read = |_| {
            let mut line = String::new();
            output.read_line(&mut line).map(|_| line.trim().to_owned())
        };
        let bound = (0..places.len()).map(read).collect::<io::Result<_>>()?;
        Ok(Self {
            process,
            output,
            places: bound,
        })
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn visit(calls: usize) -> Outcome {
    let dir = env::temp_dir().join(format!("near-or-far-{}", std::process::id()));
    fs::create_dir(&dir)?;
    let outcome = visit_from(&dir, calls);
    fs::remove_dir_all(&dir)?;
    outcome
}

fn visit_from(dir: &std::path::Path, calls: usize) -> Outcome {
    let near = Router::new().service(TillServer::new(Shop));
    report("in this process", &TillClient::new(near), calls)?;

    let socket = |name: &str| dir.join(name).display().to_string();
    let (unix, shm) = (socket("unix"), socket("shm"));
    let places = [
        format!("unix:{unix}"),
        format!("shm:{shm}"),
        "tcp:127.0.0.1:0".to_owned(),
    ];
    let mut far = Far::start(&places)?;
    for place in &far.places {
        // All that changes with the distance is where the channel comes from.
        let till = TillClient::new(options().connect_blocking(place)?);
        let (name, _) = place.split_once(':').ok_or("a binding has a scheme")?;
        report(name, &till, calls)?;
    }
    kill_in_the_middle(&mut far)
}

fn report(name: &str, till: &TillClient<impl Channel>, calls: usize) -> Outcome {
    let cx = Context::new();
    let mut times = Vec::with_capacity(calls);
    for _ in 0..calls {
        let started = Instant::now();
        let price = block_on(till.price(&cx, "nail".to_owned()))?;
        times.push(started.elapsed());
        if price != 4 {
            return Err(format!("{name}: a price of {price}").into());
        }
    }
    times.sort_unstable();
    let middle = times.get(calls / 2).copied().unwrap_or(Duration::ZERO);
    let who = block_on(till.who(&cx))?;
    writeln!(
        io::stdout(),
        "{name}: {middle:.1?} a call; the server sees {who}"
    )?;
    Ok(())
}

fn kill_in_the_middle(far: &mut Far) -> Outcome {
    let place = far.places.first().ok_or("it serves somewhere")?.clone();
    let till = TillClient::new(rpc_native::connect_blocking(&place)?);
    let charged = std::thread::scope(|scope| -> Outcome<_> {
        let call = scope.spawn(|| block_on(till.charge(&Context::new(), 7)));
        let mut line = String::new();
        far.output.read_line(&mut line)?;
        writeln!(io::stdout(), "the server says: {}", line.trim())?;
        far.process.kill()?;
        Ok(call.join().map_err(|_| "the caller panicked")?)
    })?;
    tell("a call that had begun", charged)?;
    let next = block_on(till.charge(&Context::new(), 7));
    tell("a call to a dead server", next)
}

fn tell(what: &str, ended: Result<(), Status>) -> Outcome {
    let Err(status) = ended else {
        return Err("a dead server answered".into());
    };
    let again = match status.did_not_run() {
        true => "did not run: call again",
        false => "may have run: do not call again",
    };
    writeln!(io::stdout(), "{what}: {:?}, {again}", status.code())?;
    match status.code() {
        Code::Unavailable => Ok(()),
        other => Err(format!("unexpected: {other:?}").into()),
    }
}
