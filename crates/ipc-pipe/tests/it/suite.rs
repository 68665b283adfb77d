//! Every kind of pipe goes through the suite that all channels share.

use ipc_core::Framed;
use ipc_pipe::{Options, Receiver, Sender, Spin, Stream};

ipc_testkit::conformance! {
    mod bytes {
        pair: ipc_pipe::pair() => (Sender, Receiver),
        unit: bytes, flush: yes, ends: yes,
    }
}

ipc_testkit::conformance! {
    mod records {
        pair: Options::new().record(true).pair() => (Sender, Receiver),
        unit: messages, flush: yes, ends: yes,
    }
}

ipc_testkit::conformance! {
    mod frames {
        pair: ipc_pipe::pair().map(|(tx, rx)| (tx.framed(), rx.framed()))
            => (Framed<Sender>, Framed<Receiver>),
        unit: messages, flush: yes, ends: yes,
    }
}

ipc_testkit::conformance! {
    mod duplex {
        pair: ipc_pipe::duplex() => (Stream, Stream),
        unit: bytes, flush: yes, ends: yes,
    }
}

ipc_testkit::conformance! {
    mod framed_duplex {
        pair: ipc_pipe::duplex().map(|(left, right)| (left.framed(), right.framed()))
            => (Framed<Stream>, Framed<Stream>),
        unit: messages, flush: yes, ends: yes,
    }
}

/// A FIFO whose name is gone as soon as both ends are open.
fn fifo(options: &Options) -> ipc_pipe::Result<(Sender, Receiver)> {
    let dir = ipc_testkit::TempDir::new();
    let fifo = options.create(dir.join("a fifo"))?;
    let receiver = fifo.receiver()?;
    Ok((fifo.sender()?, receiver))
}

ipc_testkit::conformance! {
    mod fifo_bytes {
        pair: fifo(&Options::new()) => (Sender, Receiver),
        unit: bytes, flush: yes, ends: yes,
    }
}

ipc_testkit::conformance! {
    mod fifo_records {
        pair: fifo(Options::new().record(true)) => (Sender, Receiver),
        unit: messages, flush: yes, ends: yes,
    }
}

ipc_testkit::conformance! {
    mod fifo_frames {
        pair: fifo(&Options::new()).map(|(tx, rx)| (tx.framed(), rx.framed()))
            => (Framed<Sender>, Framed<Receiver>),
        unit: messages, flush: yes, ends: yes,
    }
}

ipc_testkit::conformance! {
    mod bytes_that_spin {
        pair: Options::new().spin(Spin::Learned).pair() => (Sender, Receiver),
        unit: bytes, flush: yes, ends: yes,
    }
}

ipc_testkit::conformance! {
    mod records_that_always_spin {
        pair: Options::new().record(true).spin(Spin::Always).pair() => (Sender, Receiver),
        unit: messages, flush: yes, ends: yes,
    }
}

ipc_testkit::conformance! {
    mod fifo_that_spins {
        pair: fifo(Options::new().spin(Spin::Learned)) => (Sender, Receiver),
        unit: bytes, flush: yes, ends: yes,
    }
}
