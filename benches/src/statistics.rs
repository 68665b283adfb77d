//! Medians and their intervals, without a belief about how times are distributed.

use crate::results::Interval;

/// Above this many values the binomial distribution is taken as normal.
const EXACT_MAX: usize = 400;

/// The median and its 95 % interval by binomial order statistics.
///
/// With fewer than six values no pair of them reaches 95 %: the interval is then their range.
pub fn interval(values: &[f64]) -> Interval {
    let mut sorted: Vec<f64> = values
        .iter()
        .copied()
        .filter(|value| value.is_finite())
        .collect();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    if n == 0 {
        return Interval::default();
    }
    let rank = lower_rank(n);
    Interval {
        value: median_of_sorted(&sorted),
        low: sorted[rank],
        high: sorted[n - 1 - rank],
        n,
    }
}

/// The median, 0 where there is no value.
pub fn median(values: &[f64]) -> f64 {
    interval(values).value
}

/// The largest index `r` such that the median lies below the value of that index with a
/// probability of at most 2.5 %.
fn lower_rank(n: usize) -> usize {
    if n > EXACT_MAX {
        let half = n as f64 / 2.0;
        return (half - 1.96 * (n as f64).sqrt() / 2.0).floor().max(0.0) as usize;
    }
    // P(X ≤ k) for X ~ Binomial(n, ½), summed term by term.
    let mut term = 0.5_f64.powi(n as i32);
    let mut sum = term;
    let mut rank = 0;
    for k in 1..n / 2 {
        if sum > 0.025 {
            break;
        }
        rank = k;
        term *= (n - k + 1) as f64 / k as f64;
        sum += term;
    }
    if sum > 0.025 {
        rank.saturating_sub(1)
    } else {
        rank
    }
}

fn median_of_sorted(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) {
        (sorted[middle - 1] + sorted[middle]) / 2.0
    } else {
        sorted[middle]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&[]), 0.0);
    }

    #[test]
    fn the_ranks_are_those_of_the_tables() {
        // Published order-statistic ranks (1-based, from below) of the 95 % interval of a median.
        for (n, rank) in [(6, 1), (10, 2), (20, 6), (30, 10), (50, 18), (100, 40)] {
            assert_eq!(lower_rank(n) + 1, rank, "n = {n}");
        }
    }

    #[test]
    fn the_interval_holds_the_median() {
        let values: Vec<f64> = (1..=31).map(f64::from).collect();
        let got = interval(&values);
        assert_eq!((got.value, got.n), (16.0, 31));
        assert!(got.low < 16.0 && got.high > 16.0);
        assert_eq!(
            got.low - 1.0,
            31.0 - got.high,
            "the interval is symmetric in ranks"
        );
    }

    #[test]
    fn what_is_not_a_number_is_left_out() {
        assert_eq!(interval(&[f64::NAN, 2.0, f64::INFINITY]).n, 1);
    }
}
