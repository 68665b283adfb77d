//! UDP awaited, beside the same blocking.

use super::udp::{datagram, socket, window};
use crate::{
    awaited::{self, Awaited},
    family::Family,
    ours::Ours,
    scenario::Shape,
};

/// UDP awaited.
pub fn family() -> Family {
    let mut family = awaited::family(
        "udp-awaited",
        "UDP over the loopback with .await on tokio (blocking: the same, without)",
        "ipc-net",
        |side, meet, _| Ok(Box::new(Ours::new(socket(side, meet)?))),
        |side, meet, _| Ok(Box::new(Awaited::new(socket(side, meet)?)?)),
    );
    for maker in &mut family.makers {
        (maker.fits, maker.window) = (fits, window);
    }
    family
}

fn fits(shape: &Shape) -> Result<(), String> {
    awaited::fits(shape).and_then(|()| datagram(shape))
}
