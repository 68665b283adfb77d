//! The meter of frames as a function of bytes, for fuzz targets and seeded tests: it panics where
//! a promise is broken.

use crate::Limits;
use crate::meter::{Meter, PREFACE};
use std::time::{Duration, Instant};

/// Frames of a client that sends what it likes: however they come in pieces, the meter cuts them
/// at the same place or not at all, and its goodbye is a whole frame.
pub fn meter(data: &[u8]) {
    let Some((&size, frames)) = data.split_first() else {
        return;
    };
    let (now, limits) = (Instant::now(), Limits::new());
    let bytes = [PREFACE, frames].concat();
    let (mut whole, mut pieces) = (Meter::server(now), Meter::server(now));
    let at_once = whole.read(&bytes, now);
    let size = usize::from(size).max(1);
    let by_pieces = bytes
        .chunks(size)
        .try_for_each(|piece| pieces.read(piece, now));
    // What a whole read gains at its end may come before what it costs.
    if at_once.is_err() {
        assert!(by_pieces.is_err(), "cut at once, and not in pieces");
    }
    let later = now + Duration::from_secs(3600);
    assert_eq!(
        whole.wakes(&limits).is_some(),
        whole.late(&limits, later).is_some()
    );
    if let Some(farewell) = pieces.farewell() {
        let [0, 0, length, 7, ..] = farewell[..] else {
            panic!("no goodbye: {farewell:?}");
        };
        assert_eq!(farewell.len(), 9 + usize::from(length));
    }
}
