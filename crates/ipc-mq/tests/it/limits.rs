//! Limits of the host and the process: named, with value and cure, before the kernel refuses.

use crate::generator::{Named, name};
use ipc_mq::{ErrorKind, MAX_MESSAGE_SIZE_BYTES, MAX_MESSAGES, Options, sysv};
use ipc_testkit::{deny, isolated, skip};
use nix::sched::{CloneFlags, unshare};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use std::os::fd::{AsFd, AsRawFd};

/// Gives up, for this thread, what lets root pass by the limits.
fn without_privilege() {
    let mut sets = capabilities(None).expect("ours");
    for set in [&mut sets.effective, &mut sets.permitted] {
        set.remove(CapabilitySet::SYS_RESOURCE);
    }
    set_capabilities(None, sets).expect("less is allowed");
}

fn setting(path: &str) -> usize {
    let text = std::fs::read_to_string(format!("/proc/sys/{path}")).expect("a kernel with queues");
    text.trim().parse().expect("a number")
}

#[track_caller]
fn assert_named(error: &ipc_mq::Error, kind: ErrorKind, words: &[&str]) {
    assert_eq!(error.kind(), kind, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "{word} in: {error}");
    }
}

#[test]
fn the_hosts_limits_of_messages_are_named_before_the_kernel_refuses() {
    isolated!({
        without_privilege();
        // The kernel is not asked: it would be an error of another kind.
        deny(libc::SYS_mq_open, libc::EIO);
        for (option, sysctl) in [("count", "msg_max"), ("size", "msgsize_max")] {
            let limit = setting(&format!("fs/mqueue/{sysctl}"));
            let mut options = Options::new();
            match option {
                "count" => options.max_messages(limit + 1),
                _ => options.message_size_bytes(limit + 1),
            };
            let error = options.create(&name("limit")).map(drop).expect_err("above");
            let (above, limit) = ((limit + 1).to_string(), limit.to_string());
            let raise = format!("sysctl fs.mqueue.{sysctl}={above}");
            assert_named(&error, ErrorKind::LimitReached, &[&above, &limit, &raise]);
            assert_eq!(error.raw_os_error(), None);
        }
    });
}

#[test]
fn at_the_limit_a_queue_is_made() {
    isolated!({
        without_privilege();
        let mut options = Options::new();
        options.max_messages(setting("fs/mqueue/msg_max"));
        options.message_size_bytes(setting("fs/mqueue/msgsize_max"));
        let queue = options.create_unnamed().expect("at the limit");
        let message = vec![7; queue.message_size_bytes()];
        for _ in 0..queue.max_messages() {
            queue.try_send(&message, 0).expect("room");
        }
        assert!(queue.try_send(&message, 0).is_err());
    });
}

#[test]
fn what_no_host_allows_is_refused_even_with_privilege() {
    for (messages, bytes) in [
        (MAX_MESSAGES + 1, 1),
        (usize::MAX, 1),
        (1, MAX_MESSAGE_SIZE_BYTES + 1),
        (1, usize::MAX),
    ] {
        let mut options = Options::new();
        options.max_messages(messages).message_size_bytes(bytes);
        let error = options.create(&name("hard")).map(drop).expect_err("above");
        assert_eq!(error.kind(), ErrorKind::LimitReached, "{error}");
    }
    for (messages, bytes) in [(0, 1), (1, 0), (0, 0)] {
        let mut options = Options::new();
        options.max_messages(messages).message_size_bytes(bytes);
        let error = options
            .create(&name("none"))
            .map(drop)
            .expect_err("nothing");
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
}

fn limit_queue_bytes(current: u64) {
    let maximum = getrlimit(Resource::Msgqueue).maximum;
    let current = Some(current);
    setrlimit(Resource::Msgqueue, Rlimit { current, maximum }).expect("lower is allowed");
}

#[test]
fn the_rlimit_that_one_queue_breaks_is_named_before_the_kernel_refuses() {
    isolated!({
        let mut options = Options::new();
        options.max_messages(4).message_size_bytes(1000);
        // What it counts as: 4 * (1000 + 48 + 48), by getrlimit(2).
        limit_queue_bytes(4383);
        let error = options
            .create(&name("rlimit"))
            .map(drop)
            .expect_err("above");
        let words = ["4384", "4383", "RLIMIT_MSGQUEUE", "ulimit -q 4384"];
        assert_named(&error, ErrorKind::LimitReached, &words);
        assert_eq!(error.raw_os_error(), None);
    });
}

#[test]
fn the_rlimit_that_others_have_used_up_is_told_from_missing_descriptors() {
    isolated!({
        let mut options = Options::new();
        options.max_messages(4).message_size_bytes(1000);
        // Other tests' queues count too, so the limit is for this queue alone and the first may
        // be refused already.
        limit_queue_bytes(4384);
        let queues = [options.create_unnamed(), options.create_unnamed()];
        let error = queues.into_iter().find_map(Result::err).expect("not both");
        assert_named(
            &error,
            ErrorKind::LimitReached,
            &["RLIMIT_MSGQUEUE", "4384"],
        );
        limit_queue_bytes(getrlimit(Resource::Msgqueue).maximum.unwrap_or(1 << 40));
        let named = Named::new("descriptors");
        let first = options.create(&named.0).expect("room");
        let maximum = getrlimit(Resource::Nofile).maximum;
        let current = u64::try_from(first.as_fd().as_raw_fd() + 1).ok();
        setrlimit(Resource::Nofile, Rlimit { current, maximum }).expect("lower is allowed");
        let _fillers: Vec<_> =
            std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
        for outcome in [
            options.create(&name("another")),
            options.open(&named.0),
            first.try_clone(),
        ] {
            let error = outcome.map(drop).expect_err("no descriptor");
            assert_named(&error, ErrorKind::LimitReached, &["RLIMIT_NOFILE"]);
        }
        let error = first.notify().map(drop).expect_err("no descriptor");
        assert_named(&error, ErrorKind::LimitReached, &["RLIMIT_NOFILE"]);
    });
}

#[test]
fn the_hosts_limit_of_queues_is_named() {
    if !rustix::process::geteuid().is_root() {
        skip!("needs root to have a host's worth of queues of its own");
    }
    isolated!({
        if unshare(CloneFlags::CLONE_NEWIPC).is_err() {
            ipc_testkit::report_skip("limits", "IPC namespaces are denied here");
        } else {
            std::fs::write("/proc/sys/fs/mqueue/queues_max", "2").expect("ours");
            std::fs::write("/proc/sys/kernel/msgmni", "2").expect("ours");
            without_privilege();
            let options = Options::new().max_messages(1).message_size_bytes(8).clone();
            let _held = [(); 2].map(|()| options.create_unnamed().expect("room"));
            let error = options.create(&name("third")).map(drop).expect_err("full");
            let words = ["2 (fs.mqueue.queues_max)", "sysctl"];
            assert_named(&error, ErrorKind::LimitReached, &words);
            let queues = [(); 2].map(|()| sysv::Options::new().create_unnamed().expect("room"));
            let error = sysv::Options::new().create_unnamed().expect_err("full");
            let words = ["2 (kernel.msgmni)", "sysctl"];
            assert_named(&error, ErrorKind::LimitReached, &words);
            for queue in queues {
                queue.remove().expect("there");
            }
        }
    });
}

#[test]
fn the_limits_of_system_v_messages_are_named_before_the_kernel_refuses() {
    isolated!({
        without_privilege();
        let queue = sysv::Options::new().create_unnamed().expect("a queue");
        let (longest, capacity) = (setting("kernel/msgmax"), setting("kernel/msgmnb"));
        let error = queue.send(&vec![0; longest + 1], 1).expect_err("too long");
        let (above, limit) = ((longest + 1).to_string(), longest.to_string());
        let words = [&above, &limit, "kernel.msgmax"];
        assert_named(&error, ErrorKind::TooLarge, &words);
        assert_eq!(error.raw_os_error(), None);
        if longest <= capacity {
            queue.try_send(&vec![0; longest], 1).expect("at the limit");
        }
        // A message above the queue's own capacity would wait for ever.
        queue.set_capacity_bytes(100).expect("less is allowed");
        let error = queue.send(&[0; 101], 1).expect_err("never fits");
        assert_named(&error, ErrorKind::TooLarge, &["101", "holds 100"]);
        for outcome in [
            queue.set_capacity_bytes(capacity + 1),
            sysv::Options::new()
                .capacity_bytes(capacity + 1)
                .create_unnamed()
                .map(drop),
        ] {
            let error = outcome.expect_err("above");
            let limit = format!("{capacity} (kernel.msgmnb)");
            assert_named(
                &error,
                ErrorKind::LimitReached,
                &[&limit, "sysctl kernel.msgmnb="],
            );
        }
        let error = queue.set_capacity_bytes(0).expect_err("nothing");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        queue.remove().expect("there");
    });
}

#[test]
fn limits_that_are_raised_later_are_seen() {
    if !rustix::process::geteuid().is_root() {
        skip!("needs root to raise limits, in a namespace of its own");
    }
    isolated!({
        if unshare(CloneFlags::CLONE_NEWIPC).is_err() {
            ipc_testkit::report_skip("limits", "IPC namespaces are denied here");
        } else {
            let queue = sysv::Options::new().create_unnamed().expect("a queue");
            let long = vec![9; 10_000];
            assert!(queue.try_send(&long, 1).is_err());
            std::fs::write("/proc/sys/kernel/msgmax", "10000").expect("ours");
            queue.try_send(&long, 1).expect("raised");
            let mut buffer = vec![0; 10_000];
            let received = queue.recv(&mut buffer, sysv::Select::First).expect("there");
            assert_eq!((received.length, buffer), (10_000, long.clone()));
            std::fs::write("/proc/sys/kernel/msgmax", "5000").expect("ours");
            let error = queue.try_send(&long, 1).expect_err("lowered");
            assert_named(&error, ErrorKind::TooLarge, &["5000 (kernel.msgmax)"]);
            queue.remove().expect("there");
        }
    });
}
