//! Abstract names, which have no permissions: credentials guard them.

use ipc_testkit::{Stage, isolated, skip, watchdog};
use ipc_uds::{Address, ErrorKind, MAX_PATH_BYTES, Options, Policy};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

fn name(what: &str) -> Address {
    Address::abstract_name(format!("ipc-uds test {} {what}", std::process::id())).expect("short")
}

#[test]
fn names_of_any_length_and_bytes_work() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        for length in [1, 2, 50, MAX_PATH_BYTES - 1, MAX_PATH_BYTES] {
            for filler in [0u8, b'/', 0xff] {
                let mut bytes = format!("{}", std::process::id()).into_bytes();
                bytes.resize(length.max(bytes.len()), filler);
                let address = Address::abstract_name(&bytes).expect("up to 107 bytes");
                let listener = ipc_uds::bind(address).expect("bind");
                let client = ipc_uds::connect(address).expect("connect");
                assert_eq!(listener.address().expect("named"), address);
                assert_eq!(
                    client.peer_address().expect("named").as_abstract(),
                    Some(&*bytes)
                );
                let taken = ipc_uds::bind(address).map(drop).expect_err("taken");
                assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
                drop(listener);
                let gone = ipc_uds::connect(address).map(drop).expect_err("gone");
                assert_eq!(gone.kind(), ErrorKind::Refused);
            }
        }
    });
}

#[test]
fn the_empty_name_is_a_name_and_not_the_lack_of_one() {
    let _watchdog = watchdog(PATIENCE);
    let empty = Address::abstract_name(b"").expect("a name");
    assert!(!empty.is_unnamed());
    let listener = match ipc_uds::bind(empty) {
        Ok(listener) => listener,
        Err(error) => skip!("another program of this host has the empty name: {error}"),
    };
    assert_eq!(listener.address().expect("named"), empty);
    ipc_uds::connect(empty).expect("connect");
}

#[test]
fn bound_without_a_name_a_socket_gets_one_from_the_kernel() {
    let listener = ipc_uds::bind(Address::UNNAMED).expect("bind");
    let address = listener.address().expect("named");
    assert!(address.as_abstract().is_some_and(|name| name.len() == 5));
    ipc_uds::connect(address).expect("connect");
    let nowhere = ipc_uds::connect(Address::UNNAMED).expect_err("nobody is found so");
    assert_eq!(nowhere.kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_name_open_to_anyone_is_refused() {
    let open = Options::new().policy(Policy::anyone()).clone();
    for outcome in [
        open.bind(name("open")).map(drop),
        open.bind_seqpacket(name("open")).map(drop),
        open.bind_datagram(name("open")).map(drop),
        open.bind(Address::UNNAMED).map(drop),
    ] {
        let error = outcome.expect_err("it has no permissions");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("credentials"), "{error}");
    }
}

#[test]
fn datagrams_to_a_name_go_out_only_where_that_is_meant() {
    let receiver = ipc_uds::bind_datagram(name("datagrams")).expect("bind");
    let address = receiver.address().expect("named");
    let sender = ipc_uds::datagram().expect("a socket");
    for outcome in [
        sender.send_to(b"x", &address),
        sender.connect(&address),
        ipc_uds::connect_datagram(address).map(drop),
    ] {
        let error = outcome.expect_err("nobody knows who has it");
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.to_string().contains("Policy::anyone"), "{error}");
    }
    let open = Options::new().policy(Policy::anyone()).clone();
    let sender = open.datagram().expect("a socket");
    sender.send_to(b"x", &address).expect("it is meant");
    open.connect_datagram(address)
        .expect("it is meant")
        .send(b"y")
        .expect("send");
    assert_eq!(receiver.recv(&mut [0; 4]).expect("ours is let in"), 1);
    assert_eq!(receiver.recv(&mut [0; 4]).expect("ours is let in"), 1);
    assert_eq!(receiver.refused(), 0);
}

/// Listens at the abstract name in argument 0, as whoever it is started as.
pub(crate) fn squat(mut stage: Stage) {
    let tell = ipc_uds::Stream::from(stage.descriptor());
    let address = Address::abstract_name(stage.argument(0)).expect("short");
    let listener = ipc_uds::bind(address).expect("a free name");
    let uid = stage.argument(1).parse().expect("a user id");
    let user = rustix::process::Uid::from_raw(uid);
    rustix::thread::set_thread_res_uid(user, user, user).expect("root may");
    // The kernel shows a server's ids as they were when it began to listen.
    rustix::net::listen(&listener, 8).expect("listen again");
    tell.send(b"!").expect("somebody asks");
    let _ = tell.recv(&mut [0; 1]);
}

#[test]
fn a_squatter_of_another_user_is_found_out_at_connect() {
    if !rustix::process::geteuid().is_root() {
        skip!("needs root to become another user");
    }
    let _watchdog = watchdog(PATIENCE);
    let address = name("squatted");
    let (told, tell) = ipc_uds::pair().expect("a pair");
    let text = String::from_utf8_lossy(address.as_abstract().expect("a name")).into_owned();
    let child = ipc_testkit::Role::new("squatter")
        .argument(text)
        .argument(12_345)
        .descriptor(&tell)
        .spawn();
    drop(tell);
    told.recv(&mut [0; 1]).expect("it squats");
    let denied = ipc_uds::connect(address).expect_err("it is not of our user");
    assert_eq!(denied.kind(), ErrorKind::Denied);
    assert!(denied.to_string().contains("12345"), "{denied}");
    Options::new()
        .policy(Policy::users([12_345]))
        .connect(address)
        .expect("it is meant");
    Options::new()
        .policy(Policy::anyone())
        .connect(address)
        .expect("it is meant");
    drop(told);
    child.done();
}
