//! Two network namespaces that a test makes, and the wire between them, which it carries packet
//! by packet: late, with losses, twice, out of order, or not at all.

use ipc_testkit::{Child, Role, packet_interface};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The address of the servers' side.
pub const THERE: &str = "10.91.0.2";
const HERE: &str = "10.91.0.1";
/// The one device of either side, beside its loopback.
pub const DEVICE: &str = "wire0";

/// How much later a packet comes that is held back.
const HELD_MICROS: u64 = 3_000;

/// What the wire does with packets.
#[derive(Debug, Default)]
pub struct Wire {
    delay_micros: AtomicU64,
    /// How many of a thousand packets are lost.
    loss: AtomicU32,
    /// How many of a thousand packets come twice.
    repeat: AtomicU32,
    /// How many of a thousand packets come later than the delay, after others.
    hold: AtomicU32,
    cut: AtomicBool,
    carried: AtomicU64,
    lost: AtomicU64,
    end: AtomicBool,
}

impl Wire {
    /// Each packet arrives this much later, in each direction.
    pub fn delay(&self, delay: Duration) {
        let micros = u64::try_from(delay.as_micros()).expect("short");
        self.delay_micros.store(micros, Ordering::Relaxed);
    }

    /// So many of a thousand packets are lost, in each direction.
    pub fn lose(&self, of_a_thousand: u32) {
        self.loss.store(of_a_thousand, Ordering::Relaxed);
    }

    /// So many of a thousand packets come twice, in each direction.
    pub fn repeat(&self, of_a_thousand: u32) {
        self.repeat.store(of_a_thousand, Ordering::Relaxed);
    }

    /// So many of a thousand packets come late, after others, in each direction.
    pub fn reorder(&self, of_a_thousand: u32) {
        self.hold.store(of_a_thousand, Ordering::Relaxed);
    }

    /// How many packets arrived.
    #[must_use]
    pub fn carried(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }

    /// How many packets did not.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Nothing arrives any more, and nobody is told.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }

    /// Packets arrive again.
    pub fn heal(&self) {
        self.cut.store(false, Ordering::Relaxed);
    }

    /// Carries packets between both ends until the end.
    fn carry(&self, ends: [&OwnedFd; 2]) {
        let mut late: BTreeMap<(Instant, u64), (usize, Vec<u8>)> = BTreeMap::new();
        let (mut seed, mut count, mut buffer) = (0x2545_f491_4f6c_dd1d_u64, 0, vec![0; 65_536]);
        let mut happens = |of_a_thousand: &AtomicU32| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 16) % 1000 < u64::from(of_a_thousand.load(Ordering::Relaxed))
        };
        while !self.end.load(Ordering::Relaxed) {
            // Short enough that the end is seen, and that a packet is not much too late.
            let tick = Duration::from_millis(20);
            let wait = late.first_key_value().map_or(tick, |((at, _), _)| {
                tick.min(at.saturating_duration_since(Instant::now()))
            });
            let wait = Timespec::try_from(wait).expect("short");
            let mut fds = ends.map(|end| PollFd::new(end, PollFlags::IN));
            let _ = poll(&mut fds, Some(&wait));
            for from in [0, 1] {
                while let Ok(length) = rustix::io::read(ends[from], &mut buffer) {
                    if happens(&self.loss) || self.cut.load(Ordering::Relaxed) {
                        self.lost.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    for _ in 0..1 + usize::from(happens(&self.repeat)) {
                        let held = u64::from(happens(&self.hold)) * HELD_MICROS;
                        let delay = self.delay_micros.load(Ordering::Relaxed) + held;
                        count += 1;
                        let at = Instant::now() + Duration::from_micros(delay);
                        late.insert((at, count), (1 - from, buffer[..length].to_vec()));
                    }
                }
            }
            let now = Instant::now();
            while let Some(first) = late.first_entry()
                && first.key().0 <= now
            {
                let (to, packet) = first.remove();
                // An interface that is down takes nothing.
                let _ = rustix::io::write(ends[to], &packet);
                self.carried.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// What the thread in the servers' namespace is to do.
type Work = Box<dyn FnOnce() + Send>;

/// A namespace in which servers run, and this thread's own.
pub struct Network {
    /// What is between both sides.
    pub wire: Arc<Wire>,
    servers: Option<mpsc::Sender<Work>>,
    threads: Vec<JoinHandle<()>>,
}

impl Network {
    /// Takes this thread, and those it will start, into one new namespace, and makes another for
    /// servers.
    ///
    /// # Errors
    /// Why this host, or this user, cannot.
    pub fn enter() -> Result<Self, String> {
        let mut network = Self::apart()?;
        let theirs = network.there(|| packets(THERE))?;
        let ours = packets(HERE)?;
        let wire = Arc::clone(&network.wire);
        let carrier = std::thread::spawn(move || wire.carry([&ours, &theirs]));
        network.threads.push(carrier);
        Ok(network)
    }

    /// The same with a pair of the kernel's own devices between both sides, [`DEVICE`] each.
    ///
    /// # Errors
    /// As [`enter`](Network::enter).
    pub fn enter_devices() -> Result<Self, String> {
        let network = Self::apart()?;
        let thread = network.there(|| rustix::thread::gettid().as_raw_nonzero());
        run(
            "ip",
            &format!("link add {DEVICE} type veth peer name {DEVICE} netns {thread}"),
        )?;
        network.there(|| address(THERE))?;
        address(HERE)?;
        Ok(network)
    }

    /// Two namespaces, and nothing between them.
    fn apart() -> Result<Self, String> {
        let (servers, work) = mpsc::channel::<Work>();
        // A child that a thread starts is in the namespace of that thread.
        let there = std::thread::spawn(move || work.iter().for_each(|work| work()));
        let network = Self {
            wire: Arc::default(),
            servers: Some(servers),
            threads: vec![there],
        };
        network.there(namespace)?;
        namespace()?;
        Ok(network)
    }

    /// Starts a role in the servers' namespace.
    pub fn spawn(&self, role: Role) -> Child {
        self.there(move || role.spawn())
    }

    /// Does something in the servers' namespace.
    fn there<R: Send + 'static>(&self, work: impl FnOnce() -> R + Send + 'static) -> R {
        let (answer, answered) = mpsc::channel();
        let work = move || answer.send(work()).expect("somebody waits");
        let servers = self.servers.as_ref().expect("until it is dropped");
        servers.send(Box::new(work)).expect("the thread lives");
        answered.recv().expect("it is done")
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.wire.end.store(true, Ordering::Relaxed);
        self.servers = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Gives this thread a network of its own.
fn namespace() -> Result<(), String> {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)
        .map_err(|error| format!("no network namespace: {error}"))?;
    run("ip", "link set lo up")
}

/// A device with this address whose packets are ours to carry.
fn packets(of: &str) -> Result<OwnedFd, String> {
    let packets = packet_interface(DEVICE).map_err(|error| format!("no /dev/net/tun: {error}"))?;
    address(of)?;
    Ok(packets)
}

/// Gives the device its address.
fn address(of: &str) -> Result<(), String> {
    run("ip", &format!("address add {of}/24 dev {DEVICE}"))?;
    run("ip", &format!("link set {DEVICE} up"))
}

/// Runs a command of the host in this thread's namespace.
pub fn run(program: &str, arguments: &str) -> Result<(), String> {
    let output = Command::new(program)
        .args(arguments.split(' '))
        .output()
        .map_err(|error| format!("no command `{program}`: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("`{program} {arguments}`: {}", said.trim()))
        }
    }
}
