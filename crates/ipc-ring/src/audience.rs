//! The readers of a broadcaster: how far they are, who of them sleeps, and who is gone.

use crate::bell::{Bell, Rope, Woken};
use crate::bells::{Bells, TOLD};
use crate::ground::{
    Window, WritableWindow, barrier_on_all, compiler_fence, expect_barriers, fence, this_processor,
};
use crate::layout::{AT_ASYMMETRIC, AT_CLOSED, AT_CPU, AT_PARKED, AT_PROGRESS};
use crate::link::AWAKE_BEFORE_ASYMMETRIC;
use ipc_core::{Result, Until};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

/// One reader.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) theirs: Window,
    pub(crate) rope: Rope,
    pub(crate) bell: Bell,
    /// Messages that it has taken, as far as we have looked.
    pub(crate) taken: u64,
    /// The number of its sleep from which we woke it last.
    pub(crate) rung: u64,
    /// By which the bell tells whose it is.
    pub(crate) name: u64,
}

/// All of them, and what the writer says to all at once.
#[derive(Debug)]
pub(crate) struct Audience {
    own: WritableWindow,
    readers: Vec<Reader>,
    /// All the bells.
    bells: Bells,
    names: u64,
    /// The number of our sleep; odd while we sleep.
    parked: u64,
    /// Messages since a reader was last asleep; from a number on, without barriers.
    awake: u64,
    can_be_asymmetric: bool,
    cpu: u32,
}

impl Audience {
    pub(crate) fn new(own: WritableWindow, bells: Bells) -> Self {
        Self {
            own,
            readers: Vec::new(),
            bells,
            names: 0,
            parked: 0,
            awake: 0,
            can_be_asymmetric: expect_barriers(),
            cpu: 0,
        }
    }

    /// A reader that takes what follows the first `taken` messages; returns its name.
    pub(crate) fn enter(
        &mut self,
        theirs: Window,
        rope: Rope,
        bell: Bell,
        taken: u64,
    ) -> Result<u64> {
        let name = self.names;
        self.bells.add(&bell, name)?;
        self.names += 1;
        self.readers.push(Reader {
            theirs,
            rope,
            bell,
            taken,
            rung: 0,
            name,
        });
        Ok(name)
    }

    pub(crate) fn leave(&mut self, name: u64) {
        let bells = &self.bells;
        self.readers
            .retain(|reader| reader.name != name || forget(bells, reader));
    }

    /// Forgets those whose death nobody was told of.
    pub(crate) fn forget_the_dead(&mut self) {
        let bells = &self.bells;
        self.readers
            .retain(|reader| !reader.bell.is_alone() || forget(bells, reader));
    }

    /// How many there are, whether or not those that are gone were forgotten.
    pub(crate) fn count(&self) -> usize {
        let here = |reader: &&Reader| {
            reader.theirs.load_u32(AT_CLOSED, Acquire) == 0 && !reader.bell.is_alone()
        };
        self.readers.iter().filter(here).count()
    }

    /// How many messages all readers have taken, of those that were sent. One that says it has
    /// taken what was not sent is a reader no more.
    pub(crate) fn slowest(&mut self, sent: u64) -> u64 {
        let (mut slowest, bells) = (sent, &self.bells);
        self.readers.retain_mut(|reader| {
            if reader.theirs.load_u32(AT_CLOSED, Acquire) != 0 {
                return forget(bells, reader);
            }
            let now = reader.theirs.load_u64(AT_PROGRESS, Acquire);
            // Nought is what one says that has not begun yet.
            if now != reader.taken && now != 0 {
                if now.wrapping_sub(reader.taken) > sent - reader.taken {
                    return forget(bells, reader);
                }
                reader.taken = now;
            }
            slowest = slowest.min(reader.taken);
            true
        });
        slowest
    }

    /// A message was committed: wakes who sleeps. As `Link::published`, for many.
    #[inline]
    pub(crate) fn published(&mut self) {
        if self.awake < AWAKE_BEFORE_ASYMMETRIC || !self.can_be_asymmetric {
            fence(SeqCst);
            self.awake += 1;
            if self.awake == AWAKE_BEFORE_ASYMMETRIC && self.can_be_asymmetric {
                self.own.u32(AT_ASYMMETRIC).store(1, Relaxed);
                fence(SeqCst);
            }
        } else {
            // The kernel's barrier stands here where a reader parks.
            compiler_fence(SeqCst);
        }
        if self.readers.iter().any(sleeps) {
            self.wake();
        }
    }

    #[cold]
    fn wake(&mut self) {
        self.awake = 0;
        // Who reads the nought sees what was committed before it.
        self.own.u32(AT_ASYMMETRIC).store(0, Release);
        fence(SeqCst);
        let bells = &self.bells;
        self.readers.retain_mut(|reader| {
            let parked = reader.theirs.load_u64(AT_PARKED, Relaxed);
            if parked & 1 == 0 || parked == reader.rung {
                return true;
            }
            reader.rung = parked;
            reader.rope.ring() || forget(bells, reader)
        });
    }

    /// Says that we sleep; what a reader tells after this returns, it wakes us for.
    pub(crate) fn park(&mut self) {
        self.parked = (self.parked + 1) | 1;
        self.say_where_we_run();
        self.own.u64(AT_PARKED).store(self.parked, Relaxed);
        fence(SeqCst);
        let asymmetric = |reader: &Reader| reader.theirs.load_u32(AT_ASYMMETRIC, Acquire) != 0;
        if self.readers.iter().any(asymmetric) {
            barrier_on_all();
        }
    }

    /// Whether we sleep, or somebody waits for our descriptor.
    pub(crate) const fn is_parked(&self) -> bool {
        self.parked & 1 == 1
    }

    pub(crate) fn unpark(&mut self) {
        if self.parked & 1 == 1 {
            self.parked += 1;
            self.own.u64(AT_PARKED).store(self.parked, Release);
        }
    }

    /// Sleeps until a reader rings or is gone, and forgets who is.
    pub(crate) fn sleep(&mut self, until: Until) -> Result<()> {
        match self.bells.sleep(until)? {
            true => self.hear(),
            false => Err(until.over("send")),
        }
    }

    /// Takes what has been rung, and forgets the readers that are gone.
    pub(crate) fn hear(&mut self) -> Result<()> {
        // Who rings without end is not heard without end.
        for _ in 0..=self.readers.len() / TOLD {
            let mut names = [0; TOLD];
            let rung = self.bells.rung(&mut names)?;
            for &name in &names[..rung] {
                let its = |reader: &&Reader| reader.name == name;
                let Some(reader) = self.readers.iter().find(its) else {
                    continue;
                };
                if reader.bell.hear()? == Woken::Alone {
                    self.leave(name);
                }
            }
            if rung < TOLD {
                break;
            }
        }
        Ok(())
    }

    /// Whether one of the readers that we may wait for runs where we do.
    pub(crate) fn share_a_processor(&mut self) -> bool {
        let cpu = self.say_where_we_run();
        let here = |reader: &Reader| reader.theirs.load_u32(AT_CPU, Relaxed) == cpu;
        self.readers.iter().any(here)
    }

    fn say_where_we_run(&mut self) -> u32 {
        let cpu = this_processor();
        if self.cpu != cpu {
            self.cpu = cpu;
            self.own.u32(AT_CPU).store(cpu, Relaxed);
        }
        cpu
    }

    /// Closes our end.
    pub(crate) fn close(&mut self) {
        self.own.u32(AT_CLOSED).store(1, Release);
        fence(SeqCst);
        for reader in self.readers.iter().filter(|reader| sleeps(reader)) {
            reader.rope.ring();
        }
    }
}

/// Its bell is heard no more. Returns false: it is not kept.
fn forget(bells: &Bells, reader: &Reader) -> bool {
    bells.forget(&reader.bell);
    false
}

/// Whether a reader sleeps, or is about to, and was not woken yet.
#[inline]
fn sleeps(reader: &Reader) -> bool {
    let parked = reader.theirs.load_u64(AT_PARKED, Relaxed);
    parked & 1 == 1 && parked != reader.rung
}
