//! Streams of every kind go through the suite that all channels share.

use ipc_net::{Framed, Options, Stream};

ipc_testkit::conformance! {
    mod streams {
        pair: Options::new().send_buffer_bytes(65_536).receive_buffer_bytes(65_536).pair()
            => (Stream, Stream),
        unit: bytes, flush: yes, ends: later,
    }
}

ipc_testkit::conformance! {
    mod framed_streams {
        pair: Options::new()
            .send_buffer_bytes(65_536)
            .receive_buffer_bytes(65_536)
            .pair()
            .map(|(left, right)| (left.framed(), right.framed()))
            => (Framed<Stream>, Framed<Stream>),
        unit: messages, flush: yes, ends: later,
    }
}

/// Accepted first, and so the other way round.
fn reversed() -> ipc_net::Result<(Stream, Stream)> {
    let mut options = Options::new();
    options.send_buffer_bytes(8192).receive_buffer_bytes(8192);
    let (client, server) = options.pair()?;
    Ok((server, client))
}

ipc_testkit::conformance! {
    mod accepted_streams {
        pair: reversed() => (Stream, Stream),
        unit: bytes, flush: yes, ends: later,
    }
}
