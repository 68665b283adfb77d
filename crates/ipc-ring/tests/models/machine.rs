//! The model's machine: memory behind each thread's store buffer, as x86 has it, and deaths.
//!
//! A thread sees its own stores at once, others see them later, in their order; a fence, a locked
//! instruction and a system call wait until all have come through. Any other thread's buffer may
//! let one through at any step. A barrier of the kernel's is one on every thread.

use shuttle::rand::Rng;
use shuttle::sync::atomic::AtomicBool;
use shuttle::sync::atomic::Ordering::SeqCst;
use shuttle::thread;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

std::thread_local! {
    /// Of this execution: the scheduler runs all its threads in one of the system's.
    static MACHINE: RefCell<Machine> = RefCell::new(Machine::default());
}

#[derive(Default)]
struct Machine {
    cells: Vec<u64>,
    threads: Vec<Thread>,
    /// At which the scheduler may switch.
    point: Rc<AtomicBool>,
    under_way: usize,
}

#[derive(Default)]
struct Thread {
    buffer: VecDeque<(usize, u64)>,
    /// How many steps are left, where it is doomed.
    left: Option<u32>,
    dead: bool,
}

/// What a dying thread unwinds with.
struct Death;

/// A fresh machine, at the start of an execution.
pub(crate) fn boot() {
    MACHINE.with(|machine| drop(std::mem::take(&mut *machine.borrow_mut())));
}

/// This thread's number.
pub(crate) fn number() -> usize {
    // Of `thread::current` a third of a schedule's time went into names.
    usize::from(shuttle::current::me())
}

fn with<R>(part: impl FnOnce(&mut Machine, usize) -> R) -> R {
    let this = number();
    MACHINE.with(|machine| {
        let mut machine = machine.borrow_mut();
        if machine.threads.len() <= this {
            machine.threads.resize_with(this + 1, Thread::default);
        }
        part(&mut machine, this)
    })
}

/// So many new cells; returns the number of the first.
pub(crate) fn cells(count: usize) -> usize {
    MACHINE.with(|machine| {
        let cells = &mut machine.borrow_mut().cells;
        cells.resize(cells.len() + count, 0);
        cells.len() - count
    })
}

/// Before each operation: others may run, stores come through, a doomed thread dies. False where
/// it is dead already, and only unwinds.
pub(crate) fn step() -> bool {
    let Some(point) = with(|machine, this| machine.point_of(this)) else {
        return false;
    };
    point.load(SeqCst);
    let under_way = MACHINE.with(|machine| machine.borrow().under_way);
    let chance = match under_way {
        0 => None,
        some => Some(shuttle::rand::thread_rng().gen_range(0..4 * some)),
    };
    if with(|machine, this| machine.dies(this, chance)) {
        std::panic::resume_unwind(Box::new(Death));
    }
    true
}

impl Machine {
    /// Where the scheduler may switch; `None` for who is dead.
    fn point_of(&self, thread: usize) -> Option<Rc<AtomicBool>> {
        (!self.threads[thread].dead).then(|| Rc::clone(&self.point))
    }

    /// Whether this step is the one that the thread dies before.
    fn dies(&mut self, thread: usize, chance: Option<usize>) -> bool {
        if let Some(chance) = chance {
            self.let_through(chance);
        }
        match &mut self.threads[thread].left {
            None => false,
            Some(0) => {
                self.threads[thread].dead = true;
                // What it has stored comes through: the machine does not die.
                self.drain(thread);
                true
            }
            Some(left) => {
                *left -= 1;
                false
            }
        }
    }

    /// The `chance`-th store that is under way brings its thread's oldest through, if it is one.
    fn let_through(&mut self, mut chance: usize) {
        for thread in &mut self.threads {
            if chance < thread.buffer.len() {
                let (cell, value) = thread.buffer.pop_front().expect("it has some");
                self.cells[cell] = value;
                self.under_way -= 1;
                return;
            }
            chance -= thread.buffer.len();
        }
    }

    fn drain(&mut self, thread: usize) {
        for (cell, value) in self.threads[thread].buffer.drain(..) {
            self.cells[cell] = value;
            self.under_way -= 1;
        }
    }

    fn seen(&self, thread: usize, cell: usize) -> u64 {
        let own = self.threads[thread].buffer.iter().rev();
        let own = own.into_iter().find(|(at, _)| *at == cell);
        own.map_or(self.cells[cell], |(_, value)| *value)
    }
}

pub(crate) fn load(cell: usize) -> u64 {
    match step() {
        true => with(|machine, this| machine.seen(this, cell)),
        false => 0,
    }
}

pub(crate) fn store(cell: usize, value: u64) {
    if step() {
        with(|machine, this| {
            machine.under_way += 1;
            machine.threads[this].buffer.push_back((cell, value));
        });
    }
}

/// What the cell held, which becomes `new` where it was `current`.
pub(crate) fn exchange(cell: usize, current: u64, new: u64) -> u64 {
    if !step() {
        return current;
    }
    with(|machine, this| {
        machine.drain(this);
        let found = machine.cells[cell];
        if found == current {
            machine.cells[cell] = new;
        }
        found
    })
}

/// A full barrier of this thread.
pub(crate) fn fence() {
    if step() {
        with(Machine::drain);
    }
}

/// What was stored is seen before what follows is, whether the thread lives or not.
pub(crate) fn settle() {
    with(Machine::drain);
}

/// A full barrier on every thread.
pub(crate) fn barrier() {
    if step() {
        with(|machine, _| (0..machine.threads.len()).for_each(|thread| machine.drain(thread)));
    }
}

pub(crate) fn is_dead() -> bool {
    with(|machine, this| machine.threads[this].dead)
}

/// Runs `work` in this thread, killed before its `steps`-th step; whether it was. What its
/// destructors would do is not done: a killed process does nothing more.
pub(crate) fn dies_after(steps: u32, work: impl FnOnce()) -> bool {
    with(|machine, this| machine.threads[this].left = Some(steps));
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
        Ok(()) => {
            with(|machine, this| machine.threads[this].left = None);
            false
        }
        Err(death) if death.is::<Death>() => true,
        Err(other) => std::panic::resume_unwind(other),
    }
}

/// Starts a thread, which sees all that was stored here, and at whose end all that it has stored
/// is seen.
pub(crate) fn spawn<R: Send + 'static>(
    part: impl FnOnce() -> R + Send + 'static,
) -> thread::JoinHandle<R> {
    settle();
    thread::spawn(|| {
        let outcome = part();
        with(Machine::drain);
        outcome
    })
}

/// A number below `bound`, by the schedule.
pub(crate) fn below(bound: u32) -> u32 {
    shuttle::rand::thread_rng().gen_range(0..bound)
}
