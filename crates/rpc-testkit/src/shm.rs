//! Two ends of a channel in shared memory, made as two processes make it.

use ipc_core::Result;
use rpc_transport::Wire;

/// Both ends in this process, whose peer each takes for another.
///
/// # Errors
/// As the system says.
pub fn pair(ring: &ipc_ring::Options) -> Result<(Wire, Wire)> {
    let (left, right) = ipc_uds::pair_seqpacket()?;
    let (left, right) = (ring.begin(left)?, ring.begin(right)?);
    left.finish()?;
    right.finish()?;
    Ok((Wire::shm(left.channel()?)?, Wire::shm(right.channel()?)?))
}
