//! The region's copy against memcpy, interleaved: `cargo run --release -p ipc-shm --example
//! copy_speed`.

use ipc_shm::{Options, Protection};
use std::hint::black_box;
use std::time::Instant;

const PAIRS: usize = 41;

/// The median of the first's time by the second's, each repeated, over interleaved pairs.
fn ratio(repeat: usize, mut first: impl FnMut(), mut second: impl FnMut()) -> f64 {
    let time = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        for _ in 0..repeat {
            work();
        }
        start.elapsed().as_secs_f64()
    };
    let mut ratios: Vec<f64> = (0..PAIRS)
        .map(|_| time(&mut first) / time(&mut second))
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios[PAIRS / 2]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("median of {PAIRS} interleaved pairs");
    println!("{:>10} {:>22}", "bytes", "memcpy / region copy");
    for shift in [8, 10, 12, 14, 16, 18, 20, 22, 24] {
        let bytes = 1usize << shift;
        let mut region = Options::new()
            .size_bytes(bytes)
            .narrowable(true)
            .anonymous()?;
        // Nobody writes any more, so that memcpy has a slice of the same memory to copy from.
        region.protect(Protection::Immutable)?;
        let source = region.view_bytes(0, bytes)?;
        let (mut ours, mut theirs) = (vec![1u8; bytes], vec![2u8; bytes]);
        let repeat = (1 << 22 >> shift).max(1);
        let copies = ratio(
            repeat,
            || black_box(&mut theirs[..]).copy_from_slice(black_box(source)),
            || region.read_at(0, black_box(&mut ours)).expect("inside"),
        );
        println!("{bytes:>10} {copies:>22.3}");
    }
    Ok(())
}
