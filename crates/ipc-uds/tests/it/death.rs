//! The peer's death: told from an ordinary end, and seen even while others keep its end open.

use ipc_core::{Pollable, Until};
use ipc_testkit::{Child, Role, Stage, TempDir, isolated, skip, watchdog};
use ipc_uds::{ErrorKind, Options, Stream};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

/// Skips on kernels that cannot watch a peer.
macro_rules! need_pidfd {
    () => {
        if !ipc_uds::probe().peer_process {
            skip!("this kernel has no SO_PEERPIDFD (Linux 6.5)");
        }
        let _watchdog = watchdog(PATIENCE);
    };
}

/// Connects to argument 0, gives its end to a grandchild where argument 1 says so, says that it
/// did, and waits.
pub(crate) fn connect_and_wait_to_be_killed(stage: Stage) {
    let path = stage.argument(0);
    let kind = stage.argument(1);
    if kind == "seqpacket" {
        let connection = ipc_uds::connect_seqpacket(path).expect("a server");
        connection.send(b"!").expect("send");
        let _ = connection.recv(&mut [0; 1]);
        return;
    }
    let stream = ipc_uds::connect(path).expect("a server");
    let mut heir = None;
    if kind == "heir" {
        heir = Some(Role::new("hold").descriptor(stream.as_fd()).spawn_holding());
        let pid = heir.as_ref().map_or(0, Child::id);
        stream.send(&pid.to_le_bytes()).expect("send");
    } else {
        stream.send(b"!").expect("send");
    }
    if kind == "leave" {
        return;
    }
    let _ = stream.recv(&mut [0; 1]);
    drop(heir);
}

/// Listens at argument 0, accepts one and waits.
pub(crate) fn serve_until_killed(mut stage: Stage) {
    let listener = ipc_uds::bind(stage.argument(0)).expect("bind");
    let tell = Stream::from(stage.descriptor());
    tell.send(b"!").expect("somebody asks");
    let stream = listener.accept().expect("accept");
    stream.send(b"!").expect("send");
    let _ = stream.recv(&mut [0; 1]);
}

fn caller(path: &Path, kind: &str) -> Child {
    Role::new("caller")
        .argument(path.display())
        .argument(kind)
        .spawn()
}

fn watching() -> Options {
    Options::new().watch_peer(true).clone()
}

#[test]
fn a_killed_client_died_for_every_form_reaped_or_not() {
    need_pidfd!();
    let dir = TempDir::new();
    let path = dir.join("socket");
    let listener = watching().bind(&path).expect("bind");
    for round in 0..8 {
        let child = caller(&path, "wait");
        let stream = listener.accept().expect("accept");
        let mut bytes = [0; 8];
        assert_eq!(stream.recv(&mut bytes).expect("its byte"), 1);
        child.kill();
        if round % 2 == 0 {
            child.wait_dead();
        }
        let outcome = match round / 2 {
            0 => stream.recv(&mut bytes),
            1 => stream.recv_timeout(&mut bytes, PATIENCE),
            2 => stream.recv_with_fds(&mut bytes, &mut ipc_uds::Ancillary::new()),
            _ => {
                child.wait_dead();
                stream.try_recv(&mut bytes)
            }
        };
        let error = outcome.expect_err("it is dead");
        assert_eq!(error.kind(), ErrorKind::PeerDied, "round {round}");
        let error = loop {
            // What still fits is accepted until the kernel has closed the other end.
            if let Err(error) = stream.send(b"x") {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::PeerDied);
    }
}

#[test]
fn a_killed_server_died_for_a_watching_client() {
    need_pidfd!();
    let dir = TempDir::new();
    let path = dir.join("socket");
    let (told, tell) = ipc_uds::pair().expect("a pair");
    let child = Role::new("server")
        .argument(path.display())
        .descriptor(&tell)
        .spawn();
    drop(tell);
    told.recv(&mut [0; 1]).expect("it listens");
    let client = watching().connect(&path).expect("connect");
    client.recv(&mut [0; 1]).expect("accepted");
    child.kill();
    let error = client.recv(&mut [0; 1]).expect_err("it is dead");
    assert_eq!(error.kind(), ErrorKind::PeerDied);
}

#[test]
fn a_seqpacket_peer_is_watched_too() {
    need_pidfd!();
    let dir = TempDir::new();
    let path = dir.join("socket");
    let listener = watching().bind_seqpacket(&path).expect("bind");
    let child = caller(&path, "seqpacket");
    let connection = listener.accept().expect("accept");
    assert_eq!(connection.recv(&mut [0; 8]).expect("its byte"), 1);
    child.kill();
    let error = connection.recv(&mut [0; 8]).expect_err("it is dead");
    assert_eq!(error.kind(), ErrorKind::PeerDied);
}

#[test]
fn a_live_peer_that_closes_has_closed_and_without_watching_a_dead_one_too() {
    need_pidfd!();
    isolated!({
        let dir = TempDir::new();
        let path = dir.join("socket");
        let listener = watching().bind(&path).expect("bind");
        let client = ipc_uds::connect(&path).expect("connect");
        let stream = listener.accept().expect("accept");
        drop(client);
        for _ in 0..3 {
            let error = stream.recv(&mut [0; 1]).expect_err("it closed");
            assert_eq!(error.kind(), ErrorKind::Closed);
        }
        drop(listener);
        let listener = ipc_uds::bind(&path).expect("bind");
        let child = caller(&path, "wait");
        let stream = listener.accept().expect("accept");
        stream.recv(&mut [0; 1]).expect("its byte");
        child.kill();
        child.wait_dead();
        let error = stream.recv(&mut [0; 1]).expect_err("it ended");
        assert_eq!(error.kind(), ErrorKind::Closed);
    });
}

#[test]
fn a_try_does_not_wait_to_tell_a_death_from_an_end() {
    need_pidfd!();
    isolated!({
        let dir = TempDir::new();
        let path = dir.join("socket");
        let listener = watching().bind(&path).expect("bind");
        for (at, way) in ["recv", "with fds", "send", "wait"].into_iter().enumerate() {
            let client = ipc_uds::connect(&path).expect("connect");
            let stream = listener.accept().expect("accept");
            drop(client);
            let attempt = || match way {
                "with fds" => stream
                    .try_recv_with_fds(&mut [0; 1], &mut ipc_uds::Ancillary::new())
                    .map(drop),
                "send" => stream.try_send(b"x"),
                _ => stream.try_recv(&mut [0; 1]).map(drop),
            };
            // The end is there; what it means is not known at once, and a try says just that.
            let first = attempt().expect_err("it ended").kind();
            assert_eq!(first, ErrorKind::WouldBlock, "{way} {at}");
            assert!(stream.arm(ipc_core::Interest::Read).expect("asked"));
            if way == "wait" {
                // Who waits for readiness meanwhile is not told to spin.
                let read = [ipc_core::Interest::Read];
                stream.wait_ready(&read, Until::Forever).expect("known");
                assert_eq!(attempt().expect_err("known").kind(), ErrorKind::Closed);
            }
            let end = loop {
                let kind = attempt().expect_err("it ended").kind();
                if kind != ErrorKind::WouldBlock {
                    break kind;
                }
            };
            assert_eq!(end, ErrorKind::Closed);
            assert!(!stream.arm(ipc_core::Interest::Read).expect("asked"));
        }
        // A deadline that passes before it is known is late, and not longer than it said.
        let client = ipc_uds::connect(&path).expect("connect");
        let stream = listener.accept().expect("accept");
        drop(client);
        let past = std::time::Instant::now();
        let late = stream.recv_deadline(&mut [0; 1], past).expect_err("late");
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        let end = stream.recv(&mut [0; 1]).expect_err("it ended");
        assert_eq!(end.kind(), ErrorKind::Closed);
    });
}

#[test]
fn a_dead_peers_last_bytes_come_before_its_death() {
    need_pidfd!();
    let dir = TempDir::new();
    let path = dir.join("socket");
    let listener = watching().bind(&path).expect("bind");
    let child = caller(&path, "leave");
    let child_ended = ipc_uds::Process::open(child.id()).expect("our child");
    assert!(child_ended.ended_within(Until::Forever).expect("asked"));
    child.done();
    // Dead and reaped before it was even accepted.
    let stream = listener.accept().expect("accept");
    assert_eq!(stream.recv(&mut [0; 8]).expect("what it left"), 1);
    let error = stream.recv(&mut [0; 8]).expect_err("it is dead");
    assert_eq!(error.kind(), ErrorKind::PeerDied);
}

#[test]
fn a_dead_peer_whose_end_a_child_keeps_open_is_still_seen_to_die() {
    need_pidfd!();
    let dir = TempDir::new();
    let path = dir.join("socket");
    let listener = watching().bind(&path).expect("bind");
    let child = caller(&path, "heir");
    let stream = listener.accept().expect("accept");
    let mut pid = [0; 4];
    assert_eq!(stream.recv(&mut pid).expect("the heir's pid"), 4);
    let heir = ipc_uds::Process::open(u32::from_le_bytes(pid)).expect("it lives");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| stream.recv(&mut [0; 1]));
        child.kill();
        let outcome = waiting.join().expect("no panic");
        let error = outcome.expect_err("its process is dead");
        assert_eq!(error.kind(), ErrorKind::PeerDied);
    });
    let late = stream.recv_timeout(&mut [0; 1], PATIENCE);
    assert_eq!(late.expect_err("dead").kind(), ErrorKind::PeerDied);
    // A sender that would have to wait for it is told too.
    let error = loop {
        if let Err(error) = stream.send(&[0; 65_536]) {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::PeerDied);
    stream
        .wait_ready(&[ipc_core::Interest::Read], Until::Forever)
        .expect("a death is something to see");
    rustix::process::pidfd_send_signal(&heir, rustix::process::Signal::KILL).expect("ours");
    assert!(heir.ended_within(Until::Forever).expect("asked"));
}

#[test]
fn a_pair_and_a_datagram_have_no_peer_to_watch_and_say_so() {
    let dir = TempDir::new();
    let options = watching();
    for outcome in [
        options.pair().map(drop),
        options.pair_seqpacket().map(drop),
        options.pair_datagram().map(drop),
        options.datagram().map(drop),
        options.bind_datagram(dir.join("socket")).map(drop),
    ] {
        let error = outcome.expect_err("nobody to watch");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    assert!(!dir.join("socket").exists());
}
