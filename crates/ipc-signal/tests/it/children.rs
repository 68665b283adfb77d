//! The ends of children: four forms, every status, beside others that wait for theirs.

use ipc_async::Async;
use ipc_signal::{Child, ErrorKind, Signal, Target};
use ipc_testkit::{isolated, watchdog};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(5);

fn shell(script: &str) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::null());
    Child::spawn(&mut command).expect("a shell")
}

/// A child that runs until its input ends.
fn patient() -> Child {
    let child = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn();
    Child::new(child.expect("cat")).expect("not waited for")
}

#[test]
fn every_form_waits_for_the_end_and_says_it_again() {
    let _watchdog = watchdog(PATIENCE);
    for form in 0..4 {
        let mut child = patient();
        assert_eq!(
            child.try_wait().expect_err("runs").kind(),
            ErrorKind::WouldBlock
        );
        let start = Instant::now();
        let early = child.wait_timeout(SHORT).expect_err("runs").kind();
        assert!(early == ErrorKind::TimedOut && start.elapsed() >= SHORT);
        drop(child.std_mut().stdin.take());
        let status = match form {
            0 => child.wait(),
            1 => loop {
                match child.try_wait() {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                    outcome => break outcome,
                }
            },
            2 => child.wait_timeout(Duration::MAX),
            _ => child.wait_deadline(Instant::now() + PATIENCE),
        };
        assert!(status.expect("its end").success());
        assert!(child.try_wait().expect("known").success());
        assert!(child.wait().expect("known").success());
    }
}

#[test]
fn the_status_is_the_childs_own() {
    let _watchdog = watchdog(PATIENCE);
    for code in [0, 1, 7, 127, 128, 255] {
        let status = shell(&format!("exit {code}")).wait().expect("its end");
        assert_eq!((status.code(), status.signal()), (Some(code), None));
    }
    for signal in [
        Signal::TERM,
        Signal::KILL,
        Signal::USR1,
        Signal::real_time(1).expect("one"),
    ] {
        let child = patient();
        Target::pidfd(&child).notify(signal).expect("our child");
        let status = child.wait().expect("its end");
        assert_eq!(
            (status.code(), status.signal()),
            (None, Some(signal.number()))
        );
    }
}

#[test]
fn a_stopped_child_has_not_ended() {
    let _watchdog = watchdog(PATIENCE);
    let child = patient();
    let target = Target::pidfd(&child);
    target.notify(Signal::STOP).expect("our child");
    assert_eq!(
        child.wait_timeout(SHORT).expect_err("stopped").kind(),
        ErrorKind::TimedOut
    );
    target.notify(Signal::KILL).expect("our child");
    assert_eq!(child.wait().expect("its end").signal(), Some(libc::SIGKILL));
}

#[test]
fn several_threads_learn_the_same_end() {
    let _watchdog = watchdog(PATIENCE);
    for _ in 0..20 {
        let child = patient();
        std::thread::scope(|scope| {
            let waiters: Vec<_> = (0..4).map(|_| scope.spawn(|| child.wait())).collect();
            Target::pidfd(&child)
                .notify(Signal::TERM)
                .expect("our child");
            for waiter in waiters {
                let status = waiter.join().expect("no panic").expect("its end");
                assert_eq!(status.signal(), Some(libc::SIGTERM));
            }
        });
    }
}

#[test]
fn others_keep_the_ends_of_their_own_children() {
    let _watchdog = watchdog(PATIENCE);
    let ours = shell("exit 3");
    let mut theirs = Command::new("sh")
        .args(["-c", "exit 4"])
        .spawn()
        .expect("a shell");
    assert_eq!(ours.wait().expect("its end").code(), Some(3));
    assert_eq!(theirs.wait().expect("its end").code(), Some(4));
}

#[test]
fn an_end_that_somebody_else_took_is_said_to_be_gone() {
    let _watchdog = watchdog(PATIENCE);
    let mut child = shell("exit 5");
    child.std_mut().wait().expect("its end");
    let error = child.wait().expect_err("taken");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    let mut waited = Command::new("true").spawn().expect("true");
    waited.wait().expect("its end");
    let error = Child::new(waited).map(drop).expect_err("taken");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

#[test]
fn a_program_that_is_not_there_is_not_found() {
    let error = Child::spawn(&mut Command::new("./no such program"));
    let error = error.map(drop).expect_err("absent");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("no such program"), "{error}");
}

#[test]
fn an_end_can_be_awaited() {
    let _watchdog = watchdog(PATIENCE);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let child = Async::new(patient()).expect("in a runtime");
        let waited = tokio::time::timeout(SHORT, child.wait()).await;
        assert!(waited.is_err(), "it runs");
        Target::pidfd(child.get_ref())
            .notify(Signal::TERM)
            .expect("our child");
        let status = child.wait().await.expect("its end");
        assert_eq!(status.signal(), Some(libc::SIGTERM));
    });
}

#[test]
fn a_child_that_was_waited_for_leaves_nothing() {
    isolated!({
        for _ in 0..10 {
            let child = shell("exit 1");
            assert_eq!(child.wait().expect("its end").code(), Some(1));
        }
    });
}
