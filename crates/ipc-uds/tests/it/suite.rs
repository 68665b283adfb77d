//! Every kind of socket goes through the suite that all channels share.

use ipc_testkit::TempDir;
use ipc_uds::{Address, Datagram, Framed, Options, SeqPacket, Spin, Stream};

ipc_testkit::conformance! {
    mod streams {
        pair: ipc_uds::pair() => (Stream, Stream),
        unit: bytes, flush: yes, ends: yes,
    }
}

ipc_testkit::conformance! {
    mod framed_streams {
        pair: ipc_uds::pair().map(|(left, right)| (left.framed(), right.framed()))
            => (Framed<Stream>, Framed<Stream>),
        unit: messages, flush: yes, ends: yes,
    }
}

ipc_testkit::conformance! {
    mod seqpackets {
        pair: ipc_uds::pair_seqpacket() => (SeqPacket, SeqPacket),
        unit: messages, flush: no, ends: yes,
    }
}

ipc_testkit::conformance! {
    mod datagrams {
        pair: ipc_uds::pair_datagram() => (Datagram, Datagram),
        unit: messages, flush: no, ends: no,
    }
}

/// A client and what its listener accepted, at a path that is gone by then.
fn by_path(options: &Options) -> ipc_uds::Result<(Stream, Stream)> {
    let dir = TempDir::new();
    let listener = options.bind(dir.join("socket"))?;
    let client = options.connect(dir.join("socket"))?;
    Ok((client, listener.accept()?))
}

ipc_testkit::conformance! {
    mod accepted_streams {
        pair: by_path(&Options::new()) => (Stream, Stream),
        unit: bytes, flush: yes, ends: yes,
    }
}

ipc_testkit::conformance! {
    mod streams_with_credentials {
        pair: by_path(Options::new().credentials(true)) => (Stream, Stream),
        unit: bytes, flush: yes, ends: yes,
    }
}

fn seqpackets_by_path() -> ipc_uds::Result<(SeqPacket, SeqPacket)> {
    let dir = TempDir::new();
    let listener = ipc_uds::bind_seqpacket(dir.join("socket"))?;
    let client = ipc_uds::connect_seqpacket(dir.join("socket"))?;
    Ok((client, listener.accept()?))
}

ipc_testkit::conformance! {
    mod accepted_seqpackets {
        pair: seqpackets_by_path() => (SeqPacket, SeqPacket),
        unit: messages, flush: no, ends: yes,
    }
}

fn datagrams_by_path() -> ipc_uds::Result<(Datagram, Datagram)> {
    let dir = TempDir::new();
    let receiver = ipc_uds::bind_datagram(dir.join("socket"))?;
    Ok((ipc_uds::connect_datagram(dir.join("socket"))?, receiver))
}

ipc_testkit::conformance! {
    mod bound_datagrams {
        pair: datagrams_by_path() => (Datagram, Datagram),
        unit: messages, flush: no, ends: no,
    }
}

fn datagrams_with_policy() -> ipc_uds::Result<(Datagram, Datagram)> {
    let dir = TempDir::new();
    let mut options = Options::new();
    options.policy(ipc_uds::Policy::same_user());
    let receiver = options.bind_datagram(Address::path(dir.join("socket"))?)?;
    Ok((ipc_uds::connect_datagram(dir.join("socket"))?, receiver))
}

ipc_testkit::conformance! {
    mod guarded_datagrams {
        pair: datagrams_with_policy() => (Datagram, Datagram),
        unit: messages, flush: no, ends: no,
    }
}

ipc_testkit::conformance! {
    mod streams_that_spin {
        pair: by_path(Options::new().spin(Spin::Learned)) => (Stream, Stream),
        unit: bytes, flush: yes, ends: yes,
    }
}

ipc_testkit::conformance! {
    mod seqpackets_that_always_spin {
        pair: Options::new().spin(Spin::Always).pair_seqpacket() => (SeqPacket, SeqPacket),
        unit: messages, flush: no, ends: yes,
    }
}

ipc_testkit::conformance! {
    mod datagrams_that_spin {
        pair: Options::new().spin(Spin::Learned).pair_datagram() => (Datagram, Datagram),
        unit: messages, flush: no, ends: no,
    }
}
