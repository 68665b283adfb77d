//! A large message of a blocking call over a stream is read straight to where it is decoded from.

use crate::reads::reads;
use ipc_core::ByteSource;
use rpc_core::{Context, Router, Server, Status, block_on, service};
use rpc_native::{Limits, Options};
use rpc_testkit::shm;
use rpc_transport::Wire;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const LARGE: usize = 1 << 20;

#[service(name = "place.v1.Echo")]
trait Echo {
    async fn echo(&self, cx: &Context, bytes: Vec<u8>) -> Result<Vec<u8>, Status>;
}

struct Back;

impl Echo for Back {
    async fn echo(&self, _: &Context, bytes: Vec<u8>) -> Result<Vec<u8>, Status> {
        Ok(bytes)
    }
}

/// Where each piece was read to, and how long it was.
type Pieces = Arc<Mutex<Vec<(usize, usize)>>>;

#[test]
fn a_large_message_is_read_piece_behind_piece_and_moved_no_more() {
    let _watchdog = ipc_testkit::watchdog(Duration::from_secs(60));
    // Without credits between, which stand in messages' way now and then.
    let limits = Limits::new().connection_credit_bytes(1 << 30).clone();
    for (near, far) in [
        shm::pair(&ipc_ring::Options::new()).expect("memory"),
        Wire::pair().expect("a pair"),
    ] {
        let sides = [near, far].map(|wire| {
            let pieces = Pieces::default();
            let recorded = Arc::clone(&pieces);
            let wire = reads(wire, move |wire, buffer, until| {
                let at = buffer.as_ptr() as usize;
                let length = wire.read_until(buffer, until)?;
                recorded.lock().expect("no panic").push((at, length));
                Ok(length)
            });
            (wire, pieces)
        });
        let [(near, ours), (far, theirs)] = sides;
        let served = Server::new(Router::new().service(EchoServer::new(Back))).served();
        let options = Options::new().limits(limits.clone()).clone();
        let session = options.session(far, served);
        let server = std::thread::spawn(move || session.run());
        let connection = options.over_blocking(near).expect("greeted");
        let echo = EchoClient::new(connection);
        let call = || {
            let cx = Context::new();
            let back = block_on(echo.echo(&cx, vec![7; LARGE])).expect("an answer");
            assert!(back == vec![7; LARGE]);
        };
        // The buffers grow with the first.
        call();
        for pieces in [&ours, &theirs] {
            pieces.lock().expect("no panic").clear();
        }
        call();
        drop(echo);
        server.join().expect("no panic").expect("it went in order");
        for pieces in [ours, theirs] {
            let mut pieces = pieces.lock().expect("no panic").clone();
            // The server's last is the end.
            pieces.retain(|(_, length)| *length > 0);
            let all: usize = pieces.iter().map(|(_, length)| length).sum();
            assert!(all > LARGE && pieces.len() > 1, "{pieces:?}");
            for pair in pieces.windows(2) {
                assert_eq!(pair[0].0 + pair[0].1, pair[1].0, "a piece stands elsewhere");
            }
        }
    }
}
