//! Connecting: many addresses, one deadline, and hosts that do not answer.

use crate::loopback::{PATIENCE, SHORT, own_network};
use ipc_core::{Interest, Pollable, Until};
use ipc_net::{ErrorKind, Options};
use ipc_testkit::{Storm, isolated, skip, watchdog};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// A listener whose queue is full: the kernel drops what knocks there, as a host does that does
/// not answer.
struct Silent {
    listener: ipc_net::Listener,
    _queued: Vec<ipc_net::Connecting>,
}

impl Silent {
    fn new() -> Self {
        let listener = Options::new().backlog(0).bind("127.0.0.1:0").expect("bind");
        let address = listener.address().expect("bound");
        let mut queued = Vec::new();
        loop {
            let connecting = Options::new().begin_connect(address).expect("begun");
            match connecting.try_finish() {
                Ok(stream) => drop(stream),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    queued.push(connecting);
                    break;
                }
            }
            assert!(queued.len() < 100);
        }
        Self {
            listener,
            _queued: queued,
        }
    }

    fn address(&self) -> SocketAddr {
        self.listener.address().expect("bound")
    }
}

/// An address at which nobody listens, and nobody can as long as it is held.
struct Nobody {
    _bound: OwnedFd,
    address: SocketAddr,
}

fn nobody() -> Nobody {
    let (family, kind) = (AddressFamily::INET, SocketType::STREAM);
    let bound = socket_with(family, kind, SocketFlags::CLOEXEC, None).expect("a socket");
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    rustix::net::bind(&bound, &any).expect("a port");
    let address = rustix::net::getsockname(&bound).expect("bound");
    Nobody {
        _bound: bound,
        address: address.try_into().expect("an address"),
    }
}

#[test]
fn a_silent_address_holds_up_the_next_for_the_delay_alone() {
    let _watchdog = watchdog(PATIENCE);
    let silent = Silent::new();
    let listener = ipc_net::bind("127.0.0.1:0").expect("bind");
    let good = listener.address().expect("bound");
    let addresses = [silent.address(), good];
    let mut options = Options::new();
    options.attempt_delay(20 * SHORT);
    let start = Instant::now();
    let stream = options.connect(&addresses[..]).expect("the second answers");
    assert!(start.elapsed() >= 20 * SHORT);
    assert_eq!(stream.peer_address().expect("connected"), good);
    let late = options
        .connect_timeout(&addresses[..1], 3 * SHORT)
        .expect_err("nobody answers");
    assert_eq!(late.kind(), ErrorKind::TimedOut);
    let late = options
        .try_connect(&addresses[..])
        .expect_err("not without waiting");
    assert_eq!(late.kind(), ErrorKind::WouldBlock);
    let past = options
        .connect_deadline(&addresses[..1], start)
        .expect_err("too late");
    assert_eq!(past.kind(), ErrorKind::TimedOut);
}

#[test]
fn one_deadline_holds_for_all_addresses_together() {
    let _watchdog = watchdog(PATIENCE);
    let silent: Vec<_> = (0..5).map(|_| Silent::new()).collect();
    let addresses: Vec<_> = silent.iter().map(Silent::address).collect();
    let mut options = Options::new();
    options.attempt_delay(Duration::from_millis(10));
    let deadline = Instant::now() + 10 * SHORT;
    let late = options
        .connect_deadline(&addresses[..], deadline)
        .expect_err("nobody answers");
    assert_eq!(late.kind(), ErrorKind::TimedOut);
    assert!(Instant::now() >= deadline);
}

#[test]
fn an_address_that_refuses_gives_way_at_once() {
    let _watchdog = watchdog(PATIENCE);
    let listener = ipc_net::bind("127.0.0.1:0").expect("bind");
    let good = listener.address().expect("bound");
    let (first, second) = (nobody(), nobody());
    let addresses = [first.address, second.address, good];
    // Two refusals and an answer, all without waiting.
    let stream = ipc_net::connect_timeout(&addresses[..], PATIENCE).expect("the third");
    assert_eq!(stream.peer_address().expect("connected"), good);
    let error = ipc_net::connect(&addresses[..2]).expect_err("nobody listens");
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("nobody listens"), "{error}");
    let silent = Silent::new();
    let addresses = [silent.address(), first.address];
    let error = ipc_net::connect_timeout(&addresses[..], 60 * SHORT)
        .expect_err("one is silent and one refuses");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[test]
fn every_form_connects_over_loopback() {
    let _watchdog = watchdog(PATIENCE);
    let listener = ipc_net::bind("localhost:0").expect("bind");
    let address = listener.address().expect("bound");
    let late = Instant::now() + PATIENCE;
    ipc_net::connect(address).expect("connect");
    ipc_net::try_connect(address).expect("try");
    ipc_net::connect_timeout(address, Duration::MAX).expect("timeout");
    ipc_net::connect_deadline(address, late).expect("deadline");
    ipc_net::connect(("localhost", address.port())).expect("by name");
    let error = ipc_net::connect("no-such-host.invalid:1").expect_err("not resolved");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    let error = ipc_net::connect("127.0.0.1").expect_err("no port");
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    let none: &[SocketAddr] = &[];
    let error = ipc_net::connect(none).expect_err("no address");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

#[test]
fn a_connect_that_was_begun_is_waited_for_like_any_endpoint() {
    let _watchdog = watchdog(PATIENCE);
    let silent = Silent::new();
    let listener = ipc_net::bind("127.0.0.1:0").expect("bind");
    let good = listener.address().expect("bound");
    let mut options = Options::new();
    options.attempt_delay(4 * SHORT);
    let begun = options
        .begin_connect(&[silent.address(), good][..])
        .expect("begun");
    let mut rounds = 0;
    let stream = loop {
        begun
            .wait_ready(&[Interest::Read], Until::Forever)
            .expect("an attempt or the timer");
        match begun.try_finish() {
            Ok(stream) => break stream,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        rounds += 1;
    };
    assert_eq!(stream.peer_address().expect("connected"), good);
    assert!(rounds < 20, "{rounds} rounds: it does not spin");
    let nobody = nobody();
    let begun = options.begin_connect(nobody.address).expect("begun");
    let error = begun.finish().expect_err("nobody listens");
    assert_eq!(error.kind(), ErrorKind::Refused);
    let begun = options.begin_connect(silent.address()).expect("begun");
    let error = begun.finish_timeout(SHORT).expect_err("it is silent");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[test]
fn a_socket_never_connects_to_itself() {
    if !rustix::process::geteuid().is_root() {
        skip!("needs root to make a network of its own");
    }
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        if let Err(cause) = own_network() {
            skip!("{cause}");
        }
        // Nobody listens, and a client can be given one of two ports, of which it asks for one.
        let range = "/proc/sys/net/ipv4/ip_local_port_range";
        if let Err(cause) = std::fs::write(range, "40000 40001") {
            skip!("cannot set {range}: {cause}");
        }
        let target: SocketAddr = ([127, 0, 0, 1], 40_000).into();
        let itself = |raw: TcpStream| raw.local_addr().ok() == raw.peer_addr().ok();
        let fell = (0..200).any(|_| TcpStream::connect(target).is_ok_and(itself));
        assert!(fell, "the raw call connects to itself now and then");
        for _ in 0..200 {
            let error = ipc_net::connect(target).expect_err("nobody listens");
            let kind = error.kind();
            assert!(
                matches!(kind, ErrorKind::Refused | ErrorKind::LimitReached),
                "{error}"
            );
        }
    });
}

#[test]
fn a_storm_of_signals_does_not_stop_a_connect_nor_stretch_its_deadline() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let silent = Silent::new();
        let listener = ipc_net::bind("127.0.0.1:0").expect("bind");
        let good = listener.address().expect("bound");
        let _storm = Storm::here();
        for _ in 0..200 {
            ipc_net::connect(good).expect("connect");
            listener.accept().expect("accept");
        }
        let deadline = Instant::now() + 10 * SHORT;
        let late = ipc_net::connect_deadline(silent.address(), deadline).expect_err("silent");
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        assert!(Instant::now() >= deadline);
    });
}
