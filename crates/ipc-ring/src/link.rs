//! What both ends of a channel do alike: say that they sleep, sleep, and wake each other.
//!
//! Who sleeps says so first, and then looks once more; who sends commits first, and then looks
//! whether the other sleeps. Between the two of each side stands a full barrier, or one of both
//! would be missed. A side that sends much and never finds the other asleep gives its own
//! barriers up: it says that it is *asymmetric*, and who wants to sleep then asks the kernel for
//! a barrier on every processor (membarrier(2)), which costs much, but seldom comes.

use crate::bell::{Bell, Rope, Woken};
use crate::ground::{
    Region, Window, WritableWindow, barrier_on_all, compiler_fence, expect_barriers, fence,
    this_processor,
};
use crate::layout::{AT_ASYMMETRIC, AT_CLOSED, AT_CPU, AT_PARKED};
use crate::spin::{Budget, Spin};
use crate::tries::{LOOKS_PER_END, Tries};
use crate::turns::{Cell, Holding, Inside, Lending, Turns};
use ipc_core::{Error, ErrorKind, Rest, Result, Until};
use ipc_sys::crash_point;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

/// Messages in a row that found the other side awake before barriers are given up.
pub(crate) const AWAKE_BEFORE_ASYMMETRIC: u64 = if cfg!(ipc_model) { 2 } else { 64 };

/// One side's connection to the other.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) own: WritableWindow,
    pub(crate) theirs: Window,
    /// What the two are windows of, to be given away.
    regions: [Region; 2],
    /// Another process has this end now.
    gone: bool,
    turns: Turns,
    rope: Rope,
    bell: Bell,
    budget: Budget,
    /// The number of our sleep; odd while we sleep.
    parked: Cell,
    /// The number of our sleep for which a waiter watches the bell, if nobody has heard it since.
    armed: Cell,
    /// Who relies on that.
    pub(crate) rest: Rest,
    /// The number of their sleep from which we woke them last.
    rung: Cell,
    /// Messages since they were last asleep; from a number on, without barriers.
    awake: Cell,
    can_be_asymmetric: bool,
    /// The processor that we said we run on, plus 1.
    cpu: Cell,
    tries: Tries,
}

impl Link {
    pub(crate) fn new(
        own: &Region,
        theirs: &Region,
        rope: Rope,
        bell: Bell,
        spin: Spin,
    ) -> Result<Self> {
        Ok(Self {
            turns: Turns::new(),
            budget: Budget::new(spin),
            parked: Cell::new(0),
            armed: Cell::new(0),
            rest: Rest::new(),
            rung: Cell::new(0),
            awake: Cell::new(0),
            can_be_asymmetric: expect_barriers(),
            tries: Tries::new(),
            cpu: Cell::new(0),
            own: own.writable_window(0, own.len_bytes())?,
            theirs: theirs.window(0, theirs.len_bytes())?,
            regions: [own.clone(), theirs.clone()],
            gone: false,
            rope,
            bell,
        })
    }

    /// The memory that this end writes, and that it reads.
    pub(crate) fn regions(&self) -> (&Region, &Region) {
        let [own, theirs] = &self.regions;
        (own, theirs)
    }

    /// Takes the turn at this end, where nothing but this thread has used it.
    #[inline]
    pub(crate) fn own_turn(&self) -> Option<Inside<'_>> {
        self.turns.enter()
    }

    /// Takes the turn at this end.
    #[inline(always)]
    pub(crate) fn turn(&self, operation: &'static str, until: Until) -> Result<Holding<'_>> {
        self.turns.turn(operation, until)
    }

    /// What the turn is held for is lent.
    #[inline]
    pub(crate) fn lend<'a>(&'a self, turn: Holding<'a>) -> Lending<'a> {
        self.turns.lend(turn)
    }

    /// What was just written is to be seen: wakes the other side where it sleeps.
    #[inline]
    pub(crate) fn published(&self) {
        let awake = self.awake.get();
        if awake < AWAKE_BEFORE_ASYMMETRIC || !self.can_be_asymmetric {
            fence(SeqCst);
            self.awake.set(awake + 1);
            if awake + 1 == AWAKE_BEFORE_ASYMMETRIC && self.can_be_asymmetric {
                self.own.u32(AT_ASYMMETRIC).store(1, Relaxed);
                fence(SeqCst);
            }
        } else {
            // The kernel's barrier stands here where somebody parks.
            compiler_fence(SeqCst);
        }
        let parked = self.theirs.load_u64(AT_PARKED, Relaxed);
        if parked & 1 == 1 && parked != self.rung.get() {
            self.wake(parked);
        }
    }

    #[cold]
    fn wake(&self, parked: u64) {
        self.rung.set(parked);
        crash_point!("ring.wake.seen");
        self.awake.set(0);
        // Who reads the nought sees what was committed before it.
        self.own.u32(AT_ASYMMETRIC).store(0, Release);
        fence(SeqCst);
        self.rope.ring();
        crash_point!("ring.wake.rung");
    }

    /// Whether the other side sleeps, or is about to.
    #[inline]
    pub(crate) fn they_sleep(&self) -> bool {
        let parked = self.theirs.load_u64(AT_PARKED, Relaxed);
        parked & 1 == 1 && parked != self.rung.get()
    }

    /// Waits until `look` finds a message, or until no more will come: what was sent before the end
    /// is looked for once more.
    pub(crate) fn wait_or_end<T>(
        &self,
        operation: &'static str,
        at: u64,
        until: Until,
        look: impl Fn() -> Result<Option<T>>,
    ) -> Result<T> {
        self.wait(operation, at, until, || {
            if let Some(found) = look()? {
                return Ok(Some(found));
            }
            if !self.they_closed() {
                return Ok(None);
            }
            match look()? {
                None => Err(Error::new(operation, ErrorKind::Closed)),
                found => Ok(found),
            }
        })
    }

    /// Copies the message of `len` bytes at `at` into `buffer`, if that has room for it.
    #[inline]
    pub(crate) fn read_into(&self, buffer: &mut [u8], at: usize, len: usize) -> Result<()> {
        let Some(buffer) = buffer.get_mut(..len) else {
            return Err(Error::new("recv", ErrorKind::TooLarge).hint(format!(
                "the message has {len} bytes, the buffer {}",
                buffer.len()
            )));
        };
        self.theirs.read(at, buffer);
        Ok(())
    }

    /// Waits until `ready` finds something; `at` is how far we are.
    pub(crate) fn wait<T>(
        &self,
        operation: &'static str,
        at: u64,
        until: Until,
        mut ready: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        if until == Until::Now {
            return self.try_once(operation, at, ready);
        }
        let mut looks = self.budget.looks();
        if looks > 0 && self.share_a_processor() {
            looks = 0;
        }
        let mut look = 0;
        while look < looks {
            if let Some(found) = ready()? {
                self.budget.paid();
                return Ok(found);
            }
            std::hint::spin_loop();
            look += 1;
            if look.is_multiple_of(LOOKS_PER_END) {
                if let Some(Woken::Alone) = self.try_hear()? {
                    return ready()?.ok_or_else(|| self.alone(operation));
                }
                if self.we_closed() {
                    return ready()?.ok_or_else(|| Error::new(operation, ErrorKind::Closed));
                }
                if looks == u64::MAX {
                    look = 0;
                }
                if matches!(until, Until::At(_)) && until.is_over() {
                    return Err(until.over(operation));
                }
            }
        }
        self.budget.wasted(looks);
        self.sleep(operation, until, ready)
    }

    #[cold]
    fn sleep<T>(
        &self,
        operation: &'static str,
        until: Until,
        mut ready: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        loop {
            self.park();
            let found = match ready() {
                // Another may have heard what it was rung for.
                Ok(None) if self.we_closed() => Err(Error::new(operation, ErrorKind::Closed)),
                found => found,
            };
            if !matches!(found, Ok(None)) {
                self.unpark();
                return found.map(|found| found.unwrap_or_else(|| unreachable!()));
            }
            let woken = self.bell.sleep(until);
            crash_point!("ring.park.woken");
            self.unpark();
            match woken {
                Ok(Some(Woken::Rung)) => {
                    if let Some(found) = ready()? {
                        return Ok(found);
                    }
                    // The other side may ring without end.
                    if until.is_over() {
                        return Err(until.over(operation));
                    }
                }
                Ok(Some(Woken::Alone)) => return ready()?.ok_or_else(|| self.alone(operation)),
                Ok(None) => return ready()?.ok_or_else(|| until.over(operation)),
                Err(error) => return ready()?.ok_or(error),
            }
        }
    }

    /// Says that we sleep; what is committed after this returns, the other side wakes us for.
    pub(crate) fn park(&self) {
        let number = (self.parked.get() + 1) | 1;
        let was_armed = self.is_armed();
        self.parked.set(number);
        if was_armed {
            self.rest.disturb();
        }
        self.say_where_we_run();
        self.own.u64(AT_PARKED).store(number, Relaxed);
        crash_point!("ring.park.said");
        fence(SeqCst);
        if self.theirs.load_u32(AT_ASYMMETRIC, Acquire) != 0 {
            barrier_on_all();
        }
    }

    pub(crate) fn unpark(&self) {
        if self.parked.get() & 1 == 1 {
            let was_armed = self.is_armed();
            self.parked.set(self.parked.get() + 1);
            self.own.u64(AT_PARKED).store(self.parked.get(), Release);
            if was_armed {
                self.rest.disturb();
            }
        }
    }

    /// How often one who awaits a message looks before it sleeps on the bell's descriptor.
    pub(crate) fn awaited_looks(&self) -> u64 {
        match self.budget.looks().min(LOOKS_PER_END) {
            looks @ 1.. if !self.share_a_processor() => {
                self.unpark();
                looks
            }
            _ => 0,
        }
    }

    /// What came of such looks.
    pub(crate) fn learn(&self, looks: u64, found: bool) {
        match found {
            true => self.budget.paid(),
            false => self.budget.wasted(looks),
        }
    }

    /// Prepares for a sleep on the bell's descriptor.
    pub(crate) fn arm(&self) -> Result<()> {
        self.unpark();
        self.try_hear()?;
        self.park();
        self.armed.set(self.parked.get());
        Ok(())
    }

    /// Whether a former [`arm`](Link::arm) still holds: we sleep since, and the other side has
    /// not rung, or its ring is still to be heard. It rings once for a sleep, so that who hears
    /// it must arm anew.
    pub(crate) fn is_armed(&self) -> bool {
        let parked = self.parked.get();
        parked & 1 == 1 && self.armed.get() == parked
    }

    fn try_hear(&self) -> Result<Option<Woken>> {
        let heard = self.bell.try_hear();
        if !matches!(heard, Ok(None)) && self.is_armed() {
            self.armed.set(0);
            self.rest.disturb();
        }
        heard
    }

    /// What was learned of spinning is forgotten.
    pub(crate) fn set_spin(&mut self, spin: Spin) {
        self.budget = Budget::new(spin);
    }

    pub(crate) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    fn share_a_processor(&self) -> bool {
        let cpu = self.say_where_we_run();
        self.theirs.load_u32(AT_CPU, Relaxed) == cpu
    }

    /// It is written only when it is another, since the other side reads its line with every
    /// message.
    fn say_where_we_run(&self) -> u32 {
        let cpu = this_processor();
        if self.cpu.get() != u64::from(cpu) {
            self.cpu.set(u64::from(cpu));
            self.own.u32(AT_CPU).store(cpu, Relaxed);
        }
        cpu
    }

    /// Whether the other side has closed its end.
    #[inline]
    pub(crate) fn they_closed(&self) -> bool {
        self.theirs.load_u32(AT_CLOSED, Acquire) != 0
    }

    /// Whether either side has.
    pub(crate) fn has_ended(&self) -> bool {
        self.they_closed() || self.we_closed()
    }

    /// Whether this side has, while it is waited at.
    fn we_closed(&self) -> bool {
        self.own.u32(AT_CLOSED).load(Relaxed) != 0
    }

    /// Counts one more try in a row that finds nothing, if that is all to do; else a whole try
    /// is.
    #[inline]
    pub(crate) fn nothing_again(&self, at: u64) -> bool {
        !self.they_closed() && self.tries.again(at)
    }

    /// Fails where the other side is gone, as a try tells it.
    pub(crate) fn still_there(&self, operation: &'static str, at: u64) -> Result<()> {
        match self.try_once(operation, at, || Ok(None::<()>)) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    /// A try: what is there, or the end. A death shows to the 256th in a row that finds nothing.
    fn try_once<T>(
        &self,
        operation: &'static str,
        at: u64,
        mut ready: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let alone = self.tries.is_due(at) && self.try_hear()? == Some(Woken::Alone);
        match ready()? {
            Some(found) => Ok(found),
            None if alone => Err(self.alone(operation)),
            None => Err(Until::Now.over(operation)),
        }
    }

    /// The other side is gone without having closed its end.
    fn alone(&self, operation: &'static str) -> Error {
        match self.they_closed() {
            true => Error::new(operation, ErrorKind::Closed),
            false => Error::new(operation, ErrorKind::PeerDied),
        }
    }

    /// Closes our end while it may be waited at, here too.
    pub(crate) fn end(&self) {
        self.close();
        self.ring_here();
    }

    /// Wakes who sleeps at our own bell.
    pub(crate) fn ring_here(&self) {
        self.bell.ring_here();
    }

    /// Closes our end, where it is still ours.
    pub(crate) fn close(&self) {
        if self.gone {
            return;
        }
        crash_point!("ring.close.begun");
        self.own.u32(AT_CLOSED).store(1, Release);
        crash_point!("ring.close.said");
        fence(SeqCst);
        // Whatever they wait for: it comes no more.
        if self.they_sleep() {
            self.rope.ring();
        }
    }
}

#[cfg(not(ipc_model))]
impl Link {
    /// What wakes the other side, and what wakes this one.
    pub(crate) fn pipes(&self) -> (BorrowedFd<'_>, BorrowedFd<'_>) {
        (self.rope.as_fd(), self.bell.as_fd())
    }

    /// Says nothing that another process would have to keep: this end does not sleep, and gives
    /// no barrier up. Returns the number of its last sleep.
    pub(crate) fn settle(&self) -> u64 {
        self.unpark();
        self.awake.set(0);
        // Who reads the nought sees what was committed before it.
        self.own.u32(AT_ASYMMETRIC).store(0, Release);
        fence(SeqCst);
        self.parked.get()
    }

    /// The end goes on from the sleep that its last owner had last.
    pub(crate) fn resume(&self, parked: u64) -> Result<()> {
        let said = self.own.u64(AT_PARKED).load(Relaxed);
        let closed = self.own.u32(AT_CLOSED).load(Relaxed);
        if said != parked || parked & 1 == 1 || closed != 0 {
            return Err(Error::new("meet", ErrorKind::Corrupt)
                .hint("the end is closed, or sleeps otherwise than it says"));
        }
        self.parked.set(parked);
        Ok(())
    }

    /// Another process has this end: it closes nothing.
    pub(crate) fn forget(&mut self) {
        self.gone = true;
    }
}

/// A receiver is ready also for its end, which the next receive tells.
pub(crate) fn something_to_tell<T>(outcome: Result<T>) -> Result<()> {
    match outcome {
        Ok(_) => Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::Closed | ErrorKind::PeerDied) => Ok(()),
        Err(error) => Err(error),
    }
}
