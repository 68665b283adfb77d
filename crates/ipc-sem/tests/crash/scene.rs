//! The region that a crash is played in, and what a trial begins from.

use ipc_sem::{Barrier, Condvar, Event, Mutex, Once, Options, Region, RwLock, Semaphore};
use ipc_testkit::crash::Forked;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

/// What a mutex or a lock guards: two numbers that a whole change keeps equal.
pub(crate) type Pair = [u64; 2];

/// Where the object of a trial stands, and the mutex beside a condition variable.
pub(crate) const FIRST: usize = 0;
pub(crate) const SECOND: usize = 32 << 10;
/// Outside every object: what a player has said.
pub(crate) const MARK: usize = 40 << 10;
/// Outside every object: which process is stepped through.
pub(crate) const WHO: usize = MARK + 64;
const BYTES: usize = 44 << 10;

/// How many permits a trial's semaphore has.
pub(crate) const PERMITS: u32 = 3;
/// How long survivors have. A hang is a failure, a slow host is none.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);
/// How long a wait takes that is to end in vain.
pub(crate) const SHORT: Duration = Duration::from_micros(300);

pub(crate) fn fresh() -> Region {
    ipc_shm::anonymous(BYTES).expect("a region")
}

/// All bytes of the region.
pub(crate) fn image(region: &Region) -> Vec<u8> {
    let mut bytes = vec![0; BYTES];
    region.read_at(0, &mut bytes).expect("inside");
    bytes
}

pub(crate) fn restore(region: &Region, image: &[u8]) {
    region.write_at(0, image).expect("inside");
}

pub(crate) fn mark(region: &Region, value: u32) {
    region
        .atomic_u32(MARK)
        .expect("inside")
        .store(value, SeqCst);
}

pub(crate) fn marked(region: &Region) -> u32 {
    region.atomic_u32(MARK).expect("inside").load(SeqCst)
}

/// Waits until `done`, at most for the limit; whether it came to that.
pub(crate) fn within_limit(mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if done() {
            return true;
        }
        if start.elapsed() > LIMIT {
            return false;
        }
        std::thread::yield_now();
    }
}

/// How long a judge waits for what must not come: as good as no time.
pub(crate) const BRIEF: Duration = Duration::from_micros(1);

/// The kernel's letter for what the copy does: S sleeps, Z is dead and not reaped.
fn state(copy: &Forked) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", copy.id())).ok()?;
    stat.rsplit(')').next()?.trim_start().chars().next()
}

/// Waits until the copy sleeps in the kernel; whether it came to that.
pub(crate) fn asleep(copy: &Forked) -> bool {
    within_limit(|| state(copy) == Some('S'))
}

pub(crate) fn is_dead(copy: &Forked) -> bool {
    state(copy) == Some('Z')
}

/// A copy that does `part` and stays, until it is killed.
pub(crate) fn staying(region: &Region, part: impl FnOnce()) -> Forked {
    mark(region, 0);
    let copy = Forked::new(|| {
        part();
        mark(region, 1);
        loop {
            std::thread::park();
        }
    });
    assert!(within_limit(|| marked(region) == 1), "the player is there");
    mark(region, 0);
    copy
}

pub(crate) fn mutex(region: &Region) -> Mutex<Pair> {
    Mutex::open_trusted(region, FIRST).expect("a mutex")
}

/// The mutex beside a condition variable.
pub(crate) fn beside(region: &Region) -> Mutex<Pair> {
    Mutex::open_trusted(region, SECOND).expect("a mutex")
}

pub(crate) fn semaphore(region: &Region) -> Semaphore {
    Semaphore::open_trusted(region, FIRST).expect("a semaphore")
}

pub(crate) fn rw_lock(region: &Region) -> RwLock<Pair> {
    RwLock::open_trusted(region, FIRST).expect("a lock")
}

pub(crate) fn condvar(region: &Region) -> Condvar {
    Condvar::open_trusted(region, FIRST).expect("a condition variable")
}

pub(crate) fn barrier(region: &Region) -> Barrier {
    Barrier::open_trusted(region, FIRST).expect("a barrier")
}

pub(crate) fn event(region: &Region) -> Event {
    Event::open_trusted(region, FIRST).expect("an event")
}

pub(crate) fn once(region: &Region) -> Once {
    Once::open_trusted(region, FIRST).expect("a once")
}

/// An object of the crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Mutex,
    FairMutex,
    Semaphore,
    RwLock,
    Condvar,
    Barrier,
    Event,
    Once,
}

impl Kind {
    pub(crate) const ALL: [Self; 8] = [
        Self::Mutex,
        Self::FairMutex,
        Self::Semaphore,
        Self::RwLock,
        Self::Condvar,
        Self::Barrier,
        Self::Event,
        Self::Once,
    ];

    /// Makes one at the first place of the region.
    pub(crate) fn create(self, region: &Region) -> ipc_sem::Result<()> {
        match self {
            Self::Mutex => Mutex::<Pair>::create_trusted(region, FIRST, [0; 2]).map(drop),
            Self::FairMutex => Options::new()
                .fair(true)
                .create_mutex_trusted::<Pair>(region, FIRST, [0; 2])
                .map(drop),
            Self::Semaphore => Semaphore::create_trusted(region, FIRST, PERMITS).map(drop),
            Self::RwLock => RwLock::<Pair>::create_trusted(region, FIRST, [0; 2]).map(drop),
            Self::Condvar => Condvar::create_trusted(region, FIRST).map(drop),
            Self::Barrier => Barrier::create_trusted(region, FIRST, 2).map(drop),
            Self::Event => Event::create_trusted(region, FIRST).map(drop),
            Self::Once => Once::create_trusted(region, FIRST).map(drop),
        }
    }
}

/// A region with the object, and the mutex beside it.
pub(crate) fn set(kind: Kind) -> Region {
    let region = fresh();
    kind.create(&region).expect("fresh memory");
    Mutex::<Pair>::create_trusted(&region, SECOND, [0; 2]).expect("fresh memory");
    region
}
