//! What older kernels lack: an explicit demand is refused, and the rest works without.

use ipc_testkit::{TempDir, deny_where, isolated, watchdog};
use ipc_uds::{Ancillary, ErrorKind, Options};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const OPTION_NAME: u8 = 2;
const ALL_BITS: u64 = 0xffff_ffff;
/// `SO_PASSPIDFD` and `SO_PEERPIDFD`.
const PASS: u64 = 76;
const PEER: u64 = 77;

/// Everything that does not need a pidfd, and the refusals of what does.
fn exercise() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let path = dir.join("socket");
    let probe = ipc_uds::probe();
    assert!(!probe.peer_process && !probe.message_process);
    let mut options = Options::new();
    options.credentials(true).replace_stale(true);
    let listener = options.bind(&path).expect("bind");
    let client = options.connect(&path).expect("connect");
    let server = listener.accept().expect("accept");
    client.send(b"x").expect("send");
    let mut gifts = Ancillary::new();
    server
        .recv_with_fds(&mut [0; 4], &mut gifts)
        .expect("received");
    let ids = gifts.credentials().expect("the weaker form");
    assert_eq!(ids.pid, std::process::id());
    assert_eq!(server.credentials().expect("ids"), ids);
    let watching = Options::new().watch_peer(true).clone();
    for outcome in [
        server.peer_process().map(drop),
        watching.connect(&path).map(drop),
        watching.bind(dir.join("other")).map(drop),
        Options::new().pidfd(true).pair().map(drop),
        Options::new().pidfd(true).bind(dir.join("other")).map(drop),
    ] {
        let error = outcome.expect_err("an explicit demand");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains("6.5"), "{error}");
    }
    assert!(!dir.join("other").exists());
    drop(client);
    let end = server.recv(&mut [0; 4]).expect_err("it closed");
    assert_eq!(end.kind(), ErrorKind::Closed);
}

/// One isolated test for each error that a kernel may answer with.
macro_rules! without_pidfd {
    ($($test:ident: $errno:expr;)*) => {$(
        #[test]
        fn $test() {
            isolated!({
                deny_where(libc::SYS_getsockopt, OPTION_NAME, ALL_BITS, PEER, $errno);
                deny_where(libc::SYS_setsockopt, OPTION_NAME, ALL_BITS, PASS, $errno);
                exercise();
            });
        }
    )*};
}

without_pidfd! {
    without_pidfds_of_peers_enoprotoopt: libc::ENOPROTOOPT;
    without_pidfds_of_peers_einval: libc::EINVAL;
    without_pidfds_of_peers_enosys: libc::ENOSYS;
}

#[test]
fn where_peers_cannot_be_identified_only_anyone_is_let_in() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let dir = TempDir::new();
        let path = dir.join("socket");
        let listener = ipc_uds::bind(&path).expect("bind");
        let open = Options::new()
            .policy(ipc_uds::Policy::anyone())
            .bind(dir.join("open"))
            .expect("bind");
        let _client = ipc_uds::connect(&path).expect("connect");
        let _other = ipc_uds::connect(dir.join("open")).expect("connect");
        let peercred = libc::SO_PEERCRED as u64;
        let errno = libc::ENOPROTOOPT;
        deny_where(libc::SYS_getsockopt, OPTION_NAME, ALL_BITS, peercred, errno);
        let error = listener.try_accept().map(drop).expect_err("nobody knows");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        open.try_accept().expect("anyone");
    });
}
