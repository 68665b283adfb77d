//! POSIX queues awaited, beside the same blocking.

use super::posix_mq::{blocking, queues};
use crate::{
    awaited::{self, Apart},
    family::Family,
};

/// POSIX queues awaited.
pub fn family() -> Family {
    awaited::family(
        "posix-mq-awaited",
        "a POSIX queue each way with .await on tokio (blocking: the same, without)",
        "ipc-mq",
        blocking,
        |side, meet, shape| {
            let (tx, rx) = queues(side, meet, shape)?;
            Ok(Box::new(Apart::new(tx, rx)?))
        },
    )
}
