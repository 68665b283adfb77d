//! Accepting: who is let in, what goes wrong, and how it stops.

use crate::loopback::{PATIENCE, SHORT, ipv6, own_network};
use ipc_core::{Interest, Pollable, Until};
use ipc_net::{ErrorKind, Listener, Options, Policy};
use ipc_testkit::{deny_where, isolated, skip, watchdog, without_stdio};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

fn at(listener: &Listener) -> SocketAddr {
    listener.address().expect("it is bound")
}

#[test]
fn a_refused_peer_is_closed_counted_and_passed_over_within_the_same_time() {
    let _watchdog = watchdog(PATIENCE);
    let turn = Arc::new(AtomicBool::new(false));
    let theirs = Arc::clone(&turn);
    let mut options = Options::new();
    options.policy(Policy::custom(move |peer| {
        peer.ip().is_ipv4() && theirs.load(Ordering::Relaxed)
    }));
    let listener = options.bind("127.0.0.1:0").expect("bind");
    for round in 1..=3 {
        turn.store(false, Ordering::Relaxed);
        let refused = ipc_net::connect(at(&listener)).expect("connect");
        let late = listener.accept_timeout(SHORT).expect_err("it is refused");
        assert_eq!(
            (late.kind(), listener.refused()),
            (ErrorKind::TimedOut, round)
        );
        let error = refused.recv(&mut [0; 4]).expect_err("it was closed");
        assert_eq!(error.kind(), ErrorKind::Closed);
        turn.store(true, Ordering::Relaxed);
        let admitted = ipc_net::connect(at(&listener)).expect("connect");
        let server = listener.accept().expect("it is admitted");
        assert_eq!(server.peer_address().ok(), admitted.address().ok());
    }
    let mut options = Options::new();
    options.policy(Policy::networks([(
        "192.0.2.0".parse().expect("an address"),
        24,
    )]));
    let listener = options.bind("127.0.0.1:0").expect("bind");
    let _client = ipc_net::connect(at(&listener)).expect("connect");
    let error = listener.try_accept().expect_err("refused");
    assert_eq!(
        (error.kind(), listener.refused()),
        (ErrorKind::WouldBlock, 1)
    );
}

#[test]
fn a_listener_that_is_stopped_wakes_who_waits_and_nobody_can_connect() {
    let _watchdog = watchdog(PATIENCE);
    let listener = ipc_net::bind("127.0.0.1:0").expect("bind");
    let address = at(&listener);
    let client = ipc_net::connect(address).expect("connect");
    let served = listener.accept().expect("accept");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| listener.accept().map(drop));
        // A waiter that has not got to its wait yet sees the same.
        listener.stop().expect("it listens");
        let error = waiting.join().expect("no panic").expect_err("stopped");
        assert_eq!(error.kind(), ErrorKind::Closed);
    });
    listener.stop().expect("twice is once");
    for outcome in [
        listener.try_accept(),
        listener.accept_timeout(SHORT),
        listener.accept(),
    ] {
        assert_eq!(outcome.expect_err("stopped").kind(), ErrorKind::Closed);
    }
    let error = ipc_net::connect(address).expect_err("nobody listens");
    assert_eq!(error.kind(), ErrorKind::Refused);
    // What was accepted lives on, to its own end.
    served.send(b"bye").expect("it lives");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            served
                .drain_timeout(ipc_net::DRAIN_TIMEOUT)
                .expect("in order")
        });
        let mut bytes = [0; 8];
        assert_eq!(client.recv(&mut bytes).expect("sent before"), 3);
        assert_eq!(
            client.recv(&mut bytes).expect_err("the end").kind(),
            ErrorKind::Closed
        );
        drop(client);
    });
}

#[test]
fn without_descriptors_an_accept_names_the_limit_costs_nothing_and_recovers() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let listener = ipc_net::bind("127.0.0.1:0").expect("bind");
        let client = ipc_net::connect(at(&listener)).expect("connect");
        let before = getrlimit(Resource::Nofile);
        // The lowest number that is free is the first that is too high.
        let next = client
            .as_fd()
            .try_clone_to_owned()
            .expect("a copy")
            .as_raw_fd() as u64;
        let low = Rlimit {
            current: Some(next),
            maximum: before.maximum,
        };
        setrlimit(Resource::Nofile, low).expect("lower is allowed");
        let error = listener.try_accept().expect_err("no descriptor");
        assert_eq!(error.kind(), ErrorKind::LimitReached);
        assert!(error.to_string().contains("RLIMIT_NOFILE"), "{error}");
        // A loop that only asks again.
        let (start, cpu) = (Instant::now(), cpu_time());
        let mut errors = 0;
        while start.elapsed().as_millis() < 1000 {
            let error = listener.accept().expect_err("still none");
            assert_eq!(error.kind(), ErrorKind::LimitReached);
            errors += 1;
        }
        assert!(errors <= 11, "{errors} in a second");
        let spent = cpu_time() - cpu;
        assert!(spent.as_millis() < 200, "{spent:?} of a second");
        // A deadline holds while it rests, and its error is its own.
        let error = listener.accept_timeout(SHORT).expect_err("no time");
        assert!(matches!(
            error.kind(),
            ErrorKind::LimitReached | ErrorKind::TimedOut
        ));
        setrlimit(Resource::Nofile, before).expect("as it was");
        let server = listener.accept().expect("the connection has waited");
        client.send(b"x").expect("send");
        assert_eq!(server.recv(&mut [0; 4]).expect("received"), 1);
    });
}

/// What this process has used of the processor.
fn cpu_time() -> std::time::Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    std::time::Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn an_error_of_one_connection_is_passed_over() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let listener = ipc_net::bind("127.0.0.1:0").expect("bind");
        // It is gone again before it is accepted.
        crate::streams::reset(ipc_net::connect(at(&listener)).expect("connect"));
        let client = ipc_net::connect(at(&listener)).expect("connect");
        let ours = client.address().expect("bound");
        loop {
            let server = listener.accept().expect("one is there");
            if server.peer_address().is_ok_and(|theirs| theirs == ours) {
                break;
            }
        }
        // What the kernel cannot do is an error, and the listener stays usable.
        let _client = ipc_net::connect(at(&listener)).expect("connect");
        std::thread::scope(|scope| {
            // A filter belongs to its thread, so that the other one goes on without it.
            scope.spawn(|| {
                let flags = u64::from(rustix::net::SocketFlags::CLOEXEC.bits());
                deny_where(libc::SYS_accept4, 3, 0xffff_ffff, flags, libc::ENOMEM);
                let error = listener.try_accept().expect_err("no memory");
                assert_eq!(error.kind(), ErrorKind::LimitReached);
            });
        });
        listener.accept().expect("the client is still there");
    });
}

#[test]
fn a_port_that_is_taken_or_not_ours_says_so() {
    let listener = ipc_net::bind("127.0.0.1:0").expect("bind");
    let error = ipc_net::bind(at(&listener)).expect_err("taken");
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(error.to_string().contains("127.0.0.1"), "{error}");
    let both: [SocketAddr; 2] = [at(&listener), "127.0.0.1:0".parse().expect("an address")];
    let second = ipc_net::bind(&both[..]).expect("the second is free");
    assert_ne!(at(&second), at(&listener));
    let error = ipc_net::bind("nonsense").expect_err("no port");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let mut shared = Options::new();
    shared.reuse_port(true);
    let one = shared.bind("127.0.0.1:0").expect("bind");
    let _two = shared.bind(at(&one)).expect("shared");
    let error = ipc_net::bind(at(&one)).expect_err("not shared");
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
}

#[test]
fn a_port_is_free_again_as_soon_as_its_listener_is_gone() {
    let listener = ipc_net::bind("127.0.0.1:0").expect("bind");
    let address = at(&listener);
    let client = ipc_net::connect(address).expect("connect");
    let server = listener.accept().expect("accept");
    // The side that closes first is the one the kernel remembers.
    drop((server, listener));
    drop(client);
    ipc_net::bind(address).expect("its connections are no hindrance");
}

#[test]
fn ports_below_1024_need_a_right_that_is_named() {
    if rustix::process::geteuid().is_root() {
        skip!("root may have any port");
    }
    match ipc_net::bind("127.0.0.1:1") {
        Ok(_) => skip!("this host gives every port to everybody"),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Denied);
            assert!(error.to_string().contains("CAP_NET_BIND_SERVICE"));
        }
    }
}

#[test]
fn one_listener_serves_both_families_and_one_that_is_told_to_only_one() {
    if let Err(cause) = ipv6() {
        skip!("{cause}");
    }
    if !rustix::process::geteuid().is_root() {
        skip!("needs root to make a network of its own");
    }
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        if let Err(cause) = own_network() {
            skip!("{cause}");
        }
        let mut options = Options::new();
        options.insecure_plain_text(true);
        let both = options.bind("[::]:0").expect("bind");
        let port = at(&both).port();
        for address in ["127.0.0.1", "::1", "192.0.2.1", "2001:db8::1"] {
            let address = SocketAddr::new(address.parse().expect("an address"), port);
            let client = options.connect(address).expect("connect");
            let server = both.accept().expect("accept");
            client.send(b"x").expect("send");
            assert_eq!(server.recv(&mut [0; 4]).expect("received"), 1);
            assert_eq!(
                server.peer_address().expect("a peer").ip().to_canonical(),
                address.ip()
            );
        }
        let six = options.only_v6(true).bind("[::]:0").expect("bind");
        let port = at(&six).port();
        options.connect(("::1", port)).expect("connect");
        let error = options.connect(("127.0.0.1", port)).expect_err("not here");
        assert_eq!(error.kind(), ErrorKind::Refused);
    });
}

#[test]
fn a_listener_from_elsewhere_blocks_as_it_did_and_one_given_away_does_too() {
    let _watchdog = watchdog(PATIENCE);
    let raw = TcpListener::bind("127.0.0.1:0").expect("bind");
    let listener = Listener::from(OwnedFd::from(raw));
    let none = listener.try_accept().expect_err("nobody came");
    assert_eq!(none.kind(), ErrorKind::WouldBlock);
    let none = listener.accept_timeout(SHORT).expect_err("nobody came");
    assert_eq!(none.kind(), ErrorKind::TimedOut);
    let _client = ipc_net::connect(at(&listener)).expect("connect");
    listener
        .wait_ready(&[Interest::Read], Until::Forever)
        .expect("one came");
    listener.accept().expect("accept");
    let ours = ipc_net::bind("127.0.0.1:0").expect("bind");
    let address = at(&ours);
    let raw = TcpListener::from(OwnedFd::from(ours));
    std::thread::scope(|scope| {
        scope.spawn(|| raw.accept().expect("it blocks until one comes"));
        ipc_net::connect(address).expect("connect");
    });
}

#[test]
fn closed_standard_streams_never_become_sockets() {
    isolated!({
        let numbers = without_stdio(|| {
            let listener = ipc_net::bind("127.0.0.1:0").expect("bind");
            let client = ipc_net::connect(at(&listener)).expect("connect");
            let server = listener.accept().expect("accept");
            let datagram = ipc_net::bind_datagram("127.0.0.1:0").expect("bind");
            let begun = Options::new().begin_connect(at(&listener)).expect("begun");
            [
                listener.as_fd().as_raw_fd(),
                client.as_fd().as_raw_fd(),
                server.as_fd().as_raw_fd(),
                datagram.as_fd().as_raw_fd(),
                begun.descriptor(Interest::Read).as_raw_fd(),
            ]
        });
        assert!(numbers.iter().all(|number| *number > 2), "{numbers:?}");
    });
}
