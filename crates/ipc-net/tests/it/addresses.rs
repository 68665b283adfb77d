//! Plain text stays on this host, unless an option that says insecure lets it leave.

use crate::loopback::{PATIENCE, own_network};
use ipc_net::{Error, ErrorKind, Options};
use ipc_testkit::{deny, isolated, skip, watchdog};
use std::net::SocketAddr;

/// Addresses beyond the loopback interface, as different as they come.
const BEYOND: &[&str] = &[
    "0.0.0.0:0",
    "[::]:0",
    "192.0.2.1:80",
    "10.0.0.1:80",
    "169.254.1.1:80",
    "224.0.0.1:80",
    "255.255.255.255:80",
    "128.0.0.1:80",
    "126.255.255.255:80",
    "[::2]:80",
    "[2001:db8::1]:80",
    "[fe80::1]:80",
    "[ff02::1]:80",
    "[::ffff:192.0.2.1]:80",
    "[::ffff:0.0.0.0]:80",
    "[64:ff9b::7f00:1]:80",
];

#[track_caller]
fn assert_denied<T: std::fmt::Debug>(outcome: Result<T, Error>) {
    let error = outcome.expect_err("plain text would leave the host");
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    let text = error.to_string();
    assert!(
        text.contains("insecure_plain_text") && text.contains("tls"),
        "{text}"
    );
}

#[test]
fn by_default_nothing_is_bound_connected_or_sent_beyond_loopback() {
    isolated!({
        // Not a single socket is asked for.
        let datagram = ipc_net::bind_datagram("127.0.0.1:0").expect("bind");
        deny(libc::SYS_socket, libc::EIO);
        deny(libc::SYS_connect, libc::EIO);
        deny(libc::SYS_sendto, libc::EIO);
        for address in BEYOND {
            assert_denied(ipc_net::bind(address));
            assert_denied(ipc_net::bind_datagram(address));
            assert_denied(ipc_net::connect(address));
            assert_denied(ipc_net::try_connect(address));
            assert_denied(ipc_net::connect_datagram(address));
            assert_denied(Options::new().begin_connect(address));
            assert_denied(datagram.connect(address));
            let address: SocketAddr = address.parse().expect("an address");
            assert_denied(datagram.send_to(b"secret", address));
            // One good address does not let a bad one in.
            let mixed = ["127.0.0.1:1".parse().expect("an address"), address];
            assert_denied(ipc_net::connect(&mixed[..]));
            assert_denied(ipc_net::bind(&mixed[..]));
            let mut taken_back = Options::new();
            taken_back
                .insecure_plain_text(true)
                .insecure_plain_text(false);
            assert_denied(taken_back.bind(address));
        }
    });
}

#[test]
fn every_loopback_address_is_on_this_host() {
    for address in ["127.0.0.1:0", "127.0.0.2:0", "127.255.255.254:0"] {
        let listener = ipc_net::bind(address).expect("loopback");
        ipc_net::connect(listener.address().expect("bound")).expect("connect");
        ipc_net::bind_datagram(address).expect("loopback");
    }
}

#[test]
fn the_insecure_option_lets_plain_text_leave() {
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
        for address in ["192.0.2.1:0", "[2001:db8::1]:0", "0.0.0.0:0"] {
            let listener = options.bind(address).expect("bind");
            let address = listener.address().expect("bound");
            let client = options.connect(address).expect("connect");
            let server = listener.accept().expect("accept");
            client.send(b"for everyone").expect("send");
            assert_eq!(server.recv(&mut [0; 16]).expect("received"), 12);
        }
        let receiver = options.bind_datagram("192.0.2.1:0").expect("bind");
        let address = receiver.address().expect("bound");
        let sender = options.bind_datagram("0.0.0.0:0").expect("bind");
        sender.send_to(b"for everyone", address).expect("send");
        assert_eq!(receiver.recv(&mut [0; 16]).expect("received"), 12);
        // No way leads there, and that is said.
        let error = options.connect("198.51.100.1:1").expect_err("no way");
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        let error = options.bind("198.51.100.1:0").expect_err("not ours");
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    });
}
