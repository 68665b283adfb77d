//! What a program can no longer do once `xtask __launch` has taken it away.

use std::io::Read;
use std::process::{Command, Output};

use nix::errno::Errno;
use nix::unistd::Uid;

/// Set for the child that plays the confined program.
const ROLE: &str = "XTASK_TEST_ROLE";

/// Ends the role, so that a child which ran nothing is never taken for success.
const ROLE_DONE: i32 = 43;

/// Starts `program` through `launch` with `flags`.
fn launch(flags: &[&str], program: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["__launch", "--parent", &std::process::id().to_string()]);
    command.args(flags).arg("--").args(program);
    command
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn debugging_calls_are_denied_under_the_filter() {
    let test = "confinement::debugging_calls_are_denied_under_the_filter";
    if std::env::var_os(ROLE).is_some() {
        assert_eq!(nix::sys::ptrace::traceme(), Err(Errno::EPERM));
        let mut byte = [0_u8; 1];
        let mut here = [std::io::IoSliceMut::new(&mut byte)];
        let there = [nix::sys::uio::RemoteIoVec { base: 0, len: 1 }];
        let parent = nix::unistd::getppid();
        let read = nix::sys::uio::process_vm_readv(parent, &mut here, &there);
        assert_eq!(read, Err(Errno::EPERM));
        std::process::exit(ROLE_DONE);
    }
    let exe = std::env::current_exe().unwrap();
    let program = [exe.to_str().unwrap(), "--exact", test];
    let output = launch(&["--filtered"], &program)
        .env(ROLE, "1")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(ROLE_DONE), "{}", text(&output));
    let status = launch(&["--filtered"], &["cat", "/proc/self/status"])
        .output()
        .unwrap();
    assert!(text(&status).contains("NoNewPrivs:\t1"));
}

#[test]
fn root_and_the_big_shm_are_left_behind() {
    if !Uid::effective().is_root() {
        ipc_testkit::skip!("needs root, to give it up");
    }
    let status = launch(&["--unprivileged", "65534"], &["cat", "/proc/self/status"])
        .output()
        .unwrap();
    let status = text(&status);
    assert!(
        status.contains("Uid:\t65534\t65534\t65534\t65534"),
        "{status}"
    );
    assert!(status.contains("Groups:\t \n"), "{status}");
    assert!(status.contains("CapEff:\t0000000000000000"), "{status}");
    let mounts = launch(&["--unprivileged", "65534"], &["cat", "/proc/self/mounts"])
        .output()
        .unwrap();
    let mounts = text(&mounts);
    let shm = mounts
        .lines()
        .rfind(|line| line.contains(" /dev/shm "))
        .expect("a /dev/shm");
    assert!(shm.contains("size=65536k"), "{shm}");
    assert!(!mounts.contains(" /dev/mqueue "), "{mounts}");
}

#[test]
fn the_program_does_not_outlive_who_asked() {
    let stranger = ["__launch", "--parent", "1", "--", "true"];
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(stranger)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));

    // A shell starts `launch` and is killed once the program is up; the program's end closes the
    // pipe that it holds.
    let (mut reader, writer) = std::io::pipe().unwrap();
    let script = "\"$0\" __launch --parent $$ -- sh -c 'printf up; exec sleep 600' & wait";
    let mut shell = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_xtask")])
        .stdout(writer)
        .spawn()
        .unwrap();
    let mut word = [0; 2];
    reader.read_exact(&mut word).unwrap();
    assert_eq!(&word, b"up");
    // The command, and with it this process's copy of the writer, is gone by now.
    shell.kill().unwrap();
    shell.wait().unwrap();
    assert_eq!(reader.read(&mut word).unwrap(), 0);
}
