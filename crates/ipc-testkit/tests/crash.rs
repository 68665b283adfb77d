//! The crash laboratory tested on itself: it must find what is planted, and nothing else.

use ipc_testkit::crash::{
    Fault, Forked, Lab, Steps, Tally, fail_at_call, kill_at_random, kill_inside, laboratory,
    single_step, stop_and_continue, with_reused_pid,
};
use ipc_testkit::shared_words;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Of a tracer with its copy.
const PATIENCE: Duration = Duration::from_millis(300);

/// Set where this program is the laboratory whose failure another one reads.
const PLANTED: &str = "IPC_TESTKIT_PLANTED";

fn main() -> ExitCode {
    if std::env::var_os(PLANTED).is_some() {
        return laboratory(&[("planted", what_fails)]);
    }
    laboratory(&[
        ("good order", a_good_order_has_no_bad_state),
        ("planted", a_planted_bug_is_found),
        (
            "kill inside",
            a_kill_inside_leaves_the_kernel_state_of_a_dead_process,
        ),
        (
            "kill at steps",
            a_kill_at_a_step_falls_where_single_stepping_falls,
        ),
        ("a change at a step", what_is_done_at_a_step_the_rest_sees),
        ("random kill", random_kills_fall_at_many_places),
        ("paused", a_stopped_process_is_not_dead),
        ("pid reuse", a_process_id_is_used_again),
        ("hanging", what_waits_for_its_turn_does_not_hang),
        ("named", a_failure_is_named_at_the_end),
    ])
}

fn what_fails(lab: &mut Lab) {
    let mut good = Tally::new("R0", "what is well");
    good.trial(Ok(()));
    lab.enter(good);
    let mut bad = Tally::new("R0", "what fails");
    bad.trial(Err("as it should".into()));
    lab.enter(bad);
}

/// Whoever reads the end of a long output learns which row failed.
fn a_failure_is_named_at_the_end(lab: &mut Lab) {
    let mut tally = Tally::new("R0", "the rows that failed are named at the end");
    let program = std::env::current_exe().expect("proc is mounted");
    let mut laboratory = std::process::Command::new(program);
    let ran = laboratory.env(PLANTED, "1").output().expect("it starts");
    let said = String::from_utf8_lossy(&ran.stdout);
    let named = said.contains("\nfailures:\n    R0 what fails\n\ntest result: FAILED. 1 passed; 1");
    tally.trial(match (named, ran.status.code()) {
        (true, Some(1)) => Ok(()),
        (_, code) => Err(format!("{code:?}: {said}")),
    });
    lab.enter(tally);
}

/// A message of two words and a flag that says it is whole.
fn publish(words: &[AtomicU64], flag_first: bool) {
    if flag_first {
        words[2].store(1, Ordering::Release);
    }
    words[0].store(7, Ordering::Relaxed);
    words[1].store(7, Ordering::Relaxed);
    words[2].store(1, Ordering::Release);
}

fn judge(words: &[AtomicU64]) -> Result<(), String> {
    let [a, b, published] = [0, 1, 2].map(|at| words[at].load(Ordering::Acquire));
    if published == 1 && (a, b) != (7, 7) {
        Err(format!("published ({a}, {b})"))
    } else {
        Ok(())
    }
}

fn step_through(lab: &mut Lab, what: &str, flag_first: bool) -> Tally {
    let mut tally = Tally::new("R1", what);
    let words = shared_words(3);
    for _ in 0..lab.count(3, 100, 1000) {
        words
            .iter()
            .for_each(|word| word.store(0, Ordering::Relaxed));
        let stepped = single_step(
            || publish(words, flag_first),
            |_| {
                tally.trial(judge(words));
                true
            },
        );
        if let Err(reason) = stepped {
            tally.skip(reason);
            break;
        }
    }
    tally
}

fn a_good_order_has_no_bad_state(lab: &mut Lab) {
    let tally = step_through(lab, "a flag written last, after each instruction", false);
    lab.enter(tally);
}

fn a_planted_bug_is_found(lab: &mut Lab) {
    let found = step_through(lab, "", true);
    let mut tally = Tally::new("R1", "a planted flag-before-payload is found");
    match found.skipped {
        Some(reason) => tally.skip(reason),
        None => tally.trial(match found.failures {
            0 => Err("the laboratory is blind".into()),
            _ => Ok(()),
        }),
    }
    lab.enter(tally);
}

/// The kernel's own promise, as a measure of the laboratory: a lock on a file ends with its owner.
fn a_kill_inside_leaves_the_kernel_state_of_a_dead_process(lab: &mut Lab) {
    use rustix::fs::{FlockOperation, flock};
    let mut tally = Tally::new("R3", "flock after a kill at each instruction of taking it");
    let dir = ipc_testkit::TempDir::new();
    let path = dir.join("lock");
    let open = || std::fs::File::create(&path).expect("a private directory");
    for instruction in 1..=lab.count(50, 2_000, 20_000) {
        let file = open();
        let taken = kill_inside(
            || flock(open(), FlockOperation::LockExclusive).expect("a lock"),
            instruction,
        );
        match taken {
            Ok(killed) => {
                let free = flock(&file, FlockOperation::NonBlockingLockExclusive);
                tally.trial(free.map_err(|errno| format!("after {instruction}: {errno}")));
                if !killed {
                    break;
                }
            }
            Err(reason) => {
                tally.skip(reason);
                break;
            }
        }
    }
    lab.enter(tally);
}

/// Two ways to the same death: how far the dead one had come must be the same.
fn a_kill_at_a_step_falls_where_single_stepping_falls(lab: &mut Lab) {
    let mut tally = Tally::new("R3", "a kill at a step, found again by a breakpoint");
    let words = shared_words(1);
    let count = || {
        (0..30).for_each(|_| {
            words[0].fetch_add(1, Ordering::Relaxed);
        })
    };
    let mut after = Vec::new();
    let clear = || words[0].store(0, Ordering::Relaxed);
    clear();
    let steps = Steps::of(&count, |_| {
        after.push(words[0].load(Ordering::Relaxed));
        true
    });
    match steps {
        Err(reason) => tally.skip(reason),
        Ok(steps) => {
            let every = 1 + steps.count() / lab.count(60, 600, 6_000);
            for at in (1..=steps.count()).step_by(every as usize) {
                clear();
                let killed = steps.kill(&count, at);
                let (then, now) = (after[at as usize - 1], words[0].load(Ordering::Relaxed));
                tally.trial(match killed {
                    Ok(true) if then == now => Ok(()),
                    other => Err(format!("step {at}: {other:?}, {then} and {now}")),
                });
            }
        }
    }
    lab.enter(tally);
}

/// What changes at a step is seen by what comes after it, and by nothing before.
fn what_is_done_at_a_step_the_rest_sees(lab: &mut Lab) {
    let mut tally = Tally::new(
        "F3",
        "a word changed at a step, found again by a breakpoint",
    );
    let words = shared_words(2);
    let copy = || {
        (0..30).for_each(|_| {
            words[1].fetch_add(words[0].load(Ordering::Relaxed), Ordering::Relaxed);
        })
    };
    let clear = || {
        words
            .iter()
            .for_each(|word| word.store(0, Ordering::Relaxed))
    };
    clear();
    match Steps::of(&copy, |_| true) {
        Err(reason) => tally.skip(reason),
        Ok(steps) => {
            let every = 1 + steps.count() / lab.count(60, 600, 6_000);
            let mut last = 30;
            for at in (1..=steps.count()).step_by(every as usize) {
                clear();
                let done = steps.interrupt(&copy, at, || words[0].store(1, Ordering::Relaxed));
                let after = words[1].load(Ordering::Relaxed);
                tally.trial(match done {
                    Ok(true) if after <= last => Ok(()),
                    other => Err(format!("step {at}: {other:?}, {after} after {last}")),
                });
                last = after;
            }
            tally.trial(if last < 2 {
                Ok(())
            } else {
                Err(format!("{last} steps follow the last"))
            });
        }
    }
    lab.enter(tally);
}

fn random_kills_fall_at_many_places(lab: &mut Lab) {
    let mut tally = Tally::new("R2", "a counting process killed at a random time");
    let words = shared_words(1);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..lab.count(50, 1_000, 10_000) {
        words[0].store(0, Ordering::Relaxed);
        let count = || loop {
            words[0].fetch_add(1, Ordering::Relaxed);
        };
        let dead_at = kill_at_random(lab, Duration::from_micros(500), count, |_zombie| {
            words[0].load(Ordering::Relaxed)
        });
        let still = words[0].load(Ordering::Relaxed);
        tally.trial(if still == dead_at {
            Ok(())
        } else {
            Err("the dead count on".into())
        });
        seen.insert(dead_at);
    }
    tally.trial(if seen.len() > 5 {
        Ok(())
    } else {
        Err("all kills at one place".into())
    });
    lab.enter(tally);
}

fn a_stopped_process_is_not_dead(lab: &mut Lab) {
    let mut tally = Tally::new("R7", "a process paused and continued finishes its work");
    for _ in 0..lab.count(10, 200, 2_000) {
        let words = shared_words(2);
        let copy = Forked::new(|| {
            words[0].store(1, Ordering::Release);
            while words[1].load(Ordering::Acquire) == 0 {
                std::hint::spin_loop();
            }
        });
        while words[0].load(Ordering::Acquire) == 0 {
            std::hint::spin_loop();
        }
        stop_and_continue(&copy, || words[1].store(1, Ordering::Release));
        tally.trial(if copy.finished() {
            Ok(())
        } else {
            Err("it did not".into())
        });
    }
    lab.enter(tally);
}

fn a_process_id_is_used_again(lab: &mut Lab) {
    let mut tally = Tally::new("R8", "a process id used again at once");
    let words = shared_words(2);
    let note = |at: usize| words[at].store(u64::from(std::process::id()), Ordering::Release);
    for _ in 0..lab.count(5, 50, 500) {
        match with_reused_pid(|| note(0), || note(1)) {
            Ok(ran) => {
                let [first, second] = [0, 1].map(|at| words[at].load(Ordering::Acquire));
                let good = ran && first == second && first != 0;
                tally.trial(if good {
                    Ok(())
                } else {
                    Err(format!("{first} {second}"))
                });
            }
            Err(reason) => {
                tally.skip(reason);
                break;
            }
        }
    }
    lab.enter(tally);
}

/// A copy that never ends is said to hang, and one whose tracer had no turn for longer than its
/// patience is not.
fn what_waits_for_its_turn_does_not_hang(lab: &mut Lab) {
    let mut tally = Tally::new("R18", "a hang is told from waiting for a turn");
    let words = shared_words(3);
    let [begun, may_end, hung] = [&words[0], &words[1], &words[2]];
    let none = Fault {
        call: u64::MAX,
        errno: 0,
        times: 1,
    };
    // 1 where it goes well, 2 where it hangs, 3 where nothing can be traced here.
    let trace = || {
        let operation = || {
            begun.store(1, Ordering::SeqCst);
            while may_end.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
        };
        let swept = fail_at_call(operation, |_, _| false, none, PATIENCE);
        let told = swept.map_or(3, |swept| 1 + u64::from(swept.hung));
        hung.store(told, Ordering::SeqCst);
    };
    for stopped in (0..lab.count(2, 50, 500)).map(|trial| trial % 2 == 0) {
        words
            .iter()
            .for_each(|word| word.store(0, Ordering::SeqCst));
        let tracer = Forked::new(trace);
        while begun.load(Ordering::SeqCst) + hung.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        if stopped {
            tracer.signal(nix::sys::signal::Signal::SIGSTOP);
            // Not to wait for anything: this is what its patience must not count.
            std::thread::sleep(2 * PATIENCE);
            may_end.store(1, Ordering::SeqCst);
            tracer.signal(nix::sys::signal::Signal::SIGCONT);
        }
        let finished = tracer.finished();
        match (finished, hung.load(Ordering::SeqCst), stopped) {
            (true, 3, _) => return lab.enter(skipped(tally)),
            (true, 1, true) | (true, 2, false) => tally.trial(Ok(())),
            outcome => tally.trial(Err(format!("{outcome:?}"))),
        }
    }
    lab.enter(tally);
}

fn skipped(mut tally: Tally) -> Tally {
    tally.skip("tracing is not allowed here (ptrace)");
    tally
}
