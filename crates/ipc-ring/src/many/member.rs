//! What a producer and a consumer do alike: sleep, wake others, and see who is gone.
//!
//! Who wants to sleep sets its bit, and then looks once more; who has committed or taken looks at
//! the bits behind the exchange that did it, which is a full barrier. It clears the bit of one
//! that it wakes, so that the next message wakes another. One that was woken and dies before it
//! has done anything is no wake-up lost: the others see its death, and look for themselves.

use super::layout::{
    AT_ASLEEP, AT_CHANGES, AT_SEATS, NEXT_ROLE, Role, SEAT_CPU, SEAT_MEMBER, seat,
};
use super::peers::{Events, Peers};
use super::slots::Slots;
use crate::bell::Bell;
use crate::bells::Bells;
use crate::cell::Cell;
use crate::ground::{Held, Turn, fence, this_processor};
use crate::layout::LINE;
use crate::mailbox::Mailbox;
use crate::spin::{Budget, Spin};
use crate::tries::{LOOKS_PER_END, Tries};
use crate::turns::{Holding, Lending, Turns};
use ipc_core::{Error, Result, Until};
use ipc_sys::crash_point;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

/// How a member waits: in a verb, or on its descriptor.
pub(super) const ASLEEP: usize = 0;
pub(super) const ARMED: usize = 8;

/// Our place in a queue.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) slots: Slots,
    pub(super) number: u32,
    role: Role,
    seat: usize,
    turns: Turns,
    budget: Budget,
    bell: Bell,
    /// Tells of all that may end a sleep.
    events: Bells,
    peers: Turn<Peers>,
    /// The count of changes that we have taken in.
    changes: Cell,
    /// Nobody of the other role is there, and one has been.
    ended: Cell,
    /// Tries in a row that found nothing.
    tries: Tries,
    cpu: Cell,
}

/// Who becomes a member.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seated {
    pub(super) number: u32,
    pub(super) role: Role,
    pub(super) seat: usize,
    pub(super) came: [bool; 2],
}

impl Seated {
    /// Says that it leaves, and is not dead.
    pub(super) fn leave(&self, slots: &Slots) {
        let word = slots.memory.u64(AT_SEATS + self.seat * LINE + SEAT_MEMBER);
        word.store(seat(self.number, false), Release);
    }
}

impl Member {
    pub(super) fn new(
        slots: Slots,
        seated: Seated,
        mailbox: Mailbox,
        bell: Bell,
        spin: Spin,
    ) -> Result<Self> {
        let events = || -> Result<(Bells, Peers)> {
            let events = Bells::new()?;
            let peers = Peers::new(&bell, mailbox, events.try_clone()?, seated.came)?;
            Ok((events, peers))
        };
        let (events, peers) = events().inspect_err(|_| seated.leave(&slots))?;
        let member = Self {
            slots,
            number: seated.number,
            role: seated.role,
            seat: seated.seat,
            turns: Turns::new(),
            budget: Budget::new(spin),
            bell,
            events,
            peers: Turn::new(peers),
            changes: Cell::new(0),
            ended: Cell::new(0),
            tries: Tries::new(),
            cpu: Cell::new(0),
        };
        member.with_peers(|peers| peers.refresh(&member.slots))?;
        Ok(member)
    }

    /// Takes the turn at this end.
    #[inline]
    pub(super) fn turn(&self, operation: &'static str, until: Until) -> Result<Holding<'_>> {
        self.turns.turn(operation, until)
    }

    /// What the turn is held for is lent.
    #[inline]
    pub(super) fn lend<'a>(&'a self, turn: Holding<'a>) -> Lending<'a> {
        self.turns.lend(turn)
    }

    /// Fails where nobody of the other role is left, as far as the memory says.
    #[inline]
    pub(super) fn still_there(&self, operation: &'static str) -> Result<()> {
        match self.has_ended()? {
            false => Ok(()),
            true => Err(self.end(operation)),
        }
    }

    #[inline]
    fn has_ended(&self) -> Result<bool> {
        let changes = self.slots.memory.load_u64(AT_CHANGES, Acquire);
        if changes != self.changes.get() {
            self.changes.set(changes);
            self.with_peers(|peers| peers.refresh(&self.slots))?;
        }
        Ok(self.ended.get() != 0)
    }

    /// Waits until `look` finds something, or until nobody of the other role is left: what there
    /// was before is looked for once more.
    pub(super) fn wait<T>(
        &self,
        operation: &'static str,
        until: Until,
        mut look: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let mut look = || match look()? {
            None => match self.still_there(operation) {
                Ok(()) => Ok(None),
                Err(end) => look()?.map(Some).ok_or(end),
            },
            found => Ok(found),
        };
        if until == Until::Now {
            return self.try_once(operation, look);
        }
        let mut looks = self.budget.looks();
        if looks > 0 && self.share_a_processor() {
            looks = 0;
        }
        let mut looked = 0;
        while looked < looks {
            if let Some(found) = look()? {
                self.budget.paid();
                return Ok(found);
            }
            std::hint::spin_loop();
            looked += 1;
            if looked.is_multiple_of(LOOKS_PER_END) {
                self.attend()?;
                if looks == u64::MAX {
                    looked = 0;
                }
                if until.is_over() {
                    return look()?.ok_or_else(|| until.over(operation));
                }
            }
        }
        self.budget.wasted(looks);
        self.sleep(operation, until, look)
    }

    #[cold]
    fn sleep<T>(
        &self,
        operation: &'static str,
        until: Until,
        mut look: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        loop {
            self.peers().will_be_awaited();
            self.park(ASLEEP);
            crash_point!("queue.park.said");
            let slept = match look() {
                Ok(None) => self.until_something(operation, until),
                found => {
                    self.unpark();
                    return found.map(|found| found.unwrap_or_else(|| unreachable!()));
                }
            };
            crash_point!("queue.park.woken");
            self.unpark();
            let attended = match &slept {
                Ok(Some(events)) => {
                    self.with_peers(|peers| peers.take_in(&self.slots, &self.bell, events))
                }
                _ => self.attend(),
            };
            if let Some(found) = look()? {
                return Ok(found);
            }
            slept.and(attended)?;
            // A member may ring without end.
            if until.is_over() {
                return Err(until.over(operation));
            }
        }
    }

    /// Sleeps; what has ended it, where that is known.
    fn until_something(&self, operation: &'static str, until: Until) -> Result<Option<Events>> {
        match until {
            Until::Forever => Events::wait(&self.events).map(Some),
            _ => match self.events.sleep(until)? {
                true => Ok(None),
                false => Err(until.over(operation)),
            },
        }
    }

    /// A try: what is there, or the end. A death shows to the 256th in a row that finds nothing.
    fn try_once<T>(
        &self,
        operation: &'static str,
        mut look: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        if let Some(found) = look()? {
            return Ok(found);
        }
        // Whoever finds something says so: a place is none that a row of tries could be told by.
        if self.tries.is_due(0) {
            self.attend()?;
            if let Some(found) = look()? {
                return Ok(found);
            }
        }
        Err(Until::Now.over(operation))
    }

    /// The tries in a row that find nothing are over.
    #[inline]
    pub(super) fn found(&self) {
        self.tries.found();
    }

    /// Says that we sleep; what comes after this returns, somebody wakes us for.
    fn park(&self, how: usize) {
        self.say_where_we_run();
        let bits = self.slots.memory.u64(bits_of(self.role) + how);
        bits.fetch_or(1 << self.seat, SeqCst);
        fence(SeqCst);
    }

    fn unpark(&self) {
        let bits = self.slots.memory.u64(bits_of(self.role));
        bits.fetch_and(!(1 << self.seat), SeqCst);
    }

    /// Prepares for a sleep on the descriptor; whether the end is there already.
    pub(super) fn arm(&self) -> Result<bool> {
        self.attend()?;
        self.peers().will_be_awaited();
        self.park(ARMED);
        self.has_ended()
    }

    /// What was learned of spinning is forgotten.
    pub(super) fn set_spin(&mut self, spin: Spin) {
        self.budget = Budget::new(spin);
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }

    /// Something has come for the other role: wakes `most` of those who sleep, and all who wait
    /// for their descriptors.
    #[inline]
    pub(super) fn wake(&self, most: usize) {
        let (bits, memory) = (bits_of(self.role.other()), &self.slots.memory);
        if memory.load_u64(bits, SeqCst) | memory.load_u64(bits + ARMED, SeqCst) != 0 {
            self.wake_of(self.role.other(), most);
        }
    }

    /// Wakes one more of our own role, since we have not taken what we were woken for.
    pub(super) fn pass_on(&self) {
        self.wake_of(self.role, 1);
    }

    #[cold]
    fn wake_of(&self, role: Role, most: usize) {
        let word = |at| self.slots.memory.u64(at);
        let (asleep, armed) = (word(bits_of(role)), word(bits_of(role) + ARMED));
        // Whatever is wrong with what the maker sends, our own next wait tells.
        let ring = |seat| {
            let rung = self.with_peers(|peers| peers.ring(&self.slots, seat));
            rung.is_ok_and(|rung| rung)
        };
        let mut waiting = armed.swap(0, SeqCst);
        while waiting != 0 {
            ring(waiting.trailing_zeros() as usize);
            waiting &= waiting - 1;
        }
        let mut woken = 0;
        let mut left = asleep.load(SeqCst);
        while left != 0 && woken < most {
            let bit = left & left.wrapping_neg();
            let ours = asleep.fetch_and(!bit, SeqCst) & bit != 0;
            crash_point!("queue.wake.cleared");
            if ours && ring(bit.trailing_zeros() as usize) {
                woken += 1;
            }
            left &= !bit;
        }
    }

    /// How many members of `role` there are besides ourselves.
    pub(super) fn count(&self, role: Role) -> Result<usize> {
        self.with_peers(|peers| peers.count(&self.slots, &self.bell, role))
    }

    /// Takes in who came, left and died, and what was rung.
    pub(super) fn attend(&self) -> Result<()> {
        self.with_peers(|peers| peers.attend(&self.slots, &self.bell))
    }

    fn with_peers<T>(&self, what: impl FnOnce(&mut Peers) -> Result<T>) -> Result<T> {
        let mut peers = self.peers();
        let outcome = what(&mut peers);
        self.ended
            .set(u64::from(peers.end(self.role.other()).is_some()));
        outcome
    }

    fn peers(&self) -> Held<'_, Peers> {
        let held = self.peers.take(Until::Forever);
        held.unwrap_or_else(|| unreachable!("it waits for ever"))
    }

    #[cold]
    fn end(&self, operation: &'static str) -> Error {
        Error::new(operation, self.peers().tell_end(self.role.other()))
    }

    fn share_a_processor(&self) -> bool {
        let cpu = self.say_where_we_run();
        let role = self.role.other();
        self.peers().share_a_processor(&self.slots, role, cpu)
    }

    fn say_where_we_run(&self) -> u32 {
        let cpu = this_processor();
        if self.cpu.get() != u64::from(cpu) {
            self.cpu.set(u64::from(cpu));
            let at = AT_SEATS + self.seat * LINE + SEAT_CPU;
            self.slots.memory.u32(at).store(cpu, Relaxed);
        }
        cpu
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let at = AT_SEATS + self.seat * LINE + SEAT_MEMBER;
        let left = seat(self.number, false);
        crash_point!("queue.leave.begun");
        self.slots.memory.u64(at).store(left, Release);
        crash_point!("queue.leave.said");
        self.unpark();
        let armed = self.slots.memory.u64(bits_of(self.role) + ARMED);
        armed.fetch_and(!(1 << self.seat), SeqCst);
        self.slots.memory.u64(AT_CHANGES).fetch_add(1, SeqCst);
        crash_point!("queue.leave.counted");
        // Whatever they wait for: from us it comes no more.
        self.wake(usize::MAX);
        crash_point!("queue.leave.woke");
        // And what we were woken for is another's now.
        self.pass_on();
    }
}

/// Where the bits stand of the members of `role` who sleep.
const fn bits_of(role: Role) -> usize {
    AT_ASLEEP + role as usize * NEXT_ROLE
}
