//! Numbers as people read them: three significant digits, a unit, and a dash for what is no number.

use crate::results::Interval;

/// Stands where a figure is missing, infinite or impossible.
pub(crate) const NONE: &str = "–";

/// Three significant digits: `0.0123`, `1.23`, `12.3`, `123`, `12300`, and `1.23e10` beyond reason.
pub(crate) fn digits(value: f64) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    if value.abs() < 1e-9 {
        return "0".to_owned();
    }
    let rounded = round3(value);
    let exponent = rounded.abs().log10().floor() as i32;
    if exponent > 9 {
        return format!("{rounded:.2e}");
    }
    let decimals = (2 - exponent).clamp(0, 9) as usize;
    format!("{rounded:.decimals$}")
}

/// A duration given in nanoseconds. Zero or less cannot have been measured.
pub(crate) fn time(nanoseconds: f64) -> String {
    scaled(
        nanoseconds,
        &[(1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s")],
    )
}

/// Messages a second.
pub(crate) fn rate(per_second: f64) -> String {
    scaled(
        per_second,
        &[(1.0, "/s"), (1e3, "k/s"), (1e6, "M/s"), (1e9, "G/s")],
    )
}

/// Bytes a second, in powers of ten as networks and memory are sold.
pub(crate) fn throughput(per_second: f64) -> String {
    scaled(
        per_second,
        &[
            (1.0, "B/s"),
            (1e3, "kB/s"),
            (1e6, "MB/s"),
            (1e9, "GB/s"),
            (1e12, "TB/s"),
        ],
    )
}

/// A message size, in powers of two where it is one of their multiples.
pub(crate) fn size(bytes: usize) -> String {
    const UNITS: [(usize, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    for (unit, name) in UNITS {
        if bytes >= unit && bytes.is_multiple_of(unit) {
            return format!("{} {name}", bytes / unit);
        }
    }
    format!("{bytes} B")
}

/// A plain quantity per message, where zero is a good answer.
pub(crate) fn count(value: f64) -> String {
    if value < 0.0 {
        NONE.to_owned()
    } else {
        digits(value)
    }
}

/// A multiple, without its sign.
pub(crate) fn multiple(value: f64) -> String {
    if positive(value) {
        digits(value)
    } else {
        NONE.to_owned()
    }
}

/// The fewest slices whose extremes hold the median with 95 %: 1 - 2 × 0.5^6 is 0.97.
pub(crate) const LEAST_SLICES: usize = 6;

/// Whether an interval says anything: it is one, and was formed over enough slices.
pub(crate) fn known(of: &Interval) -> bool {
    let Interval {
        value,
        low,
        high,
        n,
    } = *of;
    positive(value) && positive(low) && positive(high) && low <= high && n >= LEAST_SLICES
}

/// `1.02 [1.01–1.04]`, `1.02 [n=3]` where slices are too few for an interval, or a dash.
pub(crate) fn interval(of: &Interval) -> String {
    bracketed(of, digits)
}

/// A paired ratio, `1.018 [1.002–1.034]`: near 1 the third decimal tells a difference from none.
pub(crate) fn ratio(of: &Interval) -> String {
    let near = |value: f64| (0.1..10.0).contains(&value);
    if near(of.value) && near(of.low) && near(of.high) {
        return bracketed(of, |value| format!("{value:.3}"));
    }
    interval(of)
}

fn bracketed(of: &Interval, format: impl Fn(f64) -> String) -> String {
    if !positive(of.value) {
        return NONE.to_owned();
    }
    let value = format(of.value);
    if known(of) {
        format!("{value} [{}–{}]", format(of.low), format(of.high))
    } else {
        format!("{value} [n={}]", of.n)
    }
}

/// A share of one, in percent.
pub(crate) fn percent(share: f64) -> String {
    if share.is_finite() {
        format!("{} %", digits(share * 100.0))
    } else {
        NONE.to_owned()
    }
}

/// A label as it stands on an axis: `1.00 µs` is `1 µs` there.
pub(crate) fn tick(label: &str) -> String {
    let (figure, unit) = label.split_at(label.find(' ').unwrap_or(label.len()));
    if figure.contains('.') {
        format!(
            "{}{unit}",
            figure.trim_end_matches('0').trim_end_matches('.')
        )
    } else {
        label.to_owned()
    }
}

/// A number of operations: `12,345`.
pub(crate) fn whole(n: u64) -> String {
    let plain = n.to_string();
    let mut out = String::new();
    for (i, c) in plain.chars().enumerate() {
        if i > 0 && (plain.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `2026-01-31 12:00 UTC`.
pub(crate) fn date(unix_seconds: u64) -> String {
    // Days to civil date by the well-known era arithmetic; no time zone data needed for UTC.
    let days = (unix_seconds / 86_400).min(100_000_000) + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute) = (unix_seconds / 3_600 % 24, unix_seconds / 60 % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

/// What a measured time, rate or multiple can be: above zero, and not beyond reason.
pub(crate) fn positive(value: f64) -> bool {
    (1e-9..1e18).contains(&value)
}

fn round3(value: f64) -> f64 {
    let exponent = value.abs().log10().floor() as i32;
    let factor = 10f64.powi(2 - exponent);
    let rounded = (value * factor).round() / factor;
    if rounded.is_finite() { rounded } else { value }
}

fn scaled(value: f64, units: &[(f64, &str)]) -> String {
    if !positive(value) {
        return NONE.to_owned();
    }
    // Rounded first: 999.9 ns reads "1.00 µs", not "1000 ns".
    let rounded = round3(value);
    let (unit, name) = units
        .iter()
        .rev()
        .find(|(unit, _)| rounded >= *unit)
        .unwrap_or(&units[0]);
    let separator = if name.starts_with('/') { "" } else { " " };
    let figure = digits(rounded / unit);
    // `12.3 M/s` wants its space before the prefix, `12/s` has none.
    format!("{figure}{separator}{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_survive_rounding() {
        assert_eq!(digits(0.012_345), "0.0123");
        assert_eq!(digits(9.999), "10.0");
        assert_eq!(digits(999.9), "1000");
        assert_eq!(digits(0.0), "0");
        assert_eq!(digits(f64::MAX), "1.80e308");
        assert_eq!(digits(f64::NAN), NONE);
    }

    #[test]
    fn units_change_after_rounding() {
        assert_eq!(time(999.9), "1.00 µs");
        assert_eq!(time(4_210.0), "4.21 µs");
        assert_eq!(time(0.0), NONE);
        assert_eq!(time(f64::INFINITY), NONE);
        assert_eq!(rate(1_234_567.0), "1.23 M/s");
        assert_eq!(throughput(2.5e9), "2.50 GB/s");
    }

    #[test]
    fn sizes_are_powers_of_two_where_they_are() {
        assert_eq!(size(64), "64 B");
        assert_eq!(size(4096), "4 KiB");
        assert_eq!(size(1 << 20), "1 MiB");
        assert_eq!(size(1000), "1000 B");
    }

    #[test]
    fn dates_are_civil() {
        assert_eq!(date(0), "1970-01-01 00:00 UTC");
        assert_eq!(date(1_709_210_096), "2024-02-29 12:34 UTC");
        assert!(!date(u64::MAX).is_empty());
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(whole(1_234_567), "1,234,567");
        assert_eq!(whole(12), "12");
    }
}
