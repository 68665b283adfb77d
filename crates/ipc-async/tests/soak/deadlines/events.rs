//! Waits for changes of files, for counters, signals and the end of a child.

use super::judge;
use ipc_testkit::TempDir;
use ipc_testkit::crash::Lab;

pub(super) fn files(lab: &mut Lab) {
    let directory = TempDir::new();
    let watch = ipc_file::watch().expect("a watch");
    watch.add(directory.path()).expect("a directory");
    judge(lab, "file notification", |deadline| {
        watch.recv_deadline(deadline).map(drop)
    });
    let spool = ipc_file::open_spool(directory.join("spool")).expect("a spool");
    judge(lab, "spool", |deadline| {
        spool.claim_deadline(deadline).map(drop)
    });
    let log = ipc_file::open_log(directory.join("log")).expect("a log");
    let reader = ipc_file::follow(directory.join("log")).expect("a reader");
    judge(lab, "log reader", |deadline| {
        reader.recv_deadline(&mut [0; 64], deadline).map(drop)
    });
    drop(log);
}

pub(super) fn counters_and_signals(lab: &mut Lab) {
    let event = ipc_event::create().expect("an event");
    judge(lab, "event", |deadline| {
        event.wait_deadline(deadline).map(drop)
    });
    let signal = ipc_signal::Signal::real_time(2).expect("a signal");
    let mut options = ipc_signal::Options::new();
    let signals = options.unchecked_threads(true).receiver([signal]);
    let signals = signals.expect("a receiver");
    judge(lab, "signal", |deadline| {
        signals.wait_deadline(deadline).map(drop)
    });
    let shutdown = options.shutdown().expect("a receiver");
    judge(lab, "request to end", |deadline| {
        shutdown.wait_deadline(deadline).map(drop)
    });
}

pub(super) fn children(lab: &mut Lab) {
    let mut cat = std::process::Command::new("cat");
    let cat = cat.stdin(std::process::Stdio::piped());
    let mut child = ipc_signal::Child::spawn(cat).expect("a child");
    judge(lab, "child", |deadline| {
        child.wait_deadline(deadline).map(drop)
    });
    drop(child.std_mut().stdin.take());
    child.wait().expect("its end");
}
