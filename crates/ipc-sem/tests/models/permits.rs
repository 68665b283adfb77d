//! No schedule and no death, of a holder or of who settles after it, loses or doubles a permit.

use crate::atomic::AtomicU64;
use crate::doomed::dies_after;
use crate::ledger::{self, Ledger};
use crate::schedules::{below, check, region};
use crate::{ErrorKind, Semaphore};
use shuttle::sync::Arc;

const SEATS: usize = 3;
const PERMITS: u64 = 2;

struct Account {
    free: AtomicU64,
    words: [AtomicU64; SEATS],
    seen: [AtomicU64; SEATS],
}

impl Account {
    fn new() -> Self {
        Self {
            free: AtomicU64::new(PERMITS),
            words: [0; SEATS].map(AtomicU64::new),
            seen: [0; SEATS].map(AtomicU64::new),
        }
    }
}

impl Ledger for Account {
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
fn take_part(account: &Account, seat: usize) {
    for _ in 0..2 {
        let one = ledger::take(account, seat);
        if ledger::take(account, seat) {
            ledger::give(account, seat);
        }
        if one {
            ledger::give(account, seat);
        }
    }
}

/// Settles a dead one's seat; up to three die over it, as the robust lock lets one at a time do.
fn settle(account: &Arc<Account>, seat: usize) {
    for attempt in 0..4 {
        let steps = if attempt == 3 { u32::MAX } else { below(12) };
        let account = Arc::clone(account);
        let heir = shuttle::thread::spawn(move || {
            dies_after(steps, || {
                ledger::settle(&*account, seat);
            })
        });
        if !heir.join().expect("no thread fails") {
            return;
        }
    }
}

fn a_kill_of_any_at_any_step() {
    let account = Arc::new(Account::new());
    let threads: Vec<_> = (0..SEATS)
        .map(|seat| {
            let (account, steps) = (Arc::clone(&account), below(40));
            let doomed = {
                let account = Arc::clone(&account);
                shuttle::thread::spawn(move || dies_after(steps, || take_part(&account, seat)))
            };
            shuttle::thread::spawn(move || {
                if doomed.join().expect("no thread fails") {
                    settle(&account, seat);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no thread fails");
    }
    assert_eq!(u64::from(ledger::free(&*account)), PERMITS);
}

#[test]
fn permits_are_conserved() {
    check("ledger of permits", a_kill_of_any_at_any_step);
}

/// One that is killed between two that wait for the one permit: both get it in the end.
fn a_death_beside_two_that_acquire() {
    let semaphore = Arc::new(Semaphore::create_trusted(region(), 0, 1).expect("fresh"));
    let steps = below(90);
    let start = |dies: bool| {
        let semaphore = Arc::clone(&semaphore);
        shuttle::thread::spawn(move || {
            let part = || drop(semaphore.acquire().expect("a seat"));
            if dies {
                dies_after(steps, || (0..2).for_each(|_| part()));
            } else {
                part();
            }
        })
    };
    let threads = [start(true), start(false), start(false)];
    for thread in threads {
        thread.join().expect("no thread fails");
    }
    let permit = semaphore.try_acquire().expect("it has returned");
    let second = semaphore.try_acquire().expect_err("there is one");
    assert_eq!(second.kind(), ErrorKind::WouldBlock);
    drop(permit);
}

#[test]
fn a_permit_returns_and_wakes_whoever_waits() {
    check("semaphore", a_death_beside_two_that_acquire);
}
