//! Another user: kept out by mode and by policy, and let in where that is meant.

use ipc_testkit::{Stage, TempDir, skip, watchdog};
use ipc_uds::{Options, Policy};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);
const SHORT: Duration = Duration::from_millis(5);
/// A user whom no test runs as.
const STRANGER: u32 = 12_345;

/// Becomes another user, connects to argument 0, and says what came of it.
pub(crate) fn connect_as_another_user(stage: Stage) {
    let expected = stage.argument(1);
    let outcome = ipc_uds::connect(stage.argument(0));
    let found = match &outcome {
        Ok(stream) => match stream.recv(&mut [0; 1]) {
            Ok(_) => "served".to_owned(),
            Err(error) => format!("{:?}", error.kind()),
        },
        Err(error) => format!("connect {:?}", error.kind()),
    };
    assert_eq!(found, expected);
}

/// The stranger role, started as another user: the role's own variables by hand, since a role
/// starts as we are.
fn stranger(path: &std::path::Path, expected: &str) -> std::process::Child {
    Command::new(std::env::current_exe().expect("a file"))
        .args(["role_entry", "--exact", "--nocapture", "--test-threads=1"])
        .env("IPC_TESTKIT_ROLE", "stranger")
        .env(
            "IPC_TESTKIT_ARGUMENTS",
            format!("{}\u{1f}{expected}", path.display()),
        )
        .stdout(std::process::Stdio::null())
        .uid(STRANGER)
        .gid(STRANGER)
        .spawn()
        .expect("root may")
}

#[test]
fn another_user_is_kept_out_by_mode_and_by_policy_and_let_in_by_name() {
    if !rustix::process::geteuid().is_root() {
        skip!("needs root to become another user");
    }
    let program = std::env::current_exe().expect("a file");
    let reachable = Command::new(&program)
        .arg("--list")
        .stdout(std::process::Stdio::null())
        .uid(STRANGER)
        .status();
    if !reachable.is_ok_and(|status| status.success()) {
        skip!("another user cannot run the test binary where it lies");
    }
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(dir.path(), open).expect("ours");
    for (at, (mode, policy, expected)) in [
        (0o600, Policy::anyone(), "connect Denied"),
        (0o666, Policy::same_user(), "Closed"),
        (0o666, Policy::users([0]), "Closed"),
        (0o666, Policy::users([STRANGER]), "served"),
        (0o666, Policy::anyone(), "served"),
        (
            0o666,
            Policy::custom(|peer| peer.credentials().gid == STRANGER),
            "served",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let path = dir.join(at.to_string());
        let listener = Options::new()
            .mode(mode)
            .policy(policy)
            .bind(&path)
            .expect("bind");
        let mut child = stranger(&path, expected);
        let pid = child.id();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // Until the stranger has come and gone.
                while listener.refused() == 0 {
                    match listener.accept_timeout(SHORT) {
                        Ok(stream) => {
                            let credentials = stream.credentials().expect("ids");
                            assert_eq!((credentials.pid, credentials.uid), (pid, STRANGER));
                            stream.send(b"!").expect("send");
                            break;
                        }
                        Err(_) if expected.starts_with("connect") => break,
                        Err(_) => {}
                    }
                }
            });
        });
        let status = child.wait().expect("our child");
        assert_eq!(status.code(), Some(ipc_testkit::DONE), "{expected}, {at}");
    }
}
