//! The header of a region in a descriptor from a stranger: refused, or a region that can be used.
#![cfg_attr(feature = "libfuzzer", no_main)]

use ipc_shm::{DATA_OFFSET, Options, Region};
use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags};
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

const HEADER: usize = 64;
/// The size of the region whose header is damaged.
const SIZE: usize = 5000;

ipc_fuzz::target!(check);

/// Two bytes of length, one that says how the header comes about, and the header or its changes.
fn check(data: &[u8]) {
    let Some((&[low, high, how], rest)) = data.split_first_chunk::<3>() else {
        return;
    };
    let total = usize::from(u16::from_le_bytes([low, high])) % (4 * DATA_OFFSET);
    let mut header = [0; HEADER];
    if how & 1 == 0 {
        let length = rest.len().min(HEADER);
        header[..length].copy_from_slice(&rest[..length]);
    } else {
        header = *good_header();
        for change in rest.chunks_exact(2) {
            header[usize::from(change[0]) % HEADER] = change[1];
        }
    }
    if how & 2 != 0 {
        let sum = crc32c(&header[..60]);
        header[60..].copy_from_slice(&sum.to_ne_bytes());
    }
    let mut seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    if how & 4 != 0 {
        seals |= SealFlags::WRITE;
    }
    let Ok(region) = Region::from_fd(forge(&header, total, seals)) else {
        return;
    };
    let length = region.len_bytes();
    assert!(length > 0 && DATA_OFFSET + length <= total);
    let mut bytes = vec![1; length];
    region.read_at(0, &mut bytes).expect("inside");
    assert!(region.read_at(1, &mut bytes).is_err(), "one past the end");
    let wrote = region.write_at(length - 1, &[7]).is_ok();
    assert_eq!(wrote, how & 4 == 0, "sealed or not");
}

/// The header that the crate itself writes.
fn good_header() -> &'static [u8; HEADER] {
    static HEADERS: OnceLock<[u8; HEADER]> = OnceLock::new();
    HEADERS.get_or_init(|| {
        let region = Options::new().size_bytes(SIZE).anonymous().expect("memory");
        let mut bytes = [0; HEADER];
        let fd = region.as_fd().expect("a descriptor");
        rustix::io::pread(fd, &mut bytes, 0).expect("readable");
        bytes
    })
}

/// A memory file that begins with this header, wholly reserved and sealed.
fn forge(header: &[u8; HEADER], total: usize, seals: SealFlags) -> OwnedFd {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let fd = rustix::fs::memfd_create("forged", flags).expect("memory");
    if total > 0 {
        let all = FallocateFlags::empty();
        rustix::fs::fallocate(&fd, all, 0, total as u64).expect("memory");
        rustix::io::pwrite(&fd, &header[..HEADER.min(total)], 0).expect("memory");
    }
    rustix::fs::fcntl_add_seals(&fd, seals).expect("new");
    fd
}

fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0x82f6_3b78 & (0_u32.wrapping_sub(sum & 1)))
        })
    })
}
