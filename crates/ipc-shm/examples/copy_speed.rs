//! The region's copy against memcpy, interleaved: `cargo run --release -p ipc-shm --example
//! copy_speed`.

use std::hint::black_box;
use std::time::{Duration, Instant};

const ROUNDS: usize = 41;

/// How long `work` takes, once, when it is repeated to about a millisecond.
fn time(repeat: usize, mut work: impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..repeat {
        work();
    }
    start.elapsed()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("memcpy's time / ours (1 is as fast), median of {ROUNDS} interleaved pairs");
    println!("{:>10} {:>8} {:>8}", "bytes", "read", "write");
    for shift in [6, 8, 10, 12, 14, 16, 18, 20, 22, 24] {
        let bytes = 1usize << shift;
        let region = ipc_shm::Options::new()
            .size_bytes(bytes)
            .prefault(true)
            .anonymous()?;
        let mut buffer = vec![1u8; bytes];
        // The reference copies between memory of the same kind: a shared mapping and a vector.
        let shared = ipc_shm::Options::new()
            .size_bytes(bytes)
            .narrowable(true)
            .anonymous()?;
        let mut shared = shared;
        shared.protect(ipc_shm::Protection::Immutable)?;
        let source = shared.view_bytes(0, bytes)?;
        let mut target = vec![2u8; bytes];
        let repeat = (1 << 22 >> shift).max(1);
        let (mut reads, mut writes) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let memcpy = time(repeat, || {
                black_box(&mut target[..]).copy_from_slice(black_box(source));
            });
            let read = time(repeat, || {
                region.read_at(0, black_box(&mut buffer)).expect("inside");
            });
            let write = time(repeat, || {
                region.write_at(0, black_box(&buffer)).expect("inside");
            });
            reads.push(memcpy.as_secs_f64() / read.as_secs_f64());
            writes.push(memcpy.as_secs_f64() / write.as_secs_f64());
        }
        reads.sort_by(f64::total_cmp);
        writes.sort_by(f64::total_cmp);
        let (read, write) = (reads[ROUNDS / 2], writes[ROUNDS / 2]);
        println!("{bytes:>10} {read:>8.3} {write:>8.3}");
    }
    Ok(())
}
