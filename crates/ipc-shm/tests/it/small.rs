//! Small regions: header and bytes on one page, as safe as on two.

use crate::headers::{forge, sealed};
use ipc_shm::{Backing, DATA_OFFSET, ErrorKind, Options, Protection, Region, SMALL_REGION_BYTES};
use ipc_testkit::isolated;
use std::sync::atomic::Ordering::SeqCst;

const HEADER: usize = 64;

fn small(bytes: usize) -> Region {
    ipc_shm::anonymous(bytes).expect("memory")
}

fn stored(region: &Region) -> rustix::fs::Stat {
    rustix::fs::fstat(region.as_fd().expect("memory")).expect("open")
}

#[test]
fn a_small_region_is_one_page_sealed_private_and_reserved() {
    isolated!({
        for bytes in [1, 64, 4000, SMALL_REGION_BYTES] {
            let region = small(bytes);
            let stat = stored(&region);
            assert_eq!(region.data_offset(), HEADER);
            assert_eq!(stat.st_size as usize, HEADER + bytes);
            assert_eq!(stat.st_blocks * 512, DATA_OFFSET as i64, "one page, there");
            assert_eq!(stat.st_mode & 0o777, 0o600);
            let fd = region.as_fd().expect("memory");
            let seals = rustix::fs::fcntl_get_seals(fd).expect("memory");
            assert!(seals.contains(sealed()), "{seals:?}");
        }
    });
}

#[test]
fn one_byte_more_or_another_promise_takes_a_page_of_its_own() {
    isolated!({
        let made = |options: &mut Options| options.anonymous().expect("memory").data_offset();
        assert_eq!(small(SMALL_REGION_BYTES + 1).data_offset(), DATA_OFFSET);
        let one = || {
            let mut options = Options::new();
            options.size_bytes(64);
            options
        };
        assert_eq!(made(&mut one()), HEADER);
        assert_eq!(made(one().growable_to_bytes(128)), DATA_OFFSET);
        assert_eq!(made(one().narrowable(true)), DATA_OFFSET);
        let read_only = Protection::ReadOnly;
        assert_eq!(made(one().protection(read_only)), DATA_OFFSET);
        assert_eq!(made(one().backing(Backing::SystemV)), DATA_OFFSET);
    });
}

#[test]
fn both_sides_find_the_same_bytes_and_none_beyond_them() {
    isolated!({
        for bytes in [1, 64, SMALL_REGION_BYTES, SMALL_REGION_BYTES + 1] {
            let ours = small(bytes);
            let theirs = Region::from_fd(ours.to_fd().expect("a copy")).expect("attached");
            assert_eq!(theirs.data_offset(), ours.data_offset());
            let told: Vec<u8> = (0..bytes).map(|at| at as u8 | 1).collect();
            ours.write_at(0, &told).expect("inside");
            let mut heard = vec![0; bytes];
            theirs.read_at(0, &mut heard).expect("inside");
            assert_eq!(heard, told);
            for region in [&ours, &theirs] {
                let error = region.write_at(bytes, &[1]).expect_err("beyond");
                assert_eq!(error.kind(), ErrorKind::InvalidInput);
                region.verify().expect("what it was");
            }
        }
    });
}

#[test]
fn its_words_are_where_words_and_locks_may_stand() {
    let region = small(256);
    let peer = Region::from_fd(region.to_fd().expect("a copy")).expect("attached");
    region.atomic_u64(64).expect("inside").store(7, SeqCst);
    let word = peer.atomic_u64(64).expect("inside");
    assert_eq!(word.load(SeqCst), 7);
    assert!(word.as_ptr().addr().is_multiple_of(64), "a cache line");
}

#[test]
fn a_scribbled_header_is_seen_and_moves_no_bytes() {
    isolated!({
        let region = small(100);
        region.write_at(0, b"here").expect("inside");
        let peer = region.to_fd().expect("a copy");
        let far = (DATA_OFFSET as u32).to_ne_bytes();
        rustix::io::pwrite(&peer, &far, 48).expect("it may write");
        let error = region.verify().expect_err("scribbled");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        let mut found = [0; 4];
        region.read_at(0, &mut found).expect("inside");
        assert_eq!(&found, b"here");
        let error = Region::from_fd(peer).expect_err("scribbled");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
    });
}

#[test]
fn its_header_on_an_object_of_another_size_is_refused() {
    isolated!({
        let mut header = [0; HEADER];
        let region = small(100);
        rustix::io::pread(region.as_fd().expect("memory"), &mut header, 0).expect("readable");
        for total in [64, 65, 100, 163, 165, 4096, DATA_OFFSET + 100] {
            let error = Region::from_fd(forge(&header, total, sealed())).expect_err("no such");
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{total} bytes: {error}");
        }
        Region::from_fd(forge(&header, 164, sealed())).expect("the right size");
    });
}
