//! Every protocol of calls over every transport: each cell works, and then has the outcomes of one
//! table, or is refused with its reason.

mod cells;
mod outcomes;
mod service;

use cells::{Scene, cell};
use ipc_testkit::watchdog;
use outcomes::TABLE;
use rpc_core::Code;
use std::time::Duration;

/// A guard against hanging, never a claim about speed.
const PATIENCE: Duration = Duration::from_secs(180);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Protocol {
    Native,
    NativeJson,
    /// A client without a runtime, of an awaited server.
    Blocking,
    Grpc,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Transport {
    Inproc,
    Pipe,
    Shm,
    Unix,
    Local,
    Tcp,
    Tls,
    Mtls,
    /// TLS in which both prove who they are, over a pair of Unix sockets.
    TlsOverUnix,
    /// And over rings in shared memory.
    TlsOverShm,
    Udp,
}

impl Transport {
    /// Made as a pair whose two ends are handed out, without a place to connect to.
    const fn is_pair(self) -> bool {
        matches!(self, Self::Pipe | Self::TlsOverUnix | Self::TlsOverShm)
    }
}

const PROTOCOLS: [Protocol; 4] = [
    Protocol::Native,
    Protocol::NativeJson,
    Protocol::Blocking,
    Protocol::Grpc,
];
const TRANSPORTS: [Transport; 11] = [
    Transport::Inproc,
    Transport::Pipe,
    Transport::Shm,
    Transport::Unix,
    Transport::Local,
    Transport::Tcp,
    Transport::Tls,
    Transport::Mtls,
    Transport::TlsOverUnix,
    Transport::TlsOverShm,
    Transport::Udp,
];

/// Why a cell is none.
fn refusal(protocol: Protocol, transport: Transport) -> Option<&'static str> {
    match (protocol, transport) {
        (Protocol::Grpc, Transport::Inproc) => Some("no bytes go there"),
        // Its calls have one format and are awaited: another crate makes them.
        (Protocol::NativeJson | Protocol::Blocking | Protocol::Grpc, Transport::Udp) => {
            Some("no stream of bytes goes there")
        }
        _ => None,
    }
}

/// Whom a server takes the client for, who says nothing of itself.
fn caller(protocol: Protocol, transport: Transport) -> &'static str {
    match transport {
        Transport::Inproc => "inproc",
        // The server is in this process, and the first way that leads there is taken.
        Transport::Local if protocol != Protocol::Grpc => "inproc",
        Transport::Pipe => "unknown",
        Transport::Shm | Transport::Unix | Transport::Local => "our user",
        Transport::Tcp | Transport::Tls | Transport::Udp => "an address",
        Transport::Mtls | Transport::TlsOverUnix | Transport::TlsOverShm => {
            "spiffe://example/clerk"
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_cell_works_by_one_table_or_is_refused_with_its_reason() {
    let _watchdog = watchdog(PATIENCE);
    let scene = Scene::new();
    let mut failures = Vec::new();
    for protocol in PROTOCOLS {
        for transport in TRANSPORTS {
            let name = format!("{protocol:?} over {transport:?}");
            let came = cell(&scene, protocol, transport).await;
            match (came, refusal(protocol, transport)) {
                (Ok(all), None) => {
                    println!("{name}: works");
                    // A pair is served to its end, which no stopper brings.
                    let asked = TABLE.len() - usize::from(transport.is_pair());
                    assert_eq!(all.len(), asked, "{name}: each case once");
                    for (case, outcome) in all {
                        let expected = outcomes::expected(case, protocol, transport);
                        if outcome != expected {
                            failures.push(format!("{name}: {case}: {outcome}, not {expected}"));
                        }
                    }
                }
                (Err(status), Some(reason)) if status.message().contains(reason) => {
                    assert_ne!(status.code(), Code::Internal);
                    println!("{name}: refused because {reason}");
                }
                (Ok(_), Some(reason)) => failures.push(format!("{name}: works, though {reason}")),
                (Err(status), _) => failures.push(format!("{name}: {status}")),
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
