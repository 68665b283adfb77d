//! The protocol of sleeping in `src/table.rs`, beside a kernel of the model's own: whoever dies
//! between a change and its wake, or woken and before it looks, nobody sleeps on for ever.
//!
//! It repeats the order of steps of `announce`, `park`, `settle_dead` and `ring`; it is not that
//! code, which needs the kernel's own locks.

use shuttle::rand::Rng;
use shuttle::sync::atomic::{AtomicU32, Ordering::SeqCst};
use shuttle::sync::{Arc, Condvar, Mutex};

const SCHEDULES: usize = 50_000;
const SEATS: usize = 3;

/// What the kernel knows: who sleeps, who is woken, whose lock says that its owner died.
#[derive(Default)]
struct Kernel {
    asleep: Vec<usize>,
    dead: [bool; SEATS],
}

#[derive(Default)]
struct Object {
    free: AtomicU32,
    waiters: AtomicU32,
    bell: AtomicU32,
    /// Nobody else is left: who waits for a wake to die by need not.
    over: AtomicU32,
    kernel: Mutex<Kernel>,
    woken: Condvar,
}

impl Object {
    fn take(&self) -> bool {
        self.free
            .fetch_update(SeqCst, SeqCst, |free| free.checked_sub(1))
            .is_ok()
    }

    /// Sleeps unless the bell has changed or a watched owner is dead, as `futex_waitv` does.
    fn sleep(&self, seat: usize, bell: u32) {
        let mut kernel = self.kernel.lock().expect("no panic");
        if self.bell.load(SeqCst) != bell || kernel.dead.contains(&true) {
            return;
        }
        kernel.asleep.push(seat);
        while kernel.asleep.contains(&seat) {
            kernel = self.woken.wait(kernel).expect("no panic");
        }
    }

    fn wake(&self, count: usize) {
        let mut kernel = self.kernel.lock().expect("no panic");
        let count = count.min(kernel.asleep.len());
        kernel.asleep.drain(..count);
        self.woken.notify_all();
    }

    /// The kernel marks the seat's lock and wakes one that sleeps on it.
    fn die(&self, seat: usize) {
        self.kernel.lock().expect("no panic").dead[seat] = true;
        self.wake(1);
    }

    fn settle_dead(&self) {
        let any = {
            let mut kernel = self.kernel.lock().expect("no panic");
            let any = kernel.dead.contains(&true);
            kernel.dead = [false; SEATS];
            any
        };
        if any {
            self.bell.fetch_add(1, SeqCst);
            self.wake(usize::MAX);
        }
    }

    /// Waits for a permit; one that is to die does so when it is woken, before it looks.
    fn wait(&self, seat: usize, dies: bool) {
        self.waiters.fetch_add(1, SeqCst);
        loop {
            let bell = self.bell.load(SeqCst);
            if !dies && self.take() {
                break;
            }
            if !dies || self.over.load(SeqCst) == 0 {
                self.sleep(seat, bell);
            }
            if dies {
                return self.die(seat);
            }
            self.settle_dead();
        }
        self.waiters.fetch_sub(1, SeqCst);
    }

    /// Gives a permit, and dies `at` a step after that.
    fn give(&self, seat: usize, at: u32) {
        self.free.fetch_add(1, SeqCst);
        if at == 0 {
            return self.die(seat);
        }
        if self.waiters.load(SeqCst) == 0 {
            return;
        }
        if at == 1 {
            return self.die(seat);
        }
        self.bell.fetch_add(1, SeqCst);
        if at == 2 {
            return self.die(seat);
        }
        self.wake(1);
    }
}

fn one_dies() {
    let object = Arc::new(Object::default());
    let at = shuttle::rand::thread_rng().gen_range(0..4);
    let doomed = shuttle::rand::thread_rng().gen_range(0..2) == 0;
    let start = |work: fn(&Object, u32, bool)| {
        let object = Arc::clone(&object);
        shuttle::thread::spawn(move || work(&object, at, doomed))
    };
    let survivor = start(|object, _, _| object.wait(0, false));
    let other = start(|object, _, doomed| object.wait(1, doomed));
    let giver = start(|object, at, doomed| {
        object.give(2, at);
        if !doomed {
            // The other lives, and wants one, too; a new thread, since this one may be dead.
            object.give(2, 3);
        }
    });
    // A sleeper that is never woken is a deadlock, which the scheduler reports.
    for thread in [survivor, giver] {
        thread.join().expect("no thread fails");
    }
    if doomed {
        // Perhaps no wake was meant for it.
        object.over.store(1, SeqCst);
        object.bell.fetch_add(1, SeqCst);
        object.wake(usize::MAX);
    }
    other.join().expect("no thread fails");
}

#[test]
fn nobody_sleeps_on_under_random_schedules() {
    shuttle::check_random(one_dies, SCHEDULES);
}

#[test]
fn nobody_sleeps_on_under_schedules_of_few_switches() {
    shuttle::check_pct(one_dies, SCHEDULES, 3);
}
