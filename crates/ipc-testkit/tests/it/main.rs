//! The kit tested on itself: each check must fail where there is something to find.

use ipc_testkit::{DONE, Role, Stage, TempDir, allocations, isolated, watchdog};
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: ipc_testkit::CountingAllocator = ipc_testkit::CountingAllocator;

ipc_testkit::roles! {
    "good" => |stage: Stage| assert_eq!(stage.argument(1), "with space"),
    "bad" => |_stage: Stage| panic!("as it should"),
    "early" => |_stage: Stage| std::process::exit(0),
    "write" => |mut stage: Stage| {
        rustix::io::write(stage.descriptor(), b"hello").map(drop).expect("an inherited descriptor");
    },
}

/// Runs a test of this name in a process of its own and expects that it fails there.
macro_rules! must_fail {
    ($body:block) => {{
        fn here() {}
        ipc_testkit::expect_failure(std::any::type_name_of_val(&here), || $body)
    }};
}

#[test]
fn a_role_gets_its_arguments_and_ends_with_its_own_code() {
    Role::new("good")
        .argument("x")
        .argument("with space")
        .spawn()
        .done();
    assert_ne!(DONE, 0);
}

#[test]
#[should_panic(expected = "not with 86")]
fn a_role_that_panics_is_no_success() {
    Role::new("bad").spawn().done();
}

#[test]
#[should_panic(expected = "not with 86")]
fn a_role_that_exits_early_is_no_success() {
    Role::new("early").spawn().done();
}

#[test]
#[should_panic(expected = "not with 86")]
fn a_role_that_does_not_exist_is_no_success() {
    Role::new("nobody").spawn().done();
}

#[test]
#[should_panic(expected = "not with 86")]
fn a_killed_role_is_no_success() {
    let child = Role::new("hold").spawn_holding();
    child.kill();
    child.done();
}

#[test]
fn a_role_talks_over_an_inherited_descriptor() {
    let (read, write) = rustix::pipe::pipe().expect("a pipe");
    let child = Role::new("write").descriptor(&write).spawn();
    drop(write);
    let mut bytes = [0; 16];
    assert_eq!(rustix::io::read(&read, &mut bytes), Ok(5));
    child.done();
}

#[test]
fn a_clean_isolated_test_passes() {
    isolated!({
        let dir = TempDir::new();
        std::fs::write(dir.join("x"), "y").expect("a private directory");
        assert_eq!(
            std::fs::read_dir(dir.path()).map(Iterator::count).ok(),
            Some(1)
        );
    });
}

#[test]
fn a_leaked_descriptor_is_found() {
    let output = must_fail!({
        let (read, _write) = rustix::pipe::pipe().expect("a pipe");
        std::mem::forget(read);
    });
    assert!(output.contains("leaked: descriptor"), "{output}");
}

#[test]
fn a_descriptor_closed_by_somebody_else_is_found() {
    let output = must_fail!({ ipc_testkit::close_stdio() });
    // Standard error is closed too: the failure shows in the exit code alone.
    assert!(!output.contains("test result: ok"), "{output}");
}

#[test]
fn a_leaked_thread_is_found() {
    let output = must_fail!({
        drop(std::thread::spawn(std::thread::park));
    });
    assert!(output.contains("leaked: 1 threads"), "{output}");
}

#[test]
fn a_child_that_is_not_reaped_is_found() {
    let output = must_fail!({
        drop(
            std::process::Command::new("sleep")
                .arg("0")
                .spawn()
                .expect("spawn"),
        );
    });
    assert!(output.contains("children not reaped"), "{output}");
}

#[test]
fn a_name_left_behind_is_found() {
    if !std::path::Path::new("/dev/shm").is_dir() {
        ipc_testkit::skip!("this host has no /dev/shm");
    }
    let output = must_fail!({
        let name = format!("/dev/shm/ipc-testkit-{}", std::process::id());
        std::fs::write(name, "").expect("a directory for everybody");
    });
    let (_, name) = output.split_once("leaked: the name ").expect("it is named");
    let path = name.split([',', '\n']).next().expect("a path");
    std::fs::remove_file(path).expect("it is what was left");
}

#[test]
fn a_hanging_test_is_ended_by_the_watchdog() {
    let output = must_fail!({
        let _watchdog = watchdog(Duration::from_millis(20));
        loop {
            std::thread::park();
        }
    });
    assert!(output.contains("it hangs"), "{output}");
}

#[test]
fn an_isolated_test_that_panics_fails() {
    let output = must_fail!({ panic!("on purpose") });
    assert!(output.contains("on purpose"), "{output}");
}

#[test]
fn a_denied_system_call_fails_as_told() {
    isolated!({
        use rustix::io::Errno;
        use rustix::pipe::{PipeFlags, pipe_with};
        let direct = u64::from(PipeFlags::DIRECT.bits());
        ipc_testkit::deny_where(libc::SYS_pipe2, 1, direct, direct, libc::EINVAL);
        assert_eq!(pipe_with(PipeFlags::DIRECT).map(drop), Err(Errno::INVAL));
        assert_eq!(pipe_with(PipeFlags::CLOEXEC).map(drop), Ok(()));
        ipc_testkit::deny(libc::SYS_pipe2, libc::ENOSYS);
        assert_eq!(pipe_with(PipeFlags::CLOEXEC).map(drop), Err(Errno::NOSYS));
    });
}

#[test]
fn allocations_are_counted() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![1u8; 10]))), 1);
    assert_eq!(allocations(|| ()), 0);
}

#[test]
fn a_storm_interrupts_a_blocking_call() {
    isolated!({
        let (read, _write) = rustix::pipe::pipe().expect("a pipe");
        let storm = ipc_testkit::Storm::here();
        assert_eq!(
            rustix::io::read(&read, &mut [0u8; 1]),
            Err(rustix::io::Errno::INTR)
        );
        drop(storm);
    });
}

#[test]
fn a_directory_is_private_and_goes_with_its_guard() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new();
    let path = dir.path().to_owned();
    let mode = std::fs::metadata(&path)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    drop(dir);
    assert!(!path.exists());
}
