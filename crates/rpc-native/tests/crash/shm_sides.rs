//! The two sides of calls over shared memory, blocking and awaited, and the service they share.

use rpc_core::{Code, Context, Router, Served, Server, Status, block_on, service};
use rpc_native::{Limits, Options};
use rpc_transport::Wire;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// Calls that are under way at an awaited side.
const UNDER_WAY: u64 = 4;

#[service(name = "crash.v1.Patient")]
pub(crate) trait Patient {
    /// What it is given.
    async fn echo(&self, cx: &Context, bytes: Vec<u8>) -> Result<Vec<u8>, Status>;
    /// Answers never.
    async fn wait(&self, cx: &Context) -> Result<(), Status>;
}

/// Counts the handlers that run.
#[derive(Clone, Default)]
pub(crate) struct Host(pub(crate) Arc<AtomicU64>);

struct Left<'a>(&'a AtomicU64);

impl Drop for Left<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl Patient for Host {
    async fn echo(&self, _: &Context, bytes: Vec<u8>) -> Result<Vec<u8>, Status> {
        Ok(bytes)
    }

    async fn wait(&self, _: &Context) -> Result<(), Status> {
        self.0.fetch_add(1, SeqCst);
        let _left = Left(&self.0);
        std::future::pending().await
    }
}

impl Host {
    pub(crate) fn served(&self) -> Served {
        Server::new(Router::new().service(PatientServer::new(self.clone()))).served()
    }
}

pub(crate) fn options() -> Options {
    let mut limits = Limits::new();
    limits.handshake_timeout(Duration::from_secs(60));
    Options::new().limits(limits).clone()
}

/// One end of a channel that is being made over `socket`.
pub(crate) fn wire(socket: ipc_uds::SeqPacket) -> Result<Wire, Status> {
    let mut ring = ipc_ring::Options::new();
    // Little, so that calls come round to where they began.
    ring.capacity_messages(64).capacity_bytes(64 << 10);
    ring.meet_timeout(Duration::from_secs(60));
    Ok(Wire::shm_meeting(ring.begin(socket)?)?)
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime")
}

/// Message `number`: in a slot of the ring, beside, and straight in several pieces, of which not
/// all fit at once.
pub(crate) fn message(number: u64) -> Vec<u8> {
    let len = match number % 8 {
        0 => 40_000,
        1 => 200_000,
        2..4 => 500,
        _ => 8,
    };
    vec![number as u8; len]
}

/// Makes calls until one fails; `time` is what each has.
pub(crate) fn call_until_the_end(socket: ipc_uds::SeqPacket, time: Duration) -> Status {
    let connected = wire(socket).and_then(|wire| options().over_blocking(wire));
    let patient = match connected {
        Ok(connection) => PatientClient::new(connection),
        Err(status) => return status,
    };
    for number in 0.. {
        let sent = message(number);
        let cx = Context::new().timeout(time);
        match block_on(patient.echo(&cx, sent.clone())) {
            Ok(came) if came == sent => {}
            Ok(_) => return Status::new(Code::DataLoss, "another answer"),
            Err(status) => return status,
        }
    }
    Status::bare(Code::Ok)
}

/// The same with several calls under way, of which most are never answered; the last that ended.
pub(crate) async fn await_the_end(socket: ipc_uds::SeqPacket, time: Duration) -> Status {
    let connected = match wire(socket) {
        Ok(wire) => options().over(wire).await,
        Err(status) => Err(status),
    };
    let patient = match connected {
        Ok(connection) => Arc::new(PatientClient::new(connection)),
        Err(status) => return status,
    };
    let mut calls = tokio::task::JoinSet::new();
    for _ in 1..UNDER_WAY {
        let patient = Arc::clone(&patient);
        calls.spawn(async move { patient.wait(&Context::new().timeout(time)).await });
    }
    calls.spawn(async move {
        for number in 0.. {
            let sent = message(number);
            let cx = Context::new().timeout(time);
            if patient.echo(&cx, sent.clone()).await? != sent {
                return Err(Status::new(Code::DataLoss, "another answer"));
            }
        }
        Ok(())
    });
    let mut last = Status::bare(Code::Ok);
    while let Some(ended) = calls.join_next().await {
        match ended {
            Ok(Err(status)) if status.code() == Code::DataLoss => return status,
            Ok(Err(status)) => last = status,
            _ => return Status::bare(Code::Internal),
        }
    }
    last
}

/// Serves until the client goes.
pub(crate) fn serve_until_the_end(socket: ipc_uds::SeqPacket, host: &Host) {
    if let Ok(wire) = wire(socket) {
        let _ = options().session(wire, host.served()).run();
    }
}

/// The same on a runtime.
pub(crate) async fn serve_awaited(socket: ipc_uds::SeqPacket, host: &Host) {
    if let Ok(wire) = wire(socket) {
        let _ = options().serve(wire, host.served()).await;
    }
}

/// Spun, not slept: moments are to be spread finer than a timer is.
pub(crate) fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}
