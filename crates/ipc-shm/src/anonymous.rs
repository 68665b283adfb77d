//! Regions without a name: made, reserved, mapped and sealed, in this order.

use crate::header::Header;
use crate::protection::{add_seals, protection_of, seals_of};
use crate::region::{Inner, Memory};
use crate::sys::Mapping;
use crate::{Backing, Options, Protection, Region, file, system_v};
use ipc_core::{Error, ErrorKind, Result};
use ipc_sys::{above_stdio, crash_point, os_error};
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};

pub(crate) fn make(options: &Options) -> Result<Region> {
    let refuse = |why| Err(Error::new("create region", ErrorKind::InvalidInput).hint(why));
    let backing = options.backing.unwrap_or(Backing::Memory);
    match backing {
        Backing::Memory | Backing::HugePages => {}
        Backing::SystemV => return system_v::anonymous(options),
        Backing::Posix | Backing::File => {
            return refuse("this backing has a name: take create, open or open_or_create");
        }
    }
    if options.protection == Protection::Immutable {
        return refuse(
            "make it narrowable, write what it should hold, then Region::protect makes it \
             immutable",
        );
    }
    if options.read_only {
        return refuse("who makes a region writes it: read_only is for those who attach it");
    }
    let header = Header::new(options)?.on_one_page(options);
    let total = header.total_bytes(backing, header.size_bytes)?;
    let whole = header.total_bytes(backing, header.max_bytes)?;
    let fd = memory_file(backing)?;
    crash_point!("shm.memory.made");
    // A memory file's mode is 0777, and another user could open it again by /proc.
    rustix::fs::fchmod(&fd, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)
        .map_err(|errno| os_error("create region", errno))?;
    // Only now is there memory; where there is not enough, it is an error and never a SIGBUS.
    file::reserve(fd.as_fd(), 0, total as u64).map_err(|error| explain(error, backing))?;
    let mapping = Mapping::of_descriptor(fd.as_fd(), whole, true, options.prefault)
        .map_err(|error| explain(error, backing))?;
    mapping.write(0, &header.encode());
    crash_point!("shm.memory.mapped");
    // Only now, since FUTURE_WRITE would refuse our own mapping; nobody else has the file yet.
    add_seals(fd.as_fd(), seals(options, &header))?;
    let mut inner = Inner::new(Memory::Mapped(mapping), Some(fd), header, header.size_bytes);
    inner.backing = backing;
    Ok(inner.into())
}

fn seals(options: &Options, header: &Header) -> SealFlags {
    let mut seals = SealFlags::SHRINK;
    if !header.is_growable() {
        seals |= SealFlags::GROW;
    }
    if options.protection == Protection::ReadOnly {
        seals |= SealFlags::FUTURE_WRITE;
    }
    if !options.narrowable {
        seals |= SealFlags::SEAL;
    }
    seals
}

fn memory_file(backing: Backing) -> Result<OwnedFd> {
    let mut flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    if backing == Backing::HugePages {
        flags |= MemfdFlags::HUGETLB;
    }
    // Before Linux 6.3 the flag is unknown: the file is not executable by its mode then.
    let made = match rustix::fs::memfd_create("ipc-shm", flags | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => rustix::fs::memfd_create("ipc-shm", flags),
        made => made,
    };
    match made {
        Ok(fd) => above_stdio(fd),
        Err(errno) => Err(explain(os_error("create region", errno), backing)),
    }
}

/// Huge pages are missing on most hosts: the error says what to do.
fn explain(error: Error, backing: Backing) -> Error {
    let code = error.raw_os_error();
    let of_pages = [libc::ENOSPC, libc::ENOMEM, libc::ENOSYS, libc::EINVAL];
    if backing != Backing::HugePages || !code.is_some_and(|code| of_pages.contains(&code)) {
        return error;
    }
    let free = std::fs::read_to_string("/proc/sys/vm/nr_hugepages").unwrap_or_default();
    let none = free.trim().parse::<u64>().map_or(true, |pages| pages == 0);
    let (kind, why) = match none {
        true => (
            ErrorKind::Unsupported,
            "this host has set no huge pages aside: `sysctl vm.nr_hugepages=N` does, or take \
             Backing::Memory",
        ),
        false => (
            ErrorKind::NoSpace,
            "this host has not huge pages enough left (vm.nr_hugepages)",
        ),
    };
    let source = std::io::Error::from_raw_os_error(code.unwrap_or(libc::ENOMEM));
    Error::new("create region", kind)
        .caused_by(source)
        .hint(why)
}

impl Region {
    /// Grows the region to `bytes` while it is mapped; what has been handed out stays valid.
    /// Peers see it after [`refresh`](Region::refresh). Growing to less changes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] above [`max_bytes`](Region::max_bytes), which only
    /// [`Options::growable_to_bytes`] raises; [`ErrorKind::NoSpace`], with the region as it
    /// was; [`ErrorKind::Denied`] where this process may not write.
    pub fn grow(&self, bytes: usize) -> Result<()> {
        if bytes > self.max_bytes() {
            let why = format!("this region grows to {} bytes at most", self.max_bytes());
            return Err(Error::new("grow", ErrorKind::TooLarge).hint(why));
        }
        self.refresh()?;
        if bytes <= self.len_bytes() {
            return Ok(());
        }
        let fd = self.as_fd()?;
        if self.is_read_only() {
            return Err(crate::region::read_only("grow"));
        }
        let header = &self.0.header;
        let from = header.total_bytes(self.backing(), self.len_bytes())?;
        let to = header.total_bytes(self.backing(), bytes)?;
        file::reserve(fd, from as u64, to as u64)
            .map_err(|error| explain(error, self.backing()))?;
        crash_point!("shm.grow.reserved");
        self.0.raise_len(bytes);
        Ok(())
    }

    /// Sees what peers have grown the region to, and returns it.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] where the size is one that no growing makes, or a peer has made
    /// the region longer without memory behind it.
    pub fn refresh(&self) -> Result<usize> {
        if self.0.header.is_growable() {
            let (fd, backing) = (self.as_fd()?, self.backing());
            let len = crate::attach::grown_len(fd, &self.0.header, backing)?;
            let stat = rustix::fs::fstat(fd).map_err(|errno| os_error("refresh", errno))?;
            if !file::is_reserved(&stat, self.0.header.total_bytes(backing, len)? as u64) {
                return Err(Error::new("refresh", ErrorKind::Corrupt)
                    .hint("a peer has left or punched a hole in it"));
            }
            self.0.raise_len(len);
        }
        Ok(self.len_bytes())
    }

    /// Whether the seals still let the protection be narrowed.
    #[must_use]
    pub fn is_narrowable(&self) -> bool {
        let Ok(fd) = self.as_fd() else { return false };
        let seals = seals_of(fd);
        let memory = matches!(self.backing(), Backing::Memory | Backing::HugePages);
        let open = memory && !seals.contains(SealFlags::SEAL);
        open && protection_of(seals) != Protection::Immutable
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{FallocateFlags, MemfdFlags};
    use std::time::Instant;

    /// What a region of `bytes` costs without this crate: memory file, reserve, map, prefault.
    fn bare(bytes: usize) -> (OwnedFd, Mapping) {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let fd = rustix::fs::memfd_create("bare", flags).expect("memory");
        let nothing = FallocateFlags::empty();
        rustix::fs::fallocate(&fd, nothing, 0, bytes as u64).expect("memory");
        let mapping = Mapping::of_descriptor(fd.as_fd(), bytes, true, true).expect("addresses");
        (fd, mapping)
    }

    /// How long making a region takes, against the bare calls for the user's bytes alone, and
    /// for as many bytes as the object has, header and all.
    #[test]
    #[ignore = "a measurement: cargo test --release -p ipc-shm --lib -- --ignored --nocapture"]
    fn making_beside_the_bare_calls() {
        println!("     bytes  of the bare calls  of them for the whole object");
        for shift in [12, 14, 16, 18, 20, 22, 24] {
            let bytes = 1usize << shift;
            let repeat = (1usize << 20 >> shift).clamp(1, 50);
            let mut options = crate::Options::new();
            options.size_bytes(bytes).prefault(true);
            let time = |work: &dyn Fn()| {
                let start = Instant::now();
                (0..repeat).for_each(|_| work());
                start.elapsed().as_secs_f64()
            };
            let made_bare = |bytes| {
                let (_fd, mapping) = bare(bytes);
                mapping.write(0, b"first use");
            };
            let (mut to_user, mut to_whole) = (Vec::new(), Vec::new());
            for _ in 0..201 {
                let user = time(&|| made_bare(bytes));
                let ours = time(&|| {
                    let region = options.anonymous().expect("memory");
                    region.write_at(0, b"first use").expect("inside");
                });
                let whole = time(&|| made_bare(bytes + crate::DATA_OFFSET));
                to_user.push(ours / user);
                to_whole.push(ours / whole);
            }
            let median = |ratios: &mut Vec<f64>| {
                ratios.sort_by(f64::total_cmp);
                ratios[ratios.len() / 2]
            };
            let (user, whole) = (median(&mut to_user), median(&mut to_whole));
            println!("{bytes:>10} {user:>18.3} {whole:>25.3}");
        }
    }
}
