//! What the process and host may do to us: standard streams closed, no /proc, rights that lack.

use ipc_testkit::{TempDir, deny_where, isolated, skip, watchdog, without_stdio};
use ipc_uds::{Ancillary, ErrorKind, Options};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::PermissionsExt;
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
