//! Handshakes that are old, half, slow, or come twice.

use super::authority::{Authority, both_sides, meet, side};
use crate::loopback::{PATIENCE, SHORT, own_network};
use ipc_net::{ErrorKind, Stream, tls};
use ipc_testkit::{isolated, skip, watchdog};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, ConnectionTrafficSecrets, RootCertStore};
use std::io::{Read, Write};
use std::sync::Arc;

/// A ClientHello as before TLS 1.3: it names `version` and says which signatures it takes.
fn client_hello(version: [u8; 2]) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend([7; 32]); // random
    body.push(0); // no session
    body.extend([0, 4, 0xc0, 0x2f, 0x00, 0x2f]); // two suites
    body.extend([1, 0]); // no compression
    body.extend([0, 10, 0, 13, 0, 6, 0, 4, 4, 3, 8, 4]); // two kinds of signatures
    handshake(1, &body)
}

fn server_hello(version: [u8; 2]) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend([7; 32]);
    body.push(0);
    body.extend([0xc0, 0x2f, 0]);
    handshake(2, &body)
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32).to_be_bytes();
    [&[kind], &length[1..], body].concat()
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16).to_be_bytes();
    [&[kind, 3, 1], &length[..], body].concat()
}

#[test]
fn n10_tls_1_0_and_1_1_are_refused_and_1_2_unless_it_is_allowed() {
    let _watchdog = watchdog(PATIENCE);
    let root = Authority::new("root");
    let modern = side(&root.issue(|_| ()), &root);
    let mut older = modern.clone();
    older.allow_tls_1_2(true);
    for minor in [1, 2, 3] {
        for options in [&modern, &older] {
            if minor == 3 && std::ptr::eq(options, &older) {
                continue; // That one it would speak.
            }
            let (raw, ours) = ipc_net::pair().expect("a pair");
            let server = options.server().expect("a server");
            let server = server.begin(ours).expect("a stream");
            raw.send(&record(22, &client_hello([3, minor])))
                .expect("send");
            let error = server.handshake().expect_err("too old");
            assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
            let again = server.recv(&mut [0; 4]).expect_err("it is of no use");
            assert_eq!(again.kind(), ErrorKind::Denied, "{again}");
            drop(server);
            let mut alert = Vec::new();
            let _ = (&raw).read_to_end(&mut alert);
            assert_eq!(
                alert.get(5..7),
                Some(&[2, 70][..]),
                "fatal, protocol_version"
            );
            let (raw, ours) = ipc_net::pair().expect("a pair");
            let client = options.client().expect("a client");
            let client = client.begin("server.test", ours).expect("a stream");
            raw.send(&record(22, &server_hello([3, minor])))
                .expect("send");
            let error = client.handshake().expect_err("too old");
            assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        }
    }
    let met = meet(&older, &older, "server.test");
    assert!(met.server.is_ok() && met.client.is_ok());
    let met = meet(&older, &modern, "server.test");
    assert!(met.server.is_ok() && met.client.is_ok());
}

/// A client of the engine below, whose keys can be had.
fn bare_client(root: &Authority) -> (ClientConnection, Stream, tls::Stream) {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(root.pem.as_bytes()).expect("a root");
    roots.add(certificate).expect("a root");
    let provider = rustls::crypto::CryptoProvider {
        cipher_suites: vec![rustls::crypto::ring::cipher_suite::TLS13_AES_256_GCM_SHA384],
        ..rustls::crypto::ring::default_provider()
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.enable_secret_extraction = true;
    let name = "server.test".try_into().expect("a name");
    let mut client = ClientConnection::new(Arc::new(config), name).expect("a client");
    let own = root.named("server.test");
    let mut options = tls::Options::new();
    options.certificate(&own.chain, &own.key);
    let (raw, ours) = ipc_net::pair().expect("a pair");
    let server = options.server().expect("a server");
    let server = server.begin(ours).expect("a stream");
    std::thread::scope(|scope| {
        scope.spawn(|| server.handshake().expect("a good client"));
        while client.is_handshaking() || client.wants_write() {
            if client.wants_write() {
                client.write_tls(&mut &raw).expect("write");
            } else {
                client.read_tls(&mut &raw).expect("read");
                client.process_new_packets().expect("a good server");
            }
        }
    });
    (client, raw, server)
}

#[test]
fn n12_a_second_handshake_inside_the_first_is_refused() {
    let _watchdog = watchdog(PATIENCE);
    let root = Authority::new("root");
    for kind in ["data", "renegotiation"] {
        let (client, raw, server) = bare_client(&root);
        let secrets = client.dangerous_extract_secrets().expect("it was allowed");
        let (number, ConnectionTrafficSecrets::Aes256Gcm { key, iv }) = secrets.tx else {
            panic!("the only suite");
        };
        let mut inner = match kind {
            "data" => b"hello\x17".to_vec(),
            _ => [client_hello([3, 3]), vec![22]].concat(),
        };
        let mut nonce = [0; 12];
        nonce.copy_from_slice(iv.as_ref());
        for (byte, number) in nonce[4..].iter_mut().zip(number.to_be_bytes()) {
            *byte ^= number;
        }
        let length = (inner.len() as u16 + 16).to_be_bytes();
        let head = [23, 3, 3, length[0], length[1]];
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_ref()).expect("a key"));
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(head),
            &mut inner,
        )
        .expect("sealed");
        raw.send(&[&head[..], &inner].concat()).expect("send");
        let outcome = server.recv(&mut [0; 16]);
        if kind == "data" {
            assert_eq!(outcome.expect("the keys are right"), 5);
            continue;
        }
        let error = outcome.expect_err("no second handshake");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        let again = server.send(b"x").expect_err("it is of no use");
        assert_eq!(again.kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn a_half_handshake_at_every_offset_ends_as_such() {
    let _watchdog = watchdog(PATIENCE);
    let (server, client) = both_sides();
    // What a client says first.
    let (raw, ours) = ipc_net::pair().expect("a pair");
    let begun = client.begin("server.test", ours).expect("a stream");
    begun.try_handshake().expect_err("nobody answers");
    let mut hello = vec![0; 4096];
    let length = raw.recv(&mut hello).expect("its hello");
    hello.truncate(length);
    for cut in 0..hello.len() {
        let (raw, ours) = ipc_net::pair().expect("a pair");
        let stream = server.begin(ours).expect("a stream");
        raw.send(&hello[..cut]).expect("send");
        if cut % 2 == 0 {
            raw.close_write().expect("once");
        } else {
            crate::streams::reset(raw);
        }
        let error = stream.handshake().expect_err("half a handshake");
        assert_eq!(error.kind(), ErrorKind::Closed, "after {cut}: {error}");
        let again = stream.recv(&mut [0; 4]).expect_err("it is of no use");
        assert_eq!(again.kind(), ErrorKind::Closed);
        assert!(stream.identity().is_none());
    }
}

#[test]
fn a_handshake_has_its_own_time_whatever_the_verbs_have() {
    let _watchdog = watchdog(PATIENCE);
    let root = Authority::new("root");
    let mut options = side(&root.named("server.test"), &root);
    options.handshake_timeout(10 * SHORT);
    let server = options.server().expect("a server");
    assert_eq!(tls::HANDSHAKE_TIMEOUT.as_secs(), 5);
    for verb in ["handshake", "recv", "send", "dribble"] {
        let (raw, ours) = ipc_net::pair().expect("a pair");
        let start = std::time::Instant::now();
        let stream = server.begin(ours).expect("a stream");
        let soon = stream.handshake_timeout(SHORT).expect_err("nobody speaks");
        assert_eq!(soon.kind(), ErrorKind::TimedOut);
        let now = stream.try_recv(&mut [0; 4]).expect_err("nobody speaks");
        assert_eq!(now.kind(), ErrorKind::WouldBlock);
        let error = std::thread::scope(|scope| {
            if verb == "dribble" {
                // A byte now and then of a message that never ends.
                let raw = &raw;
                scope.spawn(move || {
                    raw.send(&[22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xff])
                        .expect("send");
                    while raw.send(&[7]).is_ok() {
                        let paused = raw.recv_timeout(&mut [0; 1], SHORT);
                        if paused.is_err_and(|error| error.kind() == ErrorKind::Closed) {
                            break;
                        }
                    }
                });
            }
            let error = match verb {
                "recv" => stream.recv(&mut [0; 4]).map(drop),
                "send" => stream.send(b"x"),
                _ => stream.handshake(),
            }
            .expect_err("its time is over");
            let again = stream.try_recv(&mut [0; 4]).expect_err("for good");
            assert_eq!(again.kind(), ErrorKind::TimedOut);
            drop(stream);
            error
        });
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{verb}");
        assert!(start.elapsed() >= 10 * SHORT);
    }
}

#[test]
fn what_is_no_tls_at_all_is_corrupt() {
    let _watchdog = watchdog(PATIENCE);
    let (server, _) = both_sides();
    let nonsense: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\nHost: server.test\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        &[0; 64],
        &[0xff; 64],
        &[22, 3, 1, 0xff, 0xff, 1, 2, 3],
    ];
    for bytes in nonsense {
        let (raw, ours) = ipc_net::pair().expect("a pair");
        let stream = server.begin(ours).expect("a stream");
        (&raw).write_all(bytes).expect("send");
        let error = stream.handshake().expect_err("no TLS");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{bytes:?}: {error}");
    }
}

#[test]
fn tls_leaves_the_host_without_the_insecure_option_and_plain_text_does_not_get_in() {
    if !rustix::process::geteuid().is_root() {
        skip!("needs root to make a network of its own");
    }
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        if let Err(cause) = own_network() {
            skip!("{cause}");
        }
        let root = Authority::new("root");
        let options = side(&root.named("server.test"), &root);
        let listener = options.bind("192.0.2.1:0").expect("bind");
        let address = listener.address().expect("bound");
        let denied = ipc_net::connect(address).expect_err("plain text");
        assert_eq!(denied.kind(), ErrorKind::Denied);
        let client = options.client().expect("a client");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let stream = client.connect("server.test", address).expect("verified");
                stream.send(b"sealed").expect("send");
            });
            let stream = listener.accept().expect("accept");
            assert_eq!(stream.recv(&mut [0; 16]).expect("received"), 6);
        });
        // Somebody who insists on plain text is not understood.
        let plain = ipc_net::Options::new()
            .insecure_plain_text(true)
            .connect(address)
            .expect("connect");
        plain.send(b"hello in the clear").expect("send");
        let stream = listener.accept().expect("accept");
        let error = stream.recv(&mut [0; 16]).expect_err("no TLS");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
    });
}

#[test]
fn a_client_that_is_slow_at_its_handshake_holds_up_no_other() {
    let _watchdog = watchdog(PATIENCE);
    let root = Authority::new("root");
    let options = side(&root.named("server.test"), &root);
    let listener = options.bind("127.0.0.1:0").expect("bind");
    let address = listener.address().expect("bound");
    let slow: Vec<_> = (0..50)
        .map(|_| ipc_net::connect(address).expect("connect"))
        .collect();
    let client = options.client().expect("a client");
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let stream = client.connect("server.test", address).expect("served");
            stream.send(b"hello").expect("send");
            stream
        });
        let mut half = Vec::new();
        for _ in &slow {
            half.push(listener.accept().expect("accept"));
        }
        let stream = listener.accept().expect("accept");
        assert_eq!(stream.recv(&mut [0; 8]).expect("served at once"), 5);
        assert_eq!(
            stream.identity().expect("proven").dns_names(),
            ["server.test"]
        );
        drop(asking.join().expect("no panic"));
        assert!(half.iter().all(|stream| stream.identity().is_none()));
    });
    assert_eq!(listener.refused(), 0);
    listener.stop().expect("it listens");
    let error = listener.accept().expect_err("stopped");
    assert_eq!(error.kind(), ErrorKind::Closed);
}
