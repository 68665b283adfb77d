//! Who is registered, by locks that a death gives back: one byte of a file for each lease. So a
//! host that has just begun knows who will come again.

use ipc_file::{Guard, Lock};
use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::path::Path;

/// Among so many bytes a lease takes one.
const BYTES: u64 = 1 << 16;
/// So many leases are counted; with more it is not known who they are.
const MOST_COUNTED: usize = 256;
/// So many bytes are tried before a lease has none.
const TRIES: u64 = 64;

/// The file beside the registry's socket.
#[derive(Debug)]
pub(crate) struct Leases(Lock);

impl Leases {
    /// Beside the registry at `path`; `None` where no file can be there.
    pub(crate) fn beside(path: &Path) -> Option<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(".leases");
        match ipc_file::open_lock(Path::new(&name)) {
            Ok(lock) => Some(Self(lock)),
            Err(error) => {
                tracing::debug!(%error, "leases are not counted");
                None
            }
        }
    }

    /// Takes a byte that nobody has, and says which.
    pub(crate) fn take(&self) -> Option<(u64, Guard<'_>)> {
        let random = RandomState::new();
        (0..TRIES).find_map(|attempt| {
            // Not the first: a lease without one says that it has that.
            let byte = 1 + random.hash_one(attempt) % (BYTES - 1);
            let guard = self.0.try_lock_range(byte..byte + 1).ok();
            if guard.is_none() {
                // It is another's, or one who counts holds it for a moment.
                std::thread::yield_now();
            }
            guard.map(|guard| (byte, guard))
        })
    }

    /// Which bytes others have; `None` where they are too many to be counted.
    pub(crate) fn held(&self) -> Option<BTreeSet<u64>> {
        let (mut held, mut parts) = (BTreeSet::new(), Vec::new());
        parts.push(0..BYTES);
        while let Some(part) = parts.pop() {
            if self.is_free(&part) {
                continue;
            }
            let middle = part.start.midpoint(part.end);
            if middle > part.start {
                parts.extend([part.start..middle, middle..part.end]);
                continue;
            }
            held.insert(part.start);
            if held.len() > MOST_COUNTED {
                return None;
            }
        }
        Some(held)
    }

    /// Whether somebody still has it.
    pub(crate) fn is_held(&self, byte: u64) -> bool {
        !self.is_free(&(byte..byte + 1))
    }

    fn is_free(&self, part: &Range<u64>) -> bool {
        self.0.try_lock_range_shared(part.clone()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Leases;
    use ipc_testkit::TempDir;

    #[test]
    fn who_holds_a_lease_is_seen_from_beside_until_it_is_given_back() {
        let directory = TempDir::new();
        let place = directory.join("registry");
        let [ours, theirs] = [(); 2].map(|()| Leases::beside(&place).expect("a file"));
        assert!(ours.held().expect("few").is_empty());
        let mut taken: Vec<_> = (0..20)
            .map(|_| theirs.take().expect("one is free"))
            .collect();
        let bytes: Vec<_> = taken.iter().map(|(byte, _)| *byte).collect();
        let held = ours.held().expect("few");
        assert_eq!(held.len(), 20);
        assert!(
            bytes
                .iter()
                .all(|byte| held.contains(byte) && ours.is_held(*byte))
        );
        taken.pop();
        assert_eq!(ours.held().expect("few").len(), 19);
        assert!(!ours.is_held(bytes[19]));
        taken.extend((0..300).map(|_| theirs.take().expect("one is free")));
        assert_eq!(ours.held(), None, "too many");
        drop(taken);
        drop(theirs);
        assert!(ours.held().expect("few").is_empty());
    }
}
