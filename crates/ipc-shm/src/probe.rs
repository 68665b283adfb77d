//! What this host gives, and which weaker form stands in for what it lacks.

use crate::backing::huge_page_bytes;
use rustix::fs::MemfdFlags;

/// What this host gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probe {
    /// Memory files can be made, so there is [`Backing::Memory`](crate::Backing::Memory).
    pub memory_files: bool,
    /// They are sealed against execution (Linux 6.3); else their mode alone forbids it.
    pub no_exec_seal: bool,
    /// POSIX objects have their place, `/dev/shm`.
    pub posix: bool,
    /// System V segments are there.
    pub system_v: bool,
    /// The size of a huge page; none where the kernel has none.
    pub huge_page_bytes: Option<usize>,
    /// How many huge pages the host has set aside; 0 is the default of most.
    pub huge_pages: u64,
}

/// Looks at this host; makes nothing that stays.
#[must_use]
pub fn probe() -> Probe {
    let made = |flags| rustix::fs::memfd_create("ipc-shm-probe", flags).is_ok();
    let number = |path: &str| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    };
    let plain = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    Probe {
        memory_files: made(plain),
        no_exec_seal: made(plain | MemfdFlags::NOEXEC_SEAL),
        posix: std::path::Path::new("/dev/shm").is_dir(),
        system_v: number("/proc/sys/kernel/shmmni") > 0,
        huge_page_bytes: huge_page_bytes().ok(),
        huge_pages: number("/proc/sys/vm/nr_hugepages"),
    }
}
