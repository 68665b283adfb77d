//! Who has how many permits, so that no death at any instruction loses or doubles one.
//!
//! One word counts the free permits, and names who changed it last by which numbered operation.
//! Each seat (a thread that takes part) writes down what it is about to do before it changes that
//! word, and what it has when it is done. Whoever changes the word next first writes the number
//! of the last operation to the seat that did it. So after a death it is always known whether
//! the dead one's last operation took place: its number stands in the word or in its seat.

use crate::atomic::{AtomicU64, Ordering};
use Ordering::{Acquire, Release, SeqCst};
use ipc_sys::crash_point;

/// Most permits of one semaphore.
pub(crate) const MAX_PERMITS: u32 = (1 << 20) - 1;

const PERMITS: u64 = MAX_PERMITS as u64;
const ACTOR_SHIFT: u32 = 20;
const ACTOR: u64 = 0xFF;
const NUMBER_SHIFT: u32 = 28;
const OPERATION_SHIFT: u32 = 20;
const OPERATION: u64 = 0x3;

const NOTHING: u64 = 0;
const TAKE_ONE: u64 = 1;
const GIVE_ONE: u64 = 2;
const GIVE_ALL: u64 = 3;

/// The words of one semaphore.
pub(crate) trait Ledger {
    /// Free permits, last actor (its seat and one), number of its operation.
    fn free(&self) -> &AtomicU64;
    /// What the seat holds, and the operation it is at: held, operation, number.
    fn word(&self, seat: usize) -> &AtomicU64;
    /// The number of the seat's last operation that others have seen done.
    fn seen(&self, seat: usize) -> &AtomicU64;
}

/// How many permits are free.
pub(crate) fn free(ledger: &impl Ledger) -> u32 {
    (ledger.free().load(SeqCst) & PERMITS) as u32
}

/// Takes a permit for `seat`, if one is free.
#[inline]
pub(crate) fn take(ledger: &impl Ledger, seat: usize) -> bool {
    let mine = ledger.word(seat);
    let held = mine.load(Acquire) & PERMITS;
    let took = change(ledger, seat, mine, held, TAKE_ONE, |free| {
        free.checked_sub(1)
    });
    crash_point!("take.changed");
    mine.store(held + u64::from(took), Release);
    took
}

/// Gives one permit of `seat` back.
#[inline]
pub(crate) fn give(ledger: &impl Ledger, seat: usize) {
    let mine = ledger.word(seat);
    let held = mine.load(Acquire) & PERMITS;
    if held > 0 {
        change(ledger, seat, mine, held, GIVE_ONE, |free| Some(free + 1));
        crash_point!("give.changed");
        mine.store(held - 1, Release);
    }
}

/// Gives back all that `seat` holds, when its owner has left or died; whether there was any.
/// It may be begun again wherever it was left off.
pub(crate) fn settle(ledger: &impl Ledger, seat: usize) -> bool {
    let mine = ledger.word(seat);
    let word = mine.load(Acquire);
    let held = word & PERMITS;
    let held = match (word >> OPERATION_SHIFT) & OPERATION {
        NOTHING => held,
        _ if !took_place(ledger, seat, word >> NUMBER_SHIFT) => held,
        TAKE_ONE => held + 1,
        GIVE_ONE => held - 1,
        _ => 0,
    };
    crash_point!("account.known");
    mine.store(held, Release);
    if held > 0 {
        change(ledger, seat, mine, held, GIVE_ALL, |free| Some(free + held));
        crash_point!("account.given");
        mine.store(0, Release);
    }
    held > 0
}

/// Whether operation `number` of a seat whose owner does nothing more took place.
fn took_place(ledger: &impl Ledger, seat: usize, number: u64) -> bool {
    let now = ledger.free().load(SeqCst);
    // In this order: who changed the word since has written the number before.
    now >> NUMBER_SHIFT == number && actor(now) == Some(seat)
        || ledger.seen(seat).load(SeqCst) >= number
}

/// Changes the free permits by `next` in one step, written down as `operation`.
#[inline]
fn change(
    ledger: &impl Ledger,
    seat: usize,
    mine: &AtomicU64,
    held: u64,
    operation: u64,
    next: impl Fn(u64) -> Option<u64>,
) -> bool {
    let mut now = ledger.free().load(SeqCst);
    loop {
        let Some(free) = next(now & PERMITS) else {
            return false;
        };
        match actor(now) {
            Some(other) if other != seat => {
                ledger.seen(other).fetch_max(now >> NUMBER_SHIFT, SeqCst);
            }
            _ => {}
        }
        // 2^36 operations later the numbers begin again: hours of nothing else.
        let number = (now >> NUMBER_SHIFT).wrapping_add(1) & (u64::MAX >> NUMBER_SHIFT);
        mine.store(
            held | operation << OPERATION_SHIFT | number << NUMBER_SHIFT,
            Release,
        );
        crash_point!("ledger.written");
        let then = free | (seat as u64 + 1) << ACTOR_SHIFT | number << NUMBER_SHIFT;
        match ledger
            .free()
            .compare_exchange_weak(now, then, SeqCst, SeqCst)
        {
            Ok(_) => return true,
            Err(other) => now = other,
        }
    }
}

#[inline]
fn actor(word: u64) -> Option<usize> {
    ((word >> ACTOR_SHIFT & ACTOR) as usize).checked_sub(1)
}
