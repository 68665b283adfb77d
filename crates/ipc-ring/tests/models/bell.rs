//! A pipe of the model's kernel: bytes, who may write more of them, and who sleeps.

use crate::checker::{Condvar, Mutex, MutexGuard};
use crate::machine;
use ipc_core::{Interest, Pollable, Result, Until};
use std::cell::RefCell;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, OnceLock, PoisonError, Weak};

#[derive(Debug, Default)]
pub(crate) struct Pipe {
    state: Mutex<State>,
    changed: Condvar,
    /// Of a group in which it is heard; that one holds it.
    pub(crate) group: OnceLock<Weak<crate::bells::Group>>,
    /// Of those who want to know when it is heard no more.
    pub(crate) watchers: Mutex<Vec<Weak<crate::bells::Group>>>,
    /// Of those who poll it. No switch comes while it is locked.
    pollers: std::sync::Mutex<Vec<Weak<crate::bells::Group>>>,
}

#[derive(Debug, Default)]
struct State {
    rung: bool,
    ropes: usize,
    is_heard: bool,
}

#[derive(Debug)]
pub(crate) struct Rope(pub(crate) Arc<Pipe>);

#[derive(Debug)]
pub(crate) struct Bell(pub(crate) Arc<Pipe>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    Rung,
    Alone,
}

pub(crate) fn bell() -> (Rope, Bell) {
    let pipe = Arc::new(Pipe::default());
    let mut state = pipe.lock();
    (state.ropes, state.is_heard) = (1, true);
    drop(state);
    (Rope(Arc::clone(&pipe)), Bell(pipe))
}

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn pollers(&self) -> std::sync::MutexGuard<'_, Vec<Weak<crate::bells::Group>>> {
        self.pollers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.lock().ropes == 0
    }

    /// Whether there is something to hear.
    pub(crate) fn is_ready(&self) -> bool {
        let state = self.lock();
        state.rung || state.ropes == 0
    }

    pub(crate) fn is_heard(&self) -> bool {
        self.lock().is_heard
    }

    fn tell(&self) {
        self.changed.notify_all();
        if let Some(group) = self.group.get().and_then(Weak::upgrade) {
            group.tell();
        }
        let pollers = self.pollers().clone();
        let pollers = pollers.iter().filter_map(Weak::upgrade);
        pollers.for_each(|group| group.tell());
    }
}

impl Rope {
    pub(crate) fn ring(&self) -> bool {
        // A system call: what was stored before is seen.
        machine::fence();
        if machine::is_dead() {
            return true;
        }
        let mut state = self.0.lock();
        state.rung = true;
        let is_heard = state.is_heard;
        drop(state);
        self.0.tell();
        is_heard
    }

    pub(crate) fn is_heard(&self) -> bool {
        self.0.is_heard()
    }
}

impl Clone for Rope {
    fn clone(&self) -> Self {
        self.0.lock().ropes += 1;
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Rope {
    fn drop(&mut self) {
        self.0.lock().ropes -= 1;
        self.0.tell();
    }
}

impl Bell {
    pub(crate) fn sleep(&self, until: Until) -> Result<Option<Woken>> {
        machine::fence();
        let mut state = self.0.lock();
        while !state.rung && state.ropes > 0 {
            // Its time may be over at any moment.
            if until == Until::Now || (until != Until::Forever && machine::below(2) == 0) {
                return Ok(None);
            }
            let woken = self.0.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
        Ok(Some(take(&mut state)))
    }

    pub(crate) fn hear(&self) -> Result<Woken> {
        Ok(self.sleep(Until::Forever)?.expect("it waits for ever"))
    }

    pub(crate) fn is_alone(&self) -> bool {
        self.0.lock().ropes == 0
    }

    pub(crate) fn ring_here(&self) {
        machine::fence();
        if !machine::is_dead() {
            self.0.lock().rung = true;
            self.0.tell();
        }
    }

    pub(crate) fn try_hear(&self) -> Result<Option<Woken>> {
        machine::fence();
        let mut state = self.0.lock();
        Ok((state.rung || state.ropes == 0).then(|| take(&mut state)))
    }
}

fn take(state: &mut State) -> Woken {
    match std::mem::take(&mut state.rung) {
        true => Woken::Rung,
        false => Woken::Alone,
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.0.lock().is_heard = false;
        let watchers = self.0.watchers.lock();
        let watchers = watchers.unwrap_or_else(PoisonError::into_inner).clone();
        let watchers = watchers.iter().filter_map(Weak::upgrade);
        watchers.for_each(|group| group.tell());
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        LENT.with(|lent| lent.borrow_mut().push(Arc::clone(&self.0)));
        no_descriptor()
    }
}

std::thread_local! {
    /// Whose descriptors were lent, since somebody has polled last.
    static LENT: RefCell<Vec<Arc<Pipe>>> = const { RefCell::new(Vec::new()) };
}

/// Whose descriptors are polled now.
pub(crate) fn lent() -> Vec<Arc<Pipe>> {
    LENT.with(RefCell::take)
}

/// As poll(2) does: sleeps until the descriptor of an end is readable, and takes nothing.
pub(crate) fn sleep_on(end: &impl Pollable) {
    machine::fence();
    let _ = end.descriptor(Interest::Read);
    let pipe = lent().pop().expect("lent");
    let mut state = pipe.lock();
    while !state.rung && state.ropes > 0 {
        let woken = pipe.changed.wait(state);
        state = woken.unwrap_or_else(PoisonError::into_inner);
    }
}

/// What the sources want to lend; nobody looks at it.
pub(crate) fn no_descriptor() -> BorrowedFd<'static> {
    static NONE: OnceLock<File> = OnceLock::new();
    NONE.get_or_init(|| File::open("/dev/null").expect("there is one"))
        .as_fd()
}
