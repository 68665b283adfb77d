//! How many received descriptors one user may hold, and that it costs no other user anything.

use ipc_testkit::{Role, Snapshot, Stage, TempDir, isolated, skip, watchdog};
use ipc_uds::{Ancillary, ErrorKind, Options, Policy};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);
/// A user whom no test runs as.
const STRANGER: u32 = 12_345;

fn copies(file: &File, count: usize) -> Vec<BorrowedFd<'_>> {
    vec![file.as_fd(); count]
}

fn limits() -> Options {
    let mut options = Options::new();
    options.max_fds(16).max_fds_per_user(64).clone()
}

/// Fills one user's share over four connections, then goes one above it.
macro_rules! flood {
    ($bind:ident, $connect:ident) => {{
        let null = File::open("/dev/null").expect("a device");
        let directory = TempDir::new();
        let path = directory.join("flood");
        let listener = limits().$bind(&path).expect("bind");
        let connect = || {
            let client = ipc_uds::$connect(&path).expect("connect");
            let server = listener.accept().expect("accept");
            (client, server, Ancillary::new())
        };
        let mut held: Vec<_> = (0..4).map(|_| connect()).collect();
        for (client, server, gifts) in &mut held {
            client
                .send_with_fds(b"x", &copies(&null, 16))
                .expect("send");
            server.recv_with_fds(&mut [0; 4], gifts).expect("a share");
        }
        let (client, server, mut gifts) = connect();
        let before = Snapshot::take();
        client.send_with_fds(b"x", &copies(&null, 1)).expect("send");
        let error = server
            .recv_with_fds(&mut [0; 4], &mut gifts)
            .expect_err("the 65th");
        assert_eq!(error.kind(), ErrorKind::LimitReached);
        assert!(error.to_string().contains("max_fds_per_user"), "{error}");
        assert!(gifts.fds().is_empty());
        before.assert_unchanged();
        // Who floods is cut, and no other connection is.
        let cut = client.send(b"more").expect_err("cut");
        assert_eq!(cut.kind(), ErrorKind::Closed);
        let cut = server.recv(&mut [0; 4]).expect_err("cut");
        assert_eq!(cut.kind(), ErrorKind::Closed);
        held[1].0.send(b"y").expect("another connection");
        assert_eq!(held[1].1.recv(&mut [0; 4]).expect("another connection"), 1);
        // What is taken counts no more: by name, by an end, or by the next receive.
        let taken: Vec<_> = held[0].2.take_fds().collect();
        drop(held.pop());
        let (client, server, mut gifts) = connect();
        for _ in 0..100 {
            client
                .send_with_fds(b"x", &copies(&null, 16))
                .expect("send");
            server
                .recv_with_fds(&mut [0; 4], &mut gifts)
                .expect("in place of the last");
        }
        assert_eq!((taken.len(), gifts.fds().len()), (16, 16));
    }};
}

#[test]
fn one_user_cannot_hold_more_descriptors_than_its_share_over_many_connections() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        flood!(bind, connect);
    });
}

#[test]
fn one_user_cannot_hold_more_over_many_seqpacket_connections() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        flood!(bind_seqpacket, connect_seqpacket);
    });
}

#[test]
fn senders_of_datagrams_share_by_user_and_the_unnamed_are_one() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let null = File::open("/dev/null").expect("a device");
        for named in [false, true] {
            let directory = TempDir::new();
            let path = directory.join("flood");
            let receiver = limits()
                .credentials(named)
                .bind_datagram(&path)
                .expect("bind");
            let senders = [(); 3].map(|()| ipc_uds::connect_datagram(&path).expect("connect"));
            let mut held: Vec<Ancillary> = Vec::new();
            for round in 0..4 {
                let mut gifts = Ancillary::new();
                senders[round % 3]
                    .send_with_fds(b"x", &copies(&null, 16))
                    .expect("send");
                receiver
                    .recv_with_fds(&mut [0; 4], &mut gifts)
                    .expect("a share");
                held.push(gifts);
            }
            let before = Snapshot::take();
            let mut gifts = Ancillary::new();
            senders[2]
                .send_with_fds(b"x", &copies(&null, 1))
                .expect("send");
            let error = receiver
                .recv_with_fds(&mut [0; 4], &mut gifts)
                .expect_err("the 65th");
            assert_eq!(error.kind(), ErrorKind::LimitReached);
            let user = if named { "user" } else { "an unknown user" };
            assert!(error.to_string().contains(user), "{error}");
            before.assert_unchanged();
            // There is no connection to be cut, and the socket works on.
            senders[2].send(b"yy").expect("send");
            assert_eq!(receiver.recv(&mut [0; 4]).expect("recv"), 2);
            drop(held.pop());
            senders[2]
                .send_with_fds(b"x", &copies(&null, 16))
                .expect("send");
            receiver
                .recv_with_fds(&mut [0; 4], &mut gifts)
                .expect("room again");
        }
    });
}

/// Becomes another user, connects in the way of argument 1 to argument 0, and hands over what it
/// may, four times 16 descriptors.
pub(crate) fn give_as_another_user(mut stage: Stage) {
    let (path, way) = (stage.argument(0).to_owned(), stage.argument(1).to_owned());
    let done = ipc_uds::Stream::from(stage.descriptor());
    let user = rustix::process::Uid::from_raw(STRANGER);
    rustix::thread::set_thread_res_uid(user, user, user).expect("root may");
    let null = File::open("/dev/null").expect("a device");
    let gift = copies(&null, 16);
    // Kept until the other side has seen them all.
    let (mut streams, mut packets) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        match way.as_str() {
            "stream" => {
                let client = ipc_uds::connect(&path).expect("let in");
                client.send_with_fds(b"x", &gift).expect("send");
                streams.push(client);
            }
            "seqpacket" => {
                let client = ipc_uds::connect_seqpacket(&path).expect("let in");
                client.send_with_fds(b"x", &gift).expect("send");
                packets.push(client);
            }
            _ => {
                let client = ipc_uds::connect_datagram(&path).expect("let in");
                client.send_with_fds(b"x", &gift).expect("send");
            }
        }
    }
    let _ = done.recv(&mut [0; 1]);
}

#[test]
fn another_users_flood_leaves_a_user_its_whole_share() {
    if !rustix::process::geteuid().is_root() {
        skip!("needs root to become another user");
    }
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).expect("ours");
    let null = File::open("/dev/null").expect("a device");
    let mut options = limits();
    options.mode(0o666).policy(Policy::users([0, STRANGER]));
    for way in ["stream", "seqpacket", "datagram"] {
        let path = dir.join(way);
        let (streams, packets, datagrams) = match way {
            "stream" => (Some(options.bind(&path).expect("bind")), None, None),
            "seqpacket" => (
                None,
                Some(options.bind_seqpacket(&path).expect("bind")),
                None,
            ),
            _ => (
                None,
                None,
                Some(options.bind_datagram(&path).expect("bind")),
            ),
        };
        let mut held: Vec<Ancillary> = Vec::new();
        let mut ends: Vec<Box<dyn std::any::Any>> = Vec::new();
        let mut take = || {
            let mut gifts = Ancillary::new();
            let mut bytes = [0; 4];
            let outcome = if let Some(listener) = &streams {
                let server = listener.accept().expect("accept");
                let outcome = server.recv_with_fds(&mut bytes, &mut gifts);
                ends.push(Box::new(server));
                outcome
            } else if let Some(listener) = &packets {
                let server = listener.accept().expect("accept");
                let outcome = server.recv_with_fds(&mut bytes, &mut gifts);
                ends.push(Box::new(server));
                outcome
            } else {
                let socket = datagrams.as_ref().expect("the third way");
                socket.recv_with_fds(&mut bytes, &mut gifts)
            };
            if outcome.is_ok() {
                held.push(gifts);
            }
            outcome.map(drop).map_err(|error| error.kind())
        };
        let (done, tell) = ipc_uds::pair().expect("a pair");
        let child = Role::new("giver")
            .argument(path.display())
            .argument(way)
            .descriptor(&tell)
            .spawn();
        drop(tell);
        for _ in 0..4 {
            take().expect("the stranger's share");
        }
        // The stranger has all it may have. Ours is untouched, and is as large.
        let mut clients: Vec<Box<dyn std::any::Any>> = Vec::new();
        let mut give = |count| {
            let gift = copies(&null, count);
            match way {
                "stream" => {
                    let client = ipc_uds::connect(&path).expect("connect");
                    client.send_with_fds(b"x", &gift).expect("send");
                    clients.push(Box::new(client));
                }
                "seqpacket" => {
                    let client = ipc_uds::connect_seqpacket(&path).expect("connect");
                    client.send_with_fds(b"x", &gift).expect("send");
                    clients.push(Box::new(client));
                }
                _ => {
                    let client = ipc_uds::connect_datagram(&path).expect("connect");
                    client.send_with_fds(b"x", &gift).expect("send");
                }
            }
        };
        for _ in 0..4 {
            give(16);
            take().expect("our own share");
        }
        give(1);
        assert_eq!(
            take(),
            Err(ErrorKind::LimitReached),
            "{way}: and no more than that"
        );
        drop(done);
        child.done();
    }
}
