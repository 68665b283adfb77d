//! A program in C at the other end, written from the document of the layout alone.

use ipc_ring::{ErrorKind, Options};
use ipc_testkit::{TempDir, skip, watchdog};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const SOURCE: &str = include_str!("../c/echo.c");
const ROUNDS: usize = 3_000;

/// The program, or why there is none.
fn build(dir: &TempDir, flags: &[&str]) -> Result<PathBuf, String> {
    let (source, program) = (dir.join("echo.c"), dir.join("echo"));
    std::fs::write(&source, SOURCE).expect("written");
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

fn both_directions(flags: &[&str]) -> Result<(), String> {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let program = build(&dir, flags)?;
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
    let mut child = Command::new(program)
        .stdin(OwnedFd::from(theirs))
        .spawn()
        .expect("it starts");
    let mut options = Options::new();
    options.capacity_messages(16).capacity_bytes(8192);
    let (sender, receiver) = options.over(ours).expect("a channel").split();
    assert_eq!(sender.max_message_bytes(), 8192);
    assert_eq!(receiver.max_message_bytes(), 4096);
    let message = |round: usize, more: usize| -> Vec<u8> {
        let size = match round % 20 {
            0 => 4096,
            1 => 0,
            _ => round * 7 % 300,
        };
        (0..size).map(|at| (at + round + more) as u8).collect()
    };
    std::thread::scope(|scope| {
        // As far ahead as there is room, so that each side waits for the other.
        let sending = scope.spawn(move || {
            (0..ROUNDS).for_each(|round| sender.send(&message(round, 0)).expect("sent"));
        });
        let mut back = Vec::new();
        for round in 0..ROUNDS {
            receiver.recv_vec(&mut back).expect("an answer");
            assert_eq!(back, message(round, 1), "round {round}");
        }
        sending.join().expect("no panic");
        let end = receiver.recv_vec(&mut back).expect_err("the end");
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
    if let Err(reason) = both_directions(&["-m32", "-march=i686", "-msse2"]) {
        skip!("{reason}");
    }
}
