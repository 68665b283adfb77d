//! Pipes of the model's kernel that are heard as one.

use crate::bell::{Bell, Pipe, no_descriptor};
use crate::checker::{Condvar, Mutex, MutexGuard};
use crate::machine;
use ipc_core::{Result, Until};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, PoisonError};

pub(crate) const TOLD: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct Group {
    pipes: Mutex<Vec<(u64, Arc<Pipe>)>>,
    changed: Condvar,
}

#[derive(Clone, Debug)]
pub(crate) struct Bells(Arc<Group>);

impl Group {
    fn lock(&self) -> MutexGuard<'_, Vec<(u64, Arc<Pipe>)>> {
        self.pipes.lock().unwrap_or_else(PoisonError::into_inner)
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
        let group = bell.0.group.set(Arc::clone(&self.0));
        group.expect("it is in no other group");
        self.0.lock().push((name, Arc::clone(&bell.0)));
        Ok(())
    }

    pub(crate) fn forget(&self, bell: &Bell) {
        self.0
            .lock()
            .retain(|(_, pipe)| !Arc::ptr_eq(pipe, &bell.0));
    }

    pub(crate) fn sleep(&self, until: Until) -> Result<()> {
        machine::fence();
        let mut pipes = self.0.lock();
        while !pipes.iter().any(|(_, pipe)| pipe.is_ready()) {
            if until == Until::Now || (until != Until::Forever && machine::below(2) == 0) {
                return Err(until.over("wait"));
            }
            let woken = self.0.changed.wait(pipes);
            pipes = woken.unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    pub(crate) fn rung(&self, names: &mut [u64; TOLD]) -> Result<usize> {
        machine::fence();
        let pipes = self.0.lock();
        let ready = pipes.iter().filter(|(_, pipe)| pipe.is_ready());
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
        no_descriptor()
    }
}
