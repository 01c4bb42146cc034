//! When a server wants to be asked again.

use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use http::HeaderMap;
use http::header::DATE;
use http::header::RETRY_AFTER;
use serde_json::Map;
use serde_json::Value;

use crate::protocol::oauth2::response::values::number;

/// The longest delay that is believed.
const LONGEST: Duration = Duration::from_secs(3600);

/// The delay that a server asks for: in the header `Retry-After` as a number of seconds or a date, in the field
/// `retry_after`, or as the moment at which its count of requests begins anew.
///
/// Dates are compared with the server's own clock, where the answer tells it, and else with `now`.
pub(super) fn delay(
    headers: &HeaderMap,
    fields: Option<&Map<String, Value>>,
    now: SystemTime,
) -> Option<Duration> {
    let header = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    let date = |text: &str| httpdate::parse_http_date(text.trim()).ok();
    let now = header(DATE.as_str()).and_then(date).unwrap_or(now);
    let until = |moment: SystemTime| moment.duration_since(now).unwrap_or_default();
    let in_header = header(RETRY_AFTER.as_str())
        .and_then(|text| seconds(&Value::from(text)).or_else(|| date(text).map(until)));
    let delay = in_header.or_else(|| seconds(fields?.get("retry_after")?)).or_else(|| {
        let reset = number(&Value::from(header("x-rate-limit-reset")?))?;
        Some(until(UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(reset).ok()?)?))
    })?;
    Some(delay.min(LONGEST))
}

fn seconds(value: &Value) -> Option<Duration> {
    Some(Duration::try_from_secs_f64(number(value)?.max(0.0)).unwrap_or(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_delay_is_that_of_the_table() {
        crate::defaults::assert_documented("longest `Retry-After` that is obeyed", LONGEST);
    }
}
