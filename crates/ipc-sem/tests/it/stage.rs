//! What the roles and tests of a region's objects share: the region, and counters in it.

use ipc_sem::Region;
use ipc_testkit::{Child, Role, Stage};
use std::sync::atomic::Ordering::SeqCst;

/// Outside every object: how many roles have come to where they are wanted.
const READY: usize = BYTES - 64;
/// Outside every object: what a test counts.
const COUNT: usize = BYTES - 128;
const BYTES: usize = 128 << 10;
/// Where a second object has its place.
pub(crate) const SECOND: usize = 64 << 10;

pub(crate) fn region() -> Region {
    ipc_shm::anonymous(BYTES).expect("a region")
}

pub(crate) fn spawn(role: &str, region: &Region, how: &str) -> Child {
    Role::new(role)
        .descriptor(region.as_fd().expect("a memfd"))
        .argument(how)
        .spawn()
}

pub(crate) fn enter(mut stage: Stage) -> (Region, String) {
    let region = Region::from_fd(stage.descriptor()).expect("a region");
    (region, stage.argument(0).to_owned())
}

pub(crate) fn say_ready(region: &Region) {
    region
        .atomic_u32(READY)
        .expect("inside")
        .fetch_add(1, SeqCst);
}

pub(crate) fn ready(region: &Region) -> u32 {
    region.atomic_u32(READY).expect("inside").load(SeqCst)
}

pub(crate) fn await_ready(region: &Region, count: u32) {
    while ready(region) < count {
        std::thread::yield_now();
    }
}

pub(crate) fn add(region: &Region, number: u32) {
    region
        .atomic_u32(COUNT)
        .expect("inside")
        .fetch_add(number, SeqCst);
}

pub(crate) fn counted(region: &Region) -> u32 {
    region.atomic_u32(COUNT).expect("inside").load(SeqCst)
}

pub(crate) fn for_ever() -> ! {
    loop {
        std::thread::park();
    }
}
