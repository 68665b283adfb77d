//! The suite that all channels share.

use ipc_core::Framed;
use ipc_ring::{Channel, Consumer, Options, Producer, Receiver, Sender, Stream};
use ipc_testkit::TempDir;

ipc_testkit::conformance! {
    mod pairs {
        pair: ipc_ring::pair() => (Sender, Receiver),
        unit: messages, flush: no, ends: by_process,
    }
}

/// A client's channel, and what its listener accepted.
pub(crate) fn channels() -> ipc_ring::Result<(Channel, Channel)> {
    let dir = TempDir::new();
    let path = dir.join("socket");
    let listener = Options::new().bind(&path)?;
    let (client, server) = std::thread::scope(|scope| {
        let client = scope.spawn(|| Options::new().connect(&path));
        let server = listener.accept();
        (client.join().expect("no panic"), server)
    });
    Ok((client?, server?))
}

/// One direction of it.
fn by_path() -> ipc_ring::Result<(Sender, Receiver)> {
    let (client, server) = channels()?;
    let ((sender, _), (_, receiver)) = (client.split(), server.split());
    Ok((sender, receiver))
}

ipc_testkit::conformance! {
    mod met {
        pair: by_path() => (Sender, Receiver),
        unit: messages, flush: no, ends: by_process,
    }
}

fn streams() -> ipc_ring::Result<(Stream, Stream)> {
    let (client, server) = channels()?;
    Ok((client.stream(), server.stream()))
}

ipc_testkit::conformance! {
    mod bytes {
        pair: streams() => (Stream, Stream),
        unit: bytes, flush: yes, ends: by_process,
    }
}

ipc_testkit::conformance! {
    mod framed {
        pair: streams().map(|(left, right)| (left.framed(), right.framed()))
            => (Framed<Stream>, Framed<Stream>),
        unit: messages, flush: yes, ends: by_process,
    }
}

fn queued() -> ipc_ring::Result<(Producer, Consumer)> {
    let queue = Options::new().queue()?;
    Ok((queue.producer()?, queue.consumer()?))
}

ipc_testkit::conformance! {
    mod queues {
        pair: queued() => (Producer, Consumer),
        unit: messages, flush: no, ends: by_process,
    }
}
