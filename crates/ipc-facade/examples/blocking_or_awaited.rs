//! The same clients served twice: by a thread each that blocks, and by one thread that awaits all.
//!
//! Clients are one other process with many `uds` connections, so that only the server's side
//! differs. Run it: `cargo run --release -p ipc-facade --features tokio --example
//! blocking_or_awaited`. It prints how many threads each server had at most, the processor time it
//! took and the rounds a second; every answer is checked by the client.

use ipc_facade::{Async, ErrorKind, uds};
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const HELP: &str = "\
Serves the same clients by blocking threads and by one awaiting thread.

usage: blocking_or_awaited [connections] [rounds of each]";

const CONNECTIONS: usize = 64;
const ROUNDS: usize = 200;

fn main() -> ExitCode {
    let arguments = env::args_os().skip(1).map(OsString::into_string);
    let Ok(arguments) = arguments.collect::<Result<Vec<String>, _>>() else {
        eprintln!("an argument is not UTF-8\n{HELP}");
        return ExitCode::FAILURE;
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse::<usize>().map_err(|_| HELP.into());
    let outcome = match words[..] {
        [] => compare(CONNECTIONS, ROUNDS),
        ["--help"] => {
            println!("{HELP}");
            Ok(())
        }
        ["clients", rounds] => number(rounds).and_then(call),
        [connections, rounds] => {
            number(connections).and_then(|c| number(rounds).and_then(|r| compare(c, r)))
        }
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

fn compare(connections: usize, rounds: usize) -> Outcome {
    println!("{connections} connections, {rounds} rounds each");
    for (how, serve) in [
        ("blocking", block as fn(Vec<uds::Stream>) -> Outcome<usize>),
        ("awaited", wait),
    ] {
        let (streams, mut clients) = meet(connections, rounds)?;
        let (started, before) = (Instant::now(), processor_time()?);
        let threads = serve(streams)?;
        let (took, cost) = (started.elapsed(), processor_time()? - before);
        if !clients.wait()?.success() {
            return Err("a client was answered wrongly".into());
        }
        let rate = (connections * rounds) as f64 / took.as_secs_f64();
        println!("{how}: {threads} threads, {cost:.1?} of processor, {rate:.0} rounds a second");
    }
    Ok(())
}

/// Starts the process of the clients and gives it the other ends of its connections.
fn meet(connections: usize, rounds: usize) -> Outcome<(Vec<uds::Stream>, Child)> {
    let (ours, theirs) = uds::pair()?;
    let mut clients = Command::new(env::current_exe()?);
    clients.args(["clients", &rounds.to_string()]);
    let clients = clients.stdin(Stdio::from(theirs)).spawn()?;
    let mut streams = Vec::with_capacity(connections);
    for _ in 0..connections {
        let (near, far) = uds::pair()?;
        ours.send_with_fds(b"one", &[far.as_fd()])?;
        streams.push(near);
    }
    Ok((streams, clients))
}

/// A thread for each connection. How many the process had then.
fn block(streams: Vec<uds::Stream>) -> Outcome<usize> {
    let workers: Vec<_> = streams
        .into_iter()
        .map(|stream| {
            thread::spawn(move || {
                let mut bytes = [0; 64];
                loop {
                    match stream.recv(&mut bytes) {
                        Ok(length) => stream.send(&bytes[..length])?,
                        Err(error) if error.kind() == ErrorKind::Closed => return Outcome::Ok(()),
                        Err(error) => return Err(error.into()),
                    }
                }
            })
        })
        .collect();
    let threads = threads()?;
    for worker in workers {
        worker.join().map_err(|_| "a worker panicked")??;
    }
    Ok(threads)
}

/// One thread for all, the one that calls.
fn wait(streams: Vec<uds::Stream>) -> Outcome<usize> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build()?.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for stream in streams {
            let stream = Async::new(stream)?;
            tasks.spawn(async move {
                let mut bytes = [0; 64];
                loop {
                    match stream.recv(&mut bytes).await {
                        Ok(length) => stream.send(&bytes[..length]).await?,
                        Err(error) if error.kind() == ErrorKind::Closed => return Outcome::Ok(()),
                        Err(error) => return Err(error.into()),
                    }
                }
            });
        }
        let threads = threads()?;
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(threads)
    })
}

/// The clients: a few threads share the connections and ask each in turn.
fn call(rounds: usize) -> Outcome {
    let stdin = io::stdin().as_fd().try_clone_to_owned()?;
    let giver = uds::Stream::from(stdin);
    let (mut streams, mut ancillary) = (Vec::new(), uds::Ancillary::new());
    while giver.recv_with_fds(&mut [0; 3], &mut ancillary).is_ok() {
        for fd in ancillary.take_fds() {
            streams.push(uds::Stream::from(fd));
        }
    }
    for round in 0..rounds {
        // All ask before the first is answered, so that the server has many at once.
        for (number, stream) in streams.iter().enumerate() {
            stream.send(&question(round, number))?;
        }
        for (number, stream) in streams.iter().enumerate() {
            let (mut answer, mut length) = ([0; 16], 0);
            while length < answer.len() {
                length += stream.recv(&mut answer[length..])?;
            }
            if answer != question(round, number) {
                return Err(format!("the answer {round} of {number} is not its own").into());
            }
        }
    }
    Ok(())
}

fn question(round: usize, number: usize) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(round as u64).to_le_bytes());
    bytes[8..].copy_from_slice(&(number as u64).to_le_bytes());
    bytes
}

fn threads() -> Outcome<usize> {
    Ok(fs::read_dir("/proc/self/task")?.count())
}

/// User and system time of this process, in steps of a hundredth of a second.
fn processor_time() -> Outcome<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // Behind the name in brackets, which may hold anything; then the 12th and 13th field.
    let (_, fields) = stat.rsplit_once(')').ok_or("no name")?;
    let mut times = fields.split_whitespace().skip(11).take(2);
    let mut next = || -> Outcome<u64> { Ok(times.next().ok_or("too short")?.parse()?) };
    Ok(Duration::from_millis(10 * (next()? + next()?)))
}
