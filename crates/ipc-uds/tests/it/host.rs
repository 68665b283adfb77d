//! What the process and host may do to us: standard streams closed, no /proc, rights that lack.

use ipc_testkit::{TempDir, deny, deny_where, isolated, skip, watchdog, without_stdio};
use ipc_uds::{Address, Ancillary, ErrorKind, Options};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn closed_standard_streams_never_become_sockets() {
    isolated!({
        let dir = TempDir::new();
        let path = dir.join("socket");
        let numbers = without_stdio(|| {
            let mut options = Options::new();
            options.replace_stale(true).credentials(true);
            let probe = ipc_uds::probe();
            options.pidfd(probe.message_process);
            options.watch_peer(probe.peer_process);
            let listener = options.bind(&path).expect("bind");
            let client = options.connect(&path).expect("connect");
            let server = listener.accept().expect("accept");
            client.send(b"x").expect("send");
            let mut gifts = Ancillary::new();
            server
                .recv_with_fds(&mut [0; 4], &mut gifts)
                .expect("received");
            let mut numbers = vec![
                listener.as_fd().as_raw_fd(),
                client.as_fd().as_raw_fd(),
                server.as_fd().as_raw_fd(),
            ];
            numbers.extend(gifts.process().map(|process| process.as_fd().as_raw_fd()));
            numbers
        });
        assert!(numbers.iter().all(|number| *number > 2), "{numbers:?}");
    });
}

#[test]
fn a_bind_without_enough_descriptors_leaves_nothing_at_the_path() {
    isolated!({
        let dir = TempDir::new();
        let fresh = Options::new();
        let mut replacing = Options::new();
        replacing.replace_stale(true);
        type Bind<'a> = &'a dyn Fn(&Path) -> ipc_uds::Result<()>;
        let bind: [Bind<'_>; 4] = [
            &|path| fresh.bind(path).map(drop),
            &|path| fresh.bind_seqpacket(path).map(drop),
            &|path| fresh.bind_datagram(path).map(drop),
            &|path| replacing.bind(path).map(drop),
        ];
        let before = getrlimit(Resource::Nofile);
        let free = File::open("/dev/null").expect("a descriptor").as_raw_fd();
        for (kind, bind) in bind.iter().enumerate() {
            let path = dir.join(format!("socket {kind}"));
            let attempt = |more: u64| {
                let mut low = before;
                low.current = Some(u64::try_from(free).expect("positive") + more);
                setrlimit(Resource::Nofile, low).expect("lower is allowed");
                let bound = bind(&path);
                setrlimit(Resource::Nofile, before).expect("as it was");
                bound
            };
            let mut needed = 0;
            while let Err(error) = attempt(needed) {
                assert_eq!(error.kind(), ErrorKind::LimitReached, "{error}");
                assert!(!path.exists(), "left with {needed} descriptors: {error}");
                needed += 1;
            }
            assert!(needed >= 2, "a socket, and one to look at its path");
        }
    });
}

#[test]
fn a_mode_or_directory_without_rights_says_denied() {
    if rustix::process::geteuid().is_root() {
        skip!("root passes every permission");
    }
    let dir = TempDir::new();
    let path = dir.join("socket");
    let _listener = Options::new().mode(0).bind(&path).expect("bind");
    let error = ipc_uds::connect(&path).expect_err("no right to write");
    assert_eq!(error.kind(), ErrorKind::Denied);
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o500)).expect("ours");
    let error = ipc_uds::bind(dir.join("other")).expect_err("no right to write");
    assert_eq!(error.kind(), ErrorKind::Denied);
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o700)).expect("ours");
}

#[test]
fn an_accept_that_fails_is_typed_and_the_listener_stays_usable() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let dir = TempDir::new();
        let path = dir.join("socket");
        let listener = ipc_uds::bind(&path).expect("bind");
        let _client = ipc_uds::connect(&path).expect("connect");
        std::thread::scope(|scope| {
            // A filter belongs to its thread, so that the other one goes on without it.
            scope.spawn(|| {
                let flags = u64::from(rustix::net::SocketFlags::CLOEXEC.bits());
                let all = 0xffff_ffff;
                deny_where(libc::SYS_accept4, 3, all, flags, libc::ECONNABORTED);
                let error = listener.accept().map(drop).expect_err("aborted");
                assert_eq!(error.raw_os_error(), Some(libc::ECONNABORTED));
                let error = listener.try_accept().map(drop).expect_err("aborted");
                assert_eq!(error.raw_os_error(), Some(libc::ECONNABORTED));
            });
        });
        listener.accept().expect("the client is still there");
    });
}

#[test]
fn without_proc_what_would_have_to_follow_links_is_refused_instead() {
    isolated!({
        let dir = TempDir::new();
        let path = dir.join("socket");
        let listener = ipc_uds::bind(&path).expect("bind");
        drop(std::os::unix::net::UnixListener::bind(dir.join("stale")).expect("bind"));
        let sender = ipc_uds::datagram().expect("a socket");
        // As where `/proc/self/fd` is not there.
        deny(libc::SYS_connect, libc::ENOENT);
        deny(libc::SYS_sendmsg, libc::ENOENT);
        for outcome in [
            ipc_uds::connect(&path).map(drop),
            ipc_uds::connect_datagram(&path).map(drop),
            sender.send_to(b"x", &Address::path(&path).expect("short")),
            Options::new()
                .replace_stale(true)
                .bind(dir.join("stale"))
                .map(drop),
        ] {
            let error = outcome.expect_err("no /proc");
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(error.to_string().contains("/proc"), "{error}");
        }
        assert!(dir.join("stale").exists());
        drop(listener);
    });
}

#[test]
fn the_first_descriptor_that_is_missing_is_told_with_the_address() {
    isolated!({
        let dir = TempDir::new();
        let path = dir.join("here.sock");
        let _listener = ipc_uds::bind(dir.join("there.sock")).expect("bind");
        let there = dir.join("there.sock");
        let maximum = getrlimit(Resource::Nofile).maximum;
        let free = File::open("/dev/null").expect("a descriptor");
        let next = u64::try_from(free.as_raw_fd()).expect("positive");
        drop(free);
        let mut errors = Vec::new();
        for more in 0..4 {
            let current = Some(next + more);
            setrlimit(Resource::Nofile, Rlimit { current, maximum }).expect("lower is allowed");
            errors.push((&path, ipc_uds::bind(&path).map(drop)));
            errors.push((&path, ipc_uds::bind_seqpacket(&path).map(drop)));
            errors.push((&path, ipc_uds::bind_datagram(&path).map(drop)));
            errors.push((&there, ipc_uds::try_connect(&there).map(drop)));
            errors.push((&there, ipc_uds::connect_datagram(&there).map(drop)));
        }
        let current = maximum;
        setrlimit(Resource::Nofile, Rlimit { current, maximum }).expect("as it was");
        let mut without = 0;
        for (path, outcome) in errors {
            let Err(error) = outcome else { continue };
            without += usize::from(error.kind() == ErrorKind::LimitReached);
            let shown = format!("`{}`", path.display());
            assert!(error.to_string().contains(&shown), "{error}");
        }
        assert!(without >= 5, "{without}");
    });
}
