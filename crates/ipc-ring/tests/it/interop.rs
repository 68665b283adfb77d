//! Programs in C at the other end, written from the document of the layout alone.

use ipc_ring::{ErrorKind, Options, Received};
use ipc_testkit::{TempDir, skip, watchdog};
use ipc_uds::SeqPacket;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const SHARED: &str = include_str!("../c/ring.h");
const ECHO: &str = include_str!("../c/echo.c");
const CAST: &str = include_str!("../c/cast.c");
const QUEUE: &str = include_str!("../c/queue.c");
const ROUNDS: usize = 3_000;
/// What makes a program of another word size.
const OF_32_BITS: [&str; 3] = ["-m32", "-march=i686", "-msse2"];

/// The program, or why there is none that runs here.
fn build(dir: &TempDir, text: &str, flags: &[&str]) -> Result<PathBuf, String> {
    let nothing = compile(dir, "int main(void) { return 0; }\n", flags)?;
    match Command::new(nothing).status() {
        Ok(ended) if ended.success() => compile(dir, text, flags),
        other => Err(format!(
            "not even an empty program of {flags:?} runs here: {other:?}"
        )),
    }
}

fn compile(dir: &TempDir, text: &str, flags: &[&str]) -> Result<PathBuf, String> {
    let (source, program) = (dir.join("program.c"), dir.join("program"));
    std::fs::write(dir.join("ring.h"), SHARED).expect("written");
    std::fs::write(&source, text).expect("written");
    let ran = Command::new("cc")
        .args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"])
        .args(flags)
        .arg("-o")
        .args([&program, &source])
        .output();
    let output = ran.map_err(|error| format!("no C compiler (cc): {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(program),
        // What is missing is a library of the system; the program itself has no excuse.
        false if said.contains("cannot find") || said.contains("No such file") => Err(format!(
            "the compiler has nothing to link {flags:?} with: {}",
            said.lines().next().unwrap_or_default()
        )),
        false => panic!("{said}"),
    }
}

/// The program, with a socket to its standard input and one to its output.
fn start(program: PathBuf) -> (Child, SeqPacket, SeqPacket) {
    let (first, input) = ipc_uds::pair_seqpacket().expect("a pair");
    let (second, output) = ipc_uds::pair_seqpacket().expect("a pair");
    let child = Command::new(program)
        .stdin(OwnedFd::from(input))
        .stdout(OwnedFd::from(output))
        .spawn();
    (child.expect("it starts"), first, second)
}

/// Message `number`, of at most `most` bytes, each of them `more` than it was.
fn message(number: usize, most: usize, more: usize) -> Vec<u8> {
    let size = match number % 20 {
        0 => most,
        1 => 0,
        _ => number * 7 % most.min(300),
    };
    (0..size).map(|at| (at + number + more) as u8).collect()
}

fn options() -> Options {
    let mut options = Options::new();
    options.capacity_messages(16).capacity_bytes(8192);
    options
}

fn both_directions(flags: &[&str]) -> Result<(), String> {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let (mut child, ours, _) = start(build(&dir, ECHO, flags)?);
    let options = options();
    let (sender, receiver) = options.over(ours).expect("a channel").split();
    assert_eq!(sender.max_message_bytes(), 8192);
    assert_eq!(receiver.max_message_bytes(), 4096);
    std::thread::scope(|scope| {
        // As far ahead as there is room, so that each side waits for the other.
        let sending = scope.spawn(move || {
            (0..ROUNDS).for_each(|round| sender.send(&message(round, 4096, 0)).expect("sent"));
        });
        let mut back = Vec::new();
        for round in 0..ROUNDS {
            receiver.recv_vec(&mut back).expect("an answer");
            assert_eq!(back, message(round, 4096, 1), "round {round}");
        }
        sending.join().expect("no panic");
        let end = receiver.recv_vec(&mut back).expect_err("the end");
        assert_eq!(end.kind(), ErrorKind::Closed);
    });
    assert!(child.wait().expect("waited for").success());
    Ok(())
}

fn of_a_broadcast(flags: &[&str]) -> Result<(), String> {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let (mut child, to, from) = start(build(&dir, CAST, flags)?);
    let writer = options().broadcast().expect("memory");
    writer.add(to).expect("it comes");
    let reader = options().subscribe_over(from).expect("it takes us in");
    std::thread::scope(|scope| {
        let sending = scope.spawn(move || {
            let message = |round| message(round, 4096, 0);
            (0..ROUNDS).for_each(|round| writer.send(&message(round)).expect("sent"));
        });
        let mut back = Vec::new();
        for round in 0..ROUNDS {
            let expected = message(round, 4096, 1);
            let received = reader.recv_vec(&mut back).expect("an answer");
            assert_eq!(received, Received::Message(expected.len()));
            assert_eq!(back, expected, "round {round}");
        }
        sending.join().expect("no panic");
        let end = reader.recv_vec(&mut back).expect_err("the end");
        assert_eq!(end.kind(), ErrorKind::Closed);
    });
    assert!(child.wait().expect("waited for").success());
    Ok(())
}

fn of_a_queue(flags: &[&str]) -> Result<(), String> {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let (mut child, to, from) = start(build(&dir, QUEUE, flags)?);
    let (there, back) = (options().queue(), options().queue());
    let (there, back) = (there.expect("memory"), back.expect("memory"));
    let producer = there.producer().expect("a seat");
    let consumer = back.consumer().expect("a seat");
    there.add(to).expect("it comes");
    back.add(from).expect("it comes");
    let most = there.max_message_bytes();
    std::thread::scope(|scope| {
        let sending = scope.spawn(move || {
            let message = |round| message(round, most, 0);
            (0..ROUNDS).for_each(|round| producer.send(&message(round)).expect("sent"));
        });
        let mut buffer = Vec::new();
        for round in 0..ROUNDS {
            consumer.recv_vec(&mut buffer).expect("an answer");
            assert_eq!(buffer, message(round, most, 1), "round {round}");
        }
        sending.join().expect("no panic");
        let end = consumer.recv_vec(&mut buffer).expect_err("the end");
        assert_eq!(end.kind(), ErrorKind::Closed);
    });
    assert!(child.wait().expect("waited for").success());
    Ok(())
}

#[test]
fn a_program_in_c_reads_and_writes() {
    if let Err(reason) = both_directions(&[]) {
        skip!("{reason}");
    }
}

#[test]
fn a_program_of_32_bits_reads_and_writes() {
    if let Err(reason) = both_directions(&OF_32_BITS) {
        skip!("{reason}");
    }
}

#[test]
fn a_program_in_c_broadcasts_and_reads_what_is_broadcast() {
    if let Err(reason) = of_a_broadcast(&[]) {
        skip!("{reason}");
    }
}

#[test]
fn a_program_of_32_bits_broadcasts_and_reads_what_is_broadcast() {
    if let Err(reason) = of_a_broadcast(&OF_32_BITS) {
        skip!("{reason}");
    }
}

#[test]
fn a_program_in_c_consumes_and_produces() {
    if let Err(reason) = of_a_queue(&[]) {
        skip!("{reason}");
    }
}

#[test]
fn a_program_of_32_bits_consumes_and_produces() {
    if let Err(reason) = of_a_queue(&OF_32_BITS) {
        skip!("{reason}");
    }
}
