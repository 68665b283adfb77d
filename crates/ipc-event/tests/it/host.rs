//! What the process and the host may do to us: foreign descriptors, none left, closed stdio.

use ipc_core::{Interest, Pollable};
use ipc_event::{ErrorKind, Event};
use ipc_testkit::{deny, isolated, without_stdio};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::os::fd::{AsRawFd, OwnedFd};

#[test]
fn whatever_is_no_eventfd_is_refused() {
    let (read, write) = rustix::pipe::pipe().expect("a pipe");
    let file = std::fs::File::open("/dev/null").expect("a device");
    let epoll = rustix::event::epoll::create(rustix::event::epoll::CreateFlags::CLOEXEC);
    for fd in [read, write, OwnedFd::from(file), epoll.expect("an epoll")] {
        let error = Event::from_descriptor(fd)
            .map(drop)
            .expect_err("no eventfd");
        assert_eq!(error.kind(), ErrorKind::WrongType, "{error}");
    }
}

#[test]
fn descriptors_stand_above_stdio_and_do_not_pass_exec() {
    isolated!({
        let event = without_stdio(|| ipc_event::create().expect("an event"));
        let twin = without_stdio(|| event.try_clone().expect("a descriptor"));
        for fd in [
            event.descriptor(Interest::Read),
            twin.descriptor(Interest::Write),
        ] {
            assert!(fd.as_raw_fd() > 2);
            let flags = rustix::io::fcntl_getfd(fd).expect("flags");
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        }
    });
}

#[test]
fn without_descriptors_the_limit_is_named() {
    isolated!({
        let event = ipc_event::create().expect("an event");
        let maximum = getrlimit(Resource::Nofile).maximum;
        let current = Some(event.as_raw_number() + 1);
        setrlimit(Resource::Nofile, Rlimit { current, maximum }).expect("lower is allowed");
        let _fillers: Vec<_> =
            std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
        for error in [
            ipc_event::create().map(drop).expect_err("none left"),
            event.try_clone().map(drop).expect_err("none left"),
        ] {
            assert_eq!(error.kind(), ErrorKind::LimitReached);
            assert!(error.to_string().contains("RLIMIT_NOFILE"), "{error}");
        }
    });
}

#[test]
fn a_kernel_without_flags_on_reads_is_named_and_the_blocking_form_works() {
    isolated!({
        deny(libc::SYS_preadv2, libc::ENOSYS);
        let event = ipc_event::create().expect("an event");
        event.notify().expect("notify");
        assert_eq!(
            event.try_wait().expect_err("denied").kind(),
            ErrorKind::Unsupported
        );
        assert_eq!(event.wait().expect("a plain read"), 1);
    });
}

trait RawNumber {
    fn as_raw_number(&self) -> u64;
}

impl RawNumber for Event {
    fn as_raw_number(&self) -> u64 {
        u64::try_from(self.descriptor(Interest::Read).as_raw_fd()).expect("a descriptor")
    }
}
