//! Three substations tell each other their state over UDP; one dies, is missed, and comes back.
//!
//! `net::Datagram`: a state is worth nothing when the next one is there, so nothing is repeated,
//! acknowledged or kept in order; each message has a number, the newest wins, and silence is what
//! tells of a death, since UDP itself does not. Plain text stays on this host; between hosts take
//! `net::tls`, or let the network below encrypt. Where a state must arrive, `rpc_udp` repeats it.
//! Run it: `cargo run -p ipc-facade --example substations`. It prints what each substation learns
//! of the others, and when it has lost one.

use ipc_facade::ErrorKind;
use ipc_facade::net::{self, Datagram};
use ipc_facade::signal::{self, Child, Signal, Target};
use rustix::process::set_parent_process_death_signal;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};
use std::{env, io, thread};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
Three substations exchange their state over UDP; one of them dies and comes back.

usage: substations";

const STATIONS: usize = 3;
/// How often a state is sent, and after how much silence its sender is missed.
const TICK: Duration = Duration::from_millis(20);
const SILENCE: Duration = Duration::from_millis(250);
/// A substation that nobody ends goes home by itself.
const SHIFT: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let arguments = env::args_os().skip(1).map(OsString::into_string);
    let Ok(arguments) = arguments.collect::<Result<Vec<String>, _>>() else {
        eprintln!("an argument is not UTF-8\n{HELP}");
        return ExitCode::FAILURE;
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        [] => watch(),
        ["station", number, breaker, ref peers @ ..] => run(number, breaker, peers),
        ["--help"] => {
            println!("{HELP}");
            Ok(())
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

/// What a substation says of itself. Compared by age: a later life first, then a later message.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
struct State {
    /// When its process began, in nanoseconds.
    life: u64,
    number: u64,
    breaker_open: bool,
}

const MAGIC: [u8; 4] = *b"SUB1";
const STATE_BYTES: usize = 4 + 8 + 8 + 1;

impl State {
    fn to_bytes(self) -> [u8; STATE_BYTES] {
        let mut bytes = [0; STATE_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..12].copy_from_slice(&self.life.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.number.to_le_bytes());
        bytes[20] = self.breaker_open.into();
        bytes
    }

    /// None where it is anything but a state: whoever is on the network can send anything.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; STATE_BYTES] = bytes.try_into().ok()?;
        let number = |at: usize| {
            bytes[at..]
                .first_chunk()
                .map(|bytes| u64::from_le_bytes(*bytes))
        };
        (bytes[..4] == MAGIC && bytes[20] < 2).then_some(Self {
            life: number(4)?,
            number: number(12)?,
            breaker_open: bytes[20] == 1,
        })
    }
}

/// One substation: `peers` are the addresses of all, also its own.
fn run(name: &str, breaker: &str, peers: &[&str]) -> Outcome {
    // Whoever started it may be killed before it can say so.
    set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    let asked_to_end = signal::shutdown()?;
    let socket = Datagram::from(io::stdin().as_fd().try_clone_to_owned()?);
    let peers: Vec<SocketAddr> = peers
        .iter()
        .map(|peer| peer.parse())
        .collect::<Result<_, _>>()?;
    let mut known: Vec<Option<(State, Instant)>> = vec![None; peers.len()];
    let began = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let mut own = State {
        life: began.as_nanos() as u64,
        number: 0,
        breaker_open: breaker == "open",
    };
    let (begin, mut buffer) = (Instant::now(), [0; 64]);
    while begin.elapsed() < SHIFT && asked_to_end.try_wait().is_err() {
        for peer in &peers {
            // One who is not there costs nothing and says nothing.
            let _ = socket.try_send_to(&own.to_bytes(), *peer);
        }
        own.number += 1;
        let next_tick = Instant::now() + TICK;
        loop {
            let (length, from) = match socket.recv_from_deadline(&mut buffer, next_tick) {
                Err(error) if error.kind() == ErrorKind::TimedOut => break,
                Err(error) if error.kind() == ErrorKind::TooLarge => continue, // not one of ours
                other => other?,
            };
            let sender = peers.iter().position(|peer| *peer == from);
            let state = State::from_bytes(&buffer[..length]);
            if let (Some(sender), Some(state)) = (sender, state) {
                learn(name, sender, &mut known[sender], state);
            }
        }
        for (peer, known) in known.iter_mut().enumerate() {
            if known.is_some_and(|(_, heard)| heard.elapsed() > SILENCE) {
                *known = None;
                println!("station {name} lost station {peer}");
            }
        }
    }
    Ok(())
}

fn learn(name: &str, peer: usize, known: &mut Option<(State, Instant)>, state: State) {
    if known.is_some_and(|(old, _)| old >= state) || peer.to_string() == name {
        return; // older than what we know, a repetition, or our own
    }
    if known.is_none_or(|(old, _)| old.life != state.life) {
        let breaker = if state.breaker_open { "open" } else { "closed" };
        println!("station {name} hears station {peer}: breaker {breaker}");
    }
    *known = Some((state, Instant::now()));
}

/// Starts all, has one die and come back, and waits until the others say so.
fn watch() -> Outcome {
    // Bound here, so that a substation that comes back has its address again.
    let sockets = [(); STATIONS].map(|()| net::bind_datagram("127.0.0.1:0"));
    let sockets = sockets.into_iter().collect::<Result<Vec<_>, _>>()?;
    let addresses: Vec<String> = sockets
        .iter()
        .map(|socket| socket.address().map(|address| address.to_string()))
        .collect::<Result<_, _>>()?;
    let (lines, said) = mpsc::channel();
    let start = |station: usize, breaker: &str| -> Outcome<Child> {
        let mut command = Command::new(env::current_exe()?);
        command
            .args(["station", &station.to_string(), breaker])
            .args(&addresses);
        command.stdin(sockets[station].as_fd().try_clone_to_owned()?);
        let mut child = Child::spawn(command.stdout(Stdio::piped()))?;
        let output = child.std_mut().stdout.take().ok_or("it is piped")?;
        let lines = lines.clone();
        thread::spawn(move || {
            let mut output = BufReader::new(output).lines().map_while(Result::ok);
            output.try_for_each(|line| lines.send(line))
        });
        Ok(child)
    };
    let until_all_said = |what: &[String]| -> Outcome {
        let mut open: Vec<&String> = what.iter().collect();
        while !open.is_empty() {
            let line = said.recv_timeout(SHIFT)?;
            println!("{line}");
            open.retain(|wanted| **wanted != line);
        }
        Ok(())
    };

    let mut stations = Vec::new();
    for station in 0..STATIONS {
        stations.push(start(station, "closed")?);
    }
    let hears = |station, peer, breaker| {
        format!("station {station} hears station {peer}: breaker {breaker}")
    };
    let lost = |station, peer| format!("station {station} lost station {peer}");
    let pairs = (0..STATIONS * STATIONS).map(|at| (at / STATIONS, at % STATIONS));
    let each: Vec<_> = pairs
        .filter(|(a, b)| a != b)
        .map(|(a, b)| hears(a, b, "closed"))
        .collect();
    until_all_said(&each)?;

    Target::pidfd(&stations[2]).notify(Signal::KILL)?;
    println!("station 2 is killed: {}", stations.remove(2).wait()?);
    until_all_said(&[lost(0, 2), lost(1, 2)])?;

    stations.push(start(2, "open")?);
    until_all_said(&[hears(0, 2, "open"), hears(1, 2, "open")])?;
    println!("all know that station 2 is back");
    for station in &stations {
        Target::pidfd(station).notify(Signal::TERM)?;
    }
    let ended: Result<Vec<bool>, _> = stations.iter().map(|s| Ok(s.wait()?.success())).collect();
    if ended
        .map_err(|error: ipc_facade::Error| error)?
        .contains(&false)
    {
        Err("a substation failed".into())
    } else {
        Ok(())
    }
}
