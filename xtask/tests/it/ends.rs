//! Who is ended takes along what it has started, whether a terminal or a supervisor ends it.

use std::fs::{self, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[test]
fn a_build_does_not_outlive_the_command_that_started_it() {
    let dir = std::env::temp_dir().join(format!("ipc-xtask-ends-{}", std::process::id()));
    fs::create_dir_all(&dir).expect("a directory");
    // In the place of cargo: one that has a child, and never ends.
    let cargo = dir.join("cargo");
    fs::write(&cargo, "#!/bin/sh\nsleep 1000 &\necho up >&2\nwait\n").expect("a script");
    fs::set_permissions(&cargo, Permissions::from_mode(0o700)).expect("it is ours");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["crash", "-p", "ipc-core"])
        .env("PATH", format!("{}:{path}", dir.display()))
        .process_group(0)
        .stderr(Stdio::piped())
        .spawn()
        .expect("xtask starts");
    let mut said = xtask.stderr.take().expect("it is piped");
    let mut up = [0; 3];
    said.read_exact(&mut up).expect("it is up");
    // It alone, as `kill` and `timeout` do.
    let id = Pid::from_raw(xtask.id().cast_signed());
    kill(id, Signal::SIGTERM).expect("it runs");
    // Until all that hold the pipe have ended.
    said.read_to_end(&mut Vec::new()).expect("its end");
    let status = xtask.wait().expect("it is our child");
    fs::remove_dir_all(&dir).expect("it is ours");
    assert_eq!(status.code(), Some(128 + 15), "{:?}", status.signal());
}
