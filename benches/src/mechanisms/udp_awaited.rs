//! UDP awaited, beside the same blocking.

use super::udp::{datagram, socket, window};
use crate::{
    awaited::{self, alike},
    family::Family,
    scenario::Shape,
};

/// UDP awaited.
pub fn family() -> Family {
    let mut family = alike!("udp-awaited", "UDP over the loopback", "ipc-net", socket);
    for maker in &mut family.makers {
        (maker.fits, maker.window) = (fits, window);
    }
    family
}

fn fits(shape: &Shape) -> Result<(), String> {
    awaited::fits(shape).and_then(|()| datagram(shape))
}
