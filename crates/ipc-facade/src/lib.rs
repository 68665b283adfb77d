#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

// Text alone: a build has nothing of it.
#[cfg(any(doc, doctest))]
pub mod guide;

#[cfg(feature = "tokio")]
pub use ipc_async::Async;
pub use ipc_async::{Entry as WaitSetEntry, WaitSet};
pub use ipc_core::{
    ByteSink, ByteSource, Credentials, Debt, Duplex, Error, ErrorKind, Flush, Framed, HalfClose,
    Interest, Mode, Name, Pollable, Result, TryAccept, TryRecv, TrySend, TryWait, Turn, Until,
};
#[cfg(feature = "event")]
pub use ipc_event as event;
#[cfg(feature = "file")]
pub use ipc_file as file;
#[cfg(feature = "mq")]
pub use ipc_mq as mq;
#[cfg(feature = "net")]
pub use ipc_net as net;
#[cfg(feature = "pipe")]
pub use ipc_pipe as pipe;
#[cfg(feature = "ring")]
pub use ipc_ring as ring;
#[cfg(feature = "sem")]
pub use ipc_sem as sem;
#[cfg(feature = "shm")]
pub use ipc_shm as shm;
#[cfg(feature = "signal")]
pub use ipc_signal as signal;
#[cfg(feature = "uds")]
pub use ipc_uds as uds;
#[cfg(feature = "rpc")]
pub use rpc_core as rpc;
#[cfg(feature = "grpc")]
pub use rpc_grpc;
#[cfg(feature = "rpc")]
pub use rpc_native;
#[cfg(feature = "registry")]
pub use rpc_registry;
#[cfg(feature = "rpc")]
pub use rpc_transport;
#[cfg(feature = "rpc")]
pub use rpc_udp;
