//! What an event costs beside a raw eventfd, and beside one that does not block:
//! `cargo run --release -p ipc-event --example event_cost`.

use ipc_event::Event;
use rustix::event::{EventfdFlags, PollFd, PollFlags};
use std::os::fd::OwnedFd;
use std::time::Instant;

const ROUNDS: u32 = 20_000;
const SLICES: usize = 41;

/// A pair of events that two threads of one core take turns by.
trait Turns: Sync {
    fn notify(&self);
    fn wait(&self);
}

struct Ours(Event);
struct Raw(OwnedFd);
struct Nonblocking(OwnedFd);

impl Turns for Ours {
    fn notify(&self) {
        self.0.notify().expect("notify");
    }
    fn wait(&self) {
        self.0.wait().expect("wait");
    }
}

impl Turns for Raw {
    fn notify(&self) {
        rustix::io::write(&self.0, &1u64.to_ne_bytes()).expect("write");
    }
    fn wait(&self) {
        rustix::io::read(&self.0, &mut [0; 8]).expect("read");
    }
}

impl Turns for Nonblocking {
    fn notify(&self) {
        rustix::io::write(&self.0, &1u64.to_ne_bytes()).expect("write");
    }
    fn wait(&self) {
        while rustix::io::read(&self.0, &mut [0; 8]).is_err() {
            let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
            rustix::event::poll(&mut fds, None).expect("poll");
        }
    }
}

fn alone(event: &impl Turns) -> f64 {
    let start = Instant::now();
    for _ in 0..ROUNDS {
        event.notify();
        event.wait();
    }
    start.elapsed().as_nanos() as f64 / f64::from(ROUNDS)
}

fn in_turns<T: Turns>(there: &T, back: &T) -> f64 {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..ROUNDS {
                there.wait();
                back.notify();
            }
        });
        let start = Instant::now();
        for _ in 0..ROUNDS {
            there.notify();
            back.wait();
        }
        start.elapsed().as_nanos() as f64 / f64::from(ROUNDS)
    })
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

fn report(what: &str, mut slice: impl FnMut() -> [f64; 3]) {
    let slices: Vec<_> = (0..SLICES).map(|_| slice()).collect();
    let column = |at: usize| median(slices.iter().map(|slice| slice[at]).collect());
    let ratio = |at: usize| median(slices.iter().map(|slice| slice[at] / slice[1]).collect());
    println!(
        "{what}: ours {:.0} ns, raw {:.0} ns, not blocking {:.0} ns; ours/raw {:.3}, \
         not blocking/raw {:.3}",
        column(0),
        column(1),
        column(2),
        ratio(0),
        ratio(2)
    );
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut core = rustix::thread::CpuSet::new();
    core.set(rustix::thread::sched_getcpu());
    rustix::thread::sched_setaffinity(None, &core)?;
    let raw = |flags| rustix::event::eventfd(0, flags);
    let ours = [Ours(ipc_event::create()?), Ours(ipc_event::create()?)];
    let plain = [
        Raw(raw(EventfdFlags::CLOEXEC)?),
        Raw(raw(EventfdFlags::CLOEXEC)?),
    ];
    let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
    let other = [Nonblocking(raw(flags)?), Nonblocking(raw(flags)?)];
    report("one thread", || {
        [alone(&ours[0]), alone(&plain[0]), alone(&other[0])]
    });
    report("two threads, one core", || {
        [
            in_turns(&ours[0], &ours[1]),
            in_turns(&plain[0], &plain[1]),
            in_turns(&other[0], &other[1]),
        ]
    });
    Ok(())
}
