//! Calibrated busy work: the slowdown that a test of the comparison plants.

use std::{hint::black_box, time::Instant};

/// Steps in one calibration, of which the fastest of several counts.
const STEPS: u32 = 200_000;

/// A loop of known speed.
#[derive(Clone, Copy, Debug)]
pub struct Burner {
    steps_per_ns: f64,
}

impl Burner {
    /// Measures how fast the loop runs here.
    pub fn calibrate() -> Burner {
        let mut best = f64::INFINITY;
        for _ in 0..5 {
            let start = Instant::now();
            burn(STEPS);
            best = best.min(start.elapsed().as_nanos() as f64);
        }
        Burner {
            steps_per_ns: f64::from(STEPS) / best.max(1.0),
        }
    }

    /// How many steps take that long.
    pub fn steps(self, nanoseconds: f64) -> u32 {
        (nanoseconds * self.steps_per_ns) as u32
    }
}

/// Works for that many steps, each of which waits for the one before it.
#[inline]
pub fn burn(steps: u32) {
    let mut state = 1_u64;
    for _ in 0..steps {
        state = black_box(state.wrapping_mul(0x5851_f42d_4c95_7f2d));
    }
    black_box(state);
}
