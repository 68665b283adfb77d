//! When an answer is overdue: the estimate of RFC 6298.

use std::time::Duration;

/// Before anything was measured.
const FIRST: Duration = Duration::from_millis(200);
/// Below this a busy machine looks like a loss. The RFC's second is for bulk data over the whole
/// internet, where a repetition costs far more than here.
const LEAST: Duration = Duration::from_millis(10);
const MOST: Duration = Duration::from_secs(10);

/// The estimate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Estimate {
    /// The smoothed round trip and its variation, once there are some.
    measured: Option<(Duration, Duration)>,
}

impl Estimate {
    /// One round trip, of what was sent once alone: of what was repeated nobody knows which copy
    /// was answered (Karn).
    pub(crate) fn sample(&mut self, took: Duration) {
        let took = took.min(MOST);
        self.measured = Some(match self.measured {
            None => (took, took / 2),
            Some((smooth, varies)) => {
                let off = smooth.abs_diff(took);
                ((smooth * 7 + took) / 8, (varies * 3 + off) / 4)
            }
        });
    }

    /// After how long an answer is overdue.
    pub(crate) fn overdue(&self) -> Duration {
        self.measured.map_or(FIRST, |(smooth, varies)| {
            (smooth + (varies * 4).max(Duration::from_millis(1))).clamp(LEAST, MOST)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_what_is_measured_within_its_bounds() {
        let mut estimate = Estimate::default();
        assert_eq!(estimate.overdue(), FIRST);
        let ms = Duration::from_millis;
        estimate.sample(ms(100));
        assert_eq!(estimate.overdue(), ms(300), "R + 4 R/2");
        estimate.sample(ms(100));
        assert_eq!(estimate.overdue(), ms(250));
        for _ in 0..100 {
            estimate.sample(ms(0));
        }
        assert_eq!(estimate.overdue(), LEAST);
        for _ in 0..100 {
            estimate.sample(Duration::MAX);
        }
        assert_eq!(estimate.overdue(), MOST);
    }
}
