//! strace(1) sees no system call of who polls.

use crate::broadcast::with_readers;
use ipc_ring::{Options, Received};
use ipc_testkit::{TempDir, skip};
use std::process::Command;

/// Says to this program that strace looks on.
const TRACED: &str = "IPC_RING_TRACED";
const MESSAGES: usize = 2_000;
/// Tries in vain before each message, as many as a round trip between two processors has.
const IN_VAIN: usize = 50;

/// A call that nothing else here makes.
fn mark() {
    let _ = rustix::process::getppid();
}

/// Three channels, polled between two marks.
fn polls() {
    let (sender, receiver) = ipc_ring::pair().expect("a pair");
    let (writer, readers) = with_readers(&Options::new(), 1);
    let queue = Options::new().queue().expect("memory");
    let (producer, consumer) = (
        queue.producer().expect("a seat"),
        queue.consumer().expect("a seat"),
    );
    let buffer = &mut [0; 512];
    let mut round = |size: usize| {
        let message = &[7; 512][..size];
        for _ in 0..IN_VAIN {
            assert!(receiver.try_recv(buffer).is_err());
            assert!(readers[0].try_recv(buffer).is_err());
            assert!(consumer.try_recv(buffer).is_err());
        }
        sender.try_send(message).expect("room");
        writer.try_send(message).expect("room");
        producer.try_send(message).expect("room");
        assert_eq!(receiver.try_recv(buffer).expect("it is there"), size);
        let cast = readers[0].try_recv(buffer).expect("it is there");
        assert_eq!(cast, Received::Message(size));
        assert_eq!(consumer.try_recv(buffer).expect("it is there"), size);
    };
    // Each learns of those who came after it, and once what the kernel has to say.
    round(8);
    mark();
    (0..MESSAGES).for_each(|at| round(at % 500));
    mark();
}

#[test]
fn strace_sees_no_call_of_who_polls() {
    if std::env::var_os(TRACED).is_some() {
        return polls();
    }
    let dir = TempDir::new();
    let trace = dir.join("trace");
    let ran = Command::new("strace")
        .args(["-f", "-o"])
        .arg(&trace)
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", "traced::strace_sees_no_call_of_who_polls"])
        .env(TRACED, "1")
        .output();
    let ran = match ran {
        Ok(ran) => ran,
        Err(error) => skip!("no strace: {error}"),
    };
    let lines = std::fs::read_to_string(&trace).unwrap_or_default();
    if !ran.status.success() {
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(said.contains("ptrace") || said.contains("PTRACE"), "{said}");
        skip!(
            "strace may not look on: {}",
            said.lines().next().unwrap_or_default()
        );
    }
    let marked = |line: &&str| line.contains("getppid()");
    let thread = lines
        .lines()
        .find(marked)
        .and_then(|line| line.split(' ').next());
    let thread = thread.expect("it was marked");
    let own = lines
        .lines()
        .filter(|line| line.split(' ').next() == Some(thread));
    let between: Vec<&str> = own.skip_while(|line| !marked(line)).skip(1).collect();
    let (calls, last) = between.split_at(between.iter().position(marked).expect("the second"));
    assert!(!last.is_empty());
    assert!(
        calls.is_empty(),
        "{MESSAGES} messages of three channels: {calls:?}"
    );
}
