//! A way to a server that loses packets, repeats them and holds them back.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::{BTreeMap, HashMap};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What it does to packets, in each direction.
#[derive(Debug, Default)]
pub(crate) struct Ways {
    /// How many of a thousand packets are lost.
    pub(crate) lose: AtomicU32,
    /// How many of a thousand packets come twice.
    pub(crate) repeat: AtomicU32,
    /// How many of a thousand packets are held back, so that later ones overtake them.
    pub(crate) hold: AtomicU32,
    pub(crate) lost: AtomicU64,
    pub(crate) repeated: AtomicU64,
    pub(crate) held: AtomicU64,
    pub(crate) carried: AtomicU64,
    end: AtomicBool,
}

/// The way.
pub(crate) struct Chaos {
    pub(crate) ways: Arc<Ways>,
    pub(crate) address: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl Chaos {
    /// A way to `server` that does nothing to packets yet.
    pub(crate) fn before(server: SocketAddr) -> Self {
        let front = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let address = front.local_addr().expect("bound");
        let ways = Arc::<Ways>::default();
        let carried = Arc::clone(&ways);
        let thread = std::thread::spawn(move || Carrier::new(front, server, carried).carry());
        Self {
            ways,
            address,
            thread: Some(thread),
        }
    }

    /// Of a thousand packets this many are lost, come twice, and are held back.
    pub(crate) fn set(&self, lose: u32, repeat: u32, hold: u32) {
        self.ways.lose.store(lose, Ordering::Relaxed);
        self.ways.repeat.store(repeat, Ordering::Relaxed);
        self.ways.hold.store(hold, Ordering::Relaxed);
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("udp:{}", self.address)
    }

    /// What it has done, in words.
    pub(crate) fn told(&self) -> String {
        let [carried, lost, repeated, held] = [
            &self.ways.carried,
            &self.ways.lost,
            &self.ways.repeated,
            &self.ways.held,
        ]
        .map(|count| count.load(Ordering::Relaxed));
        format!("{carried} packets carried, {lost} lost, {repeated} repeated, {held} held back")
    }
}

impl Drop for Chaos {
    fn drop(&mut self) {
        self.ways.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What carries.
struct Carrier {
    front: UdpSocket,
    server: SocketAddr,
    /// One socket for each client, and so one address.
    backs: Vec<(UdpSocket, SocketAddr)>,
    known: HashMap<SocketAddr, usize>,
    /// What is on its way: to the server, or to a client.
    late: BTreeMap<(Instant, u64), (usize, bool, Vec<u8>)>,
    count: u64,
    random: u64,
    ways: Arc<Ways>,
}

impl Carrier {
    fn new(front: UdpSocket, server: SocketAddr, ways: Arc<Ways>) -> Self {
        front.set_nonblocking(true).expect("a socket");
        Self {
            front,
            server,
            backs: Vec::new(),
            known: HashMap::new(),
            late: BTreeMap::new(),
            count: 0,
            random: 0x2545_f491_4f6c_dd1d,
            ways,
        }
    }

    fn carry(mut self) {
        let mut buffer = vec![0; 65_536];
        while !self.ways.end.load(Ordering::Relaxed) {
            self.wait();
            while let Ok((length, from)) = self.front.recv_from(&mut buffer) {
                let back = self.back(from);
                self.take(back, true, &buffer[..length]);
            }
            for back in 0..self.backs.len() {
                // A server that is gone is an error of the socket, and no packet.
                while let Ok(length) = self.backs[back].0.recv(&mut buffer) {
                    self.take(back, false, &buffer[..length]);
                }
            }
            let now = Instant::now();
            while let Some(first) = self.late.first_entry()
                && first.key().0 <= now
            {
                let (back, to_server, packet) = first.remove();
                self.send(back, to_server, &packet);
            }
        }
    }

    fn wait(&self) {
        let tick = Duration::from_millis(20);
        let wait = self.late.first_key_value().map_or(tick, |((at, _), _)| {
            tick.min(at.saturating_duration_since(Instant::now()))
        });
        let wait = Timespec::try_from(wait).expect("short");
        let backs = self.backs.iter().map(|(back, _)| back);
        let all = std::iter::once(&self.front).chain(backs);
        let mut fds: Vec<_> = all.map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
        let _ = poll(&mut fds, Some(&wait));
    }

    fn back(&mut self, client: SocketAddr) -> usize {
        *self.known.entry(client).or_insert_with(|| {
            let back = UdpSocket::bind("127.0.0.1:0").expect("a socket");
            back.set_nonblocking(true).expect("a socket");
            self.backs.push((back, client));
            self.backs.len() - 1
        })
    }

    fn take(&mut self, back: usize, to_server: bool, packet: &[u8]) {
        self.step();
        if self.happens(&self.ways.lose) {
            self.ways.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let mut copies = 1;
        self.step();
        if self.happens(&self.ways.repeat) {
            self.ways.repeated.fetch_add(1, Ordering::Relaxed);
            copies = 2;
        }
        for _ in 0..copies {
            self.step();
            if self.happens(&self.ways.hold) {
                self.ways.held.fetch_add(1, Ordering::Relaxed);
                self.step();
                // Up to five milliseconds, and now and then far beyond every repetition.
                let far = self.random.is_multiple_of(100);
                let micros = 100 + self.random / 100 % if far { 300_000 } else { 5_000 };
                let at = Instant::now() + Duration::from_micros(micros);
                self.count += 1;
                let packet = (back, to_server, packet.to_vec());
                self.late.insert((at, self.count), packet);
            } else {
                self.send(back, to_server, packet);
            }
        }
    }

    fn send(&self, back: usize, to_server: bool, packet: &[u8]) {
        let (socket, client) = &self.backs[back];
        // What does not go out is lost.
        let _ = match to_server {
            true => socket.send_to(packet, self.server),
            false => self.front.send_to(packet, client),
        };
        self.ways.carried.fetch_add(1, Ordering::Relaxed);
    }

    fn happens(&self, of_a_thousand: &AtomicU32) -> bool {
        self.random >> 20 & 0xf_ffff < u64::from(of_a_thousand.load(Ordering::Relaxed)) * 1049
    }

    fn step(&mut self) {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
    }
}
