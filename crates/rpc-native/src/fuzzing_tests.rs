//! What the fuzz targets check, for ten thousand inputs of a fixed seed.

use crate::fuzzing;

/// Random bytes, of which many are small, so that short lengths and known kinds are frequent.
fn inputs(count: u64) -> impl Iterator<Item = Vec<u8>> {
    let mut seed = 0x5eed_u64;
    let mut next = move || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        seed >> 33
    };
    (0..count).map(move |_| {
        let length = next() % 400;
        (0..length)
            .map(|_| match next() % 3 {
                0 => (next() % 16) as u8,
                _ => next() as u8,
            })
            .collect()
    })
}

#[test]
fn two_machines_agree_with_the_model_and_give_all_back() {
    inputs(10_000).for_each(|input| fuzzing::pair(&input));
}

#[test]
fn bytes_of_strangers_break_neither_machine_nor_decoder() {
    for input in inputs(10_000) {
        fuzzing::server(&input);
        fuzzing::client(&input);
        fuzzing::decode(&input);
    }
}
