//! Headers out of a generator: each is refused or is what its maker could have written.

use ipc_shm::{DATA_OFFSET, ErrorKind, FORMAT_VERSION, Region};
use ipc_testkit::crash::{Lab, Tally};
use rustix::fs::{MemfdFlags, SealFlags};
use std::os::fd::OwnedFd;

const HEADER: usize = 64;
const SIZE: usize = 5000;

/// Words that break arithmetic, or mean something.
const TELLING: [u64; 16] = [
    0,
    1,
    HEADER as u64,
    DATA_OFFSET as u64,
    SIZE as u64 - 1,
    SIZE as u64,
    SIZE as u64 + 1,
    0x0102_0304,
    0x0403_0201,
    1 << 31,
    u32::MAX as u64,
    1 << 40,
    (1 << 40) + 1,
    1 << 63,
    u64::MAX - 4095,
    u64::MAX,
];

pub(crate) fn from_a_generator(lab: &mut Lab) {
    let good = good_header();
    let fd = memory();
    type Change = fn(&mut Lab, &mut [u8; HEADER]);
    let kinds: [(&str, Change); 4] = [
        ("noise, the sum right in half of them", noise),
        ("one to four fields, the sum right", fields),
        ("flips of one to eight bits", flips),
        ("one to four bytes, the sum right", bytes),
    ];
    for (name, change) in kinds {
        let mut tally = Tally::new("F1", format!("header: {name}"));
        let mut accepted = 0u64;
        for _ in 0..lab.count(10_000, 1_000_000, 10_000_000) / 4 {
            let mut header = good;
            change(lab, &mut header);
            rustix::io::pwrite(&fd, &header, 0).expect("ours");
            let copy = fd.try_clone().expect("a descriptor");
            let outcome = Region::from_fd(copy);
            accepted += u64::from(outcome.is_ok());
            tally.trial(match (may_be(&header), outcome) {
                (false, Err(error)) if error.kind() == ErrorKind::Corrupt => Ok(()),
                (true, Ok(region)) if region.verify().is_ok() => Ok(()),
                (expected, outcome) => Err(format!("{expected}: {outcome:?} of {header:?}")),
            });
        }
        tally.what += &format!(" ({accepted} good)");
        lab.enter(tally);
    }
}

/// The documented layout, read a second time: whether a region of this size may begin so.
fn may_be(header: &[u8; HEADER]) -> bool {
    let u64_at = |at: usize| u64::from_ne_bytes(header[at..at + 8].try_into().expect("eight"));
    let (size, most) = (u64_at(16), u64_at(24));
    let total = SIZE as u64;
    let sizes = match most > size {
        // It has grown to what is there.
        true => (1..=total).contains(&size) && (total..=1 << 40).contains(&most),
        false => size == total && most == total,
    };
    header[..8] == *b"ipc-shm\0"
        && header[8..12] == 0x0102_0304u32.to_ne_bytes()
        && header[12..14] == FORMAT_VERSION.to_ne_bytes()
        && header[14] == size_of::<usize>() as u8
        && header[15] == 0
        // Right behind the header only where that makes one page: this object has more.
        && header[48..52] == (DATA_OFFSET as u32).to_ne_bytes()
        && header[52..60] == [0; 8]
        && header[60..] == sum(header).to_ne_bytes()
        && sizes
}

fn noise(lab: &mut Lab, header: &mut [u8; HEADER]) {
    header.chunks_mut(8).for_each(|chunk| {
        let word = lab.below(u64::MAX).to_ne_bytes();
        chunk.copy_from_slice(&word);
    });
    if lab.below(2) == 0 {
        header[..8].copy_from_slice(b"ipc-shm\0");
        set_sum(header);
    }
}

fn fields(lab: &mut Lab, header: &mut [u8; HEADER]) {
    const FIELDS: [(usize, usize); 11] = [
        (0, 8),
        (8, 4),
        (12, 2),
        (14, 1),
        (15, 1),
        (16, 8),
        (16, 8),
        (24, 8),
        (24, 8),
        (32, 8),
        (48, 8),
    ];
    for _ in 0..=lab.below(4) {
        let (at, length) = FIELDS[lab.below(FIELDS.len() as u64) as usize];
        let word = match lab.below(4) {
            0 => lab.below(u64::MAX),
            _ => TELLING[lab.below(TELLING.len() as u64) as usize],
        };
        header[at..at + length].copy_from_slice(&word.to_ne_bytes()[..length]);
    }
    set_sum(header);
}

fn flips(lab: &mut Lab, header: &mut [u8; HEADER]) {
    for _ in 0..=lab.below(8) {
        let bit = lab.below(HEADER as u64 * 8) as usize;
        header[bit / 8] ^= 1 << (bit % 8);
    }
}

fn bytes(lab: &mut Lab, header: &mut [u8; HEADER]) {
    for _ in 0..=lab.below(4) {
        header[lab.below(60) as usize] = lab.below(256) as u8;
    }
    set_sum(header);
}

fn set_sum(header: &mut [u8; HEADER]) {
    let sum = sum(header);
    header[60..].copy_from_slice(&sum.to_ne_bytes());
}

fn sum(header: &[u8; HEADER]) -> u32 {
    !header[..60].iter().fold(!0u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| match sum & 1 {
            1 => (sum >> 1) ^ 0x82f6_3b78,
            _ => sum >> 1,
        })
    })
}

/// The header that the crate itself writes.
fn good_header() -> [u8; HEADER] {
    let region = ipc_shm::anonymous(SIZE).expect("memory");
    let mut header = [0; HEADER];
    rustix::io::pread(region.as_fd().expect("memory"), &mut header, 0).expect("readable");
    header
}

/// Memory as a region has it, for any header: whoever may write may write this page.
fn memory() -> OwnedFd {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let fd = rustix::fs::memfd_create("forged", flags).expect("memory");
    let all = rustix::fs::FallocateFlags::empty();
    let total = (DATA_OFFSET + SIZE) as u64;
    rustix::fs::fallocate(&fd, all, 0, total).expect("memory");
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&fd, seals).expect("new");
    fd
}
