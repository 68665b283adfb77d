//! A peer that writes its frames itself, from the wire document alone.

use ipc_core::{ByteSink, ByteSource, Until};
use rpc_core::{Router, Server, ServiceDescriptor};
use rpc_native::Options;
use rpc_transport::Wire;
use std::thread::JoinHandle;

pub(crate) const BIND: u8 = 2;
pub(crate) const BOUND: u8 = 3;
pub(crate) const CALL: u8 = 4;
pub(crate) const MESSAGE: u8 = 5;
pub(crate) const END: u8 = 6;
pub(crate) const RETURN: u8 = 7;
pub(crate) const CANCEL: u8 = 8;
pub(crate) const CREDIT: u8 = 9;
pub(crate) const PING: u8 = 10;
pub(crate) const PONG: u8 = 11;
pub(crate) const CLOSE: u8 = 13;

/// Flags of a CALL.
pub(crate) const DEADLINE: u8 = 1;
pub(crate) const METADATA: u8 = 4;
pub(crate) const LAST: u8 = 8;
pub(crate) const ONEWAY: u8 = 16;

pub(crate) fn frame(kind: u8, flags: u8, call: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short");
    let mut frame = length.to_le_bytes().to_vec();
    frame.extend([kind, flags, 0, 0]);
    frame.extend(call.to_le_bytes());
    frame.extend(payload);
    frame
}

pub(crate) fn hello() -> Vec<u8> {
    hello_of(1)
}

pub(crate) fn hello_of(version: u16) -> Vec<u8> {
    let mut payload = b"IPCR".to_vec();
    payload.extend(version.to_le_bytes());
    payload.extend([0, 0]);
    for limit in [128_u32, 1 << 20, 1 << 18, 1 << 22] {
        payload.extend(limit.to_le_bytes());
    }
    frame(1, 0, 0, &payload)
}

/// Names a service, by its own contract and in protobuf, unless it is changed afterwards.
pub(crate) fn bind(number: u16, codec: u8, service: &ServiceDescriptor) -> Vec<u8> {
    bind_as(
        number,
        codec,
        service.name(),
        service.contract().fingerprint(),
    )
}

pub(crate) fn bind_as(number: u16, codec: u8, name: &str, fingerprint: [u8; 16]) -> Vec<u8> {
    let mut payload = number.to_le_bytes().to_vec();
    payload.extend([codec, u8::try_from(name.len()).expect("short")]);
    payload.extend(fingerprint);
    payload.extend(name.as_bytes());
    frame(BIND, 0, 0, &payload)
}

/// A CALL of a method of service 1: what stands in its head by the flags, then the message.
pub(crate) fn call(call: u32, method: &str, flags: u8, rest: &[&[u8]]) -> Vec<u8> {
    call_of(call, rpc_core::method_id(method), flags, rest)
}

pub(crate) fn call_of(call: u32, method: u32, flags: u8, rest: &[&[u8]]) -> Vec<u8> {
    let mut payload = vec![1, 0, 0, 0];
    payload.extend(method.to_le_bytes());
    rest.iter().for_each(|part| payload.extend(*part));
    frame(CALL, flags, call, &payload)
}

/// A message with one string in field 1, as most arguments of the inventory are.
pub(crate) fn text(text: &str) -> Vec<u8> {
    let mut message = vec![0x0a, u8::try_from(text.len()).expect("short")];
    message.extend(text.as_bytes());
    message
}

/// Metadata with such entries, all of one name.
pub(crate) fn metadata(values: &[Vec<u8>]) -> Vec<u8> {
    let mut entries = Vec::new();
    for value in values {
        entries.extend([1, b'n']);
        entries.extend(u16::try_from(value.len()).expect("short").to_le_bytes());
        entries.extend(value);
    }
    let mut all = u16::try_from(entries.len())
        .expect("short")
        .to_le_bytes()
        .to_vec();
    all.extend(entries);
    all
}

/// A frame that came.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Came {
    pub(crate) kind: u8,
    pub(crate) call: u32,
    pub(crate) payload: Vec<u8>,
}

/// The raw end of a connection.
pub(crate) struct Raw {
    wire: Wire,
    came: Vec<u8>,
}

impl Raw {
    /// A raw end, and the other one.
    pub(crate) fn pair() -> (Self, Wire) {
        let (near, far) = Wire::pair().expect("a pair");
        (Self::over(near), far)
    }

    /// A raw end of any transport.
    pub(crate) const fn over(wire: Wire) -> Self {
        Self {
            wire,
            came: Vec::new(),
        }
    }

    pub(crate) fn send(&self, bytes: &[u8]) {
        // Where the peer has closed, what it said comes next.
        self.sends(bytes);
    }

    /// Whether the peer takes them, or there is room for them.
    pub(crate) fn sends(&self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.wire.write_until(&[], rest, Until::Forever) {
                Ok(written) => rest = &rest[written..],
                Err(_) => return false,
            }
        }
        true
    }

    /// Ends the own direction, and reads to the end.
    pub(crate) fn end(mut self) {
        let _ = self.wire.end_until(Until::Forever);
        while self.next().is_some() {}
    }

    /// The next frame; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<Came> {
        loop {
            if let Some((header, rest)) = self.came.split_first_chunk::<12>() {
                let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|n| header[at + n]));
                let length = word(0) as usize;
                if rest.len() >= length {
                    let came = Came {
                        kind: header[4],
                        call: word(8),
                        payload: rest[..length].to_vec(),
                    };
                    self.came.drain(..12 + length);
                    return Some(came);
                }
            }
            let mut buffer = [0; 4096];
            match self.wire.read_until(&mut buffer, Until::Forever) {
                Ok(length @ 1..) => self.came.extend(&buffer[..length]),
                _ => return None,
            }
        }
    }

    /// The next frame that is no greeting, credit or word on a service.
    pub(crate) fn next_of_a_call(&mut self) -> Option<Came> {
        loop {
            match self.next()? {
                Came {
                    kind: 1 | BOUND | CREDIT,
                    ..
                } => {}
                came => return Some(came),
            }
        }
    }
}

/// A server in this process, of one of the two kinds.
pub(crate) enum Serving {
    Awaited(tokio::runtime::Runtime),
    Blocking,
}

impl Serving {
    pub(crate) fn awaited() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        Self::Awaited(runtime.expect("a runtime"))
    }

    /// Serves one connection; a blocking server's thread is to be joined.
    pub(crate) fn serve(&self, router: Router, wire: Wire) -> Option<JoinHandle<()>> {
        let served = Server::new(router).served();
        match self {
            Self::Awaited(runtime) => {
                runtime.spawn(Options::new().serve(wire, served));
                None
            }
            Self::Blocking => {
                let session = Options::new().session(wire, served);
                Some(std::thread::spawn(move || drop(session.run())))
            }
        }
    }
}
