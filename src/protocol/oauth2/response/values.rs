//! The values of single fields, in every form that servers write them.

use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use serde_json::Value;

/// The smallest number of seconds since 1970 that is taken for a moment, in 2001; as a lifetime it would be 31 years.
const FIRST_MOMENT: f64 = 1e9;
/// From this number on, in the year 5138, it counts milliseconds.
const FIRST_MILLISECOND: f64 = 1e11;

/// A text as it is, and everything else as JSON.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A number, or a text that is one.
pub(super) fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse::<f64>().ok()?,
        _ => return None,
    };
    Some(number).filter(|number| !number.is_nan())
}

/// A lifetime. What is longer than a duration can be is no end.
pub(super) fn lifetime(value: &Value, in_milliseconds: bool) -> Option<Duration> {
    let unit = if in_milliseconds { 1000.0 } else { 1.0 };
    Duration::try_from_secs_f64((number(value)? / unit).max(0.0)).ok()
}

/// A moment: a number since 1970, or a text as RFC 3339 writes it.
pub(super) fn moment(value: &Value) -> Option<SystemTime> {
    match number(value) {
        Some(number) if number >= FIRST_MOMENT => {
            let seconds = if number >= FIRST_MILLISECOND { number / 1000.0 } else { number };
            UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds).ok()?)
        }
        Some(_) => None,
        None => rfc3339(value.as_str()?.trim()),
    }
}

/// The scopes of a text or a list.
pub(super) fn scope(value: Value, separator: Option<char>) -> Option<Vec<String>> {
    match value {
        Value::String(text) => {
            let separator = separator.unwrap_or(if text.contains(' ') { ' ' } else { ',' });
            // Some write both a comma and a space.
            let trim = |scope: &'_ str| scope.trim().trim_end_matches(',').to_owned();
            let scopes = text.split(separator).map(trim).filter(|scope| !scope.is_empty());
            Some(scopes.collect())
        }
        Value::Array(list) => Some(list.iter().filter(|scope| !scope.is_null()).map(plain).collect()),
        _ => None,
    }
}

/// Reads `2023-01-01T00:00:00.000Z` (RFC 3339 §5.6); a space may stand for the `T`.
fn rfc3339(text: &str) -> Option<SystemTime> {
    let digits = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        digits.parse().ok()
    };
    let is =
        |place: usize, letters: &str| text.get(place..=place).is_some_and(|letter| letters.contains(letter));
    if !(is(4, "-") && is(7, "-") && is(10, "Tt ") && is(13, ":") && is(16, ":")) {
        return None;
    }
    let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
    let (hour, minute, second) = (digits(11, 13)?, digits(14, 16)?, digits(17, 19)?);
    let is_sound =
        (1..=12).contains(&month) && (1..=31).contains(&day) && hour <= 23 && minute <= 59 && second <= 60;
    if !is_sound {
        return None;
    }
    let after = text.get(19..)?;
    let fraction =
        after.strip_prefix('.').map_or(0, |rest| 1 + rest.bytes().take_while(u8::is_ascii_digit).count());
    let offset = match after.get(fraction..)? {
        "Z" | "z" => 0,
        zone => {
            let sign = if zone.starts_with('-') {
                -1
            } else if zone.starts_with('+') {
                1
            } else {
                return None;
            };
            let (hours, minutes) = zone.get(1..)?.split_once(':')?;
            sign * (hours.parse::<u16>().ok()?.min(24) as i64 * 3600
                + minutes.parse::<u16>().ok()?.min(60) as i64 * 60)
        }
    };
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}

/// Counts days of the Gregorian calendar, with years that begin in March so that the leap day is their last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        let moment = moment(&Value::from(text))?;
        Some(moment.duration_since(UNIX_EPOCH).unwrap().as_secs())
    }

    #[test]
    fn a_moment_is_read_in_seconds_in_milliseconds_and_as_a_date() {
        for (written, meant) in [
            ("1568775134", Some(1_568_775_134)),
            ("1568775134.9", Some(1_568_775_134)),
            ("1568775134000", Some(1_568_775_134)),
            ("2023-01-01T00:00:00.000Z", Some(1_672_531_200)),
            ("2023-01-01 00:00:00z", Some(1_672_531_200)),
            ("2024-02-29T23:59:59+01:00", Some(1_709_247_599)),
            ("2024-03-01T00:00:00-00:30", Some(1_709_253_000)),
            ("2000-03-01T00:00:00Z", Some(951_868_800)),
            ("2100-03-01T00:00:00Z", Some(4_107_542_400)),
            ("9999-12-31T23:59:60Z", Some(253_402_300_800)),
            ("3600", None),
            ("0", None),
            ("-1", None),
            ("1e400", None),
            ("2023-13-01T00:00:00Z", None),
            ("2023-01-01T25:00:00Z", None),
            ("2023-01-01T00:00:00", None),
            ("2023-01-01", None),
            ("2023-01-01T00:00:00+é", None),
            ("9/14/2027 00:00:00 PM", None),
            ("1969-12-31T23:59:59Z", None),
            ("", None),
        ] {
            assert_eq!(seconds(written), meant, "{written}");
        }
        assert_eq!(moment(&Value::Bool(true)), None);
    }
}
