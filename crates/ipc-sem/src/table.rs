//! Who takes part in an object, and sleeping there so that any participant's death is seen.
//!
//! Each thread that takes part has a seat: a robust lock that it holds for as long as it takes
//! part, and a few words of its own. When it dies, the kernel marks its lock and wakes one who
//! sleeps on it. Sleepers watch the bell of the object, which is rung also when somebody takes a
//! seat, and the lock of every seat that is taken. Who is woken by a death settles what
//! the dead one left and rings for all; should it die itself, it was being watched as well.
//! Whoever changes what others wait for has a seat, so no death between change and wake is lost.

use crate::atomic::Ordering::{AcqRel, Acquire, Relaxed, SeqCst};
use crate::atomic::{AtomicU32, AtomicU64, thread_local};
use crate::sys::{
    OWNER_DIED, SEATS as MOST, TID_MASK, Taken, WAITERS, Waited, Words, forks, wait_any, wake,
};
use ipc_core::{Error, ErrorKind, Result, Until};
use ipc_sys::crash_point;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// Most threads, of all processes together, that take part in one object at a time. A thread
/// takes part from its first verb on until it ends or its handle is dropped.
pub const MAX_PARTICIPANTS: usize = MOST;

const SEAT_BYTES: usize = 128;
/// How many bytes a table takes.
pub(crate) const TABLE_BYTES: usize = 64 + MAX_PARTICIPANTS * SEAT_BYTES;

const AT_TOP: usize = 4;
const AT_WAITERS: usize = 8;
const AT_SEATS: usize = 64;
/// In a seat, behind the lock of 40 bytes.
const AT_PARKED: usize = 48;
const AT_WORD: usize = 64;
const AT_SEEN: usize = 72;

/// A table at its place in an object.
#[derive(Clone, Copy)]
pub(crate) struct Table<'a> {
    words: &'a Words,
    at: usize,
}

/// An object that threads take part in.
pub(crate) trait Seated: Send + Sync {
    /// Its table.
    fn table(&self) -> Table<'_>;
    /// The word that its sleepers sleep on.
    fn bell(&self) -> &AtomicU32;
    /// Puts in order what the owner of `seat` left, which has died or left. Done again from the
    /// beginning where the one that does it dies.
    fn settle(&self, seat: usize, died: bool);
    /// Makes all sleepers look again.
    fn ring_all(&self) {
        ring(self.bell(), u32::MAX);
    }
}

/// How a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parked {
    /// Look again.
    Perhaps,
    /// Somebody died, and what it left is settled: look again.
    Settled,
    /// The time is over: look a last time.
    TimedOut,
}

impl<'a> Table<'a> {
    pub(crate) fn new(words: &'a Words, at: usize) -> Self {
        Self { words, at }
    }

    /// Fills it, before anybody else can reach it.
    pub(crate) fn init(self) -> Result<()> {
        for at in [AT_TOP, AT_WAITERS] {
            self.words.u32(self.at + at).store(0, Relaxed);
        }
        for seat in 0..MAX_PARTICIPANTS {
            self.words
                .u32(self.seat_at(seat) + AT_PARKED)
                .store(0, Relaxed);
            self.word(seat).store(0, Relaxed);
            self.seen(seat).store(0, Relaxed);
            self.words.robust(self.seat_at(seat)).init(false)?;
        }
        Ok(())
    }

    /// A word of the seat's owner.
    #[inline]
    pub(crate) fn word(self, seat: usize) -> &'a AtomicU64 {
        self.words.u64(self.seat_at(seat) + AT_WORD)
    }

    /// A word that others write to the seat.
    #[inline]
    pub(crate) fn seen(self, seat: usize) -> &'a AtomicU64 {
        self.words.u64(self.seat_at(seat) + AT_SEEN)
    }

    /// The seats that were ever taken.
    pub(crate) fn seats(self) -> std::ops::Range<usize> {
        let top = self.words.u32(self.at + AT_TOP).load(SeqCst) as usize;
        0..top.min(MAX_PARTICIPANTS)
    }

    /// Whether anybody sleeps, or is about to. After a kill it may say so for nobody.
    #[inline]
    pub(crate) fn has_waiters(self) -> bool {
        self.words.u32(self.at + AT_WAITERS).load(SeqCst) != 0
    }

    #[inline]
    fn seat_at(self, seat: usize) -> usize {
        self.at + AT_SEATS + seat * SEAT_BYTES
    }

    fn lock(self, seat: usize) -> crate::sys::Robust<'a> {
        self.words.robust(self.seat_at(seat))
    }

    /// Says that the thread at `seat` is about to sleep, until the result is dropped. What it
    /// waits for must be looked at once more in between.
    pub(crate) fn announce(self, seat: usize) -> Announced<'a> {
        // In this order, and back in the other: a death in between leaves the count too high,
        // which costs wakes, and never too low, which would cost a sleeper.
        self.words.u32(self.at + AT_WAITERS).fetch_add(1, SeqCst);
        crash_point!("announce.counted");
        self.words
            .u32(self.seat_at(seat) + AT_PARKED)
            .store(1, SeqCst);
        crash_point!("announce.said");
        Announced { table: self, seat }
    }

    fn withdraw(self, seat: usize) {
        let parked = self.words.u32(self.seat_at(seat) + AT_PARKED);
        if parked.swap(0, SeqCst) != 0 {
            crash_point!("withdraw.silent");
            self.words.u32(self.at + AT_WAITERS).fetch_sub(1, SeqCst);
        }
    }
}

/// A thread that is about to sleep.
pub(crate) struct Announced<'a> {
    table: Table<'a>,
    seat: usize,
}

impl Announced<'_> {
    /// Sleeps until the bell no longer says `value`, somebody dies or takes a seat, or `until`
    /// is over. The caller has loaded `value` before it looked at what it waits for.
    pub(crate) fn park(&self, object: &impl Seated, value: u32, until: Until) -> Result<Parked> {
        const FEW: usize = 7;
        match self.table.seats().len() {
            // Filling a long list costs as much as a short sleep.
            ..=FEW => self.park_among::<{ FEW + 1 }>(object, value, until),
            _ => self.park_among::<{ MAX_PARTICIPANTS + 1 }>(object, value, until),
        }
    }

    fn park_among<const WORDS: usize>(
        &self,
        object: &impl Seated,
        value: u32,
        until: Until,
    ) -> Result<Parked> {
        let mut watched = [(object.bell(), value); WORDS];
        let mut count = 1;
        for seat in self.table.seats() {
            if seat == self.seat {
                continue;
            }
            let word = self.table.lock(seat).word();
            match (watch(word), watched.get_mut(count)) {
                (Watch::Free, _) => {}
                (Watch::Owned(value), Some(place)) => {
                    *place = (word, value);
                    count += 1;
                }
                // Somebody has taken a seat since the list was chosen, and rung the bell.
                (Watch::Owned(_), None) => return Ok(Parked::Perhaps),
                (Watch::Dead, _) => {
                    settle_dead(object);
                    return Ok(Parked::Settled);
                }
            }
        }
        crash_point!("park.watching");
        let waited = wait_any(&watched[..count], until)?;
        crash_point!("park.awake");
        if settle_dead(object) {
            return Ok(Parked::Settled);
        }
        Ok(match waited {
            Waited::Perhaps => Parked::Perhaps,
            Waited::TimedOut => Parked::TimedOut,
        })
    }
}

impl Drop for Announced<'_> {
    fn drop(&mut self) {
        self.table.withdraw(self.seat);
    }
}

enum Watch {
    Free,
    Dead,
    Owned(u32),
}

/// Asks the kernel to wake a sleeper when the owner of the lock dies.
fn watch(word: &AtomicU32) -> Watch {
    let mut found = word.load(SeqCst);
    loop {
        if found & OWNER_DIED != 0 {
            return Watch::Dead;
        }
        if found & TID_MASK == 0 {
            return Watch::Free;
        }
        if found & WAITERS != 0 {
            return Watch::Owned(found);
        }
        match word.compare_exchange(found, found | WAITERS, AcqRel, Acquire) {
            Ok(_) => return Watch::Owned(found | WAITERS),
            Err(other) => found = other,
        }
    }
}

/// Settles what dead participants left, and rings; whether there were any.
#[cold]
pub(crate) fn settle_dead(object: &impl Seated) -> bool {
    let table = object.table();
    let mut any = false;
    for seat in table.seats() {
        let lock = table.lock(seat);
        if lock.word().load(SeqCst) & OWNER_DIED == 0 {
            continue;
        }
        // Of several that come here one gets it; should it die, the lock says so again.
        if lock
            .take(Until::Now)
            .is_ok_and(|taken| taken == Taken::OwnerDied)
        {
            crash_point!("settle.taken");
            object.settle(seat, true);
            crash_point!("settle.settled");
            table.withdraw(seat);
            lock.mark_consistent();
            crash_point!("settle.consistent");
            lock.release();
            crash_point!("settle.released");
        }
        any = true;
    }
    if any {
        object.ring_all();
    }
    any
}

/// Changes the bell and wakes up to `count` sleepers.
pub(crate) fn ring(bell: &AtomicU32, count: u32) {
    bell.fetch_add(1, SeqCst);
    crash_point!("ring.changed");
    wake(bell, count);
}

thread_local! {
    /// The seat that was asked for last: where the object is, the seat, and the process.
    static LAST: Cell<(usize, usize, u32)> = const { Cell::new((0, 0, 0)) };
    static SEATS: RefCell<Seats> = const { RefCell::new(Seats(Vec::new())) };
}

/// The seats of this thread.
struct Seats(Vec<Taking>);

struct Taking {
    object: Arc<dyn Seated>,
    seat: usize,
    forks: u32,
}

/// The seat of this thread at `object`, taken now where it has none.
#[inline]
pub(crate) fn seat<T: Seated + 'static>(object: &Arc<T>) -> Result<usize> {
    // The address means this object: while it stands there, the seat keeps the object alive.
    let (address, seat, process) = LAST.with(Cell::get);
    if address == Arc::as_ptr(object) as usize && process == forks() {
        return Ok(seat);
    }
    let seat = find(object)?;
    LAST.with(|last| last.set((Arc::as_ptr(object) as usize, seat, forks())));
    Ok(seat)
}

#[cold]
fn find<T: Seated + 'static>(object: &Arc<T>) -> Result<usize> {
    let found = SEATS.try_with(|seats| {
        let seats = seats.try_borrow().ok()?;
        let taking = seats.0.iter().find(|taking| taking.is_at(object))?;
        (taking.forks == forks()).then_some(taking.seat)
    });
    match found {
        Ok(Some(seat)) => Ok(seat),
        Ok(None) => take_seat(object),
        Err(_) => Err(Error::new("take part", ErrorKind::Unsupported)
            .hint("the thread is ending, and has left all objects already")),
    }
}

/// Leaves `object`, where this thread has a seat: when its handle is dropped.
pub(crate) fn leave<T: Seated>(object: &Arc<T>) {
    let _ = SEATS.try_with(|seats| {
        if let Ok(mut seats) = seats.try_borrow_mut() {
            seats.0.retain(|taking| !taking.is_at(object));
        }
    });
}

#[cold]
fn take_seat<T: Seated + 'static>(object: &Arc<T>) -> Result<usize> {
    SEATS.with(|seats| {
        let mut seats = seats.borrow_mut();
        // Those of a forked parent, and those of which every handle is gone.
        seats
            .0
            .retain(|taking| taking.forks == forks() && Arc::strong_count(&taking.object) > 1);
        let table = object.table();
        let seat = find_seat(&**object)?;
        crash_point!("seat.taken");
        // Sleepers look again, and watch this one from now on.
        table
            .words
            .u32(table.at + AT_TOP)
            .fetch_max(seat as u32 + 1, SeqCst);
        crash_point!("seat.known");
        object.ring_all();
        let object = Arc::clone(object) as Arc<dyn Seated>;
        seats.0.push(Taking {
            object,
            seat,
            forks: forks(),
        });
        Ok(seat)
    })
}

fn find_seat(object: &impl Seated) -> Result<usize> {
    let table = object.table();
    for seat in 0..MAX_PARTICIPANTS {
        let lock = table.lock(seat);
        match lock.take(Until::Now) {
            Ok(Taken::Whole) => return Ok(seat),
            Ok(Taken::OwnerDied) => {
                crash_point!("inherit.taken");
                object.settle(seat, true);
                crash_point!("inherit.settled");
                table.withdraw(seat);
                lock.mark_consistent();
                crash_point!("inherit.consistent");
                object.ring_all();
                return Ok(seat);
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Deadlock => {}
                _ => return Err(error),
            },
        }
    }
    Err(Error::new("take part", ErrorKind::LimitReached)
        .hint("all 120 seats of this object are taken (MAX_PARTICIPANTS threads of all processes)"))
}

impl Taking {
    #[inline]
    fn is_at<T: Seated>(&self, object: &Arc<T>) -> bool {
        std::ptr::eq(
            Arc::as_ptr(&self.object).cast::<()>(),
            Arc::as_ptr(object).cast::<()>(),
        )
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        let _ = LAST.try_with(|last| last.set((0, 0, 0)));
        // In a forked child the seat is the parent's.
        if self.forks == forks() {
            let table = self.object.table();
            self.object.settle(self.seat, false);
            crash_point!("leave.settled");
            table.lock(self.seat).release();
            crash_point!("leave.released");
        }
    }
}
