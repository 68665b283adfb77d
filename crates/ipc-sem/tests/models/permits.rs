//! No schedule and no death, of a holder or of who settles after it, loses or doubles a permit.

use crate::doomed::{AtomicU64, dies_after};
use crate::ledger::{self, Ledger};
use shuttle::rand::Rng;
use shuttle::sync::Arc;

const SEATS: usize = 3;
const PERMITS: u64 = 2;
const SCHEDULES: usize = 100_000;

struct Semaphore {
    free: AtomicU64,
    words: [AtomicU64; SEATS],
    seen: [AtomicU64; SEATS],
}

impl Semaphore {
    fn new() -> Self {
        Self {
            free: AtomicU64::new(PERMITS),
            words: [0; SEATS].map(AtomicU64::new),
            seen: [0; SEATS].map(AtomicU64::new),
        }
    }
}

impl Ledger for Semaphore {
    fn free(&self) -> &AtomicU64 {
        &self.free
    }
    fn word(&self, seat: usize) -> &AtomicU64 {
        &self.words[seat]
    }
    fn seen(&self, seat: usize) -> &AtomicU64 {
        &self.seen[seat]
    }
}

/// Takes and gives, holding one or two for a while; leaves in order.
fn take_part(semaphore: &Semaphore, seat: usize) {
    for _ in 0..2 {
        let one = ledger::take(semaphore, seat);
        if ledger::take(semaphore, seat) {
            ledger::give(semaphore, seat);
        }
        if one {
            ledger::give(semaphore, seat);
        }
    }
}

/// Settles a dead one's seat, dying over it up to three times, as the robust lock lets one at a
/// time do.
fn settle(semaphore: &Semaphore, seat: usize) {
    for _ in 0..3 {
        let steps = shuttle::rand::thread_rng().gen_range(0..12);
        if !dies_after(steps, || {
            ledger::settle(semaphore, seat);
        }) {
            return;
        }
    }
    ledger::settle(semaphore, seat);
}

fn a_kill_of_any_at_any_step() {
    let semaphore = Arc::new(Semaphore::new());
    let threads: Vec<_> = (0..SEATS)
        .map(|seat| {
            let semaphore = Arc::clone(&semaphore);
            shuttle::thread::spawn(move || {
                let steps = shuttle::rand::thread_rng().gen_range(0..40);
                if dies_after(steps, || take_part(&semaphore, seat)) {
                    settle(&semaphore, seat);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no thread fails");
    }
    assert_eq!(u64::from(ledger::free(&*semaphore)), PERMITS);
}

#[test]
fn permits_are_conserved_under_random_schedules() {
    shuttle::check_random(a_kill_of_any_at_any_step, SCHEDULES);
}

#[test]
fn permits_are_conserved_under_schedules_of_few_switches() {
    shuttle::check_pct(a_kill_of_any_at_any_step, SCHEDULES, 3);
}
