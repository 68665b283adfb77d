//! Barrier, event, condition and once: whoever waits goes on or is told, whoever dies wherever.

use crate::doomed::dies_after;
use crate::kernel;
use crate::schedules::{below, check, region};
use crate::turns::Turns;
use crate::{Barrier, Condvar, ErrorKind, Event, Mutex, Once, Options};
use shuttle::sync::Arc;
use shuttle::sync::atomic::{AtomicU32, Ordering::SeqCst};

/// Runs `part` in a thread, killed after `steps` where there are any.
fn start(
    steps: Option<u32>,
    part: impl FnOnce() + Send + 'static,
) -> shuttle::thread::JoinHandle<bool> {
    shuttle::thread::spawn(move || match steps {
        Some(steps) => dies_after(steps, part),
        None => {
            part();
            false
        }
    })
}

/// Three are awaited and one may die: the others meet it, or are told, and meet after a repair.
fn a_meeting_of_three() {
    let barrier = Arc::new(Barrier::create_trusted(region(), 0, 3).expect("fresh"));
    let steps = below(60);
    let over = Arc::new(AtomicU32::new(0));
    let meet = |steps| {
        let (barrier, over) = (Arc::clone(&barrier), Arc::clone(&over));
        start(steps, move || {
            match barrier.wait().map_err(|error| error.kind()) {
                Ok(_) | Err(ErrorKind::PeerDied) => {}
                Err(other) => panic!("{other:?}"),
            }
            over.fetch_add(1, SeqCst);
        })
    };
    let [first, second, third] = [meet(Some(steps)), meet(None), meet(None)];
    if first.join().expect("no thread fails") {
        // One that died before it took part is replaced: another comes when both are there.
        while over.load(SeqCst) < 2 {
            let _ = barrier.try_wait();
            shuttle::thread::yield_now();
        }
    }
    for thread in [second, third] {
        thread.join().expect("no thread fails");
    }
}

#[test]
fn a_barrier_ends_every_wait() {
    check("barrier", a_meeting_of_three);
}

/// Two await what a third, which may die, notifies: they see it or are told of the death.
fn an_event_of_one_that_may_die() {
    let event = Arc::new(Event::create_trusted(region(), 0).expect("fresh"));
    let (go, steps) = (Arc::new(AtomicU32::new(0)), below(40));
    let late = below(2) == 0;
    let notifier = {
        let (event, go) = (Arc::clone(&event), Arc::clone(&go));
        shuttle::thread::spawn(move || {
            event.announce().expect("a seat");
            while late && go.load(SeqCst) == 0 {
                shuttle::thread::yield_now();
            }
            dies_after(steps, || event.notify().expect("a seat"))
        })
    };
    let wait = || {
        let event = Arc::clone(&event);
        start(None, move || {
            match event.wait().map_err(|error| error.kind()) {
                Ok(()) | Err(ErrorKind::PeerDied) => {}
                Err(other) => panic!("{other:?}"),
            }
        })
    };
    let waiters = [wait(), wait()];
    while late && kernel::asleep() < 2 {
        shuttle::thread::yield_now();
    }
    go.store(1, SeqCst);
    if notifier.join().expect("no thread fails") && !late {
        // Who began to wait after the death waits for one that comes.
        event.notify().expect("a seat");
    }
    for waiter in waiters {
        waiter.join().expect("no thread fails");
    }
}

#[test]
fn an_event_ends_every_wait() {
    check("event", an_event_of_one_that_may_die);
}

/// Each of two takes one notification, although a third that waits is killed.
fn notifications_taken_one_by_one() {
    let mut options = Options::new();
    let made = (options.taken_by_one(true)).create_event_trusted(region(), 0);
    let event = Arc::new(made.expect("fresh"));
    let steps = below(50);
    let wait = |steps| {
        let event = Arc::clone(&event);
        start(steps, move || match event.wait() {
            Ok(()) => event.notify().expect("a seat"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::PeerDied),
        })
    };
    let threads = [wait(Some(steps)), wait(None), wait(None)];
    event.notify().expect("a seat");
    let [doomed, second, third] = threads;
    if doomed.join().expect("no thread fails") {
        // It may have taken the notification with it; another is given.
        event.notify().expect("a seat");
    }
    for thread in [second, third] {
        thread.join().expect("no thread fails");
    }
}

#[test]
fn a_notification_that_one_takes_reaches_one_that_lives() {
    check("event that one takes", notifications_taken_one_by_one);
}

/// One waits for a token that another puts down, and a third that waits too is killed.
fn a_condition_beside_a_death() {
    let mutex = Arc::new(Mutex::create_trusted(region(), 0, ()).expect("fresh"));
    let changed = Arc::new(Condvar::create_trusted(region(), 4096).expect("fresh"));
    let tokens = Arc::new(AtomicU32::new(0));
    let steps = below(110);
    let wait = |steps| {
        let (mutex, changed) = (Arc::clone(&mutex), Arc::clone(&changed));
        let tokens = Arc::clone(&tokens);
        start(steps, move || {
            let again = || loop {
                match mutex.lock() {
                    Ok(guard) => return guard,
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::PeerDied);
                        drop(mutex.recover().expect("nobody has it for ever").repaired());
                    }
                }
            };
            let mut guard = again();
            // Looked at and not taken: what a dead one takes with it is the user's matter.
            while tokens.load(SeqCst) == 0 {
                if let Err(error) = changed.wait(&mut guard) {
                    assert_eq!(error.kind(), ErrorKind::PeerDied);
                    drop(guard);
                    guard = again();
                }
            }
            drop(guard);
            // One notification for all: each hands it on.
            changed.notify_one().expect("a seat");
        })
    };
    let threads = [wait(Some(steps)), wait(None)];
    match mutex.recover() {
        Ok(recovery) => {
            tokens.store(1, SeqCst);
            drop(recovery.repaired());
        }
        Err(error) => panic!("{error}"),
    }
    changed.notify_one().expect("a seat");
    for thread in threads {
        thread.join().expect("no thread fails");
    }
}

#[test]
fn a_condition_loses_no_notification_to_a_death() {
    check("condition", a_condition_beside_a_death);
}

/// Of three that want the work done, one at a time does it, and when all are over it is done.
fn work_that_one_dies_over() {
    let once = Arc::new(Once::create_trusted(region(), 0).expect("fresh"));
    let (turns, steps) = (Arc::new(Turns::default()), below(60));
    let call = |steps| {
        let (once, turns) = (Arc::clone(&once), Arc::clone(&turns));
        start(steps, move || {
            once.call(|_| turns.write()).expect("a seat");
            assert!(once.is_done());
        })
    };
    for thread in [call(Some(steps)), call(None), call(None)] {
        thread.join().expect("no thread fails");
    }
    assert!(once.is_done());
}

#[test]
fn work_is_done_once_by_one_that_lives() {
    check("once", work_that_one_dies_over);
}
