//! A lock of ours as the crate `raw_sync` sees it.

use super::Words;
use ipc_core::{Error, ErrorKind, Result};
use raw_sync::locks::{LockImpl, LockInit, Mutex};

/// The crate's handle of the lock at the start of `words`, with its data `data_at` bytes behind.
/// It is used no longer than `words` lives.
///
/// # Errors
/// `Unsupported` where the crate would look for the lock elsewhere.
pub(crate) fn hand_over(words: &Words, data_at: usize) -> Result<Box<dyn LockImpl>> {
    let start = words.start();
    // SAFETY: `data_at` is inside the object, whose layout the caller has made.
    let data = unsafe { start.add(data_at) };
    // SAFETY: an initialised mutex stands at `start`, mapped while `words` lives; the crate keeps
    // both pointers and reads nothing (its `from_existing`).
    let handed = unsafe { Mutex::from_existing(start.as_ptr(), data.as_ptr()) };
    let refuse = |why: String| Err(Error::new("hand over", ErrorKind::Unsupported).hint(why));
    let (lock, bytes) = match handed {
        Ok(handed) => handed,
        Err(error) => return refuse(format!("raw_sync says: {error}")),
    };
    if lock.as_raw() != start.as_ptr().cast() || bytes > data_at {
        return refuse("this version of raw_sync lays a lock out in another way".into());
    }
    Ok(lock)
}
