//! What the process and host may do to us: no descriptors left, any umask, another directory.

use ipc_pipe::{Capacity, ErrorKind, Options};
use ipc_testkit::{TempDir, deny, isolated, set_umask};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;

#[test]
fn without_descriptors_every_maker_says_which_limit_and_leaks_none() {
    isolated!({
        let dir = TempDir::new();
        let fifo = ipc_pipe::create(dir.join("fifo")).expect("a FIFO");
        let limits = getrlimit(Resource::Nofile);
        let low = Rlimit {
            current: Some(64),
            maximum: limits.maximum,
        };
        setrlimit(Resource::Nofile, low).expect("lower is allowed");
        let mut fillers = Vec::new();
        while let Ok(filler) = std::fs::File::open("/dev/null") {
            fillers.push(filler);
        }
        for free in 0..3 {
            let reserve = fillers.split_off(fillers.len() - free);
            drop(reserve);
            let failures = [
                ipc_pipe::pair().map(drop).err().filter(|_| free < 2),
                ipc_pipe::duplex().map(drop).err(),
                fifo.receiver().map(drop).err().filter(|_| free < 1),
                ipc_pipe::open(fifo.path())
                    .map(drop)
                    .err()
                    .filter(|_| free < 1),
            ];
            assert!(
                failures[1].is_some(),
                "four descriptors do not fit in {free}"
            );
            for error in failures.into_iter().flatten() {
                assert_eq!(error.kind(), ErrorKind::LimitReached, "{error}");
                assert!(error.to_string().contains("RLIMIT_NOFILE"), "{error}");
            }
            // None leaked: exactly those that were free before can be opened again.
            fillers.extend((0..free).map(|_| std::fs::File::open("/dev/null").expect("free")));
        }
    });
}

#[test]
fn a_fifo_that_could_not_be_opened_is_not_left_behind() {
    isolated!({
        let dir = TempDir::new();
        let path = dir.join("fifo");
        let before = getrlimit(Resource::Nofile);
        let free = std::fs::File::open("/dev/null").expect("a descriptor");
        let low = Rlimit {
            current: Some(u64::try_from(free.as_raw_fd()).expect("positive")),
            maximum: before.maximum,
        };
        drop(free);
        setrlimit(Resource::Nofile, low).expect("lower is allowed");
        let error = ipc_pipe::create(&path).expect_err("none left");
        setrlimit(Resource::Nofile, before).expect("as it was");
        assert_eq!(error.kind(), ErrorKind::LimitReached, "{error}");
        assert!(!path.exists(), "left behind");
        ipc_pipe::create(&path).expect("the next one stumbles over nothing");
    });
}

#[test]
fn a_fifo_whose_mode_cannot_be_set_is_not_left_behind() {
    isolated!({
        deny(libc::SYS_fchmodat, libc::ENOENT);
        let dir = TempDir::new();
        let path = dir.join("fifo");
        let error = ipc_pipe::create(&path).expect_err("as without /proc");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(!path.exists(), "left behind");
    });
}

#[test]
fn a_fifo_has_exactly_its_mode_whatever_the_umask() {
    isolated!({
        let dir = TempDir::new();
        for (at, umask) in [0, 0o022, 0o077, 0o777].into_iter().enumerate() {
            for mode in [0o600, 0o644, 0o622, 0o666] {
                let before = set_umask(umask);
                let path = dir.join(format!("fifo {at} {mode:o}"));
                let made = Options::new().mode(mode).create(&path);
                set_umask(before);
                made.expect("a FIFO");
                let found = std::fs::metadata(&path)
                    .expect("it is there")
                    .permissions()
                    .mode();
                assert_eq!(found & 0o7777, mode, "umask {umask:o}");
            }
            let before = set_umask(umask);
            let path = dir.join(format!("default {at}"));
            let made = ipc_pipe::create(&path);
            set_umask(before);
            made.expect("a FIFO");
            let found = std::fs::metadata(&path)
                .expect("it is there")
                .permissions()
                .mode();
            assert_eq!(found & 0o7777, 0o600, "umask {umask:o}");
        }
    });
}

#[test]
fn a_named_fifo_lives_in_a_private_directory() {
    let dir = TempDir::new();
    let mut options = Options::new();
    options.directory(dir.join("run"));
    let name = ipc_core::Name::new("/jobs").expect("a good name");
    let path = options.path_of(&name).expect("a private directory");
    let fifo = options.create(&path).expect("made");
    assert_eq!(fifo.path(), dir.join("run").join("jobs"));
    let mode = std::fs::metadata(dir.join("run"))
        .expect("made")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    options.open(&path).expect("found");
    options.open_or_create(&path).expect("found");
    options.unlink(&path).expect("found");
    assert_eq!(
        options.unlink(&path).expect_err("gone").kind(),
        ErrorKind::NotFound
    );
    std::fs::set_permissions(dir.join("run"), PermissionsExt::from_mode(0o770)).expect("chmod");
    let error = options.path_of(&name).expect_err("others may enter");
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.to_string().contains("Options::directory"), "{error}");
}

/// Calls of this thread that read and that write, by the kernel's own count, without those of the
/// look itself; `None` where the kernel does not count.
fn calls() -> Option<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/thread-self/io").ok()?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|count| count.trim().parse::<u64>().ok())
    };
    Some((field("syscr:")?, field("syscw:")?))
}

#[test]
fn a_plain_message_costs_one_system_call_each_way() {
    isolated!({
        let (tx, rx) = ipc_pipe::pair().expect("a pipe");
        let mut records = Options::new();
        let (record_tx, record_rx) = records.record(true).pair().expect("a pipe");
        let look = |(from, to): ((u64, u64), (u64, u64))| (to.0 - from.0, to.1 - from.1);
        let Some(own) = calls().zip(calls()).map(look) else {
            let here = "host::a_plain_message_costs_one_system_call_each_way";
            return ipc_testkit::report_skip(here, "this kernel does not count calls");
        };
        // Whatever else could be called for a message fails from here on.
        for call in [
            libc::SYS_ppoll,
            libc::SYS_poll,
            libc::SYS_fcntl,
            libc::SYS_ioctl,
            libc::SYS_rt_sigprocmask,
            libc::SYS_rt_sigtimedwait,
        ] {
            ipc_testkit::deny(call, libc::EIO);
        }
        const ROUNDS: u64 = 100;
        let mut bytes = [0; 4096];
        let before = calls().expect("counted");
        for _ in 0..ROUNDS {
            tx.send(b"x").expect("one call");
            assert_eq!(rx.recv(&mut bytes).expect("one call"), 1);
            record_tx.send(b"x").expect("one call");
            assert_eq!(record_rx.recv(&mut bytes).expect("one call"), 1);
            tx.try_send(b"x").expect("one call");
            assert_eq!(rx.try_recv(&mut bytes).expect("one call"), 1);
            let later = std::time::Instant::now() + std::time::Duration::from_secs(60);
            tx.send_deadline(b"x", later).expect("one call");
            assert_eq!(rx.recv_deadline(&mut bytes, later).expect("one call"), 1);
        }
        let made = look((before, calls().expect("counted")));
        // As many as raw calls would be, repeats counted.
        assert_eq!((made.0 - own.0, made.1 - own.1), (4 * ROUNDS, 4 * ROUNDS));
    });
}

#[test]
fn a_full_user_share_of_pipe_memory_does_not_stop_a_large_send() {
    // Whether the kernel grants more or refuses, the send goes on.
    let pipes: Vec<_> = (0..100)
        .map(|_| ipc_pipe::pair().expect("a pipe"))
        .collect();
    for (tx, _rx) in &pipes {
        tx.try_send(&[1; 40_000]).expect("begun");
        assert!(tx.capacity_bytes().expect("asked") >= 4096);
    }
    let (tx, _rx) = Options::new()
        .capacity(Capacity::Default)
        .pair()
        .expect("a pipe");
    tx.try_send(b"x").expect("room");
}
