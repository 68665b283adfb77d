//! The first request to end is an event, the second ends the process: real processes, real ends.

use crate::forge;
use ipc_async::Async;
use ipc_signal::{ErrorKind, Signal, Target};
use ipc_testkit::{Child, Role, Stage, watchdog};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const BOTH: &[i32] = &[libc::SIGINT, libc::SIGTERM];

fn say(fd: &OwnedFd, byte: u8) {
    rustix::io::write(fd, &[byte]).expect("the test listens");
}

fn hear(fd: &OwnedFd) -> Option<u8> {
    let mut byte = [0];
    let read = rustix::io::retry_on_intr(|| rustix::io::read(fd, &mut byte));
    (read == Ok(1)).then_some(byte[0])
}

/// Says which signal came first, then hangs in its clean-up.
pub(crate) fn serve(mut stage: Stage) {
    let tell = stage.descriptor();
    let shutdown = ipc_signal::shutdown().expect("all block");
    assert_eq!(
        shutdown.try_wait().expect_err("not yet").kind(),
        ErrorKind::WouldBlock
    );
    let early = shutdown.wait_timeout(Duration::from_millis(1));
    assert_eq!(early.expect_err("not yet").kind(), ErrorKind::TimedOut);
    say(&tell, b'r');
    let first = shutdown.wait().expect("it comes");
    assert_eq!(shutdown.wait().expect("it came"), first);
    assert_eq!(shutdown.try_wait().expect("it came"), first);
    say(&tell, first.number() as u8);
    loop {
        std::thread::park();
    }
}

fn start(role: &str) -> (Child, OwnedFd) {
    let (told, tell) = rustix::pipe::pipe().expect("a pipe");
    let child = Role::new(role).blocking(BOTH).descriptor(&tell).spawn();
    drop(tell);
    assert_eq!(hear(&told), Some(b'r'), "{role} never came up");
    (child, told)
}

fn ended_by(child: Child, signal: Signal) {
    let pidfd = child.pidfd();
    Target::pidfd(&pidfd).notify(signal).expect("our child");
    let status: ExitStatus = child.wait();
    assert_eq!(status.signal(), Some(signal.number()), "{status}");
}

#[test]
fn the_first_signal_is_an_event_and_the_second_ends_the_process() {
    let _watchdog = watchdog(PATIENCE);
    for first in [Signal::INT, Signal::TERM] {
        for second in [Signal::INT, Signal::TERM] {
            let (child, told) = start("server");
            let pidfd = child.pidfd();
            Target::pidfd(&pidfd).notify(first).expect("our child");
            assert_eq!(hear(&told), Some(first.number() as u8));
            ended_by(child, second);
        }
    }
}

pub(crate) fn wait_in_many_threads(mut stage: Stage) {
    let tell = stage.descriptor();
    let shutdown = ipc_signal::shutdown().expect("all block");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let first = shutdown.wait().expect("it comes");
                say(&tell, first.number() as u8);
            });
        }
        say(&tell, b'r');
    });
    // All who learnt of it have ended: so that the next one has its effect, one must still live.
    shutdown.try_wait().expect("it came");
    say(&tell, b'l');
    loop {
        std::thread::park();
    }
}

#[test]
fn every_thread_that_waits_is_told() {
    let _watchdog = watchdog(PATIENCE);
    let (child, told) = start("many-waiters");
    let target = Target::process(child.id()).expect("a number");
    target.notify(Signal::INT).expect("our child");
    for _ in 0..4 {
        assert_eq!(hear(&told), Some(libc::SIGINT as u8));
    }
    assert_eq!(hear(&told), Some(b'l'));
    ended_by(child, Signal::INT);
}

/// As `serve`, started like a job in the background of a script: SIGINT is ignored.
pub(crate) fn ignore_and_serve(stage: Stage) {
    forge::ignore(libc::SIGINT);
    serve(stage);
}

#[test]
fn a_signal_that_is_ignored_stays_ignored() {
    let _watchdog = watchdog(PATIENCE);
    let (child, told) = start("ignoring");
    let target = Target::process(child.id()).expect("a number");
    target.notify(Signal::INT).expect("our child");
    target.notify(Signal::TERM).expect("our child");
    assert_eq!(hear(&told), Some(libc::SIGTERM as u8), "SIGINT was ignored");
    target.notify(Signal::INT).expect("our child");
    ended_by(child, Signal::TERM);
}

pub(crate) fn await_shutdown(mut stage: Stage) {
    let tell = stage.descriptor();
    let shutdown = ipc_signal::shutdown().expect("all block");
    // The workers start after the receiver was made, and inherit what it blocks.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let shutdown = std::sync::Arc::new(Async::new(shutdown).expect("in a runtime"));
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                let shutdown = std::sync::Arc::clone(&shutdown);
                tokio::spawn(async move { shutdown.wait().await.expect("it comes") })
            })
            .collect();
        say(&tell, b'r');
        for task in tasks {
            let first = task.await.expect("the task ends well");
            say(&tell, first.number() as u8);
        }
        std::future::pending::<()>().await;
    });
}

#[test]
fn every_task_that_awaits_is_told_and_the_second_ends_the_process() {
    let _watchdog = watchdog(PATIENCE);
    let (child, told) = start("awaited-shutdown");
    let target = Target::process(child.id()).expect("a number");
    target.notify(Signal::TERM).expect("our child");
    for _ in 0..3 {
        assert_eq!(hear(&told), Some(libc::SIGTERM as u8));
    }
    ended_by(child, Signal::TERM);
}
