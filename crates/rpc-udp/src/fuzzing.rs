//! The machines as functions of bytes, for fuzz targets and seeded tests: each panics where a
//! promise is broken.

mod world;

use crate::client_side::ClientSide;
use crate::limits::Limits;
use crate::packet::{MAGIC, Packet, Request};
use crate::server_side::{Event, ServerSide};
use crate::session::Class;
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Both machines, and a network between them that does whatever the bytes say.
pub fn pair(data: &[u8]) {
    world::World::new().run(data);
}

/// Small ones, so that few bytes reach them.
fn limits() -> Limits {
    Limits::new()
        .max_datagram_bytes(256)
        .max_sessions(3, 2)
        .max_calls(4)
        .max_kept_bytes(6 * 352)
        .clone()
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Packets from bytes: a length, then so many. Half of them begin as packets do.
fn packets(data: &[u8]) -> Vec<Bytes> {
    let (mut packets, mut rest) = (Vec::new(), data);
    while let Some((&length, more)) = rest.split_first() {
        let (packet, after) = more.split_at((usize::from(length) / 2).min(more.len()));
        let head: &[u8] = if length & 1 == 0 { &MAGIC } else { &[] };
        packets.push([head, packet].concat().into());
        rest = after;
    }
    packets
}

/// A client that sends what it likes: the server's machine survives, keeps its limits, and sends
/// an address that it does not know no more than came from there.
pub fn server(data: &[u8]) {
    let mut now = Instant::now();
    let mut server = ServerSide::new(limits(), &[7; 32], now);
    // One that has a session, which the packets may hit; another that has none.
    let mut client = ClientSide::new(limits(), 1);
    client.connect(now);
    for _ in 0..2 {
        for packet in client.output.drain(..) {
            server.receive(address(1), packet, now, &|_| Ok(Class::Once));
        }
        for (_, packet) in server.output.drain(..) {
            client.receive(packet, now);
        }
    }
    let mut running = Vec::new();
    for (turn, packet) in packets(data).into_iter().enumerate() {
        let port = if turn % 3 == 0 { 2 } else { 1 };
        let length = packet.len();
        let class = [Class::Once, Class::Idempotent, Class::Oneway][turn % 3];
        // What a packet asks for need not be guessed: the session is the one that is there.
        let packet = match Packet::decode(packet.clone()) {
            Some(Packet::Request(mut request)) if port == 1 => {
                (request.session, request.incarnation) = client.place();
                Packet::Request(request).encode()
            }
            _ => packet,
        };
        server.receive(address(port), packet, now, &|_: &Request| Ok(class));
        let answered: usize = server
            .output
            .drain(..)
            .map(|(to, answer)| if to == address(2) { answer.len() } else { 0 })
            .sum();
        assert!(answered <= length, "{answered} bytes for {length}");
        for event in server.events.drain(..) {
            match event {
                Event::Call(ticket, _, _) => running.push(ticket),
                Event::Cancel(ticket) => running.retain(|other| *other != ticket),
            }
        }
        assert_eq!(server.under_way(), running.len());
        assert!(running.len() <= 4 * 3 && server.kept_bytes() <= 6 * 352);
        if turn % 4 == 0
            && let Some(ticket) = running.pop()
        {
            server.finish(ticket, Ok(Default::default()), now);
        }
        now += Duration::from_millis(turn as u64 % 7 * 100);
        server.tick(now);
    }
}

/// A server that sends what it likes: the client's machine survives, and ends each call once.
pub fn client(data: &[u8]) {
    let mut now = Instant::now();
    let mut client = ClientSide::new(limits(), 1);
    client.connect(now);
    let mut server = ServerSide::new(limits(), &[7; 32], now);
    let mut open = Vec::new();
    for (turn, packet) in packets(data).into_iter().enumerate() {
        if turn == 1 {
            // From here on there is a session, unless the packet before has spoilt the greeting.
            for _ in 0..3 {
                for packet in client.output.drain(..) {
                    server.receive(address(1), packet, now, &|_| Ok(Class::Once));
                }
                for (_, packet) in server.output.drain(..) {
                    client.receive(packet, now);
                }
            }
        }
        if turn % 2 == 1 {
            let class = [Class::Once, Class::Idempotent, Class::Oneway][turn % 3];
            let deadline = now + Duration::from_secs(9);
            let call = client.call(class, Request::default(), deadline, now);
            open.push(call.expect("it is small"));
        }
        let packet = match Packet::decode(packet.clone()) {
            Some(Packet::Reply(mut reply)) => {
                reply.session = client.place().0;
                Packet::Reply(reply).encode()
            }
            Some(Packet::UnknownSession(mut unknown)) => {
                unknown.session = client.place().0;
                Packet::UnknownSession(unknown).encode()
            }
            _ => packet,
        };
        client.receive(packet, now);
        now += Duration::from_millis(turn as u64 % 5 * 10);
        client.tick(now);
        for (call, _) in client.ended.drain(..) {
            let at = open.iter().position(|other| *other == call);
            open.swap_remove(at.expect("a call ends once"));
        }
        client.output.clear();
        assert_eq!(client.calls(), open.len());
    }
    for call in open {
        client.cancel(call, now);
    }
    assert_eq!(client.calls(), 0);
}
