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

/// Until all threads of all of them sleep: who has said that it is ready waits in the next call by
/// then, however long the host had let it stand before that.
pub(crate) fn await_asleep<'a>(crowd: impl IntoIterator<Item = &'a Child> + Clone) {
    let all_sleep = || crowd.clone().into_iter().all(sleeps);
    // Once more: in one look a sleeper may be told by one who is found asleep after it.
    while !(all_sleep() && all_sleep()) {
        std::thread::yield_now();
    }
}

/// Whether all its threads sleep; one that is stopped does not.
fn sleeps(child: &Child) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", child.id())).expect("our child");
    tasks.flatten().all(|task| {
        let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        let state = stat.rsplit_once(") ");
        state.is_some_and(|(_, state)| state.starts_with('S'))
    })
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
