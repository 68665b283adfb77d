//! A6: what was captured of a call over TLS, sent again, on its own connection and on others.

use ipc_core::{ByteSink, Until};
use ipc_net::tls;
use ipc_testkit::crash::{Lab, Tally};
use ipc_testkit::watchdog;
use ipc_uds::Stream;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rpc_core::{Context, Peer, Router, Server, block_on};
use rpc_native::Options;
use rpc_testkit::inventory::{Shop, StockClient, StockServer, item};
use rpc_transport::Wire;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One replay in so many is on the captured connection itself.
const SAME: u64 = 50;

struct Sides {
    client: tls::Client,
    server: tls::Server,
    shop: Arc<Shop>,
}

fn sides() -> Sides {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let root = params.self_signed(&key).expect("signed").pem();
    let authority = Issuer::new(params, key);
    let options = || {
        let mut params = CertificateParams::default();
        params.subject_alt_names =
            vec![SanType::DnsName("shop.example".try_into().expect("a name"))];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &authority).expect("signed");
        let mut options = tls::Options::new();
        options
            .certificate(certificate.pem(), key.serialize_pem())
            .trust(&root);
        options
    };
    Sides {
        client: options().client().expect("a client"),
        server: options().admit(|_| true).server().expect("a server"),
        shop: Arc::default(),
    }
}

fn send(stream: &Stream, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match stream.write_until(&[], bytes, Until::Forever) {
            Ok(written) => bytes = &bytes[written..],
            Err(_) => return false,
        }
    }
    true
}

/// Copies until the end, and keeps what it copies.
fn copy(from: &Stream, to: &Stream, kept: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.recv(&mut buffer) {
        kept.lock().expect("no panic").extend(&buffer[..length]);
        if !send(to, &buffer[..length]) {
            break;
        }
    }
}

impl Sides {
    fn serve(&self, far: Stream) -> Result<(), String> {
        let stream = self.server.begin(far).map_err(|error| error.to_string())?;
        stream.handshake().map_err(|error| error.to_string())?;
        let router = Router::new().service(StockServer::new(Arc::clone(&self.shop)));
        let wire = Wire::new(stream, Peer::Tls(["clerk".to_owned()].into()));
        let session = Options::new().session(wire, Server::new(router).served());
        session.run().map_err(|status| status.to_string())
    }

    /// One call of its own, through somebody who keeps what goes to the server, and sends its
    /// last record again if he wants to. What he has, and what became of the server.
    fn call(&self, sku: &str, again: bool) -> (Vec<u8>, Result<(), String>) {
        let (near, on_path) = ipc_uds::pair().expect("a pair");
        let (to_server, far) = ipc_uds::pair().expect("a pair");
        let (up, down) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            let server = scope.spawn(|| self.serve(far));
            let upwards = scope.spawn(|| copy(&on_path, &to_server, &up));
            let downwards = scope.spawn(|| {
                copy(&to_server, &on_path, &down);
                let _ = on_path.close_write();
            });
            let stream = self.client.begin("shop.example", near).expect("a session");
            stream.handshake().expect("both prove themselves");
            let wire = Wire::new(stream, Peer::Unknown);
            let stock = StockClient::new(Options::new().over_blocking(wire).expect("greeted"));
            let before = up.lock().expect("no panic").len();
            let put = block_on(stock.put(&Context::new(), item(sku, 1)));
            assert_eq!(put, Ok(1), "nothing was there");
            if again {
                let captured = up.lock().expect("no panic")[before..].to_vec();
                send(&to_server, &captured);
            }
            drop(stock);
            upwards.join().expect("no panic");
            let _ = to_server.close_write();
            let served = server.join().expect("no panic");
            downwards.join().expect("no panic");
            (up.lock().expect("no panic").clone(), served)
        })
    }

    fn counted(&self, sku: &str) -> Option<u32> {
        self.shop
            .shelves
            .lock()
            .expect("no panic")
            .get(sku)
            .copied()
    }
}

/// Captured calls of a method that is not idempotent are never accepted again.
pub(crate) fn of_captured_calls(lab: &mut Lab) {
    let _watchdog = watchdog(Duration::from_secs(24 * 3600));
    let replays = lab.count(300, 10_000, 100_000);
    let mut tally = Tally::new("A6", "captured calls over TLS, sent again");
    let sides = sides();
    let (captured, _) = sides.call("once", false);
    for number in 0..replays {
        let outcome = if number % SAME == 0 {
            let sku = format!("same{number}");
            match sides.call(&sku, true) {
                (_, Ok(())) => Err("the server took it for well".to_owned()),
                _ if sides.counted(&sku) != Some(1) => Err("it ran twice".to_owned()),
                _ => Ok(()),
            }
        } else {
            let (near, far) = ipc_uds::pair().expect("a pair");
            send(&near, &captured);
            near.close_write().expect("it is open");
            sides
                .serve(far)
                .err()
                .map(drop)
                .ok_or("accepted on another connection".to_owned())
        };
        let once = sides.counted("once") == Some(1);
        tally.trial(outcome.and(once.then_some(()).ok_or("it ran twice".to_owned())));
    }
    lab.enter(tally);
}
