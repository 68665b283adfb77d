//! What the host and the process may lack: descriptors, room in the queue, a mounted /proc.

use crate::real_time;
use ipc_core::{Interest, Pollable};
use ipc_signal::{ErrorKind, Options, Signal, Target};
use ipc_testkit::{Role, Stage, deny, isolated, watchdog, without_stdio};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::os::fd::AsRawFd;
use std::time::Duration;

fn unchecked(signal: Signal) -> ipc_signal::Result<ipc_signal::Receiver> {
    Options::new().unchecked_threads(true).receiver(signal)
}

/// A full queue is an error that names the limit, by each way to send; nothing that was accepted
/// is lost, and a standard signal gets through all the same.
pub(crate) fn fill_the_queue(_stage: Stage) {
    let _watchdog = watchdog(Duration::from_secs(60));
    let job = Signal::real_time(0).expect("the first");
    let signals = ipc_signal::receiver([job, Signal::USR1]).expect("a receiver");
    let maximum = getrlimit(Resource::Sigpending).maximum;
    let current = Some(50);
    setrlimit(Resource::Sigpending, Rlimit { current, maximum }).expect("lower is allowed");
    let pid = rustix::process::getpid();
    let flags = rustix::process::PidfdFlags::empty();
    let pidfd = rustix::process::pidfd_open(pid, flags).expect("a pidfd");
    let targets = [
        Target::this_process(),
        Target::this_thread(),
        Target::pidfd(&pidfd),
    ];
    for target in targets {
        let mut accepted = 0;
        let error = loop {
            // Both verbs, so that neither loses one without a word.
            let sent = match accepted % 2 {
                0 => target.notify(job),
                _ => target.notify_with(job, 1),
            };
            match sent {
                Ok(()) => accepted += 1,
                Err(error) => break error,
            }
        };
        assert!(accepted <= 50, "{accepted}");
        assert_eq!(error.kind(), ErrorKind::LimitReached);
        let text = error.to_string();
        assert!(
            text.contains("RLIMIT_SIGPENDING") && text.contains("ulimit -i"),
            "{text}"
        );
        target.notify(Signal::USR1).expect("a flag needs no room");
        assert_eq!(signals.try_wait().expect("the flag").signal(), Signal::USR1);
        for _ in 0..accepted {
            assert_eq!(signals.try_wait().expect("accepted").signal(), job);
        }
        assert!(signals.try_wait().is_err(), "more than was accepted");
    }
}

#[test]
fn a_full_queue_is_an_error_with_the_limit_by_name_and_loses_nothing() {
    let role = Role::new("full").blocking(&[real_time(0), libc::SIGUSR1]);
    role.spawn().done();
}

#[test]
fn descriptors_stand_above_stdio_and_do_not_pass_exec() {
    isolated!({
        let signals = without_stdio(|| unchecked(Signal::URG).expect("a receiver"));
        let options = Options::new().unchecked_threads(true).clone();
        let shutdown = without_stdio(|| options.shutdown().expect("an event"));
        for fd in [
            signals.descriptor(Interest::Read),
            shutdown.descriptor(Interest::Read),
        ] {
            assert!(fd.as_raw_fd() > 2);
            let flags = rustix::io::fcntl_getfd(fd).expect("flags");
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        }
    });
}

#[test]
fn without_descriptors_the_limit_is_named_and_nothing_stays_blocked() {
    isolated!({
        let maximum = getrlimit(Resource::Nofile).maximum;
        let current = Some(20);
        setrlimit(Resource::Nofile, Rlimit { current, maximum }).expect("lower is allowed");
        let fillers: Vec<_> =
            std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
        let error = unchecked(Signal::URG).map(drop).expect_err("none left");
        assert_eq!(error.kind(), ErrorKind::LimitReached);
        assert!(error.to_string().contains("RLIMIT_NOFILE"), "{error}");
        assert!(!ipc_signal::SignalSet::blocked().contains(Signal::URG));
        drop(fillers);
    });
}

#[test]
fn a_kernel_that_lacks_a_call_is_named() {
    isolated!({
        deny(libc::SYS_signalfd4, libc::ENOSYS);
        let error = unchecked(Signal::URG).map(drop).expect_err("denied");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    });
}

#[test]
fn a_send_that_a_sandbox_forbids_is_named() {
    isolated!({
        let target = Target::this_process();
        deny(libc::SYS_kill, libc::ENOSYS);
        let error = target.notify(Signal::WINCH).expect_err("denied");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    });
}
