//! A wait: what the kernel says, what it does not say, and a sleep in between.

use super::{MAX_TOLD, WaitSet};
use crate::sys::{BELL, Epoll, NOTHING};
use ipc_core::{Debt, Rest, Result, Until};
use std::sync::atomic::Ordering;

impl<'a, K: Copy> WaitSet<'a, K> {
    pub(super) fn wait_until(&self, until: Until) -> Result<K> {
        let mut found = Found {
            first: None,
            many: None,
            count: 0,
            wait: 0,
        };
        self.find(until, &mut found, &mut [NOTHING])?;
        found.first.ok_or_else(|| until.over("wait"))
    }

    pub(super) fn wait_many_until(&self, ready: &mut Vec<K>, until: Until) -> Result<usize> {
        ready.clear();
        let mut found = Found {
            first: None,
            many: Some(ready),
            count: 0,
            wait: self.number.fetch_add(1, Ordering::Relaxed).max(1),
        };
        self.find(until, &mut found, &mut [NOTHING; MAX_TOLD])?;
        Ok(found.count)
    }

    fn find(
        &self,
        until: Until,
        found: &mut Found<'_, K>,
        events: &mut [crate::sys::Event],
    ) -> Result<()> {
        let epoll = self.epoll()?;
        let _waiting = Waiting::new(self, epoll);
        loop {
            let mut sleep = until;
            if self.has_errands() {
                let errands = self.run_errands(epoll, until, found, events);
                if found.count > 0 {
                    // What was found is told now: what has failed besides fails again.
                    return Ok(());
                }
                sleep = errands?;
            }
            let came = epoll.wait(events, sleep)?;
            if came > 0 {
                self.take(epoll, &events[..came], found);
            } else if sleep == until {
                return Err(until.over("wait"));
            }
            if found.count > 0 {
                return Ok(());
            }
        }
    }

    #[inline]
    fn has_errands(&self) -> bool {
        self.errands.load(Ordering::SeqCst) != 0
            || Debt::is_any_unpaid()
            || Rest::disturbances() != self.disturbed.load(Ordering::Relaxed)
    }

    /// What the kernel says.
    #[inline]
    fn take(&self, epoll: &Epoll, events: &[crate::sys::Event], found: &mut Found<'_, K>) {
        let mut table = self.table();
        // Where there are more keys than fit, it is another's turn to be left out in each wait.
        let turn = match events.len() {
            0 | 1 => 0,
            several => found.wait % several,
        };
        for event in events[turn..].iter().chain(&events[..turn]) {
            match event.data.u64() {
                BELL => epoll.hear(),
                _ => table.told(epoll, *event, found),
            }
        }
        self.note_as_waiter(&table);
    }

    /// Looks for what the kernel does not say; returns how long to sleep then.
    #[cold]
    fn run_errands(
        &self,
        epoll: &Epoll,
        until: Until,
        found: &mut Found<'_, K>,
        events: &mut [crate::sys::Event],
    ) -> Result<Until> {
        // Who takes one at a time finds each kind first now and then, so that none starves.
        let kernel_first = self.kernel_is_next.load(Ordering::Relaxed);
        if kernel_first {
            self.kernel_is_next.store(false, Ordering::Relaxed);
            let came = epoll.wait(events, Until::Now)?;
            self.take(epoll, &events[..came], found);
        }
        if found.is_full() {
            return Ok(until);
        }
        let mut table = self.table();
        let errands = table.run_errands(epoll, until, found);
        self.note_as_waiter(&table);
        drop(table);
        let sleep = errands?;
        if found.is_full() {
            self.kernel_is_next.store(!kernel_first, Ordering::Relaxed);
        } else if found.count > 0 && !kernel_first {
            let room = found.limit() - found.count;
            let came = epoll.wait(&mut events[..room], Until::Now)?;
            self.take(epoll, &events[..came], found);
        }
        Ok(sleep)
    }
}

/// The keys that a wait has found.
pub(super) struct Found<'v, K> {
    first: Option<K>,
    many: Option<&'v mut Vec<K>>,
    count: usize,
    /// The number of the wait, where it may find a key by more than one way; else zero.
    pub(super) wait: usize,
}

impl<K> Found<'_, K> {
    pub(super) fn push(&mut self, key: K) {
        self.count += 1;
        match &mut self.many {
            Some(many) => many.push(key),
            None => self.first = Some(key),
        }
    }

    fn limit(&self) -> usize {
        if self.many.is_some() { MAX_TOLD } else { 1 }
    }

    pub(super) fn is_full(&self) -> bool {
        self.count >= self.limit()
    }
}

/// A thread that waits. Of several, who leaves hands the errands on: it may have slept for the
/// timer that is due next.
struct Waiting<'s, 'a, K> {
    set: &'s WaitSet<'a, K>,
    epoll: &'s Epoll,
}

impl<'s, 'a, K> Waiting<'s, 'a, K> {
    fn new(set: &'s WaitSet<'a, K>, epoll: &'s Epoll) -> Self {
        // Before the errands are looked at: who adds one later sees somebody to wake.
        set.waiting.fetch_add(1, Ordering::SeqCst);
        Self { set, epoll }
    }
}

impl<K> Drop for Waiting<'_, '_, K> {
    fn drop(&mut self) {
        let others = self.set.waiting.fetch_sub(1, Ordering::SeqCst) - 1;
        if others > 0 && self.set.errands.load(Ordering::SeqCst) > 0 {
            self.epoll.ring();
        }
    }
}
