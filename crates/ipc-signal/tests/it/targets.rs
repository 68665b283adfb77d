//! Whom a signal can be sent to, and what it says where that cannot be.

use ipc_signal::{Child, Code, ErrorKind, Signal, Target};
use ipc_testkit::{Role, Stage, isolated, skip, watchdog};
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
/// How many ways there are to reach the role.
const WAYS: usize = 6;

/// Says its thread, then receives and checks who spoke.
pub(crate) fn report_what_comes(mut stage: Stage) {
    let _watchdog = watchdog(PATIENCE);
    let tester: u32 = stage.argument(0).parse().expect("a number");
    let job = Signal::real_time(0).expect("the first");
    let signals = ipc_signal::receiver([Signal::USR1, job]).expect("a receiver");
    let thread = rustix::thread::gettid().as_raw_nonzero().get();
    rustix::io::write(stage.descriptor(), thread.to_string().as_bytes()).expect("listening");
    for _ in 0..WAYS {
        let delivery = signals.wait().expect("it comes");
        assert_eq!(delivery.sender_pid(), Some(tester));
        assert_eq!(
            delivery.sender_uid(),
            Some(rustix::process::getuid().as_raw())
        );
        match delivery.signal() {
            Signal::USR1 => assert!(matches!(delivery.code(), Code::User | Code::Thread)),
            _ => assert_eq!(
                (delivery.code(), delivery.value()),
                (Code::Queued, Some(-7))
            ),
        }
    }
}

#[test]
fn process_thread_and_pidfd_are_reached_with_and_without_a_value() {
    let _watchdog = watchdog(PATIENCE);
    let job = Signal::real_time(0).expect("the first");
    let (told, tell) = rustix::pipe::pipe().expect("a pipe");
    let child = Role::new("target")
        .blocking(&[libc::SIGUSR1, job.number()])
        .argument(std::process::id())
        .descriptor(&tell)
        .spawn();
    let mut text = [0; 16];
    let length = rustix::io::read(&told, &mut text).expect("its thread");
    let text = std::str::from_utf8(&text[..length]).expect("digits");
    let thread = text.parse().expect("a number");
    let pidfd = child.pidfd();
    let targets = [
        Target::process(child.id()).expect("a number"),
        Target::thread(child.id(), thread).expect("numbers"),
        Target::pidfd(&pidfd),
    ];
    for target in targets {
        // A flag that is still pending would swallow the next: wait until it was taken.
        target.notify(Signal::USR1).expect("our child");
        until_taken(child.id(), Signal::USR1);
        target.notify_with(job, -7).expect("our child");
    }
    child.done();
}

fn until_taken(process: u32, signal: Signal) {
    let bit = 1_u64 << (signal.number() - 1);
    let pending = |status: &str| {
        let words = status.lines().filter_map(|line| {
            let word = line
                .strip_prefix("SigPnd:")
                .or(line.strip_prefix("ShdPnd:"))?;
            u64::from_str_radix(word.trim(), 16).ok()
        });
        words.fold(0, |all, one| all | one)
    };
    // Private to a thread or shared by all: both must be without it.
    let task = format!("/proc/{process}/task");
    while let Ok(tasks) = std::fs::read_dir(&task) {
        let busy = tasks.flatten().any(|task| {
            let status = std::fs::read_to_string(task.path().join("status"));
            status.is_ok_and(|status| pending(&status) & bit != 0)
        });
        if !busy {
            return;
        }
        std::thread::yield_now();
    }
}

#[test]
fn every_process_of_a_group_is_reached() {
    let _watchdog = watchdog(PATIENCE);
    let mut first = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .expect("cat");
    let mut second = Command::new("cat")
        .stdin(Stdio::piped())
        .process_group(first.id().cast_signed())
        .spawn()
        .expect("cat");
    let group = Target::group(first.id()).expect("a number");
    group.notify(Signal::TERM).expect("our children");
    for child in [&mut first, &mut second] {
        assert_eq!(child.wait().expect("ours").signal(), Some(libc::SIGTERM));
    }
    let error = group.notify(Signal::TERM).expect_err("gone");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

#[test]
fn a_group_takes_no_value_and_no_real_time_signal() {
    let group = Target::group(2).expect("a number");
    let job = Signal::real_time(0).expect("the first");
    for outcome in [group.notify(job), group.notify_with(Signal::USR1, 1)] {
        assert_eq!(outcome.expect_err("never").kind(), ErrorKind::Unsupported);
    }
}

#[test]
fn numbers_that_mean_many_processes_are_refused() {
    let many = [0, u32::MAX, 0x8000_0000, 0xffff_fffe];
    let refused = |outcome: ipc_signal::Result<Target<'static>>| {
        let error = outcome.map(drop).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    };
    for number in many {
        refused(Target::process(number));
        refused(Target::group(number));
        refused(Target::thread(number, 1));
        refused(Target::thread(1, number));
    }
    refused(Target::group(1)); // kill(-1) is everybody
}

#[test]
fn the_dead_are_told_from_the_absent() {
    let _watchdog = watchdog(PATIENCE);
    let child = Child::spawn(Command::new("true").stdin(Stdio::null())).expect("true");
    let number = Target::process(child.id()).expect("a number");
    let job = Signal::real_time(0).expect("the first");
    child.wait().expect("it ends");
    let target = Target::pidfd(&child);
    for outcome in [target.notify(Signal::USR1), target.notify_with(job, 1)] {
        assert_eq!(outcome.expect_err("dead").kind(), ErrorKind::PeerDied);
    }
    // Nobody got its number so soon: numbers go round.
    for outcome in [number.notify(Signal::WINCH), number.notify_with(job, 1)] {
        let error = outcome.expect_err("absent");
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }
    let null = std::fs::File::open("/dev/null").expect("a device");
    let error = Target::pidfd(&null)
        .notify(Signal::USR1)
        .expect_err("no pidfd");
    assert_eq!(error.kind(), ErrorKind::WrongType, "{error}");
}

#[test]
fn an_unreaped_child_can_be_signalled_without_effect() {
    let _watchdog = watchdog(PATIENCE);
    let mut child = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("cat");
    child
        .stdin
        .take()
        .expect("piped")
        .write_all(b"x")
        .expect("open");
    let mut said = String::new();
    child
        .stdout
        .take()
        .expect("piped")
        .read_to_string(&mut said)
        .expect("its end");
    let target = Target::process(child.id()).expect("a number");
    target.notify(Signal::TERM).expect("not reaped yet");
    assert!(child.wait().is_ok());
}

#[test]
fn another_users_process_is_denied() {
    if !rustix::process::geteuid().is_root() {
        skip!("needs root to become another user");
    }
    isolated!({
        std::thread::spawn(|| {
            let nobody = rustix::process::Uid::from_raw(65534);
            rustix::thread::set_thread_res_uid(nobody, nobody, nobody).expect("root may");
            let parent = rustix::process::getppid()
                .expect("the test")
                .as_raw_nonzero();
            let parent = Target::process(parent.get().cast_unsigned()).expect("a number");
            let error = parent.notify(Signal::WINCH).expect_err("root's");
            assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
            assert!(error.to_string().contains("CAP_KILL"), "{error}");
        })
        .join()
        .expect("the thread ends well");
    });
}
