//! POSIX queues awaited, beside the same blocking.

use super::posix_mq::{blocking, fits as within, probe, queues};
use crate::{
    awaited::{self, Apart},
    family::Family,
    scenario::Shape,
};

/// POSIX queues awaited.
pub fn family() -> Family {
    let mut family = awaited::family(
        "posix-mq-awaited",
        "a POSIX queue each way with .await on tokio (blocking: the same, without)",
        "ipc-mq",
        blocking,
        |side, meet, shape| {
            let (tx, rx) = queues(side, meet, shape)?;
            Ok(Box::new(Apart::new(tx, rx)?))
        },
    );
    for maker in &mut family.makers {
        (maker.probe, maker.fits) = (probe, fits);
    }
    family
}

fn fits(shape: &Shape) -> Result<(), String> {
    awaited::fits(shape).and_then(|()| within(shape))
}
