//! What holds the bytes of a region.

use ipc_core::{Error, ErrorKind, Result};
use std::fmt;

/// What holds the bytes of a region.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backing {
    /// A sealed memory file without a name (memfd), passed by descriptor: nobody can shrink it.
    #[default]
    Memory,
    /// As [`Memory`](Backing::Memory), in huge pages of the host's default size. The host must
    /// have set some aside (`vm.nr_hugepages`).
    HugePages,
    /// A POSIX shared-memory object, by name (`shm_open`). It cannot be sealed, so it is read
    /// and written by system calls unless the peers are trusted.
    Posix,
    /// A System V segment: without a name by its id, with one by a key file in the user's
    /// private directory. The kernel fixes its size.
    SystemV,
    /// A file, by path. As [`Posix`](Backing::Posix).
    File,
}

impl Backing {
    /// How many bytes an object holds that should hold `total`.
    pub(crate) fn whole_pages(self, total: usize) -> Result<usize> {
        match self {
            Self::HugePages => Ok(total.next_multiple_of(huge_page_bytes()?)),
            _ => Ok(total),
        }
    }
}

impl fmt::Display for Backing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::HugePages => "huge pages",
            Self::Posix => "POSIX shared memory",
            Self::SystemV => "System V segment",
            Self::File => "file",
        })
    }
}

/// The size of the host's default huge page.
pub(crate) fn huge_page_bytes() -> Result<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = text.lines().find_map(|line| {
        let rest = line.strip_prefix("Hugepagesize:")?.trim();
        rest.strip_suffix("kB")?.trim().parse::<usize>().ok()
    });
    kib.map(|kib| kib * 1024).ok_or_else(|| {
        Error::new("create region", ErrorKind::Unsupported)
            .hint("this kernel has no huge pages (/proc/meminfo names no size)")
    })
}
