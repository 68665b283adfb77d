//! C5 and C7: waits of processes for each other, many and under a storm of signals.

use crate::scene::{self, Kind, LIMIT, Pair, barrier, beside, condvar, event, mutex, rw_lock};
use ipc_sem::sysv::{self, Operation, Set};
use ipc_sem::{ErrorKind, Event, Options, Region, Result, Semaphore, posix};
use ipc_testkit::crash::{Lab, Tally, calm_and_stormy, ping_pong};
use std::time::{Duration, Instant};

/// As many as make a processor sleep seldom.
const PAIRS: usize = 2;

/// C5: no wake-up is lost.
pub(crate) fn no_wake_up_is_lost(lab: &mut Lab) {
    // A million by push, a hundred million by night, of five kinds.
    let rounds = lab.count(200_000, 20_000_000, 200_000_000);
    let mut tally = Tally::new("C5", "ping-pong by two events, each woken by the other");
    let regions: Vec<_> = (0..PAIRS)
        .map(|_| [taken_by_one(), taken_by_one()])
        .collect();
    let events: Vec<[Event; 2]> = regions
        .iter()
        .map(|both| both.each_ref().map(event))
        .collect();
    ping_pong(&mut tally, rounds, PAIRS, |pair, first| {
        let [ping, pong] = &events[pair];
        if first {
            pong.notify().expect("a seat");
            ping.wait().expect("nobody dies");
        } else {
            pong.wait().expect("nobody dies");
            ping.notify().expect("a seat");
        }
    });
    lab.enter(tally);
    let mut tally = Tally::new("C5", "ping-pong by a condition");
    let regions: Vec<_> = (0..PAIRS).map(|_| scene::set(Kind::Condvar)).collect();
    let players: Vec<_> = (regions.iter())
        .map(|region| (condvar(region), beside(region)))
        .collect();
    ping_pong(&mut tally, rounds, PAIRS, |pair, first| {
        let (changed, turn) = &players[pair];
        take_turn(changed, turn, u64::from(first));
    });
    lab.enter(tally);
    let mut tally = Tally::new("C5", "ping-pong by two POSIX semaphores");
    let region = scene::fresh();
    let semaphores: Vec<_> = (0..2 * PAIRS)
        .map(|at| posix::Semaphore::create_trusted(&region, 128 * at, 0).expect("room"))
        .collect();
    ping_pong(&mut tally, rounds, PAIRS, |pair, first| {
        let (mine, yours) = (
            2 * pair + usize::from(first),
            2 * pair + usize::from(!first),
        );
        if first {
            semaphores[yours].release().expect("room");
        }
        semaphores[mine].acquire().expect("a token");
        if !first {
            semaphores[yours].release().expect("room");
        }
    });
    lab.enter(tally);
    let mut tally = Tally::new("C5", "a permit and a lock that two want at a time");
    let regions: Vec<_> = (0..PAIRS)
        .map(|_| (one_permit(), scene::set(Kind::Mutex)))
        .collect();
    let both: Vec<_> = (regions.iter())
        .map(|(permit, lock)| (scene::semaphore(permit), mutex(lock)))
        .collect();
    ping_pong(&mut tally, rounds, PAIRS, |pair, _| {
        let (semaphore, mutex) = &both[pair];
        let permit = semaphore.acquire().expect("nobody dies");
        let mut guard = mutex.lock().expect("nobody dies");
        guard[0] += 1;
        std::thread::yield_now();
        drop((permit, guard));
    });
    lab.enter(tally);
}

fn taken_by_one() -> Region {
    let region = scene::fresh();
    let mut options = Options::new();
    let made = options.taken_by_one(true).create_event_trusted(&region, 0);
    drop(made.expect("fresh memory"));
    region
}

fn one_permit() -> Region {
    let region = scene::fresh();
    drop(Semaphore::create_trusted(&region, 0, 1).expect("fresh memory"));
    region
}

fn take_turn(changed: &ipc_sem::Condvar, turn: &ipc_sem::Mutex<Pair>, mine: u64) {
    let mut guard = turn.lock().expect("nobody dies");
    while guard[0] % 2 != mine {
        changed.wait(&mut guard).expect("nobody dies");
    }
    guard[0] += 1;
    drop(guard);
    changed.notify_one().expect("a seat");
}

/// Rounds of one comparison.
const ROUNDS: u64 = 200;

/// C7: each blocking call, interrupted ten thousand times a second, does what it does in quiet.
pub(crate) fn a_storm_of_signals_changes_nothing(lab: &mut Lab) {
    // Of the ten minutes by night that all crates share the most: ten kinds.
    let time = Duration::from_millis(lab.count(300, 40_000, 240_000));
    let storm = |what: &str| Tally::new("C7", format!("{what}, 10,000 signals a second"));
    for (kind, what) in [
        (Kind::Mutex, "lock"),
        (Kind::FairMutex, "lock a fair mutex"),
    ] {
        let mut tally = storm(what);
        let scene = || scene::set(kind);
        calm_and_stormy(&mut tally, time, scene, |region, _| {
            let mutex = mutex(region);
            add_up(region, |round| match round % 3 {
                0 => mutex.lock(),
                1 if kind == Kind::Mutex => mutex.lock_timeout(LIMIT),
                2 if kind == Kind::Mutex => mutex.lock_deadline(Instant::now() + LIMIT),
                _ => mutex.lock(),
            })
        });
        lab.enter(tally);
    }
    let mut tally = storm("acquire");
    calm_and_stormy(&mut tally, time, one_permit, |region, _| {
        let semaphore = scene::semaphore(region);
        add_up(region, |round| match round % 3 {
            0 => semaphore.acquire(),
            1 => semaphore.acquire_timeout(LIMIT),
            _ => semaphore.acquire_deadline(Instant::now() + LIMIT),
        })
    });
    lab.enter(tally);
    let mut tally = storm("write, and read");
    calm_and_stormy(
        &mut tally,
        time,
        || scene::set(Kind::RwLock),
        |region, _| {
            let lock = rw_lock(region);
            add_up(region, |round| {
                drop(match round % 2 {
                    0 => lock.read()?,
                    _ => lock.read_timeout(LIMIT)?,
                });
                match round % 3 {
                    0 => lock.write(),
                    1 => lock.write_timeout(LIMIT),
                    _ => lock.write_deadline(Instant::now() + LIMIT),
                }
            })
        },
    );
    lab.enter(tally);
    waits_for_others(lab, time, storm);
    systems_own(lab, time, storm);
}

fn waits_for_others(lab: &mut Lab, time: Duration, storm: impl Fn(&str) -> Tally) {
    let mut tally = storm("wait for a condition");
    calm_and_stormy(
        &mut tally,
        time,
        || scene::set(Kind::Condvar),
        |region, first| {
            let (changed, turn) = (condvar(region), beside(region));
            (0..ROUNDS).for_each(|_| take_turn(&changed, &turn, u64::from(first)));
            in_vain(|short| {
                let mut guard = turn.lock()?;
                // The other's last notification may come late.
                loop {
                    changed.wait_timeout(&mut guard, short)?;
                }
            });
            ROUNDS
        },
    );
    lab.enter(tally);
    let mut tally = storm("meet");
    calm_and_stormy(
        &mut tally,
        time,
        || scene::set(Kind::Barrier),
        |region, first| {
            let barrier = barrier(region);
            let last = (0..ROUNDS).map(|round| match (round + u64::from(first)) % 3 {
                0 => barrier.wait(),
                1 => barrier.wait_timeout(LIMIT),
                _ => barrier.wait_deadline(Instant::now() + LIMIT),
            });
            last.map(|met| u64::from(met.is_ok())).sum()
        },
    );
    lab.enter(tally);
    let mut tally = storm("wait for an event");
    let scene = || [taken_by_one(), taken_by_one()];
    calm_and_stormy(&mut tally, time, scene, |regions, first| {
        let [mine, yours] = [usize::from(first), usize::from(!first)].map(|at| event(&regions[at]));
        by_turns(
            first,
            || yours.notify(),
            |round| match round % 3 {
                0 => mine.wait(),
                1 => mine.wait_timeout(LIMIT),
                _ => mine.wait_deadline(Instant::now() + LIMIT),
            },
        )
    });
    lab.enter(tally);
    let mut tally = storm("wait for work done once");
    let scene = || -> Vec<Region> { (0..8).map(|_| scene::set(Kind::Once)).collect() };
    calm_and_stormy(&mut tally, time, scene, |regions, _| {
        let work = |region: &Region| {
            let once = scene::once(region);
            let work = |_| busy(Duration::from_micros(300));
            once.call(work).map(|_| once.is_done())
        };
        regions
            .iter()
            .filter(|region| work(region).is_ok_and(|done| done))
            .count() as u64
    });
    lab.enter(tally);
}

fn systems_own(lab: &mut Lab, time: Duration, storm: impl Fn(&str) -> Tally) {
    let mut tally = storm("acquire a POSIX token");
    let scene = || {
        let region = scene::fresh();
        let made = [0, 128].map(|at| posix::Semaphore::create_trusted(&region, at, 0));
        drop(made.map(|each| each.expect("room")));
        region
    };
    calm_and_stormy(&mut tally, time, scene, |region, first| {
        let open = |at| posix::Semaphore::open_trusted(region, at).expect("made");
        let [mine, yours] = if first { [0, 128] } else { [128, 0] }.map(open);
        by_turns(
            first,
            || yours.release(),
            |round| match round % 3 {
                0 => mine.acquire(),
                1 => mine.acquire_timeout(LIMIT),
                _ => mine.acquire_deadline(Instant::now() + LIMIT),
            },
        )
    });
    lab.enter(tally);
    let mut tally = storm("change a System V set");
    let scene = || Removed(sysv::Options::new().create_unnamed(&[0, 0]).expect("room"));
    calm_and_stormy(&mut tally, time, scene, |Removed(set), first| {
        let (mine, yours) = if first { (0, 1) } else { (1, 0) };
        let take = [Operation::take(mine, 1).expect("small").lasting()];
        let give = [Operation::give(yours, 1).expect("small").lasting()];
        by_turns(
            first,
            || set.apply(&give),
            |round| match round % 3 {
                0 => set.apply(&take),
                1 => set.apply_timeout(&take, LIMIT),
                _ => set.apply_deadline(&take, Instant::now() + LIMIT),
            },
        )
    });
    lab.enter(tally);
}

struct Removed(Set);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = self.0.remove();
    }
}

/// Adds to a number that only who has the lock may change; what it is when both have done so.
fn add_up<G>(region: &Region, mut take: impl FnMut(u64) -> Result<G>) -> u64 {
    let sum = || region.atomic_u32(scene::MARK).expect("inside");
    let over = || region.atomic_u32(scene::WHO).expect("inside");
    use std::sync::atomic::Ordering::SeqCst;
    for round in 0..ROUNDS {
        let guard = take(round).expect("nobody dies");
        let before = sum().load(SeqCst);
        busy(Duration::from_micros(20));
        sum().store(before + 1, SeqCst);
        drop(guard);
    }
    over().fetch_add(1, SeqCst);
    assert!(scene::within_limit(|| over().load(SeqCst) == 2));
    sum().load(SeqCst).into()
}

/// Wakes the other and is woken by it, turn by turn; then waits in vain, and for its whole time.
fn by_turns(
    first: bool,
    mut wake: impl FnMut() -> Result<()>,
    mut wait: impl FnMut(u64) -> Result<()>,
) -> u64 {
    for round in 0..ROUNDS {
        if first {
            wake().expect("it can");
        }
        wait(round).expect("nobody dies");
        if !first {
            wake().expect("it can");
        }
    }
    ROUNDS
}

/// A wait that nobody ends takes its whole time, and says so.
fn in_vain(wait: impl FnOnce(Duration) -> Result<()>) {
    const SHORT: Duration = Duration::from_millis(5);
    let start = Instant::now();
    let late = wait(SHORT).expect_err("nobody comes");
    assert_eq!(late.kind(), ErrorKind::TimedOut, "{late}");
    assert!(start.elapsed() >= SHORT);
}

fn busy(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}
