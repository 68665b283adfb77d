//! Messages without a connection.

use crate::loopback::{PATIENCE, SHORT, ipv6, pattern};
use ipc_net::{Datagram, ErrorKind, MAX_DATAGRAM_BYTES, Options};
use ipc_testkit::{Storm, allocations, deny, isolated, skip, watchdog};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

fn pair() -> (Datagram, Datagram) {
    let receiver = ipc_net::bind_datagram("127.0.0.1:0").expect("bind");
    let sender = ipc_net::connect_datagram(receiver.address().expect("bound")).expect("connect");
    receiver
        .connect(sender.address().expect("bound"))
        .expect("connect");
    (sender, receiver)
}

#[test]
fn every_form_sends_and_receives_whole_messages_empty_ones_too() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = pair();
    let late = Instant::now() + PATIENCE;
    let mut bytes = vec![0; MAX_DATAGRAM_BYTES];
    let address = rx.address().expect("bound");
    let from = tx.address().expect("bound");
    for length in [0, 1, 64, 1472, 1473, 65_000, MAX_DATAGRAM_BYTES] {
        let message = pattern(length);
        tx.send(&message).expect("send");
        assert_eq!(rx.recv(&mut bytes).expect("recv"), length);
        assert_eq!(bytes[..length], message);
        tx.try_send(&message).expect("send");
        assert_eq!(rx.try_recv(&mut bytes).expect("recv"), length);
        tx.send_timeout(&message, PATIENCE).expect("send");
        let received = rx.recv_timeout(&mut bytes, Duration::MAX).expect("recv");
        assert_eq!(received, length);
        tx.send_deadline(&message, late).expect("send");
        assert_eq!(rx.recv_deadline(&mut bytes, late).expect("recv"), length);
        let sender = ipc_net::bind_datagram(SocketAddr::new(from.ip(), 0)).expect("bind");
        sender.send_to(&message, from).expect("send");
        rx.send_to(&message, from).expect("send");
        let (received, who) = tx.recv_from(&mut bytes).expect("recv");
        assert_eq!((received, who), (length, address), "only the peer's came");
    }
    let none = rx.try_recv(&mut bytes).expect_err("no more");
    assert_eq!(none.kind(), ErrorKind::WouldBlock);
    let start = Instant::now();
    let none = rx.recv_timeout(&mut bytes, SHORT).expect_err("no more");
    assert_eq!(none.kind(), ErrorKind::TimedOut);
    assert!(start.elapsed() >= SHORT);
}

#[test]
fn a_message_above_the_limit_or_the_buffer_says_so() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = pair();
    let error = tx
        .send(&pattern(MAX_DATAGRAM_BYTES + 1))
        .expect_err("above the limit");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("65507"), "{error}");
    tx.send(&pattern(100)).expect("send");
    tx.send(b"next").expect("send");
    let error = rx.recv(&mut [0; 99]).expect_err("one byte short");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let text = error.to_string();
    assert!(text.contains("100") && text.contains("99"), "{text}");
    assert_eq!(rx.recv(&mut [0; 99]).expect("the next is whole"), 4);
}

#[test]
fn ipv6_carries_twenty_bytes_more() {
    if let Err(cause) = ipv6() {
        skip!("{cause}");
    }
    let _watchdog = watchdog(PATIENCE);
    let rx = ipc_net::bind_datagram("[::1]:0").expect("bind");
    let tx = ipc_net::connect_datagram(rx.address().expect("bound")).expect("connect");
    let mut bytes = vec![0; 1 << 16];
    tx.send(&pattern(MAX_DATAGRAM_BYTES + 20)).expect("send");
    assert_eq!(rx.recv(&mut bytes).expect("recv"), MAX_DATAGRAM_BYTES + 20);
    let error = tx
        .send(&pattern(MAX_DATAGRAM_BYTES + 21))
        .expect_err("above");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

#[test]
fn a_receiver_that_is_gone_refuses_a_later_message() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = pair();
    let address = rx.address().expect("bound");
    drop(rx);
    tx.send(b"nobody gets this").expect("it goes out");
    let error = tx.recv(&mut [0; 4]).expect_err("it came back");
    assert_eq!(error.kind(), ErrorKind::Refused);
    let again = ipc_net::bind_datagram(address).expect("the port is free");
    tx.send(b"hello").expect("somebody is there");
    assert_eq!(again.recv(&mut [0; 8]).expect("recv"), 5);
    let nowhere = ipc_net::bind_datagram("127.0.0.1:0").expect("bind");
    let error = nowhere.send(b"x").expect_err("to nobody");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let error = nowhere.peer_address().expect_err("no peer");
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[test]
fn a_full_receiver_loses_messages_and_tears_none() {
    let _watchdog = watchdog(PATIENCE);
    let rx = Options::new()
        .receive_buffer_bytes(4096)
        .bind_datagram("127.0.0.1:0")
        .expect("bind");
    let tx = ipc_net::connect_datagram(rx.address().expect("bound")).expect("connect");
    for number in 0..1000_u32 {
        tx.send(&number.to_le_bytes().repeat(50))
            .expect("it goes out");
    }
    let mut bytes = [0; 400];
    let mut received = 0;
    // A busy host may bring the first a moment later.
    let mut next = rx.recv(&mut bytes);
    while let Ok(length) = next {
        let number = bytes.first_chunk::<4>().expect("four");
        assert_eq!(bytes[..length], number.repeat(50));
        received += 1;
        next = rx.try_recv(&mut bytes);
    }
    assert!((1..1000).contains(&received), "{received} came");
}

#[test]
fn a_message_costs_one_system_call_each_way_and_no_allocation() {
    isolated!({
        let (tx, rx) = pair();
        for call in [
            libc::SYS_ppoll,
            libc::SYS_poll,
            libc::SYS_fcntl,
            libc::SYS_getsockopt,
            libc::SYS_sendmsg,
            libc::SYS_recvmsg,
            libc::SYS_ioctl,
        ] {
            deny(call, libc::EIO);
        }
        let address = rx.address().expect("bound");
        let mut bytes = [0; 64];
        let counted = allocations(|| {
            for _ in 0..10 {
                tx.send(b"x").expect("one call");
                assert_eq!(rx.recv(&mut bytes).expect("one call"), 1);
                tx.try_send(b"x").expect("one call");
                assert_eq!(rx.try_recv(&mut bytes).expect("one call"), 1);
                tx.send_to(b"x", address).expect("one call");
                assert_eq!(rx.recv_from(&mut bytes).expect("one call").0, 1);
                rx.try_recv(&mut bytes).expect_err("no more");
            }
        });
        assert_eq!(counted, 0);
    });
}

#[test]
fn a_storm_of_signals_changes_nothing() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let (tx, rx) = pair();
        let _storm = Storm::here();
        let mut bytes = [0; 64];
        for number in 0..5000_u32 {
            tx.send(&number.to_le_bytes()).expect("send");
            assert_eq!(rx.recv(&mut bytes).expect("recv"), 4);
            assert_eq!(bytes[..4], number.to_le_bytes());
        }
        let deadline = Instant::now() + 20 * SHORT;
        let late = rx.recv_deadline(&mut bytes, deadline).expect_err("no more");
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        assert!(Instant::now() >= deadline);
    });
}

#[test]
fn a_socket_from_elsewhere_is_adopted_and_given_away() {
    let raw = UdpSocket::bind("127.0.0.1:0").expect("bind");
    let datagram = Datagram::from(OwnedFd::from(raw));
    let address = datagram.address().expect("bound");
    let other = ipc_net::connect_datagram(address).expect("connect");
    other.send(b"x").expect("send");
    assert_eq!(datagram.recv(&mut [0; 4]).expect("recv"), 1);
    let raw = UdpSocket::from(OwnedFd::from(datagram));
    assert_eq!(raw.local_addr().expect("bound"), address);
}
