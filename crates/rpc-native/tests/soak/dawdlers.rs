//! D3: a thousand clients that say nothing, or a byte in a second, and somebody else's calls.

use crate::counted::runtime;
use crate::target::{Target, Transport, raise_descriptors};
use crate::victim::{Compared, Times};
use ipc_testkit::crash::{Lab, Tally, Tier};
use ipc_testkit::{Role, Stage, watchdog};
use rpc_testkit::identities::Identities;
use rustix::event::epoll;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};
use std::io::{PipeReader, Read, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// When each of them has been cut: ten seconds after it began, and what it takes to see that.
const CUT: Duration = Duration::from_millis(10_500);

/// A greeting, as far as it comes; of a TLS handshake a ClientHello of 512 bytes.
const GREETING: &[u8] = b"\x18\0\0\0\x01\0\0\0\0\0\0\0IPCR\x01\0";
const CLIENT_HELLO: &[u8] = &[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3, 9, 9, 9, 9, 9, 9];
/// A call, as far as it comes.
const CALL: &[u8] = b"\x08\0\0\0\x04\x08\0\0\x01\0\0\0\x01\0\0\0";

/// Rounds with and without them, over each transport and to both servers.
pub(crate) fn hinder_nobody(lab: &mut Lab) {
    let _watchdog = watchdog(Duration::from_secs(24 * 3600));
    let many = lab.count(100, 1_000, 1_000);
    let rounds = lab.count(1, 4, 20);
    let push = lab.tier == Tier::Push;
    let servers = Transport::ALL
        .map(|transport| ("target", transport))
        .into_iter()
        .chain([("blocking-target", Transport::Unix)]);
    let identities = Identities::new();
    for (role, transport) in servers {
        let what = format!("{many} that dawdle, {role} over {transport:?}: the calls of others");
        let mut tally = Tally::new("D3", what);
        if raise_descriptors().is_some_and(|most| most < 3 * many) {
            tally.skip("too few descriptors (RLIMIT_NOFILE)");
            lab.enter(tally);
            continue;
        }
        // By default a test of seconds would wait for the end of the patience.
        let patience = push.then_some(Duration::from_millis(300));
        let target = Target {
            role,
            transport,
            patience,
            ..Target::default()
        };
        let there = target.start(&identities, None);
        let options = transport.client(&identities);
        let (mut compared, mut latest) = (Compared::default(), Duration::ZERO);
        runtime(1).block_on(async {
            let connection = options.connect(&there.endpoint).await.expect("the first");
            let way_in = (&options, &there.endpoint[..]);
            for _ in 0..rounds {
                let (mut calm, mut stormy) = (Times::default(), Times::default());
                let begun = Instant::now();
                let time = Duration::from_millis(if push { 100 } else { 10_000 });
                let more = || begun.elapsed() < time;
                calm.take(way_in, &connection, &mut tally, more).await;
                let (told, tell) = std::io::pipe().expect("a pipe");
                let dawdlers = Role::new("dawdlers")
                    .argument(&there.endpoint)
                    .argument(many)
                    .argument(if push { 50 } else { 1_000 })
                    .descriptor(&tell)
                    .spawn();
                drop(tell);
                let report = std::thread::spawn(move || read_report(told));
                let more = || !report.is_finished();
                stormy.take(way_in, &connection, &mut tally, more).await;
                latest = latest.max(report.join().expect("no panic"));
                dawdlers.done();
                compared.push(calm, stormy);
            }
        });
        if latest > CUT {
            tally.fail(format!("one was cut only after {latest:.2?}"));
        }
        let judged: &[&str] = if push { &[] } else { &["calls", "ways in"] };
        let times = compared.enter(&mut tally, judged);
        tally.note(format!("the last cut after {latest:.2?}; {times}"));
        lab.enter(tally);
    }
}

/// How long the last of them was let.
fn read_report(mut from: PipeReader) -> Duration {
    let mut text = String::new();
    from.read_to_string(&mut text).expect("text");
    Duration::from_millis(text.parse().expect("all were cut"))
}

/// One that dawdles.
struct Dawdler {
    socket: OwnedFd,
    /// What it says, byte by byte.
    words: &'static [u8],
    begun: Instant,
    cut: Option<Duration>,
}

/// The attack: argument 0 is where, 1 how many, 2 the milliseconds between two bytes of one.
pub(crate) fn dawdle(mut stage: Stage) {
    raise_descriptors();
    let many: usize = stage.argument(1).parse().expect("a number");
    let pace = Duration::from_millis(stage.argument(2).parse().expect("a number"));
    let ends = epoll::create(epoll::CreateFlags::CLOEXEC).expect("an epoll");
    // They come one by one, within the time of a byte: it is no flood of connections.
    let turn = pace / u32::try_from(many).expect("few");
    let mut due = Instant::now();
    let mut dawdlers: Vec<Dawdler> = (0..many)
        .map(|number| {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            due += turn;
            let dawdler = Dawdler::begin(stage.argument(0), number);
            let data = epoll::EventData::new_u64(number as u64);
            let flags = epoll::EventFlags::IN;
            epoll::add(&ends, &dawdler.socket, data, flags).expect("room");
            dawdler
        })
        .collect();
    let (mut left, mut next, begun) = (many, 0_u32, Instant::now());
    let mut events = Vec::with_capacity(many);
    while left > 0 {
        // Each has its own moment in every second.
        let due = begun + turn * next;
        let wait = due.saturating_duration_since(Instant::now());
        let wait = wait.try_into().expect("short");
        events.clear();
        let spare = rustix::buffer::spare_capacity(&mut events);
        epoll::wait(&ends, spare, Some(&wait)).expect("an epoll");
        for event in &events {
            let data = event.data;
            left -= usize::from(dawdlers[data.u64() as usize].is_cut(&ends));
        }
        if Instant::now() >= due {
            dawdlers[next as usize % many].say();
            next += 1;
        }
    }
    let latest = dawdlers.iter().filter_map(|one| one.cut).max();
    let latest = latest.expect("there were some").as_millis();
    let mut tell = std::fs::File::from(stage.descriptor());
    write!(tell, "{latest}").expect("somebody listens");
}

impl Dawdler {
    fn begin(endpoint: &str, number: usize) -> Self {
        let (transport, address) = endpoint.split_once(':').expect("a string binding");
        let socket: OwnedFd = match transport {
            "unix" => UnixStream::connect(address).expect("a queue").into(),
            _ => from_elsewhere(address.parse().expect("an address")),
        };
        rustix::io::ioctl_fionbio(&socket, true).expect("our own");
        let plain = ["unix", "tcp"].contains(&transport);
        // Some say nothing at all, some greet slowly, and some greet and then call slowly.
        let words = match (number % 4, plain) {
            (0, _) => &[],
            (3, true) => {
                rustix::io::write(&socket, &hello()).expect("room");
                CALL
            }
            (_, true) => GREETING,
            (_, false) => CLIENT_HELLO,
        };
        let begun = Instant::now();
        Self {
            socket,
            words,
            begun,
            cut: None,
        }
    }

    /// The next byte, if there is one.
    fn say(&mut self) {
        if let Some((first, rest)) = self.words.split_first() {
            if rest.len() + 1 == CALL.len() && std::ptr::eq(self.words, CALL) {
                // The time of a frame runs from its first byte.
                self.begun = Instant::now();
            }
            let _ = rustix::io::write(&self.socket, &[*first]);
            self.words = rest;
        }
    }

    /// Takes what came; whether that was the end.
    fn is_cut(&mut self, ends: &OwnedFd) -> bool {
        let mut buffer = [0; 4096];
        match rustix::io::read(&self.socket, &mut buffer) {
            Ok(1..) | Err(rustix::io::Errno::AGAIN) => false,
            Ok(0) | Err(_) => {
                epoll::delete(ends, &self.socket).expect("it was there");
                self.cut = Some(self.begun.elapsed());
                true
            }
        }
    }
}

/// Over TCP, from another address of this host than others have.
fn from_elsewhere(to: SocketAddr) -> OwnedFd {
    let from: SocketAddr = "127.0.0.2:0".parse().expect("an address");
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None);
    let socket = socket.expect("a socket");
    bind(&socket, &from).expect("ours");
    connect(&socket, &to).expect("a queue");
    socket
}

/// The whole greeting of a client.
fn hello() -> Vec<u8> {
    let mut bytes = vec![24, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend(b"IPCR\x01\0\0\0");
    for limit in [128_u32, 1 << 20, 1 << 18, 1 << 22] {
        bytes.extend(limit.to_le_bytes());
    }
    bytes
}
