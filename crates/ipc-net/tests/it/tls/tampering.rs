//! Sealed bytes that are changed, cut off, repeated, or come in pieces.

use super::authority::both_sides;
use crate::loopback::PATIENCE;
use ipc_net::{ErrorKind, Stream, tls};
use ipc_testkit::watchdog;

/// Kind and version of a record.
const HEADER_BITS: usize = 24;

/// A client and a server between which every byte is in our hands.
struct Between {
    client: tls::Stream,
    to_client: Stream,
    server: tls::Stream,
    to_server: Stream,
}

impl Between {
    /// With the handshake made.
    fn new(server: &tls::Server, client: &tls::Client) -> Self {
        let (left, to_client) = ipc_net::pair().expect("a pair");
        let (to_server, right) = ipc_net::pair().expect("a pair");
        let between = Self {
            client: client.begin("server.test", left).expect("a stream"),
            to_client,
            server: server.begin(right).expect("a stream"),
            to_server,
        };
        let (mut client_done, mut server_done) = (false, false);
        while !client_done || !server_done {
            client_done |= between.client.try_handshake().is_ok();
            server_done |= between.server.try_handshake().is_ok();
            let mut bytes = [0; 4096];
            while let Ok(length) = between.to_client.try_recv(&mut bytes) {
                between.to_server.send(&bytes[..length]).expect("send");
            }
            while let Ok(length) = between.to_server.try_recv(&mut bytes) {
                between.to_client.send(&bytes[..length]).expect("send");
            }
        }
        between
    }

    /// The sealed bytes of what the client sends.
    fn sealed(&self, message: &[u8]) -> Vec<u8> {
        self.client.send(message).expect("send");
        let mut bytes = vec![0; 4096];
        let length = self.to_client.recv(&mut bytes).expect("sealed");
        bytes.truncate(length);
        bytes
    }
}

#[test]
fn every_flipped_bit_of_a_record_is_seen() {
    let _watchdog = watchdog(PATIENCE);
    let (server, client) = both_sides();
    let length = Between::new(&server, &client)
        .sealed(b"pay 10 to anna")
        .len();
    for bit in 0..length * 8 {
        // A flipped length waits for bytes that never come: then it ends.
        let between = Between::new(&server, &client);
        let mut sealed = between.sealed(b"pay 10 to anna");
        sealed[bit / 8] ^= 1 << (bit % 8);
        between.to_server.send(&sealed).expect("send");
        between.to_server.close_write().expect("once");
        let mut bytes = [0; 64];
        let outcome = between.server.recv(&mut bytes);
        if bit < HEADER_BITS && outcome.is_ok() {
            // The kind and version outside mean nothing (RFC 8446, 5.1): the sealed ones count.
            assert_eq!(&bytes[..14], b"pay 10 to anna");
            continue;
        }
        let error = outcome.expect_err("changed");
        assert!(
            matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Truncated),
            "bit {bit}: {error}"
        );
    }
}

#[test]
fn a_record_that_is_repeated_dropped_or_swapped_is_seen() {
    let _watchdog = watchdog(PATIENCE);
    let (server, client) = both_sides();
    for order in [&[0, 0][..], &[1], &[1, 0], &[0, 2]] {
        let between = Between::new(&server, &client);
        let records = [b"one", b"two", b"six"].map(|word| between.sealed(word));
        for number in order {
            between.to_server.send(&records[*number]).expect("send");
        }
        let mut received = 0;
        let error = loop {
            match between.server.recv(&mut [0; 3]) {
                Ok(_) => received += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{order:?}: {error}");
        assert_eq!(received, usize::from(order[0] == 0));
    }
}

#[test]
fn the_end_at_every_offset_is_truncated_unless_the_peer_has_said_that_it_ended() {
    let _watchdog = watchdog(PATIENCE);
    let (server, client) = both_sides();
    let length = Between::new(&server, &client).sealed(b"word").len();
    for cut in 0..=length {
        let between = Between::new(&server, &client);
        let sealed = between.sealed(b"word");
        between.to_server.send(&sealed[..cut]).expect("send");
        between.to_server.close_write().expect("once");
        let mut bytes = [0; 8];
        if cut == length {
            assert_eq!(between.server.recv(&mut bytes).expect("whole"), 4);
        }
        for _ in 0..2 {
            let error = between.server.recv(&mut bytes).expect_err("cut off");
            assert_eq!(error.kind(), ErrorKind::Truncated, "after {cut}: {error}");
        }
    }
    let between = Between::new(&server, &client);
    between.client.close_write().expect("once");
    let mut bytes = [0; 64];
    let length = between.to_client.recv(&mut bytes).expect("its word");
    between.to_server.send(&bytes[..length]).expect("send");
    for _ in 0..2 {
        let error = between.server.recv(&mut bytes).expect_err("the end");
        assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    }
}

#[test]
fn a_record_that_dribbles_in_byte_by_byte_is_received_whole() {
    let _watchdog = watchdog(PATIENCE);
    let (server, client) = both_sides();
    let between = Between::new(&server, &client);
    let sealed = between.sealed(b"word");
    let mut bytes = [0; 8];
    for byte in &sealed {
        let early = between.server.try_recv(&mut bytes).expect_err("not whole");
        assert_eq!(early.kind(), ErrorKind::WouldBlock);
        between.to_server.send(&[*byte]).expect("send");
    }
    assert_eq!(between.server.recv(&mut bytes).expect("whole"), 4);
    assert_eq!(&bytes[..4], b"word");
}
