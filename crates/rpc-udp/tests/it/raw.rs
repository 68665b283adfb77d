//! A client that is written from the wire document, byte by byte, and may break its rules.

use crate::ledger::LEDGER_SERVICE;
use rpc_core::method_id;
use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};

pub(crate) const HELLO: u8 = 1;
pub(crate) const WELCOME: u8 = 2;
pub(crate) const OPEN: u8 = 3;
pub(crate) const OPENED: u8 = 4;
pub(crate) const REFUSED: u8 = 5;
pub(crate) const REQUEST: u8 = 6;
pub(crate) const REPLY: u8 = 7;
pub(crate) const WORKING: u8 = 8;
pub(crate) const CANCEL: u8 = 9;
pub(crate) const UNKNOWN_SESSION: u8 = 10;
pub(crate) const BYE: u8 = 11;

/// A field of a message, with its number.
pub(crate) enum Field<'a> {
    Fixed64(u8, u64),
    Fixed32(u8, u32),
    Bytes(u8, &'a [u8]),
}

/// A packet of this kind.
pub(crate) fn packet(kind: u8, fields: &[Field<'_>]) -> Vec<u8> {
    let mut bytes = b"IPCU\x01".to_vec();
    bytes.push(kind);
    for field in fields {
        match field {
            Field::Fixed64(number, value) => {
                bytes.push(number << 3 | 1);
                bytes.extend(value.to_le_bytes());
            }
            Field::Fixed32(number, value) => {
                bytes.push(number << 3 | 5);
                bytes.extend(value.to_le_bytes());
            }
            Field::Bytes(number, value) => {
                bytes.push(number << 3 | 2);
                let mut length = value.len();
                while length > 127 {
                    bytes.push(length as u8 | 128);
                    length >>= 7;
                }
                bytes.push(length as u8);
                bytes.extend_from_slice(value);
            }
        }
    }
    bytes
}

/// What stands in a packet: numbers, and bytes.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) kind: u8,
    pub(crate) numbers: BTreeMap<u8, u64>,
    pub(crate) bytes: BTreeMap<u8, Vec<u8>>,
}

/// Reads a packet that a server has sent.
pub(crate) fn read(packet: &[u8]) -> Read {
    assert_eq!(&packet[..5], b"IPCU\x01");
    let mut read = Read {
        kind: packet[5],
        ..Read::default()
    };
    let mut rest = &packet[6..];
    let varint = |rest: &mut &[u8]| {
        let mut value = 0_u64;
        for at in 0.. {
            let byte = rest[0];
            *rest = &rest[1..];
            value |= u64::from(byte & 127) << (7 * at);
            if byte < 128 {
                break;
            }
        }
        value
    };
    while !rest.is_empty() {
        let key = varint(&mut rest);
        let number = (key >> 3) as u8;
        let wide = |bytes: &[u8]| {
            bytes
                .iter()
                .rev()
                .fold(0, |all, b| all << 8 | u64::from(*b))
        };
        match key & 7 {
            0 => drop(read.numbers.insert(number, varint(&mut rest))),
            1 => drop(
                read.numbers
                    .insert(number, wide(rest.split_off(..8).expect("8"))),
            ),
            2 => {
                let length = varint(&mut rest) as usize;
                let bytes = rest.split_off(..length).expect("whole");
                read.bytes.insert(number, bytes.to_vec());
            }
            5 => drop(
                read.numbers
                    .insert(number, wide(rest.split_off(..4).expect("4"))),
            ),
            other => panic!("wire type {other}"),
        }
    }
    read
}

impl Read {
    pub(crate) fn number(&self, number: u8) -> u64 {
        self.numbers.get(&number).copied().unwrap_or(0)
    }

    pub(crate) fn text(&self, number: u8) -> String {
        let bytes = self.bytes.get(&number).cloned().unwrap_or_default();
        String::from_utf8(bytes).expect("text")
    }
}

/// A HELLO as long as it must be.
pub(crate) fn hello(nonce: u64) -> Vec<u8> {
    let padding = vec![0; 55];
    packet(
        HELLO,
        &[Field::Fixed64(1, nonce), Field::Bytes(2, &padding)],
    )
}

/// An OPEN with what a WELCOME brought.
pub(crate) fn open(welcome: &Read) -> Vec<u8> {
    packet(
        OPEN,
        &[
            Field::Fixed64(1, welcome.number(1)),
            Field::Fixed64(2, welcome.number(2)),
            Field::Bytes(3, &welcome.bytes[&3]),
        ],
    )
}

/// A client's socket, and its session.
pub(crate) struct Raw {
    pub(crate) socket: UdpSocket,
    pub(crate) session: u64,
    pub(crate) incarnation: u64,
}

impl Raw {
    /// One without a session.
    pub(crate) fn stranger(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.connect(server).expect("an address");
        Self {
            socket,
            session: 0,
            incarnation: 0,
        }
    }

    /// One with a session, unless that is refused: then what was said.
    pub(crate) fn greet(server: SocketAddr) -> Result<Self, Read> {
        let mut raw = Self::stranger(server);
        raw.send(&hello(77));
        let welcome = raw.recv();
        assert_eq!((welcome.kind, welcome.number(1)), (WELCOME, 77));
        raw.send(&open(&welcome));
        let opened = raw.recv();
        if opened.kind != OPENED {
            return Err(opened);
        }
        raw.incarnation = opened.number(2);
        raw.session = opened.number(3);
        Ok(raw)
    }

    pub(crate) fn send(&self, packet: &[u8]) {
        self.socket.send(packet).expect("it is sent");
    }

    pub(crate) fn recv(&self) -> Read {
        let mut buffer = vec![0; 65_536];
        let length = self.socket.recv(&mut buffer).expect("an answer");
        read(&buffer[..length])
    }

    /// How many bytes have come until the answer to a question that is asked now: whatever was
    /// answered before it stands before it.
    pub(crate) fn answered(&self) -> usize {
        self.send(&hello(u64::MAX));
        let (mut buffer, mut all) = (vec![0; 65_536], 0);
        loop {
            let length = self.socket.recv(&mut buffer).expect("an answer");
            let came = read(&buffer[..length]);
            if came.kind == WELCOME && came.number(1) == u64::MAX {
                return all;
            }
            all += length;
        }
    }

    /// A call of the ledger with one argument of bytes or text.
    pub(crate) fn request(&self, place: (u64, u64), method: &str, argument: &str) -> Vec<u8> {
        let mut body = vec![1 << 3 | 2, argument.len() as u8];
        body.extend(argument.as_bytes());
        let (sequence, floor) = place;
        packet(
            REQUEST,
            &[
                Field::Fixed64(1, self.session),
                Field::Fixed64(2, self.incarnation),
                Field::Fixed64(3, sequence),
                Field::Fixed64(4, floor),
                Field::Fixed32(5, 30_000),
                Field::Bytes(6, LEDGER_SERVICE.name().as_bytes()),
                Field::Bytes(7, &LEDGER_SERVICE.contract().fingerprint()),
                Field::Fixed32(8, method_id(method)),
                Field::Bytes(11, &body),
            ],
        )
    }

    /// A CANCEL of a call.
    pub(crate) fn cancel(&self, sequence: u64, floor: u64) -> Vec<u8> {
        packet(
            CANCEL,
            &[
                Field::Fixed64(1, self.session),
                Field::Fixed64(2, self.incarnation),
                Field::Fixed64(3, sequence),
                Field::Fixed64(4, floor),
            ],
        )
    }

    pub(crate) fn bye(&self) -> Vec<u8> {
        let fields = [
            Field::Fixed64(1, self.session),
            Field::Fixed64(2, self.incarnation),
        ];
        packet(BYE, &fields)
    }
}
