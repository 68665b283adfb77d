//! The suite that all channels share.

use ipc_ring::{Options, Receiver, Sender};
use ipc_testkit::TempDir;

ipc_testkit::conformance! {
    mod pairs {
        pair: ipc_ring::pair() => (Sender, Receiver),
        unit: messages, flush: no, ends: by_process,
    }
}

/// One direction of a channel between a client and what its listener accepted.
fn by_path() -> ipc_ring::Result<(Sender, Receiver)> {
    let dir = TempDir::new();
    let path = dir.join("socket");
    let listener = Options::new().bind(&path)?;
    let (client, server) = std::thread::scope(|scope| {
        let client = scope.spawn(|| Options::new().connect(&path));
        let server = listener.accept();
        (client.join().expect("no panic"), server)
    });
    let ((sender, _), (_, receiver)) = (client?.split(), server?.split());
    Ok((sender, receiver))
}

ipc_testkit::conformance! {
    mod met {
        pair: by_path() => (Sender, Receiver),
        unit: messages, flush: no, ends: by_process,
    }
}
