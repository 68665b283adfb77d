//! Another user: kept out of a channel by mode and by policy, and let in where that is meant.

use ipc_ring::Options;
use ipc_testkit::{Stage, TempDir, skip, watchdog};
use ipc_uds::Policy;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);
/// A user whom no test runs as.
const STRANGER: u32 = 12_345;

/// Connects to argument 0, and says whether that is as argument 1 says.
pub(crate) fn connect_as_another_user(stage: Stage) {
    let found = match Options::new().connect(stage.argument(0)) {
        Ok(channel) => {
            channel.sender().send(b"let in").expect("sent");
            "served".to_owned()
        }
        Err(error) => format!("{:?}", error.kind()),
    };
    assert_eq!(found, stage.argument(1));
}

/// That role, started as another user: its variables by hand, since a role starts as we are.
fn stranger(path: &Path, expected: &str) -> Child {
    Command::new(std::env::current_exe().expect("a file"))
        .args(["role_entry", "--exact", "--nocapture", "--test-threads=1"])
        .env("IPC_TESTKIT_ROLE", "stranger")
        .env(
            "IPC_TESTKIT_ARGUMENTS",
            format!("{}\u{1f}{expected}", path.display()),
        )
        .stdout(Stdio::null())
        .uid(STRANGER)
        .gid(STRANGER)
        .spawn()
        .expect("root may")
}

#[test]
fn another_user_is_refused_unless_a_policy_names_it() {
    if !rustix::process::geteuid().is_root() {
        skip!("needs root to become another user");
    }
    let program = std::env::current_exe().expect("a file");
    let mut list = Command::new(&program);
    let listed = list.arg("--list").stdout(Stdio::null()).uid(STRANGER);
    if !listed.status().is_ok_and(|status| status.success()) {
        skip!("another user cannot run the test binary where it lies");
    }
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).expect("ours");
    for (name, mode, policy, expected) in [
        ("mode", 0o600, Policy::anyone(), "Denied"),
        ("default", 0o666, Policy::same_user(), "Closed"),
        ("other", 0o666, Policy::users([0]), "Closed"),
        ("named", 0o666, Policy::users([STRANGER]), "served"),
    ] {
        let path = dir.join(name);
        let mut socket = ipc_uds::Options::new();
        socket.mode(mode).policy(policy);
        let listener = Options::new().socket(socket).bind(&path).expect("bind");
        let mut child = stranger(&path, expected);
        let pid = child.id();
        match expected {
            "served" => {
                let channel = listener.accept().expect("it may");
                let ids = channel.credentials().expect("the kernel says");
                assert_eq!((ids.pid, ids.uid), (pid, STRANGER));
                let length = channel.receiver().recv(&mut [0; 8]);
                assert_eq!(length.expect("a message"), 6);
            }
            // Who is refused is never a channel, however long one looks.
            "Closed" => loop {
                assert!(listener.accept_timeout(Duration::from_millis(5)).is_err());
                if child.try_wait().expect("our child").is_some() {
                    break;
                }
            },
            _ => {}
        }
        let status = child.wait().expect("our child");
        assert_eq!(status.code(), Some(ipc_testkit::DONE), "{name}: {expected}");
    }
}
