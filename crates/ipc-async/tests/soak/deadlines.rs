//! How late a wait ends whose deadline has passed, for every kind of wait below the calls.

#[path = "deadlines/connects.rs"]
mod connects;
#[path = "deadlines/events.rs"]
mod events;
#[path = "deadlines/locks.rs"]
mod locks;
#[path = "deadlines/receives.rs"]
mod receives;
#[path = "deadlines/rings.rs"]
mod rings;
#[path = "deadlines/sends.rs"]
mod sends;

use ipc_async::WaitSet;
use ipc_core::{Error, ErrorKind, Until};
use ipc_testkit::crash::{Lab, Tally};
use ipc_testkit::soak;
use std::sync::mpsc;
use std::time::Instant;

pub(crate) fn overshoot(lab: &mut Lab) {
    receives::bytes(lab);
    receives::messages(lab);
    receives::a_turn(lab);
    sends::bytes(lab);
    sends::messages(lab);
    rings::receive(lab);
    rings::send(lab);
    rings::call(lab);
    rings::meet(lab);
    rings::many(lab);
    locks::exclusive(lab);
    locks::shared(lab);
    locks::together(lab);
    locks::semaphores(lab);
    events::files(lab);
    events::counters_and_signals(lab);
    events::children(lab);
    connects::unix(lab);
    connects::rings(lab);
    connects::tcp(lab);
    connects::awaited(lab);
    sets(lab);
}

fn sets(lab: &mut Lab) {
    let set = WaitSet::<()>::new();
    judge(lab, "wait set", |deadline| {
        set.wait_deadline(deadline).map(drop)
    });
    let mut keys = Vec::new();
    judge(lab, "wait set, many", |deadline| {
        set.wait_many_deadline(&mut keys, deadline).map(drop)
    });
    let set = WaitSet::new();
    judge(lab, "wait set, timer", |deadline| {
        set.at(deadline, ())?;
        set.wait()?;
        Err(Until::At(deadline).over("wait"))
    });
}

/// Enters how late `wait` ends, which must end since its time is over and for no other reason.
fn judge(lab: &mut Lab, what: &str, mut wait: impl FnMut(Instant) -> Result<(), Error>) {
    soak::overshoot(lab, "A3", what, |deadline| match wait(deadline) {
        Err(error) if error.kind() == ErrorKind::TimedOut => Err(()),
        Err(error) => panic!("{what}: {error}"),
        Ok(()) => Ok(()),
    });
}

/// Enters that `what` is not here, and why.
fn leave_out(lab: &mut Lab, what: &str, why: &Error) {
    let name = format!("{what}: p99 of the overshoot is at most 1 ms");
    let mut tally = Tally::new("A3", name);
    tally.skip(why.to_string());
    lab.enter(tally);
}

/// Does `work` while another thread has what `take` takes.
fn while_taken<G>(take: impl FnOnce() -> G + Send, work: impl FnOnce()) {
    std::thread::scope(|scope| {
        let (taken, is_taken) = mpsc::channel();
        let (done, over) = mpsc::channel::<()>();
        scope.spawn(move || {
            let _held = take();
            taken.send(()).expect("awaited");
            let _ = over.recv();
        });
        is_taken.recv().expect("it is taken");
        work();
        drop(done);
    });
}
