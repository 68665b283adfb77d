//! What a batch gains or loses beside single messages in one thread, and how to send and take one.

use ipc_uds::{Batch, Result, SeqPacket};
use std::time::{Duration, Instant};

/// Messages of a batch.
const BATCH: usize = 32;
/// Pairs of slices, of which each gives one ratio.
const ROUNDS: usize = 101;
/// Batches of a slice.
const SLICE: usize = 20;

fn main() -> Result<()> {
    let (left, right) = ipc_uds::pair_seqpacket()?;
    // Small enough that all of a batch fit the send buffer, as one thread must have it.
    for size in [64, 512, 1_024] {
        let message = vec![7; size];
        let mut ratios = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let single = one_by_one(&left, &right, &message)?;
            let batch = together(&left, &right, &message)?;
            ratios.push(single.as_secs_f64() / batch.as_secs_f64());
        }
        ratios.sort_by(f64::total_cmp);
        // The 95 % interval of a median of 101, by order statistics.
        let (low, middle, high) = (ratios[40], ratios[50], ratios[60]);
        println!("{size} B: {middle:.2} times as many messages [{low:.2}–{high:.2}]");
    }
    Ok(())
}

fn one_by_one(left: &SeqPacket, right: &SeqPacket, message: &[u8]) -> Result<Duration> {
    let mut bytes = vec![0; message.len()];
    let begun = Instant::now();
    for _ in 0..SLICE {
        for _ in 0..BATCH {
            left.send(message)?;
        }
        for _ in 0..BATCH {
            right.recv(&mut bytes)?;
        }
    }
    Ok(begun.elapsed())
}

fn together(left: &SeqPacket, right: &SeqPacket, message: &[u8]) -> Result<Duration> {
    let messages = [message; BATCH];
    let mut batch = Batch::new(message.len());
    let begun = Instant::now();
    for _ in 0..SLICE {
        let sent = left.send_batch(&messages)?;
        let mut came = 0;
        while came < sent {
            came += right.recv_batch(&mut batch, BATCH)?;
        }
    }
    Ok(begun.elapsed())
}
