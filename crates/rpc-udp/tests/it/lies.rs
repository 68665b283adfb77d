//! Peers that send what they should not, as a client and as a server.

use crate::here::{Here, PATIENCE, block_on};
use crate::ledger::LedgerClient;
use crate::raw::{Field, OPEN, OPENED, REPLY, REQUEST, Raw, WELCOME, hello, packet, read};
use crate::remote::{Remote, options};
use ipc_testkit::watchdog;
use rpc_core::{Code, Context};
use rpc_udp::Limits;
use std::net::UdpSocket;
use std::time::Duration;

/// Every beginning of a packet, every bit of it turned, and something more at its end.
fn spoilt(packet: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let cut = (0..packet.len()).map(move |end| packet[..end].to_vec());
    let turned = (0..packet.len() * 8).map(move |bit| {
        let mut packet = packet.to_vec();
        packet[bit / 8] ^= 1 << (bit % 8);
        packet
    });
    let longer = [&b"\0"[..], b"\xff", b"\x7a\xff\xff\xff\xff\x0f"];
    let longer = longer.into_iter().map(move |end| [packet, end].concat());
    cut.chain(turned).chain(longer)
}

/// Packets of every kind, well formed, that are not asked for, by numbers that nobody has.
fn unasked() -> Vec<Vec<u8>> {
    let words = [0, 1, u64::MAX];
    let mut all = vec![
        Vec::new(),
        vec![0; 65_507],
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
    ];
    for kind in 0..=255 {
        for word in words {
            let fields = [
                Field::Fixed64(1, word),
                Field::Fixed64(2, word),
                Field::Fixed64(3, word),
                Field::Fixed64(4, word),
            ];
            all.push(packet(kind, &fields));
            all.push(packet(
                kind,
                &[Field::Fixed64(1, word), Field::Bytes(3, &[9; 24])],
            ));
        }
    }
    all
}

#[test]
fn an_address_that_has_shown_nothing_gets_no_more_than_it_sends() {
    let _watchdog = watchdog(PATIENCE);
    let here = Here::serve(&Limits::new());
    let owner = Raw::greet(here.address()).expect("a session");
    let stranger = Raw::stranger(here.address());
    let put = owner.request((1, 1), "Put", "a");
    let greeting = hello(1);
    let (mut sent, mut answers) = (0, 0);
    let lies = unasked()
        .into_iter()
        .chain(spoilt(&put).step_by(7))
        .chain(spoilt(&greeting));
    for lie in lies {
        stranger.send(&lie);
        let answered = stranger.answered();
        assert!(answered <= lie.len(), "{answered} bytes for {lie:?}");
        sent += 1;
        answers += usize::from(answered > 0);
    }
    println!("{sent} packets, {answers} of which were answered");
    let short = packet(1, &[Field::Fixed64(1, 1)]);
    stranger.send(&short);
    assert_eq!(
        stranger.answered(),
        0,
        "a greeting that is shorter than its answer"
    );
    let counts = here.counted.now();
    assert_eq!((counts.calls, counts.sessions), (0, 1), "{counts:?}");
}

#[test]
fn greetings_cost_a_server_no_session() {
    let _watchdog = watchdog(PATIENCE);
    let here = Here::serve(&Limits::new());
    let flood = Raw::stranger(here.address());
    for nonce in 0..20_000 {
        flood.send(&hello(nonce));
        if nonce % 50 == 0 {
            flood.answered();
        }
    }
    assert_eq!(here.counted.now().sessions, 0);
    assert!(Raw::greet(here.address()).is_ok());
}

#[test]
fn a_client_that_lies_within_its_session_breaks_no_other() {
    let _watchdog = watchdog(PATIENCE);
    let remote = Remote::start();
    let raw = Raw::greet(remote.address()).expect("a session");
    let put = raw.request((1, 1), "PutAgain", "a");
    for lie in spoilt(&put) {
        raw.send(&lie);
        raw.answered();
    }
    let name = b"ledger.v1.Ledger";
    let wrong: [(Code, Vec<Field<'_>>); 4] = [
        (Code::Unimplemented, vec![Field::Bytes(6, b"no.Service")]),
        (Code::FailedPrecondition, vec![Field::Bytes(6, name)]),
        (
            Code::FailedPrecondition,
            vec![Field::Bytes(6, name), Field::Bytes(7, &[0; 16])],
        ),
        (Code::Unimplemented, vec![]),
    ];
    let fresh = Raw::greet(remote.address()).expect("a session");
    for (sequence, (code, fields)) in (500..).zip(wrong) {
        let own = [
            Field::Fixed64(1, fresh.session),
            Field::Fixed64(2, fresh.incarnation),
        ];
        let mut all: Vec<_> = own.into_iter().collect();
        all.extend([Field::Fixed64(3, sequence), Field::Fixed64(4, 1)]);
        all.extend(fields);
        fresh.send(&packet(REQUEST, &all));
        let reply = fresh.recv();
        assert_eq!(
            (reply.kind, reply.number(4)),
            (REPLY, code as u64),
            "{reply:?}"
        );
        assert_eq!(reply.number(6), 1, "it did not run");
    }
    // Names that metadata may not have, and a body that is no message.
    let entry = [1 << 3 | 2, 1, b'A'];
    let bad = Raw::greet(remote.address()).expect("a session");
    let mut put = bad.request((1, 1), "Put", "a");
    put.extend([10 << 3 | 2, entry.len() as u8]);
    put.extend(entry);
    bad.send(&put);
    assert_eq!(bad.recv().number(4), Code::InvalidArgument as u64);
    let mut put = bad.request((2, 1), "Put", "a");
    put.truncate(put.len() - 5);
    put.extend([11 << 3 | 2, 1, 0xff]);
    bad.send(&put);
    assert_eq!(bad.recv().number(4), Code::InvalidArgument as u64);
    block_on(async {
        let ledger = LedgerClient::new(remote.connect().await);
        assert_eq!(ledger.put(&Context::new(), "well".into()).await, Ok(1));
    });
}

/// A server that lies before each true word, and greets and answers after it.
fn liar(socket: &UdpSocket, lies: &[Vec<u8>], calls: usize) {
    let mut buffer = vec![0; 65_536];
    let mut answered = 0;
    while answered < calls {
        let (length, from) = socket.recv_from(&mut buffer).expect("a client");
        let came = read(&buffer[..length]);
        let session = Field::Fixed64(1, 42);
        let truth = match came.kind {
            1 => packet(
                WELCOME,
                &[
                    Field::Fixed64(1, came.number(1)),
                    Field::Fixed64(2, 6),
                    Field::Bytes(3, &[1; 24]),
                ],
            ),
            OPEN => packet(
                OPENED,
                &[
                    Field::Fixed64(1, came.number(1)),
                    Field::Fixed64(2, 6),
                    Field::Fixed64(3, 42),
                ],
            ),
            REQUEST => {
                answered += 1;
                let sequence = Field::Fixed64(2, came.number(3));
                packet(REPLY, &[session, sequence, Field::Bytes(10, &[1 << 3, 7])])
            }
            _ => continue,
        };
        for lie in lies {
            // Without one of the fields by which it would be believed.
            let _ = socket.send_to(lie, from);
        }
        let _ = socket.send_to(&truth, from);
    }
}

#[test]
fn a_client_survives_every_malformed_packet_and_believes_none() {
    let _watchdog = watchdog(PATIENCE);
    let server = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let place = format!("udp:{}", server.local_addr().expect("bound"));
    let reply = packet(
        REPLY,
        &[
            Field::Fixed64(1, 41),
            Field::Fixed64(2, 1),
            Field::Bytes(10, &[1 << 3, 9]),
        ],
    );
    // Bits of the session's number are left alone: one of them makes a true packet.
    let turned = spoilt(&reply).filter(|lie| lie.len() < 15 || lie[7..15] != 42_u64.to_le_bytes());
    let lies: Vec<_> = unasked().into_iter().step_by(5).chain(turned).collect();
    // Fewer at a time than a socket's buffer holds.
    for some in lies.chunks(200) {
        std::thread::scope(|threads| {
            threads.spawn(|| liar(&server, some, 1));
            block_on(async {
                let connection = options().connect(&place).await.expect("it greets");
                let ledger = LedgerClient::new(connection);
                assert_eq!(ledger.put(&Context::new(), "a".into()).await, Ok(7));
            });
        });
        server.set_nonblocking(true).expect("a socket");
        while server.recv(&mut [0; 9]).is_ok() {}
        server.set_nonblocking(false).expect("a socket");
    }
}

#[test]
fn a_server_that_answers_nothing_ends_connecting_and_calls_by_their_deadlines() {
    let _watchdog = watchdog(PATIENCE);
    let server = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let place = format!("udp:{}", server.local_addr().expect("bound"));
    block_on(async {
        let connecting = options()
            .connect_timeout(Duration::from_millis(100))
            .clone();
        let status = connecting
            .connect(&place)
            .await
            .expect_err("nobody answers");
        assert_eq!(status.code(), Code::Unavailable);
        assert!(
            status.did_not_run() && status.message().contains("does not answer"),
            "{status}"
        );
    });
}
