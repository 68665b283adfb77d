//! The model's kernel: who sleeps on which word, who holds which robust lock, who is dead.

use crate::atomic::AtomicU32;
use crate::doomed;
use shuttle::rand::Rng;
use shuttle::sync::Mutex;
use shuttle::sync::atomic::Ordering::SeqCst;
use shuttle::thread::{self, Thread};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) const WAITERS: u32 = 0x8000_0000;
pub(crate) const OWNER_DIED: u32 = 0x4000_0000;
pub(crate) const TID_MASK: u32 = 0x3FFF_FFFF;

/// A lock's word, by which the kernel reaches it after its owner's death.
pub(crate) type Word = Arc<AtomicU32>;

std::thread_local! {
    /// Of this execution: the scheduler runs all its threads in one of the system's.
    static KERNEL: RefCell<Kernel> = RefCell::new(Kernel::default());
}

#[derive(Default)]
struct Kernel {
    threads: Vec<Life>,
    /// Held while a word is compared and a sleeper put in line.
    futexes: Arc<Mutex<Vec<Sleeper>>>,
    objects: BTreeMap<usize, Arc<crate::sys::Memory>>,
}

#[derive(Default)]
struct Life {
    /// How many steps are left, where it is doomed.
    left: Option<u32>,
    dead: bool,
    /// Its robust list, and the lock that it is at.
    held: Vec<Word>,
    pending: Option<Word>,
    /// Of those that it holds, the ones whose last owner died and that are not said to be in
    /// order.
    unsettled: Vec<Word>,
}

struct Sleeper {
    thread: Thread,
    tid: u32,
    words: Vec<usize>,
}

/// A fresh kernel, at the start of an execution.
pub(crate) fn boot() {
    KERNEL.with(|kernel| drop(std::mem::take(&mut *kernel.borrow_mut())));
}

/// This thread, as the kernel numbers it.
pub(crate) fn tid() -> u32 {
    usize::from(thread::current().id()) as u32 + 1
}

fn life<R>(tid: u32, part: impl FnOnce(&mut Life) -> R) -> R {
    KERNEL.with(|kernel| {
        let mut kernel = kernel.borrow_mut();
        let at = tid as usize;
        if kernel.threads.len() <= at {
            kernel.threads.resize_with(at + 1, Life::default);
        }
        part(&mut kernel.threads[at])
    })
}

pub(crate) fn doom(steps: u32) {
    life(tid(), |life| life.left = Some(steps));
}

pub(crate) fn reprieve() {
    life(tid(), |life| life.left = None);
}

pub(crate) fn is_dead() -> bool {
    life(tid(), |life| life.dead)
}

/// Whether another thread lives, by its number.
pub(crate) fn lives(tid: u32) -> bool {
    life(tid, |life| !life.dead)
}

/// Counts a step; whether the thread dies instead of doing it.
pub(crate) fn last_step() -> bool {
    life(tid(), |life| match &mut life.left {
        None => false,
        Some(0) => {
            life.dead = true;
            true
        }
        Some(left) => {
            *left -= 1;
            false
        }
    })
}

/// The lock that the thread is about to take or release.
pub(crate) fn pending(word: Option<&Word>) {
    life(tid(), |life| life.pending = word.cloned());
}

pub(crate) fn hold(word: &Word) {
    life(tid(), |life| life.held.push(Arc::clone(word)));
}

/// The lock was taken from a dead owner, or its state is in order again.
pub(crate) fn unsettled(word: &Word, is: bool) {
    life(tid(), |life| {
        life.unsettled.retain(|other| !Arc::ptr_eq(other, word));
        if is {
            life.unsettled.push(Arc::clone(word));
        }
    });
}

/// How many sleep.
pub(crate) fn asleep() -> usize {
    futexes().lock().expect("no panic").len()
}

pub(crate) fn let_go(word: &Word) {
    life(tid(), |life| {
        let given_up = life.unsettled.iter().any(|other| Arc::ptr_eq(other, word));
        assert!(
            !given_up,
            "released as it was found: nobody could take it any more"
        );
    });
    life(tid(), |life| {
        life.held.retain(|held| !Arc::ptr_eq(held, word))
    });
}

/// What the kernel does for a dead thread's robust locks (`exit_robust_list`).
pub(crate) fn bury() {
    let this = tid();
    let (held, pending) = life(this, |life| {
        (std::mem::take(&mut life.held), life.pending.take())
    });
    for (word, is_pending) in (held.into_iter().map(|word| (word, false)))
        .chain(pending.into_iter().map(|word| (word, true)))
    {
        let mut found = word.inner().load(SeqCst);
        loop {
            if found == 0 && is_pending {
                // Released, or woken and not yet taken: the wake goes to another.
                wake(&word, 1);
            }
            if found & TID_MASK != this {
                break;
            }
            let then = (found & WAITERS) | OWNER_DIED;
            match word.inner().compare_exchange(found, then, SeqCst, SeqCst) {
                Ok(_) => {
                    if found & WAITERS != 0 {
                        wake(&word, 1);
                    }
                    break;
                }
                Err(other) => found = other,
            }
        }
    }
}

/// Sleeps until one of the words is woken or has another value; false where `in_time` is over.
pub(crate) fn wait(words: &[(&AtomicU32, u32)], in_time: bool) -> bool {
    doomed::step();
    let this = tid();
    let futexes = futexes();
    {
        let mut line = futexes.lock().expect("no panic");
        for (word, value) in words {
            if word.inner().load(SeqCst) != *value {
                return true;
            }
        }
        line.push(Sleeper {
            thread: thread::current(),
            tid: this,
            words: words.iter().map(|(word, _)| address(word)).collect(),
        });
    }
    let is_last = life(this, |life| life.left == Some(0));
    if is_last || in_time {
        // Killed while it sleeps, or its time is over: others may wake it in between.
        for _ in 0..shuttle::rand::thread_rng().gen_range(0..6) {
            thread::yield_now();
        }
        let mut line = futexes.lock().expect("no panic");
        let slept_on = line.iter().any(|sleeper| sleeper.tid == this);
        line.retain(|sleeper| sleeper.tid != this);
        drop(line);
        doomed::step();
        return !slept_on;
    }
    while futexes
        .lock()
        .expect("no panic")
        .iter()
        .any(|sleeper| sleeper.tid == this)
    {
        thread::park();
    }
    // Woken, and killed before it looks.
    doomed::step();
    true
}

/// Wakes up to `count` that sleep on `word`.
pub(crate) fn wake(word: &AtomicU32, count: u32) {
    let futexes = futexes();
    let mut line = futexes.lock().expect("no panic");
    let mut left = count;
    line.retain(|sleeper| {
        if left == 0 || !sleeper.words.contains(&address(word)) {
            return true;
        }
        left -= 1;
        sleeper.thread.unpark();
        false
    });
}

fn futexes() -> Arc<Mutex<Vec<Sleeper>>> {
    KERNEL.with(|kernel| Arc::clone(&kernel.borrow().futexes))
}

fn address(word: &AtomicU32) -> usize {
    std::ptr::from_ref(word).addr()
}

/// The memory at `offset`, the same for all who ask for it in this execution.
pub(crate) fn memory(offset: usize, len: usize) -> Arc<crate::sys::Memory> {
    let known = KERNEL.with(|kernel| kernel.borrow().objects.get(&offset).cloned());
    known.unwrap_or_else(|| {
        let memory = Arc::new(crate::sys::Memory::new(len));
        KERNEL.with(|kernel| {
            let mut kernel = kernel.borrow_mut();
            kernel.objects.insert(offset, Arc::clone(&memory));
        });
        memory
    })
}
