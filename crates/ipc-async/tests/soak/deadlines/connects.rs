//! Waits for a connection that nobody accepts.

use super::judge;
use ipc_async::Async;
use ipc_testkit::TempDir;
use ipc_testkit::crash::Lab;
use tokio::runtime::Builder;

pub(super) fn unix(lab: &mut Lab) {
    let directory = TempDir::new();
    let mut options = ipc_uds::Options::new();
    let options = options.backlog(0);
    let path = directory.join("stream");
    let _listener = options.bind(&path).expect("a listener");
    let mut waiting = Vec::new();
    while let Ok(client) = ipc_uds::try_connect(&path) {
        waiting.push(client);
    }
    judge(lab, "Unix connect", |deadline| {
        ipc_uds::connect_deadline(&path, deadline).map(drop)
    });
    let path = directory.join("seqpacket");
    let _listener = options.bind_seqpacket(&path).expect("a listener");
    let mut waiting = Vec::new();
    while let Ok(client) = options.try_connect_seqpacket(&path) {
        waiting.push(client);
    }
    judge(lab, "seqpacket connect", |deadline| {
        let connected = options.connect_seqpacket_deadline(&path, deadline);
        connected.map(drop)
    });
}

/// The backlog has room, so that the socket is connected; what nobody does is the rest.
pub(super) fn rings(lab: &mut Lab) {
    let directory = TempDir::new();
    let path = directory.join("ring");
    let options = ipc_ring::Options::new();
    let _listener = ipc_ring::bind(&path).expect("a listener");
    judge(lab, "ring connect", |deadline| {
        options.connect_deadline(&path, deadline).map(drop)
    });
    judge(lab, "ring subscribe", |deadline| {
        options.subscribe_deadline(&path, deadline).map(drop)
    });
    judge(lab, "queue produce", |deadline| {
        options.produce_deadline(&path, deadline).map(drop)
    });
    judge(lab, "queue consume", |deadline| {
        options.consume_deadline(&path, deadline).map(drop)
    });
}

/// A listener whose queue is full: the kernel drops what knocks there, as it is with a host that
/// does not answer.
struct Silent {
    listener: ipc_net::Listener,
    _queued: Vec<ipc_net::Stream>,
    _knocking: ipc_net::Connecting,
}

impl Silent {
    fn new() -> Self {
        let mut options = ipc_net::Options::new();
        let listener = options.backlog(0).bind("127.0.0.1:0").expect("a port");
        let address = listener.address().expect("bound");
        let mut queued = Vec::new();
        loop {
            let connecting = options.begin_connect(address).expect("begun");
            match connecting.try_finish() {
                Ok(stream) => queued.push(stream),
                Err(_) => {
                    break Self {
                        listener,
                        _queued: queued,
                        _knocking: connecting,
                    };
                }
            }
        }
    }

    fn address(&self) -> std::net::SocketAddr {
        self.listener.address().expect("bound")
    }
}

pub(super) fn tcp(lab: &mut Lab) {
    let silent = Silent::new();
    let address = silent.address();
    judge(lab, "TCP connect", |deadline| {
        ipc_net::connect_deadline(address, deadline).map(drop)
    });
    let options = ipc_net::Options::new();
    let connecting = options.begin_connect(address).expect("begun");
    judge(lab, "TCP connect, begun before", |deadline| {
        connecting.finish_deadline(deadline).map(drop)
    });
}

/// On a runtime of one thread; what waits by a deadline of its own is the connect.
pub(super) fn awaited(lab: &mut Lab) {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let silent = Silent::new();
    let address = silent.address();
    judge(lab, "TCP connect, awaited", |deadline| {
        let connect = move || ipc_net::connect_deadline(address, deadline);
        runtime.block_on(Async::connect(connect)).map(drop)
    });
    let directory = TempDir::new();
    let path = directory.join("stream");
    let mut options = ipc_uds::Options::new();
    let _listener = options.backlog(0).bind(&path).expect("a listener");
    let mut waiting = Vec::new();
    while let Ok(client) = ipc_uds::try_connect(&path) {
        waiting.push(client);
    }
    judge(lab, "Unix connect, awaited", |deadline| {
        let path = path.clone();
        let connect = move || ipc_uds::connect_deadline(path, deadline);
        runtime.block_on(Async::connect(connect)).map(drop)
    });
}
