//! From which size on shared memory beats a socket, measured between two processes.
//!
//! One process hands the other a payload three ways and is told its sum: as a message of `uds` (the
//! kernel copies it twice), as a message of `ring` (twice, without the kernel), and written into a
//! `shm` region, where the other looks at it, so that only the news goes over the socket. Run it:
//! `cargo run --release -p ipc-facade --example crossover`. It prints the middle of the rounds for
//! each size, and where the lines cross; every sum is checked.

use ipc_facade::{Framed, ring, shm, uds};
use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{env, io};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
Measures from which size on shared memory beats a socket.

usage: crossover [rounds of each size]";

const ROUNDS: usize = 100;
const LARGEST: usize = 1 << 20;
const SIZES: [usize; 8] = [64, 256, 1024, 4096, 16_384, 65_536, 262_144, LARGEST];
const WAYS: [&str; 3] = ["socket", "ring", "region"];

fn main() -> ExitCode {
    let arguments = env::args_os().skip(1).map(OsString::into_string);
    let Ok(arguments) = arguments.collect::<Result<Vec<String>, _>>() else {
        eprintln!("an argument is not UTF-8\n{HELP}");
        return ExitCode::FAILURE;
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        [] => measure(ROUNDS),
        ["other"] => answer(),
        ["--help"] => {
            println!("{HELP}");
            Ok(())
        }
        [rounds] => rounds.parse().map_err(|_| HELP.into()).and_then(measure),
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

/// What both sides have: a socket for messages and news, a ring each way, and memory.
struct Meeting {
    socket: Framed<uds::Stream>,
    to: ring::Sender,
    from: ring::Receiver,
    region: shm::Region,
}

impl Meeting {
    /// The side that has the other end as its child's standard input.
    fn begin(stream: uds::Stream) -> Outcome<Self> {
        let region = shm::anonymous(LARGEST)?;
        let (near, far) = uds::pair_seqpacket()?;
        let fds = [OwnedFd::from(far), region.to_fd()?];
        stream.send_with_fds(b"here", &[fds[0].as_fd(), fds[1].as_fd()])?;
        Self::with(stream, near, region)
    }

    fn join(stream: uds::Stream) -> Outcome<Self> {
        let mut ancillary = uds::Ancillary::new();
        stream.recv_with_fds(&mut [0; 8], &mut ancillary)?;
        let mut fds = ancillary.take_fds();
        let mut next = || fds.next().ok_or("two descriptors come");
        let far = uds::SeqPacket::from(next()?);
        Self::with(stream, far, shm::Region::from_fd(next()?)?)
    }

    fn with(stream: uds::Stream, meet: uds::SeqPacket, region: shm::Region) -> Outcome<Self> {
        let mut options = ring::Options::new();
        let channel = options.capacity_bytes(4 * LARGEST).over(meet)?;
        let (to, from) = channel.split();
        Ok(Self {
            socket: stream.framed(),
            to,
            from,
            region,
        })
    }
}

/// What the other process does: it sums what comes, whichever way, and says the sum.
fn answer() -> Outcome {
    let stdin = io::stdin().as_fd().try_clone_to_owned()?;
    let here = Meeting::join(uds::Stream::from(stdin))?;
    let (mut order, mut payload) = (Vec::new(), vec![0; LARGEST]);
    loop {
        // The order says the way, the size and how many there are; the end of orders is the end.
        if here.socket.recv_vec(&mut order).is_err() {
            return Ok(());
        }
        let (way, size, rounds) = read_order(&order)?;
        payload.resize(size, 0);
        for _ in 0..rounds {
            match way {
                0 => {
                    here.socket.recv_vec(&mut payload)?;
                    here.socket.send(&sum(&payload))?;
                }
                1 => {
                    let length = here.from.recv(&mut payload)?;
                    here.to.send(&sum(&payload[..length]))?;
                }
                _ => {
                    here.socket.recv_vec(&mut order)?; // it is written
                    here.socket.send(&sum_in_place(&here.region, size)?)?;
                }
            }
        }
    }
}

fn measure(rounds: usize) -> Outcome {
    let (ours, theirs) = uds::pair()?;
    let mut other = Command::new(env::current_exe()?);
    let mut other = other.arg("other").stdin(Stdio::from(theirs)).spawn()?;
    let outcome = Meeting::begin(ours).and_then(|here| all(&here, rounds));
    // The end of the socket ends it.
    let status = other.wait()?;
    outcome?;
    if !status.success() {
        return Err(format!("the other process ended with {status}").into());
    }
    Ok(())
}

fn all(here: &Meeting, rounds: usize) -> Outcome {
    println!(
        "{:>9} {:>10} {:>10} {:>10}",
        "bytes", WAYS[0], WAYS[1], WAYS[2]
    );
    let mut times = Vec::new();
    for size in SIZES {
        let payload: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        let [socket, ring, region] = [
            middle(here, 0, &payload, rounds)?,
            middle(here, 1, &payload, rounds)?,
            middle(here, 2, &payload, rounds)?,
        ];
        println!("{size:>9} {socket:>10.1?} {ring:>10.1?} {region:>10.1?}");
        times.push((size, [socket, ring, region]));
    }
    for way in [1, 2] {
        // By a tenth at least, and from there on for good: no lucky size.
        let slower = times
            .iter()
            .rposition(|(_, of)| of[way] > of[0].mul_f64(0.9));
        let from = slower.map_or(0, |at| at + 1);
        match times.get(from) {
            Some((size, _)) => println!("{} beats {} from {size} bytes on", WAYS[way], WAYS[0]),
            None => println!("{} does not beat {} here", WAYS[way], WAYS[0]),
        }
    }
    println!("every sum was right");
    Ok(())
}

/// The middle of the times of `rounds` rounds one way.
fn middle(here: &Meeting, way: u8, payload: &[u8], rounds: usize) -> Outcome<Duration> {
    let numbers = [payload.len() as u64, rounds as u64];
    let order = [&[way][..], &numbers.map(u64::to_le_bytes).concat()].concat();
    here.socket.send(&order)?;
    let (expected, mut reply) = (sum(payload), Vec::new());
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let started = Instant::now();
        match way {
            0 => here.socket.send(payload)?,
            1 => here.to.send(payload)?,
            _ => {
                here.region.write_at(0, payload)?;
                here.socket.send(b"written")?;
            }
        }
        if way == 1 {
            reply.resize(expected.len(), 0);
            here.from.recv(&mut reply)?;
        } else {
            here.socket.recv_vec(&mut reply)?;
        }
        times.push(started.elapsed());
        if reply != expected {
            return Err(format!(
                "{} bytes by {} came wrong",
                payload.len(),
                WAYS[way as usize]
            )
            .into());
        }
    }
    times.sort_unstable();
    Ok(times.get(times.len() / 2).copied().unwrap_or_default())
}

fn read_order(order: &[u8]) -> Outcome<(u8, usize, usize)> {
    let [way, numbers @ ..] = order else {
        return Err("an order has a way".into());
    };
    let (size, rounds) = numbers
        .split_at_checked(8)
        .ok_or("an order has two numbers")?;
    let number = |bytes: &[u8]| -> Outcome<usize> {
        Ok(usize::try_from(u64::from_le_bytes(bytes.try_into()?))?)
    };
    let size = number(size)?;
    if size > LARGEST {
        return Err("no payload is so large".into());
    }
    Ok((*way, size, number(rounds)?))
}

/// Looks at the region piece by piece, each of which stays in the nearest cache.
fn sum_in_place(region: &shm::Region, size: usize) -> Outcome<[u8; 8]> {
    let (mut piece, mut total) = ([0; 8192], 0_u64);
    for at in (0..size).step_by(piece.len()) {
        let length = piece.len().min(size - at);
        region.read_at(at, &mut piece[..length])?;
        total = total.wrapping_add(u64::from_le_bytes(sum(&piece[..length])));
    }
    Ok(total.to_le_bytes())
}

/// Eight bytes at a time, so that summing hides nothing of the copy.
fn sum(bytes: &[u8]) -> [u8; 8] {
    let words = bytes.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    });
    words.fold(0, u64::wrapping_add).to_le_bytes()
}
