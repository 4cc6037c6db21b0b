//! Numbers as people read them: 1.84 TiB, 412 MB/s, 96k, 3.1s, 11m.

use std::time::Duration;

/// Three significant digits.
fn three(value: f64) -> String {
    if value >= 99.95 {
        format!("{value:.0}")
    } else if value >= 9.995 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

fn scaled(value: f64, step: f64, units: &[&str]) -> (String, usize) {
    let (mut value, mut unit) = (value, 0);
    // Anything that would print as 1000 or more belongs to the next unit.
    while value >= step.min(999.5) && unit + 1 < units.len() {
        value /= step;
        unit += 1;
    }
    (
        if unit == 0 {
            format!("{value:.0}")
        } else {
            three(value)
        },
        unit,
    )
}

/// `1.84 TiB`.
pub fn bytes(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let (number, unit) = scaled(bytes as f64, 1024.0, &units);
    format!("{number} {}", units[unit])
}

/// `412 MB/s`.
pub fn rate(bytes_per_second: f64) -> String {
    let units = ["B/s", "kB/s", "MB/s", "GB/s", "TB/s"];
    let (number, unit) = scaled(bytes_per_second.max(0.0), 1000.0, &units);
    format!("{number} {}", units[unit])
}

/// `96k`, `1.25M`; exact below ten thousand.
pub fn count(count: u64) -> String {
    if count < 10_000 {
        return count.to_string();
    }
    let units = ["", "k", "M", "G", "T", "P", "E"];
    let (number, unit) = scaled(count as f64, 1000.0, &units);
    let number = if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        &number
    };
    format!("{number}{}", units[unit])
}

/// `61,204,118,332`.
pub fn exact(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 topic`, `12 topics`, `4,102 partitions`.
pub fn of(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", exact(count))
}

/// `3.1s`, `41s`, `11m`, `1m 54s`, `5h 12m`.
pub fn time(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..=9 => format!("{:.1}s", duration.as_secs_f64()),
        10..=59 => format!("{seconds}s"),
        60..=599 if !seconds.is_multiple_of(60) => format!("{}m {}s", seconds / 60, seconds % 60),
        60..=3599 => format!("{}m", seconds / 60),
        3600..=86_399 => two((seconds / 3600, 'h'), (seconds % 3600 / 60, 'm')),
        _ => two((seconds / 86_400, 'd'), (seconds % 86_400 / 3600, 'h')),
    }
}

/// `5h 12m`, and `12h` where nothing is left over.
fn two((large, its): (u64, char), (small, unit): (u64, char)) -> String {
    match small {
        0 => format!("{large}{its}"),
        small => format!("{large}{its} {small}{unit}"),
    }
}

/// `2026-01-31T09:14:02.123Z`.
pub fn stamp(unix_millis: i64) -> String {
    let since = Duration::from_millis(u64::try_from(unix_millis).unwrap_or(0));
    // Later than year 9999 cannot be written; no clock says so.
    let since = since.min(Duration::from_secs(253_402_300_799));
    humantime::format_rfc3339_millis(std::time::UNIX_EPOCH + since).to_string()
}

/// `09:14:02`, in UTC.
pub fn clock(unix_millis: i64) -> String {
    stamp(unix_millis)
        .get(11..19)
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            [
                bytes(0),
                bytes(1023),
                bytes(64 << 20),
                bytes(2_023_000_000_000)
            ],
            ["0 B", "1.00 KiB", "64.0 MiB", "1.84 TiB"]
        );
        assert_eq!(
            [rate(0.0), rate(412e6), rate(999_900.0)],
            ["0 B/s", "412 MB/s", "1.00 MB/s"]
        );
        assert_eq!(
            [count(9_999), count(96_200), count(1_250_000), count(41_000)],
            ["9999", "96.2k", "1.25M", "41k"]
        );
        assert_eq!(exact(61_204_118_332), "61,204,118,332");
        assert_eq!(exact(12), "12");
        assert_eq!(
            [of(1, "topic"), of(0, "topic"), of(4102, "topic")],
            ["1 topic", "0 topics", "4,102 topics"]
        );
        let times = [3_100, 41_000, 114_000, 660_000, 18_720_000, 200_000_000]
            .map(|ms| time(Duration::from_millis(ms)));
        assert_eq!(times, ["3.1s", "41s", "1m 54s", "11m", "5h 12m", "2d 7h"]);
        let whole = [43_200_000, 86_400_000].map(|ms| time(Duration::from_millis(ms)));
        assert_eq!(whole, ["12h", "1d"]);
    }

    #[test]
    fn stamps_are_utc() {
        assert_eq!(stamp(1_769_850_842_123), "2026-01-31T09:14:02.123Z");
        assert_eq!(clock(1_769_850_842_123), "09:14:02");
    }
}
