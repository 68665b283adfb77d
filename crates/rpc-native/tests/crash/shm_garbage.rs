//! F4: a peer writes random bytes over the memory that it shares, all the time; the worst that
//! comes of it are failed calls.

use crate::shm_sides::{
    Host, PatientClient, message, options, runtime, serve_awaited, serve_until_the_end, wire,
};
use ipc_testkit::crash::{Forked, Lab, Tally};
use rpc_core::{Code, Context, block_on};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use std::time::Duration;

/// Calls of a trial, with random bytes before each.
const CALLS: u64 = 40;
/// What each of them has: an answer may be lost in the garbage.
const TIME: Duration = Duration::from_millis(2);
/// Words that are written before each call.
const WORDS: u64 = 6;
/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// This process's memory, of which it shares some, and what it writes there.
struct Vandal {
    memory: File,
    shared: Vec<(u64, u64)>,
    random: u64,
}

impl Vandal {
    fn new(seed: u64) -> std::io::Result<Self> {
        let maps = std::fs::read_to_string("/proc/self/maps")?;
        let shared = maps.lines().filter_map(|line| {
            let (range, rest) = line.split_once(' ')?;
            let ours = rest.starts_with("rw-s") && rest.contains("memfd:");
            let (from, to) = range.split_once('-').filter(|_| ours)?;
            let number = |text| u64::from_str_radix(text, 16).ok();
            Some((number(from)?, number(to)?))
        });
        Ok(Self {
            shared: shared.collect(),
            memory: File::options().write(true).open("/proc/self/mem")?,
            random: seed | 1,
        })
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % bound
    }

    /// Writes over words of all of it, and more often of its first pages, in which most is said.
    fn write(&mut self) -> std::io::Result<()> {
        for _ in 0..WORDS {
            let region = self.below(self.shared.len() as u64) as usize;
            let (from, to) = self.shared[region];
            let most = match self.below(4) {
                0 => to - from,
                1 => (to - from).min(64 * 64),
                _ => (to - from).min(256),
            };
            let at = from + self.below(most / 4) * 4;
            let word = match self.below(3) {
                0 => self.below(600),
                1 => self.below(1 << 34),
                _ => self.below(u64::MAX),
            };
            let bytes = word.to_le_bytes();
            let len = 4 + 4 * self.below(2) as usize;
            self.memory
                .write_all_at(&bytes[..len.min((to - at) as usize)], at)?;
        }
        Ok(())
    }
}

/// A client that writes garbage between its calls.
fn hostile_client(socket: ipc_uds::SeqPacket, seed: u64) -> std::io::Result<()> {
    let connected = wire(socket).and_then(|wire| options().over_blocking(wire));
    let patient = PatientClient::new(connected.map_err(std::io::Error::other)?);
    let mut vandal = Vandal::new(seed)?;
    for number in 0..CALLS {
        let cx = Context::new().timeout(TIME);
        let _ = block_on(patient.echo(&cx, message(number.wrapping_add(seed))));
        vandal.write()?;
    }
    Ok(())
}

/// A server that writes garbage before it answers.
fn hostile_server(socket: ipc_uds::SeqPacket, seed: u64) -> std::io::Result<()> {
    struct Hostile(Mutex<Vandal>);
    impl crate::shm_sides::Patient for Hostile {
        async fn echo(&self, _: &Context, bytes: Vec<u8>) -> Result<Vec<u8>, rpc_core::Status> {
            let mut vandal = self.0.lock().expect("no panic");
            vandal.write().expect("its own memory");
            Ok(bytes)
        }
        async fn wait(&self, _: &Context) -> Result<(), rpc_core::Status> {
            Ok(())
        }
    }
    let wire = wire(socket).map_err(std::io::Error::other)?;
    let hostile = Hostile(Mutex::new(Vandal::new(seed)?));
    let router = rpc_core::Router::new().service(crate::shm_sides::PatientServer::new(hostile));
    let served = rpc_core::Server::new(router).served();
    let _ = options().session(wire, served).run();
    Ok(())
}

/// Calls a server that lies, as often as it is let.
fn call(socket: ipc_uds::SeqPacket, awaited: bool) {
    let answered = |outcome: Result<Vec<u8>, rpc_core::Status>| match outcome {
        Err(status) => status.code() != Code::Unavailable,
        Ok(_) => true,
    };
    let cx = || Context::new().timeout(10 * TIME);
    let Ok(wire) = wire(socket) else { return };
    if awaited {
        return runtime().block_on(async {
            if let Ok(connection) = options().over(wire).await {
                let patient = PatientClient::new(connection);
                for number in 0..CALLS {
                    if !answered(patient.echo(&cx(), message(number)).await) {
                        return;
                    }
                }
            }
        });
    }
    if let Ok(connection) = options().over_blocking(wire) {
        let patient = PatientClient::new(connection);
        let mut numbers = 0..CALLS;
        while numbers
            .next()
            .is_some_and(|n| answered(block_on(patient.echo(&cx(), message(n)))))
        {}
    }
}

pub(crate) fn of_a_client(lab: &mut Lab) {
    for awaited in [false, true] {
        let kind = if awaited { "an awaited" } else { "a blocking" };
        let what = format!("shm: a client writes garbage at {kind} server");
        trials(lab, what, hostile_client, |socket| match awaited {
            true => runtime().block_on(serve_awaited(socket, &Host::default())),
            false => serve_until_the_end(socket, &Host::default()),
        });
    }
}

pub(crate) fn of_a_server(lab: &mut Lab) {
    for awaited in [false, true] {
        let kind = if awaited { "an awaited" } else { "a blocking" };
        let what = format!("shm: a server writes garbage at {kind} client");
        trials(lab, what, hostile_server, |socket| call(socket, awaited));
    }
}

fn trials(
    lab: &mut Lab,
    what: String,
    hostile: impl Fn(ipc_uds::SeqPacket, u64) -> std::io::Result<()>,
    honest: impl Fn(ipc_uds::SeqPacket),
) {
    let mut tally = Tally::new("F4", what);
    let mut came_through = 0_u64;
    for _ in 0..lab.count(100, 5_000, 50_000) {
        let seed = lab.below(u64::MAX);
        let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
        let copy = |socket: &ipc_uds::SeqPacket| socket.try_clone().expect("a copy");
        let vandal = Forked::new(|| hostile(copy(&theirs), seed).expect("its own memory"));
        drop(theirs);
        let survivor = Forked::new(|| honest(copy(&ours)));
        drop(ours);
        let begun = std::time::Instant::now();
        while !survivor.is_over() && begun.elapsed() < LIMIT {
            // Whoever it waits for has done his worst.
            std::thread::yield_now();
        }
        let status = if survivor.is_over() {
            survivor.status()
        } else {
            i32::MIN
        };
        tally.trial(match status {
            0 => Ok(()),
            i32::MIN => Err(format!("seed {seed:#x}: it hangs")),
            status => Err(format!("seed {seed:#x}: it ended with {status}")),
        });
        // A client that gave up leaves a server that waits for the next call.
        let vandal = vandal.is_over().then(|| vandal.status());
        came_through += u64::from(vandal == Some(0));
    }
    tally.note(format!("{came_through} peers wrote to their end"));
    lab.enter(tally);
}
