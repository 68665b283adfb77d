//! Every damaged, foreign or lying header is refused, in sealed memory and in files.

use crate::named::Named;
use ipc_shm::{Backing, DATA_OFFSET, ErrorKind, FORMAT_VERSION, MAX_SIZE_BYTES, Options, Region};
use ipc_testkit::isolated;
use rustix::fs::{MemfdFlags, SealFlags};
use std::os::fd::OwnedFd;

const SIZE: usize = 5000;
const HEADER: usize = 64;

/// A memory file with these bytes and then zeros up to `total`, wholly reserved and sealed.
pub(crate) fn forge(bytes: &[u8], total: usize, seals: SealFlags) -> OwnedFd {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let fd = rustix::fs::memfd_create("forged", flags).expect("memory");
    if total > 0 {
        let all = rustix::fs::FallocateFlags::empty();
        rustix::fs::fallocate(&fd, all, 0, total as u64).expect("memory");
    }
    rustix::io::pwrite(&fd, &bytes[..bytes.len().min(total)], 0).expect("memory");
    rustix::fs::fcntl_add_seals(&fd, seals).expect("new");
    fd
}

pub(crate) fn sealed() -> SealFlags {
    SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL
}

/// The header that the crate itself writes.
pub(crate) fn good_header(layout: u64) -> [u8; HEADER] {
    let region = Options::new()
        .size_bytes(SIZE)
        .layout(layout)
        .anonymous()
        .expect("made");
    let mut bytes = [0; HEADER];
    rustix::io::pread(region.as_fd().expect("memory"), &mut bytes, 0).expect("readable");
    bytes
}

fn with_sum(mut bytes: [u8; HEADER]) -> [u8; HEADER] {
    let sum = !bytes[..60].iter().fold(!0u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            if sum & 1 == 1 {
                (sum >> 1) ^ 0x82f6_3b78
            } else {
                sum >> 1
            }
        })
    });
    bytes[60..].copy_from_slice(&sum.to_ne_bytes());
    bytes
}

fn with(at: usize, field: &[u8]) -> [u8; HEADER] {
    let mut bytes = good_header(0);
    bytes[at..at + field.len()].copy_from_slice(field);
    with_sum(bytes)
}

#[track_caller]
fn assert_refused(bytes: &[u8], what: &str) {
    let fd = forge(bytes, DATA_OFFSET + SIZE, sealed());
    let error = Region::from_fd(fd).map(drop).expect_err(what);
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
}

/// A small generator of numbers, the same in every run.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[test]
fn the_good_header_is_accepted_so_that_the_refusals_mean_something() {
    let header = good_header(0);
    assert_eq!(with_sum(header), header);
    let fd = forge(&header, DATA_OFFSET + SIZE, sealed());
    assert_eq!(Region::from_fd(fd).expect("a region").len_bytes(), SIZE);
}

#[test]
fn each_wrong_field_is_refused_although_its_checksum_is_right() {
    isolated!({
        let version = FORMAT_VERSION;
        for version in [0, version + 1, version.swap_bytes(), u16::MAX] {
            assert_refused(&with(12, &version.to_ne_bytes()), "another version");
        }
        for order in [0x0403_0201u32, 0, u32::MAX, 0x0102_0403] {
            assert_refused(&with(8, &order.to_ne_bytes()), "another byte order");
        }
        for word in [0, 1, 2, 4, 7, 9, 16, 255] {
            assert_refused(&with(14, &[word]), "another word size");
        }
        for reserved in [15, 52, 55, 59] {
            assert_refused(&with(reserved, &[1]), "a reserved byte");
        }
        for start in [0u32, 1, 8, 63, 64, 65, 128, 4095, 4097, 8192, u32::MAX] {
            assert_refused(
                &with(48, &start.to_ne_bytes()),
                "bytes that begin elsewhere",
            );
        }
        for magic in [
            b"ipc-shm\x01",
            b"IPC-SHM\0",
            b"ipc-mak\0",
            &[0; 8],
            &[255; 8],
        ] {
            assert_refused(&with(0, magic), "another magic");
        }
        let size = SIZE as u64;
        for wrong in [
            0,
            1,
            size - 1,
            size + 1,
            1 << 31,
            1 << 32,
            1 << 63,
            u64::MAX,
        ] {
            for other in [
                wrong,
                size,
                MAX_SIZE_BYTES as u64,
                MAX_SIZE_BYTES as u64 + 1,
            ] {
                let mut bytes = good_header(0);
                bytes[16..24].copy_from_slice(&wrong.to_ne_bytes());
                bytes[24..32].copy_from_slice(&other.to_ne_bytes());
                let fd = forge(&with_sum(bytes), DATA_OFFSET + SIZE, sealed());
                match Region::from_fd(fd) {
                    // Less than the object holds, with room to grow into what is there.
                    Ok(region) => assert!(wrong < size && other >= size && wrong > 0, "{region:?}"),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}"),
                }
            }
        }
    });
}

#[test]
fn another_layout_is_refused_and_none_demanded_takes_any() {
    let fd = || forge(&good_header(77), DATA_OFFSET + SIZE, sealed());
    assert_eq!(Region::from_fd(fd()).expect("any").layout(), 77);
    Options::new().layout(77).attach(fd()).expect("the same");
    let error = Options::new().layout(78).attach(fd()).expect_err("another");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let none = forge(&good_header(0), DATA_OFFSET + SIZE, sealed());
    let error = Options::new()
        .layout(78)
        .attach(none)
        .expect_err("none said");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[test]
fn every_flip_of_one_bit_and_many_of_two_are_refused() {
    isolated!({
        let good = good_header(0x1234);
        let flip = |bytes: &mut [u8; HEADER], bit: usize| bytes[bit / 8] ^= 1 << (bit % 8);
        for bit in 0..HEADER * 8 {
            let mut bad = good;
            flip(&mut bad, bit);
            assert_refused(&bad, "one bit");
        }
        let mut numbers = Numbers(0x5eed);
        for _ in 0..3000 {
            let (first, second) = (numbers.next() as usize % 512, numbers.next() as usize % 512);
            if first != second {
                let mut bad = good;
                flip(&mut bad, first);
                flip(&mut bad, second);
                assert_refused(&bad, "two bits");
            }
        }
    });
}

#[test]
fn zeros_ones_and_noise_are_refused() {
    isolated!({
        assert_refused(&[0; HEADER], "zeros");
        assert_refused(&[255; HEADER], "ones");
        let mut numbers = Numbers(0x0dd);
        for round in 0..2000 {
            let mut bytes = [0u8; HEADER];
            bytes.fill_with(|| numbers.next() as u8);
            if round % 2 == 0 {
                bytes[..8].copy_from_slice(b"ipc-shm\0");
                bytes = with_sum(bytes);
            }
            assert_refused(&bytes, "noise");
        }
    });
}

#[test]
fn an_object_cut_at_any_length_is_refused() {
    isolated!({
        let good = good_header(0);
        let total = DATA_OFFSET + SIZE;
        let lengths = (0..=80).chain([511, 512, 4095, 4096, 4097, total - 1, total + 1, total * 2]);
        for length in lengths {
            let error = Region::from_fd(forge(&good, length, sealed())).expect_err("cut");
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{length} bytes: {error}");
        }
    });
}

#[test]
fn damaged_files_and_objects_are_refused_too() {
    isolated!({
        for kind in [Backing::Posix, Backing::File, Backing::SystemV] {
            let mut named = Named::new(kind);
            named.options.size_bytes(SIZE);
            drop(named.options.create(&named.name).expect("new"));
            let good = std::fs::read(named.path()).expect("ours");
            let mut bad = good.clone();
            for bit in 64..HEADER * 8 {
                bad[bit / 8] ^= 1 << (bit % 8);
                std::fs::write(named.path(), &bad).expect("ours");
                let error = named.options.open(&named.name).expect_err("a flipped bit");
                assert_eq!(
                    error.kind(),
                    ErrorKind::Corrupt,
                    "{kind}, bit {bit}: {error}"
                );
                bad[bit / 8] ^= 1 << (bit % 8);
            }
            for length in [1, 7, 8, 63] {
                std::fs::write(named.path(), &good[..length]).expect("ours");
                let error = named.options.open(&named.name).expect_err("cut");
                assert_eq!(
                    error.kind(),
                    ErrorKind::Corrupt,
                    "{kind}, {length}: {error}"
                );
            }
            std::fs::write(named.path(), &good).expect("ours");
            named.options.open(&named.name).expect("good again");
        }
    });
}

#[test]
fn a_region_for_any_word_is_attached_by_who_says_so() {
    let region = Options::new()
        .size_bytes(64)
        .any_word(true)
        .anonymous()
        .expect("memory");
    let copy = || region.to_read_only_fd().expect("a descriptor");
    let error = Options::new()
        .attach(copy())
        .expect_err("it did not say so");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let attached = Options::new().any_word(true).attach(copy());
    assert_eq!(attached.expect("it did").len_bytes(), 64);
}
