//! TLS over TCP, both sides verified, against the same engine driven by others.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsStream;

use crate::{
    family::{Endpoint, Family, Maker, Role, no_polling},
    limits::loopback,
    mechanisms::tcp,
    meet::Meet,
    ours::Ours,
    scenario::{Shape, Side},
    secured::Secured,
};

/// TLS over TCP.
pub fn family() -> Family {
    let raw = Maker {
        probe: loopback,
        fits: tcp::unread,
        ..Maker::raw(tcp::connect_raw)
    };
    let ours = Maker {
        probe: loopback,
        fits: tcp::unread,
        ..Maker::ours("ipc-net", connect_ours)
    };
    let peer = |name, connect| Maker {
        name,
        probe: loopback,
        fits: |shape| no_polling(shape).and_then(|()| tcp::unread(shape)),
        ..Maker::std(connect)
    };
    Family {
        name: "tls",
        about: "TLS 1.3 over TCP, both sides verified (raw: the same bytes without TLS)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers: vec![
            raw,
            ours,
            peer("tokio-rustls", connect_tokio),
            peer("rustls", connect_rustls),
        ],
        sweep: None,
    }
}

fn connect_ours(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let stream = Secured::meet(side, meet)?.ours()?;
    stream.handshake()?;
    Ok(Box::new(Ours::new(stream)))
}

fn connect_rustls(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    Ok(Box::new(Secured::meet(side, meet)?.blocking()?))
}

fn connect_tokio(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let secured = Secured::meet(side, meet)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let stream = runtime.block_on(secured.tokio())?;
    Ok(Box::new(Tokio { runtime, stream }))
}

/// tokio-rustls, driven by a runtime of one thread: the harness has no futures, so each message
/// enters the runtime anew, which costs it a little.
struct Tokio {
    runtime: tokio::runtime::Runtime,
    stream: TlsStream<tokio::net::TcpStream>,
}

impl Endpoint for Tokio {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let stream = &mut self.stream;
        self.runtime.block_on(async {
            stream.write_all(message).await?;
            stream.flush().await
        })
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        let stream = &mut self.stream;
        self.runtime.block_on(stream.read_exact(into)).map(drop)
    }
}
