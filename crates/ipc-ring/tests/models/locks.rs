//! Locks of the system's: who takes one has made a full barrier, and who leaves it is seen to have
//! done all before.

use crate::checker as inner;
use crate::machine;
use ipc_core::Until;
use std::ops::{Deref, DerefMut};
use std::sync::{LockResult, PoisonError, TryLockError};
use std::time::Duration;

#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(inner::Mutex<T>);

#[derive(Debug)]
pub(crate) struct Held<'a, T = ()>(Option<inner::MutexGuard<'a, T>>);

#[derive(Debug, Default)]
pub(crate) struct Condvar(inner::Condvar);

/// Taking a lock in the ways to wait.
#[derive(Debug, Default)]
pub(crate) struct Turn<T = ()>(Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(inner::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> LockResult<Held<'_, T>> {
        machine::fence();
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Held(Some(held)))
    }
}

impl<'a, T> Held<'a, T> {
    fn into_inner(mut self) -> inner::MutexGuard<'a, T> {
        machine::settle();
        self.0.take().expect("it is held until it is dropped")
    }
}

impl<T> Deref for Held<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.0.as_ref().expect("it is held until it is dropped")
    }
}

impl<T> DerefMut for Held<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("it is held until it is dropped")
    }
}

impl<T> Drop for Held<'_, T> {
    fn drop(&mut self) {
        machine::settle();
    }
}

impl Condvar {
    pub(crate) fn new() -> Self {
        Self(inner::Condvar::new())
    }

    pub(crate) fn wait<'a, T>(&self, held: Held<'a, T>) -> LockResult<Held<'a, T>> {
        let woken = self.0.wait(held.into_inner());
        Ok(Held(Some(woken.unwrap_or_else(PoisonError::into_inner))))
    }

    /// Its time is never over.
    pub(crate) fn wait_timeout<'a, T>(
        &self,
        held: Held<'a, T>,
        _: Duration,
    ) -> LockResult<(Held<'a, T>, ())> {
        self.wait(held)
            .map(|held| (held, ()))
            .map_err(|_| unreachable!("it is never poisoned"))
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

impl<T> Turn<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(crate) fn take(&self, until: Until) -> Option<Held<'_, T>> {
        if until != Until::Now {
            return self.0.lock().ok();
        }
        machine::fence();
        match self.0.0.try_lock() {
            Ok(held) => Some(Held(Some(held))),
            Err(TryLockError::Poisoned(held)) => Some(Held(Some(held.into_inner()))),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}
