//! Reading, writing and atomics in every backing, at and beyond the bounds.

use crate::named::{NAMED, Named};
use ipc_shm::{Advice, Backing, ErrorKind, Options, Protection, Region};
use ipc_testkit::{isolated, skip};
use std::sync::atomic::Ordering;

const SIZE: usize = 10_000;

fn exercise(region: &Region, mapped: bool) {
    assert_eq!(region.len_bytes(), SIZE);
    assert_eq!(region.max_bytes(), SIZE);
    assert_eq!(region.is_mapped(), mapped);
    for length in [0, 1, 3, 15, 16, 17, 255, 256, 257, 4096, SIZE] {
        let bytes: Vec<u8> = (0..length).map(|n| (n * 3 + length) as u8).collect();
        for offset in [0, 1, 7, 4095, 4096, SIZE - length.min(SIZE)] {
            if offset + length > SIZE {
                continue;
            }
            region.write_at(offset, &bytes).expect("inside");
            let mut copy = vec![0; length];
            region.read_at(offset, &mut copy).expect("inside");
            assert!(copy == bytes, "{length} bytes at {offset}");
        }
    }
    let mut one = [0];
    for (offset, length) in [
        (SIZE, 1),
        (SIZE - 1, 2),
        (0, SIZE + 1),
        (usize::MAX, 1),
        (usize::MAX - 4096, 1),
        (1 << 63, 0),
    ] {
        let mut buffer = vec![0; length];
        let error = region.read_at(offset, &mut buffer).expect_err("beyond");
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        let error = region.write_at(offset, &buffer).expect_err("beyond");
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
    region.read_at(SIZE - 1, &mut one).expect("the last byte");
    region.read_at(SIZE, &mut []).expect("nothing, at the end");
    if mapped {
        exercise_atomics(region);
    } else {
        let error = region.atomic_u32(0).expect_err("not mapped");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("trust_peers"), "{error}");
    }
    region.verify().expect("nobody has touched it");
}

fn exercise_atomics(region: &Region) {
    region
        .atomic_u64(SIZE - 8 - SIZE % 8)
        .expect("inside")
        .store(7, Ordering::Release);
    for offset in [1, 2, 3, 5] {
        let error = region.atomic_u32(offset).expect_err("off the alignment");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    for offset in [SIZE, SIZE - 1, SIZE - 3, usize::MAX - 3, usize::MAX & !7] {
        assert_eq!(
            region.atomic_u32(offset).expect_err("beyond").kind(),
            ErrorKind::InvalidInput
        );
        assert_eq!(
            region.atomic_u64(offset).expect_err("beyond").kind(),
            ErrorKind::InvalidInput
        );
    }
    let word = region.atomic_u32(64).expect("inside");
    word.store(41, Ordering::SeqCst);
    word.fetch_add(1, Ordering::SeqCst);
    assert_eq!(region.load_u32(64, Ordering::Acquire).expect("inside"), 42);
    let mut bytes = [0; 4];
    region.read_at(64, &mut bytes).expect("inside");
    assert_eq!(u32::from_ne_bytes(bytes), 42);
    let again = region.clone();
    again
        .atomic_u64(72)
        .expect("inside")
        .store(9, Ordering::SeqCst);
    assert_eq!(region.load_u64(72, Ordering::SeqCst).expect("inside"), 9);
}

#[test]
fn memory_without_a_name_can_be_used_to_its_bounds() {
    isolated!({
        for prefault in [false, true] {
            let mut options = Options::new();
            options.size_bytes(SIZE).prefault(prefault);
            exercise(&options.anonymous().expect("made"), true);
            let segment = options.backing(Backing::SystemV).anonymous().expect("made");
            exercise(&segment, true);
        }
    });
}

#[test]
fn every_named_backing_can_be_used_to_its_bounds() {
    for kind in NAMED {
        for trust in [false, true] {
            let mut named = Named::new(kind);
            named.options.size_bytes(SIZE).trust_peers(trust);
            let mapped = trust || kind == Backing::SystemV;
            exercise(&named.options.create(&named.name).expect("made"), mapped);
            exercise(&named.options.open(&named.name).expect("found"), mapped);
            assert_eq!(
                named.options.open(&named.name).expect("found").backing(),
                kind
            );
            named.options.unlink(&named.name).expect("there");
        }
    }
}

#[test]
fn huge_pages_work_or_say_that_the_host_has_none() {
    let made = Options::new()
        .size_bytes(SIZE)
        .backing(Backing::HugePages)
        .anonymous();
    match made {
        Ok(region) => {
            exercise(&region, true);
            exercise_huge(&region);
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(error.to_string().contains("nr_hugepages"), "{error}");
            skip!("{error}");
        }
    }
}

fn exercise_huge(many_writers: &Region) {
    let fd = many_writers.to_fd().expect("a copy");
    let error = Region::from_fd(fd).expect_err("a punched page may not come back");
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    let mut options = Options::new();
    options
        .size_bytes(SIZE)
        .backing(Backing::HugePages)
        .protection(Protection::ReadOnly);
    let region = options.anonymous().expect("one page more");
    region.write_at(0, b"huge").expect("inside");
    let peer = Region::from_fd(region.to_fd().expect("a copy")).expect("a region");
    assert_eq!(
        (peer.backing(), peer.len_bytes()),
        (Backing::HugePages, SIZE)
    );
    let mut copy = [0; 4];
    peer.read_at(0, &mut copy).expect("inside");
    assert_eq!(&copy, b"huge");
    peer.verify().expect("whole");
    let error = options
        .size_bytes(1 << 39)
        .anonymous()
        .expect_err("not so many pages");
    assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
}

#[test]
fn a_read_only_handle_reads_and_never_writes() {
    let region = ipc_shm::anonymous(4096).expect("made");
    region.write_at(0, &7u32.to_ne_bytes()).expect("inside");
    let reader = Options::new()
        .read_only(true)
        .attach(region.to_fd().expect("a copy"))
        .expect("a region");
    assert!(reader.is_read_only() && !region.is_read_only());
    assert_eq!(reader.load_u32(0, Ordering::Acquire).expect("inside"), 7);
    assert_eq!(
        reader.write_at(0, b"x").expect_err("read-only").kind(),
        ErrorKind::Denied
    );
    assert_eq!(
        reader.atomic_u32(0).expect_err("read-only").kind(),
        ErrorKind::Denied
    );
    region.write_at(0, &8u32.to_ne_bytes()).expect("inside");
    assert_eq!(reader.load_u32(0, Ordering::Acquire).expect("inside"), 8);
    let by_descriptor = region.to_read_only_fd().expect("a descriptor");
    assert!(
        Region::from_fd(by_descriptor)
            .expect("a region")
            .is_read_only()
    );
}

#[test]
fn memory_can_be_locked_and_advised_and_keeps_its_bytes() {
    let region = ipc_shm::anonymous(8192).expect("made");
    region.write_at(0, b"kept").expect("inside");
    for advice in [
        Advice::Normal,
        Advice::Sequential,
        Advice::Random,
        Advice::WillNeed,
        Advice::NotInDumps,
    ] {
        region.advise(advice).expect("taken");
    }
    if let Err(error) = region.advise(Advice::HugePages) {
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    }
    if let Err(error) = region.lock_in_memory() {
        assert_eq!(error.kind(), ErrorKind::LimitReached, "{error}");
    }
    let mut copy = [0; 4];
    region.read_at(0, &mut copy).expect("inside");
    assert_eq!(&copy, b"kept");
}
