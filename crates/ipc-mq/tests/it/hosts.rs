//! What the host may do to us: no queues at all, closed standard streams, descriptors handed on.

use ipc_mq::{ErrorKind, Options, Queue};
use ipc_testkit::{deny, isolated, without_stdio};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

#[test]
fn a_kernel_without_queues_is_named() {
    isolated!({
        deny(libc::SYS_mq_open, libc::ENOSYS);
        for error in [
            ipc_mq::create("none").map(drop).expect_err("denied"),
            ipc_mq::open("none").map(drop).expect_err("denied"),
            Options::new()
                .create_unnamed()
                .map(drop)
                .expect_err("denied"),
        ] {
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        }
    });
}

#[test]
fn with_closed_standard_streams_everything_stands_above_them() {
    isolated!({
        without_stdio(|| {
            let queue = Options::new().message_size_bytes(8).create_unnamed();
            let queue = queue.expect("a queue");
            let twin = queue.try_clone().expect("a descriptor");
            let adopted = Queue::from_descriptor(OwnedFd::from(twin)).expect("a queue");
            let notification = queue.notify().expect("free");
            for fd in [queue.as_fd(), adopted.as_fd(), notification.as_fd()] {
                assert!(fd.as_raw_fd() > 2);
                let flags = rustix::io::fcntl_getfd(fd).expect("flags");
                assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
            }
        });
    });
}
