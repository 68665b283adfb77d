//! A page in shared memory: changed by the server, read by everybody without a system call.

use ipc_facade::shm::Region;
use std::sync::atomic::{Ordering, fence};

pub(crate) const PAGES: usize = 64;
/// A page in memory: how often it was changed, twice, and once more while it changes; the value.
pub(crate) const PAGE_BYTES: usize = 64;
const VALUE_AT: usize = 8;
pub(crate) type Value = [u8; PAGE_BYTES - VALUE_AT];
/// A write as it is asked for and logged: which page, and its value.
pub(crate) type Write = [u8; 4 + size_of::<Value>()];

/// Which page a write is for.
pub(crate) fn page(write: &Write) -> usize {
    let [a, b, c, d, ..] = *write;
    u32::from_le_bytes([a, b, c, d]) as usize
}

/// Changes a page. A reader that comes meanwhile sees an odd number, or another one than before,
/// and looks again.
pub(crate) fn show(pages: &Region, write: &Write) -> ipc_facade::Result<()> {
    let at = page(write) % PAGES * PAGE_BYTES;
    let changes = pages.atomic_u64(at)?;
    let number = changes.load(Ordering::Relaxed);
    changes.store(number + 1, Ordering::Relaxed);
    fence(Ordering::Release);
    pages.write_at(at + VALUE_AT, &write[4..])?;
    changes.store(number + 2, Ordering::Release);
    Ok(())
}

/// A page as a client reads it: no system call, and the server does not notice.
pub(crate) fn read(pages: &Region, page: usize) -> ipc_facade::Result<Value> {
    let (at, mut value) = (page % PAGES * PAGE_BYTES, [0; _]);
    loop {
        let before = pages.load_u64(at, Ordering::Acquire)?;
        pages.read_at(at + VALUE_AT, &mut value)?;
        fence(Ordering::Acquire);
        if before % 2 == 0 && pages.load_u64(at, Ordering::Relaxed)? == before {
            return Ok(value);
        }
        std::hint::spin_loop();
    }
}
