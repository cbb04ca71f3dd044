//! Sizes and times. In whole numbers, for code that formats fractions is large.

/// A size as people say it: `512 bytes`, `52.4 MB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    match bytes {
        1 => return "1 byte".to_owned(),
        0..1000 => return format!("{bytes} bytes"),
        _ => {}
    }
    // Tenths, rounded; where that makes a thousand, it is one of the next unit.
    let mut unit = 0;
    let mut divisor = 100;
    while (bytes / divisor).saturating_add(u64::from(bytes % divisor >= divisor / 2)) >= 10_000 && unit < 5 {
        unit += 1;
        divisor *= 1000;
    }
    let tenths = bytes / divisor + u64::from(bytes % divisor >= divisor / 2);
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// How long ago something was, as people say it: `just now`, `12 s ago`, `3 min ago`, `2 h ago`.
pub(crate) fn ago(millis: u64) -> String {
    match millis / 1000 {
        0..2 => "just now".to_owned(),
        seconds @ 2..120 => format!("{seconds} s ago"),
        seconds @ 120..7200 => format!("{} min ago", seconds / 60),
        seconds => format!("{} h ago", seconds / 3600),
    }
}

/// When something was said, so many milliseconds ago, at that time of day: by the minute, and not longer than an hour.
pub(crate) fn when(ago: u64, clock: &str) -> String {
    match ago / 60_000 {
        0 => "just now".to_owned(),
        minutes @ 1..60 => format!("{minutes} min ago"),
        _ => clock.to_owned(),
    }
}

/// A time that is measured in milliseconds.
pub(crate) fn millis(millis: u32) -> String {
    if millis == 0 { "under 1 ms".to_owned() } else { format!("{millis} ms") }
}

/// A part of a whole, in per cent.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    // Wider than any size times a hundred.
    format!("{} %", u128::from(part) * 100 / u128::from(whole.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_one_decimal_and_fewer_than_a_thousand_of_a_unit() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1000, "1.0 kB"),
            (1049, "1.0 kB"),
            (1050, "1.1 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (5_000_000, "5.0 MB"),
            (50 << 20, "52.4 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn times_are_told_roughly() {
        for (millis, text) in [(0, "just now"), (2000, "2 s ago"), (180_500, "3 min ago"), (7_200_000, "2 h ago")] {
            assert_eq!(ago(millis), text);
        }
    }

    #[test]
    fn times_are_told_by_the_minute_and_then_by_the_clock() {
        assert_eq!(when(0, "12:30"), "just now");
        assert_eq!(when(59_999, "12:30"), "just now");
        assert_eq!(when(60_000, "12:30"), "1 min ago");
        assert_eq!(when(3_600_000, "12:30"), "12:30");
    }
}
