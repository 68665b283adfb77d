//! Growth while mapped: what was handed out stays valid, peers see it when they look.

use ipc_shm::{DATA_OFFSET, ErrorKind, Options, Region};
use ipc_testkit::isolated;
use std::sync::atomic::Ordering;

fn growable(bytes: usize, most: usize) -> Region {
    let mut options = Options::new();
    options.size_bytes(bytes).growable_to_bytes(most);
    options.anonymous().expect("made")
}

#[test]
fn a_region_grows_under_its_users_and_peers_see_it() {
    isolated!({
        let region = growable(1000, 1 << 20);
        let peer = Region::from_fd(region.to_fd().expect("a copy")).expect("a region");
        let word = region.atomic_u32(0).expect("inside");
        assert_eq!(peer.max_bytes(), 1 << 20);
        for bytes in [1001, 4096, 100_000, 1 << 20] {
            let error = region.write_at(bytes - 1, &[9]).expect_err("not yet");
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            region.grow(bytes).expect("room");
            region.write_at(bytes - 1, &[9]).expect("inside now");
            word.store(bytes as u32, Ordering::Release);
            assert_ne!(peer.len_bytes(), bytes, "not seen before it looks");
            assert_eq!(peer.refresh().expect("looked"), bytes);
            let mut last = [0];
            peer.read_at(bytes - 1, &mut last).expect("inside now");
            assert_eq!(last, [9]);
            assert_eq!(
                peer.load_u32(0, Ordering::Acquire).expect("inside"),
                bytes as u32
            );
            let late = Region::from_fd(region.to_fd().expect("a copy")).expect("a region");
            assert_eq!(late.len_bytes(), bytes);
        }
        region.grow(10).expect("less changes nothing");
        assert_eq!(region.len_bytes(), 1 << 20);
        peer.verify().expect("whole");
    });
}

#[test]
fn growing_stops_at_what_was_said_and_a_fixed_region_does_not_grow() {
    let region = growable(1000, 5000);
    region.grow(5000).expect("the limit");
    assert_eq!(
        region.grow(5001).expect_err("above it").kind(),
        ErrorKind::TooLarge
    );
    let fixed = ipc_shm::anonymous(1000).expect("made");
    fixed.grow(1000).expect("it has that");
    assert_eq!(
        fixed.grow(1001).expect_err("fixed").kind(),
        ErrorKind::TooLarge
    );
    assert_eq!(fixed.refresh().expect("looked"), 1000);
}

#[test]
fn a_peer_that_grows_it_too_far_is_corrupt_and_one_that_shrinks_it_fails() {
    let region = growable(1000, 5000);
    let peer = region.to_fd().expect("a copy");
    assert!(rustix::fs::ftruncate(&peer, 100).is_err(), "sealed");
    rustix::fs::ftruncate(&peer, (DATA_OFFSET + 9000) as u64).expect("growing is open");
    assert_eq!(
        region.refresh().expect_err("too far").kind(),
        ErrorKind::Corrupt
    );
    assert_eq!(region.len_bytes(), 1000);
    region.write_at(0, b"unharmed").expect("inside");
    let region = growable(1000, 1 << 20);
    let peer = region.to_fd().expect("a copy");
    rustix::fs::ftruncate(&peer, 1 << 20).expect("growing is open");
    let error = region.refresh().expect_err("no memory behind it");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    let error = Region::from_fd(peer).expect_err("no memory behind it");
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
}

#[test]
fn one_who_attaches_may_bound_what_it_grows_to() {
    let region = growable(1000, 1 << 20);
    let attach = |most| {
        let mut options = Options::new();
        options
            .growable_to_bytes(most)
            .attach(region.to_fd().expect("a copy"))
    };
    attach(1 << 20).expect("at the bound");
    assert_eq!(
        attach((1 << 20) - 1).expect_err("above it").kind(),
        ErrorKind::TooLarge
    );
}

#[test]
fn two_that_grow_at_once_both_get_what_they_asked_for() {
    let region = growable(1000, 1 << 20);
    std::thread::scope(|scope| {
        for at in 0..4usize {
            let region = &region;
            scope.spawn(move || {
                for step in 1..50 {
                    let bytes = 1000 + step * 5000 + at;
                    region.grow(bytes).expect("room");
                    region.write_at(bytes - 1, &[1]).expect("inside");
                }
            });
        }
    });
    region.verify().expect("whole");
}
