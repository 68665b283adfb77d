//! One thread at a time has the turn at an end, however the first owner is revoked.

use crate::ground::AtomicU64;
use crate::machine::{below, spawn};
use crate::schedules::check;
use crate::turns::Turns;
use ipc_core::Until;
use shuttle::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

const THREADS: usize = 3;

struct Guarded {
    turns: Turns,
    /// Read and written by the holder alone, without any order.
    count: AtomicU64,
}

fn take_turns() {
    let guarded = Arc::new(Guarded {
        turns: Turns::new(),
        count: AtomicU64::new(0),
    });
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let guarded = Arc::clone(&guarded);
            spawn(move || {
                let mut had = 0;
                for _ in 0..3 {
                    let until = match below(3) {
                        0 => Until::Now,
                        _ => Until::Forever,
                    };
                    if let Some(_held) = guarded.turns.take(until) {
                        let count = guarded.count.load(Relaxed);
                        guarded.count.store(count + 1, Relaxed);
                        had += 1;
                    } else {
                        assert_eq!(until, Until::Now, "who waits is let in");
                    }
                }
                had
            })
        })
        .collect();
    let had: u64 = threads
        .into_iter()
        .map(|thread| thread.join().expect("no thread fails"))
        .sum();
    let _held = guarded.turns.take(Until::Forever);
    assert_eq!(guarded.count.load(Relaxed), had, "two had the turn");
}

#[test]
fn one_thread_at_a_time_has_the_turn() {
    check("turns: an owner is revoked, three threads", take_turns);
}
