//! Limits of this host that several mechanisms ask for.

use std::{
    fs,
    net::{Ipv4Addr, UdpSocket},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::scenario::Shape;

/// What the kernel books for a packet beside its payload, with room to spare.
const PACKET_OVERHEAD: usize = 4096;

/// A number below /proc/sys.
pub fn setting(path: &str) -> Option<usize> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Whether a Unix packet of this size fits into the default send buffer.
pub fn socket_buffer(shape: &Shape) -> Result<(), String> {
    let limit = setting("/proc/sys/net/core/wmem_default").unwrap_or(212_992);
    if shape.size + PACKET_OVERHEAD > limit {
        return Err(format!(
            "a packet must fit the send buffer: net.core.wmem_default is {limit}"
        ));
    }
    Ok(())
}

/// Why there is no loopback interface.
pub fn loopback() -> Result<(), String> {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
        .map(drop)
        .map_err(|error| format!("no socket on 127.0.0.1: {error}"))
}

/// Lets this process, and those it starts, have `count` descriptors.
///
/// # Errors
/// Where its user may not have so many.
pub fn descriptors(count: u64) -> Result<(), String> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= count) {
        return Ok(());
    }
    let raised = Rlimit {
        current: Some(count),
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised)
        .map_err(|_| format!("it needs {count} descriptors (ulimit -n)"))
}
