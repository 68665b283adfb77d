//! The bytes of a message: a stamp on every one, a full pattern on those that are compared.

use std::io;

/// Fills the message with a pattern that no other sequence number has.
pub fn fill(message: &mut [u8], sequence: u64) {
    let mut words = message.chunks_exact_mut(8);
    let mut state = sequence ^ 0x9e37_79b9_7f4a_7c15;
    for word in &mut words {
        state = next(state);
        word.copy_from_slice(&state.to_le_bytes());
    }
    state = next(state);
    for (byte, value) in words.into_remainder().iter_mut().zip(state.to_le_bytes()) {
        *byte = value;
    }
}

/// Compares every byte with the pattern of that sequence number.
pub fn compare(message: &[u8], sequence: u64) -> io::Result<()> {
    let mut words = message.chunks_exact(8);
    let mut state = sequence ^ 0x9e37_79b9_7f4a_7c15;
    let mut same = true;
    for word in &mut words {
        state = next(state);
        same &= word == state.to_le_bytes();
    }
    state = next(state);
    same &= words
        .remainder()
        .iter()
        .zip(state.to_le_bytes())
        .all(|(byte, value)| *byte == value);
    if same { Ok(()) } else { Err(differs(sequence)) }
}

/// Writes the sequence number at the head of the message, as far as it fits.
#[inline]
pub fn stamp(message: &mut [u8], sequence: u64) {
    match message.first_chunk_mut::<8>() {
        Some(head) => *head = sequence.to_le_bytes(),
        // Not `fill`: a memset of nothing at the address of an empty slice costs 100 ns here,
        // because a masked store to a page that is not there needs the help of microcode.
        None => message
            .iter_mut()
            .for_each(|byte| *byte = std::hint::black_box(sequence as u8)),
    }
}

/// Checks the sequence number at the head of the message.
#[inline]
pub fn check(message: &[u8], sequence: u64) -> io::Result<()> {
    let same = match message.first_chunk::<8>() {
        Some(head) => *head == sequence.to_le_bytes(),
        None => message.iter().all(|byte| *byte == sequence as u8),
    };
    if same { Ok(()) } else { Err(differs(sequence)) }
}

fn next(state: u64) -> u64 {
    (state ^ (state >> 29))
        .wrapping_mul(0xbf58_476d_1ce4_e5b9)
        .wrapping_add(0x2545_f491_4f6c_dd1d)
}

fn differs(sequence: u64) -> io::Error {
    io::Error::other(format!(
        "message {sequence} arrived altered, or another in its place"
    ))
}
