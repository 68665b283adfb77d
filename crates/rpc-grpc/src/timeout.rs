//! Deadlines as gRPC writes them: `grpc-timeout`, at most eight digits and a unit.

use http::HeaderValue;
use std::time::Duration;

/// The largest number that eight digits say.
const MAX: u128 = 99_999_999;

/// Reads a timeout; `None` for what is none.
pub(crate) fn parse(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits
        .iter()
        .fold(0_u64, |number, digit| number * 10 + u64::from(digit - b'0'));
    Some(match unit {
        b'H' => Duration::from_secs(number * 3600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

/// Writes a timeout in the finest unit that says it, never longer than it is.
pub(crate) fn write(timeout: Duration) -> HeaderValue {
    let units = [
        (timeout.as_nanos(), 'n'),
        (timeout.as_micros(), 'u'),
        (timeout.as_millis(), 'm'),
        (u128::from(timeout.as_secs()), 'S'),
        (u128::from(timeout.as_secs() / 60), 'M'),
    ];
    let fits = units.into_iter().find(|(number, _)| *number <= MAX);
    let hours = (u128::from(timeout.as_secs() / 3600).min(MAX), 'H');
    let (number, unit) = fits.unwrap_or(hours);
    HeaderValue::try_from(format!("{number}{unit}")).expect("digits and a letter")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_never_longer() {
        for nanos in [
            0,
            1,
            999,
            99_999_999,
            100_000_001,
            1_234_567_890_123,
            u64::MAX,
        ] {
            let timeout = Duration::from_nanos(nanos);
            let read = parse(write(timeout).as_bytes()).expect("our own");
            assert!(
                read <= timeout && timeout - read <= timeout / 1_000,
                "{nanos}"
            );
        }
        let longest = parse(write(Duration::MAX).as_bytes()).expect("our own");
        assert_eq!(longest, parse(b"99999999H").expect("eight digits"));
    }

    #[test]
    fn what_the_specification_does_not_know_is_none() {
        for text in [
            "",
            "S",
            "1",
            "-1S",
            "1 S",
            "123456789S",
            "1s",
            "1.5S",
            "+1S",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse(b"0n"), Some(Duration::ZERO));
    }
}
