//! Pipes of the model's kernel that are heard as one, and mailboxes, and the ends of ropes.

use crate::bell::{Bell, Pipe, Rope, no_descriptor};
use crate::checker::{Condvar, Mutex, MutexGuard};
use crate::machine;
use crate::mailbox::{Letters, Mailbox};
use ipc_core::{Interest, Pollable, Result, Until};
use std::cell::RefCell;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, PoisonError};

pub(crate) const TOLD: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct Group {
    watched: Mutex<Vec<(u64, Watched)>>,
    changed: Condvar,
}

#[derive(Debug)]
enum Watched {
    Bell(Arc<Pipe>),
    Rope(Arc<Pipe>),
    Mailbox(Arc<Letters>),
}

impl Watched {
    fn is_ready(&self) -> bool {
        match self {
            Self::Bell(pipe) => pipe.is_ready(),
            Self::Rope(pipe) => !pipe.is_heard(),
            Self::Mailbox(letters) => letters.is_ready(),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Bells(Arc<Group>);

impl Group {
    fn lock(&self) -> MutexGuard<'_, Vec<(u64, Watched)>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of them has something to say.
    pub(crate) fn tell(&self) {
        // Who looks at them and is about to sleep has the lock.
        drop(self.lock());
        self.changed.notify_all();
    }
}

impl Bells {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Arc::default()))
    }

    pub(crate) fn try_clone(&self) -> Result<Self> {
        Ok(self.clone())
    }

    pub(crate) fn add(&self, bell: &Bell, name: u64) -> Result<()> {
        let group = bell.0.group.set(Arc::downgrade(&self.0));
        group.expect("it is in no other group");
        self.0
            .lock()
            .push((name, Watched::Bell(Arc::clone(&bell.0))));
        Ok(())
    }

    pub(crate) fn add_mailbox(&self, mailbox: &Mailbox, name: u64) -> Result<()> {
        let letters = Arc::clone(&mailbox.0);
        let group = letters.group.set(Arc::downgrade(&self.0));
        group.expect("it is in no other group");
        self.0.lock().push((name, Watched::Mailbox(letters)));
        Ok(())
    }

    pub(crate) fn add_rope(&self, rope: &Rope, name: u64) -> Result<()> {
        let watchers = rope.0.watchers.lock();
        let mut watchers = watchers.unwrap_or_else(PoisonError::into_inner);
        watchers.push(Arc::downgrade(&self.0));
        drop(watchers);
        self.0
            .lock()
            .push((name, Watched::Rope(Arc::clone(&rope.0))));
        Ok(())
    }

    /// For one poll.
    pub(crate) fn add_pipe(&self, pipe: &Arc<Pipe>) {
        let mut pollers = pipe.pollers();
        pollers.retain(|group| group.strong_count() > 0);
        pollers.push(Arc::downgrade(&self.0));
        drop(pollers);
        self.0.lock().push((0, Watched::Bell(Arc::clone(pipe))));
    }

    pub(crate) fn forget(&self, bell: &Bell) {
        let its = |watched: &Watched| match watched {
            Watched::Bell(pipe) => Arc::ptr_eq(pipe, &bell.0),
            _ => false,
        };
        self.0.lock().retain(|(_, watched)| !its(watched));
    }

    pub(crate) fn forget_mailbox(&self, mailbox: &Mailbox) {
        let its = |watched: &Watched| match watched {
            Watched::Mailbox(letters) => Arc::ptr_eq(letters, &mailbox.0),
            _ => false,
        };
        self.0.lock().retain(|(_, watched)| !its(watched));
    }

    pub(crate) fn forget_rope(&self, rope: &Rope) {
        let its = |watched: &Watched| match watched {
            Watched::Rope(pipe) => Arc::ptr_eq(pipe, &rope.0),
            _ => false,
        };
        self.0.lock().retain(|(_, watched)| !its(watched));
    }

    pub(crate) fn sleep(&self, until: Until) -> Result<bool> {
        machine::fence();
        let mut watched = self.0.lock();
        while !watched.iter().any(|(_, watched)| watched.is_ready()) {
            if until == Until::Now || (until != Until::Forever && machine::below(2) == 0) {
                return Ok(false);
            }
            let woken = self.0.changed.wait(watched);
            watched = woken.unwrap_or_else(PoisonError::into_inner);
        }
        Ok(true)
    }

    pub(crate) fn wait_rung(&self, names: &mut [u64; TOLD]) -> Result<usize> {
        self.sleep(Until::Forever)?;
        self.rung(names)
    }

    pub(crate) fn rung(&self, names: &mut [u64; TOLD]) -> Result<usize> {
        machine::fence();
        let watched = self.0.lock();
        let ready = watched.iter().filter(|(_, watched)| watched.is_ready());
        let mut count = 0;
        for (place, (name, _)) in names.iter_mut().zip(ready) {
            *place = *name;
            count += 1;
        }
        Ok(count)
    }
}

impl AsFd for Bells {
    fn as_fd(&self) -> BorrowedFd<'_> {
        LENT.with(|lent| *lent.borrow_mut() = Some(self.clone()));
        no_descriptor()
    }
}

std::thread_local! {
    /// Whose descriptor was lent last.
    static LENT: RefCell<Option<Bells>> = const { RefCell::new(None) };
}

/// As poll(2) does: sleeps until the descriptor of a member is readable, and takes nothing.
pub(crate) fn sleep_on(end: &impl Pollable) {
    machine::fence();
    let _ = end.descriptor(Interest::Read);
    let bells = LENT.with(|lent| lent.borrow_mut().take()).expect("lent");
    bells.sleep(Until::Forever).expect("it waits for ever");
}
