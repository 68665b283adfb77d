//! What is only of shared memory: clients that die in it or are slow to make it, and who is let in.

use crate::remote::{PATIENCE, Remote, router};
use ipc_core::Until;
use ipc_testkit::{Role, Snapshot, Stage, TempDir, deny_where, isolated, skip, watchdog};
use rpc_core::{Code, Context, Server, block_on};
use rpc_native::{Format, Limits, Options};
use rpc_testkit::inventory::{StockClient, item};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

const STRANGER: u32 = 65_533;

/// A client in the middle of a call, until it is killed: the argument is the server's place.
pub(crate) fn client(mut stage: Stage) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let connection = rpc_native::connect(stage.argument(0)).await;
        let stock = StockClient::new(connection.expect("it listens"));
        let cx = Context::new();
        let put = stock.put(&cx, item(&format!("of {}", std::process::id()), 1));
        assert_eq!(put.await, Ok(1));
        drop(stage.descriptor());
        let _ = stock.get(&cx, "never".into()).await;
    });
}

#[test]
fn clients_that_are_killed_in_a_call_leave_nothing_in_the_server() {
    // Where tokio handles signals its first runtime makes a pair of sockets for good.
    drop(runtime());
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let directory = TempDir::new();
        let place = format!("shm:{}", directory.join("a socket").display());
        let runtime = runtime();
        let serving = runtime.block_on(async { rpc_native::bind(&place).expect("bind") });
        let server = Server::new(router()).with(serving).expect("it carries all");
        runtime.spawn(server.run());
        let before = Snapshot::take().descriptors();
        for _ in 0..20 {
            let (told, tell) = std::io::pipe().expect("a pipe");
            let role = Role::new("shm-client").argument(&place);
            let child = role.descriptor(&tell).spawn();
            drop(tell);
            std::io::read_to_string(told).expect("its word");
            assert_ne!(shared_mappings(), 0, "it is there");
            child.kill();
            child.wait_dead();
        }
        while shared_mappings() != 0 || Snapshot::take().descriptors() != before {
            std::thread::yield_now();
        }
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// The pieces of memory that this process shares with others.
fn shared_mappings() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("/proc is mounted");
    maps.lines().filter(|line| line.contains("memfd:")).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_and_does_not_meet_is_cut_and_hinders_nobody() {
    let _watchdog = watchdog(PATIENCE);
    let directory = TempDir::new();
    let path = directory.join("socket");
    let place = format!("shm:{}", path.display());
    let mut options = Options::new();
    options.limits(
        Limits::new()
            .handshake_timeout(Duration::from_secs(5))
            .clone(),
    );
    let serving = options.bind(&place).expect("bind");
    tokio::spawn(
        Server::new(router())
            .with(serving)
            .expect("it carries all")
            .run(),
    );
    let silent: Vec<_> = (0..20)
        .map(|_| {
            ipc_uds::Options::new()
                .connect_seqpacket(&path)
                .expect("it listens")
        })
        .collect();
    let connection = rpc_native::connect(&place).await.expect("a way in");
    let stock = StockClient::new(connection);
    assert_eq!(stock.put(&Context::new(), item("a", 1)).await, Ok(1));
    let cut = tokio::task::spawn_blocking(move || {
        for socket in &silent {
            // The server's half, and then the end.
            while socket.recv(&mut [0; 64]).is_ok() {}
        }
    });
    cut.await.expect("each is cut");
    assert_eq!(stock.put(&Context::new(), item("a", 1)).await, Ok(2));
}

/// Another user, who tries to get in.
pub(crate) fn stranger(stage: Stage) {
    nix::unistd::setgid(STRANGER.into()).expect("root may");
    nix::unistd::setuid(STRANGER.into()).expect("root may");
    let refused = Options::new().connect_blocking(stage.argument(0));
    let refused = refused.map(|_| ()).expect_err("another user");
    println!("{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_user_is_refused_by_the_mode_and_where_that_lets_it_by_the_policy() {
    let _watchdog = watchdog(PATIENCE);
    if !rustix::process::getuid().is_root() {
        skip!("needs root, to be another user");
    }
    for scheme in ["shm", "unix"] {
        let remote = Remote::start_over("server", scheme);
        Role::new("shm-stranger")
            .argument(&remote.endpoint)
            .spawn()
            .done();
        let (_, path) = remote.endpoint.split_once(':').expect("a string binding");
        let directory = std::path::Path::new(path).parent().expect("it is in one");
        for (path, mode) in [(directory, 0o755), (std::path::Path::new(path), 0o666)] {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(path, mode).expect("our own");
        }
        Role::new("shm-stranger")
            .argument(&remote.endpoint)
            .spawn()
            .done();
        let stock = remote.connect(Format::Protobuf).await;
        assert_eq!(stock.put(&Context::new(), item("a", 1)).await, Ok(1));
    }
}

#[test]
fn where_the_kernel_names_nobody_nobody_is_let_in() {
    isolated!({
        let directory = TempDir::new();
        let denied = libc::SO_PEERCRED as u64;
        deny_where(
            libc::SYS_getsockopt,
            2,
            u64::from(u32::MAX),
            denied,
            libc::EPERM,
        );
        for scheme in ["shm", "unix"] {
            let path = directory.join(scheme);
            let place = format!("{scheme}:{}", path.display());
            let endpoint = place.parse().expect("a string binding");
            let listener = rpc_transport::Options::new().bind(&endpoint);
            let listener = listener.expect("a listener");
            let refused = Options::new().connect_blocking(&place);
            assert_eq!(refused.expect_err("unnamed").code(), Code::PermissionDenied);
            // Nor is a client that asks for nobody's name.
            let client: OwnedFd = match scheme {
                "shm" => ipc_uds::Options::new()
                    .connect_seqpacket(&path)
                    .expect("it listens")
                    .into(),
                _ => UnixStream::connect(&path).expect("it listens").into(),
            };
            let accepted = listener.accept(Until::Now).map(drop);
            let kind = accepted.expect_err("it is passed over").kind();
            assert_eq!(kind, ipc_core::ErrorKind::WouldBlock);
            let came = rustix::net::recv(&client, &mut [0; 1], rustix::net::RecvFlags::empty());
            assert_eq!(came.map(|(length, _)| length), Ok(0), "the end");
        }
    });
}

#[test]
fn a_blocking_client_calls_without_a_runtime() {
    let _watchdog = watchdog(PATIENCE);
    let remote = Remote::start_over("server", "shm");
    let connection = Options::new().connect_blocking(&remote.endpoint);
    let stock = StockClient::new(connection.expect("it listens"));
    for round in 1..=1_000 {
        let put = block_on(stock.put(&Context::new(), item("a", 1)));
        assert_eq!(put, Ok(round));
    }
}
