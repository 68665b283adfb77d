//! The functions of the fuzz targets on bytes of a seeded generator: a model checked by a random
//! scheduler.

use crate::fuzzing::{client, pair, server};

/// Bytes that look random and are the same each time.
fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut word = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = std::iter::repeat_with(|| {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        (word >> 32) as u8
    });
    next.take(length).collect()
}

fn over(seeds: u64, length: usize, run: fn(&[u8])) {
    for seed in 0..seeds {
        let data = bytes(seed, length);
        let panicked = std::panic::catch_unwind(|| run(&data)).is_err();
        assert!(!panicked, "seed {seed}");
    }
}

#[test]
fn nothing_runs_twice_under_a_thousand_schedules() {
    over(1_000, 600, pair);
}

#[test]
fn long_schedules_keep_every_promise() {
    over(40, 8_000, pair);
}

#[test]
fn the_machines_survive_random_packets() {
    over(2_000, 400, server);
    over(2_000, 400, client);
}
