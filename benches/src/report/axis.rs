//! Scales of charts: where a value lies, and which values are worth a tick.

use super::numbers::positive;

/// Maps values to pixels, in powers or evenly.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    logarithmic: bool,
}

impl Scale {
    /// Powers of ten between round values around `values`; `None` without a positive value.
    pub(crate) fn log(values: impl IntoIterator<Item = f64>, pixels: (f64, f64)) -> Option<Self> {
        let (low, high) = extent(values.into_iter().filter(|value| positive(*value)))?;
        let (low, mut high) = (round_down(low), round_up(high));
        if high <= low {
            high = low * 10.0;
        }
        Some(Self {
            low,
            high,
            from: pixels.0,
            to: pixels.1,
            logarithmic: true,
        })
    }

    /// Even steps between round values around `values`; `None` without a finite value.
    pub(crate) fn linear(
        values: impl IntoIterator<Item = f64>,
        pixels: (f64, f64),
    ) -> Option<Self> {
        let (low, high) = extent(values.into_iter().filter(|value| value.is_finite()))?;
        let (low, high) = if high > low {
            (low, high)
        } else {
            (low - 0.5, high + 0.5)
        };
        let step = step(low, high);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        Some(Self {
            low,
            high,
            from: pixels.0,
            to: pixels.1,
            logarithmic: false,
        })
    }

    /// Even steps from zero to exactly `high`, or to 1 where that is not above zero.
    pub(crate) fn from_zero(high: f64, pixels: (f64, f64)) -> Self {
        let high = if positive(high) { high } else { 1.0 };
        Self {
            low: 0.0,
            high,
            from: pixels.0,
            to: pixels.1,
            logarithmic: false,
        }
    }

    /// Exactly from the smallest to the largest of positive `values`, with a margin of pixels.
    pub(crate) fn sizes(values: &[usize], pixels: (f64, f64)) -> Option<Self> {
        let values = values
            .iter()
            .map(|value| *value as f64)
            .filter(|value| *value > 0.0);
        let (low, high) = extent(values)?;
        let (low, high) = if high > low {
            (low, high)
        } else {
            (low / 2.0, high * 2.0)
        };
        Some(Self {
            low,
            high,
            from: pixels.0,
            to: pixels.1,
            logarithmic: true,
        })
    }

    /// The pixel of `value`; what lies outside is drawn at the edge.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let share = if self.logarithmic {
            (value.max(f64::MIN_POSITIVE) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        let share = if share.is_nan() {
            0.0
        } else {
            share.clamp(0.0, 1.0)
        };
        self.from + share * (self.to - self.from)
    }

    /// Round values inside, few enough to be read.
    pub(crate) fn ticks(&self) -> Vec<f64> {
        if !self.logarithmic {
            let step = step(self.low, self.high);
            let first = (self.low / step).ceil() as i64;
            let last = (self.high / step + 1e-6).floor() as i64;
            return (first..=last.min(first + 20))
                .map(|i| i as f64 * step)
                .collect();
        }
        let decades = (self.high / self.low).log10();
        let steps: &[f64] = if decades <= 2.0 {
            &[1.0, 2.0, 5.0]
        } else {
            &[1.0]
        };
        let every = (decades / 6.0).ceil().max(1.0) as i32;
        let first = self.low.log10().floor() as i32;
        let last = self.high.log10().ceil() as i32;
        let mut ticks = Vec::new();
        for exponent in (first..=last).filter(|e| (e - first) % every == 0) {
            for step in steps {
                let value = step * 10f64.powi(exponent);
                if value >= self.low * 0.999 && value <= self.high * 1.001 {
                    ticks.push(value);
                }
            }
        }
        ticks
    }
}

fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |seen, value| match seen {
        None => Some((value, value)),
        Some((low, high)) => Some((f64::min(low, value), f64::max(high, value))),
    })
}

fn round_down(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let lead = value / power;
    let round = [5.0, 2.0, 1.0]
        .into_iter()
        .find(|step| lead >= *step - 1e-9)
        .unwrap_or(1.0);
    (round * power).max(f64::MIN_POSITIVE)
}

fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let lead = value / power;
    let round = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|step| lead <= *step + 1e-9);
    (round.unwrap_or(10.0) * power).min(f64::MAX)
}

fn step(low: f64, high: f64) -> f64 {
    let rough = (high - low) / 5.0;
    if positive(rough) {
        round_up(rough)
    } else {
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_scale_ends_on_round_values() {
        let scale = Scale::log([130.0, 42_000.0, f64::NAN, 0.0], (0.0, 300.0)).unwrap();
        assert_eq!(scale.ticks(), [100.0, 1_000.0, 10_000.0]);
        assert_eq!(scale.at(100.0), 0.0);
        assert_eq!(scale.at(1e9), 300.0);
    }

    #[test]
    fn a_narrow_scale_has_ticks_too() {
        let scale = Scale::linear([0.98, 1.05], (0.0, 1.0)).unwrap();
        assert!(scale.ticks().len() >= 3, "{:?}", scale.ticks());
        assert!(Scale::log([7.0], (0.0, 1.0)).unwrap().ticks().len() >= 2);
    }

    #[test]
    fn nothing_and_nonsense_have_no_scale() {
        assert!(Scale::log([0.0, f64::NAN, f64::INFINITY, -1.0], (0.0, 1.0)).is_none());
        assert!(Scale::linear([f64::NAN], (0.0, 1.0)).is_none());
        assert!(Scale::linear([3.0, 3.0], (0.0, 1.0)).unwrap().at(f64::NAN) == 0.0);
    }

    #[test]
    fn extreme_values_stay_on_the_picture() {
        let scale = Scale::log([1e-9, 9e17], (0.0, 100.0)).unwrap();
        assert!(scale.ticks().len() < 20);
        assert!((0.0..=100.0).contains(&scale.at(1.0)));
    }
}
