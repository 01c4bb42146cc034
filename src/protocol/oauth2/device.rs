//! What a device authorization endpoint answers (RFC 8628 §3.2), and what a token endpoint says while somebody decides (§3.5).
//!
//! | leniency | because |
//! |---|---|
//! | `verification_url` for `verification_uri` | Google |
//! | numbers may be texts | older Azure AD |
//! | `expires_in` may be missing | the device would otherwise ask forever, or not at all |
//! | `interval` may be 0 | some servers mean "as you like" |

use std::time::Duration;

use serde_json::Map;
use serde_json::Value;

use crate::protocol::oauth2::form::form_decode;
use crate::secret::Secret;

/// Time between two questions when the server does not say (RFC 8628 §3.2).
pub(crate) const INTERVAL: Duration = Duration::from_secs(5);
/// The shortest time between two questions, whatever the server says.
pub(crate) const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
/// What `slow_down` adds (RFC 8628 §3.5).
pub(crate) const SLOW_DOWN: Duration = Duration::from_secs(5);
/// How long a code is good when the server does not say, which RFC 8628 §3.2 wants it to.
pub(crate) const LIFETIME: Duration = Duration::from_secs(900);

/// The fields of the answer.
#[derive(Debug)]
pub(crate) struct DeviceAuthorizationResponse {
    pub(crate) device_code: Secret,
    pub(crate) user_code: String,
    pub(crate) verification_uri: String,
    pub(crate) verification_uri_complete: Option<String>,
    pub(crate) expires_in: Duration,
    pub(crate) interval: Duration,
}

/// Reads the fields of the answer of a device authorization endpoint; why it is of no use otherwise.
pub(crate) fn read(mut fields: Map<String, Value>) -> Result<DeviceAuthorizationResponse, &'static str> {
    let mut text = |names: &[&str]| {
        names.iter().find_map(|name| match fields.remove(*name) {
            Some(Value::String(text)) if !text.is_empty() => Some(text),
            _ => None,
        })
    };
    let device_code = text(&["device_code"]).ok_or("it has no device_code")?;
    let user_code = text(&["user_code"]).ok_or("it has no user_code")?;
    let verification_uri = text(&["verification_uri", "verification_url"]);
    let verification_uri_complete = text(&["verification_uri_complete", "verification_url_complete"]);
    Ok(DeviceAuthorizationResponse {
        device_code: Secret::new(device_code),
        user_code,
        verification_uri: verification_uri.ok_or("it has no verification_uri")?,
        verification_uri_complete,
        expires_in: duration(&fields, "expires_in").unwrap_or(LIFETIME),
        interval: duration(&fields, "interval").unwrap_or(INTERVAL).max(SHORTEST_INTERVAL),
    })
}

/// The `interval` that a body names beside its error: GitHub says the new one with `slow_down`.
pub(crate) fn interval(body: &[u8]) -> Option<Duration> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => duration(&fields, "interval"),
        _ => {
            let body = std::str::from_utf8(body).ok()?;
            let (_, interval) = form_decode(body).find(|(name, _)| name == "interval")?;
            seconds(&Value::String(interval))
        }
    }
}

/// A number of seconds among the fields, which may be a text.
pub(crate) fn duration(fields: &Map<String, Value>, name: &str) -> Option<Duration> {
    seconds(fields.get(name)?)
}

fn seconds(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_json(body: &str) -> Result<DeviceAuthorizationResponse, &'static str> {
        super::read(serde_json::from_str(body).unwrap())
    }

    #[test]
    fn the_answer_of_rfc_8628_3_2() {
        let answer = read_json(
            r#"{"device_code":"GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS","user_code":"WDJB-MJHT",
            "verification_uri":"https://example.com/device",
            "verification_uri_complete":"https://example.com/device?user_code=WDJB-MJHT","expires_in":1800,"interval":7}"#,
        )
        .unwrap();
        assert_eq!(answer.device_code.expose(), "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS");
        assert_eq!(answer.user_code, "WDJB-MJHT");
        assert_eq!(answer.verification_uri, "https://example.com/device");
        assert!(answer.verification_uri_complete.unwrap().ends_with("WDJB-MJHT"));
        assert_eq!((answer.expires_in, answer.interval), (Duration::from_secs(1800), Duration::from_secs(7)));
    }

    #[test]
    fn googles_answer_and_one_without_times() {
        let google = r#"{"device_code":"4/4-GMM","user_code":"GQVQ-JKEC","verification_url":"https://www.google.com/device",
            "expires_in":"1800","interval":"0"}"#;
        let answer = read_json(google).unwrap();
        assert_eq!(answer.verification_uri, "https://www.google.com/device");
        assert_eq!((answer.expires_in, answer.interval), (Duration::from_secs(1800), SHORTEST_INTERVAL));

        let answer = read_json(r#"{"device_code":"d","user_code":"u","verification_uri":"v"}"#).unwrap();
        assert_eq!((answer.expires_in, answer.interval), (LIFETIME, INTERVAL));
    }

    #[test]
    fn answers_without_codes_are_of_no_use() {
        for body in [
            "{}",
            r#"{"user_code":"u","verification_uri":"v"}"#,
            r#"{"device_code":"d","verification_uri":"v"}"#,
            r#"{"device_code":"d","user_code":"u"}"#,
            r#"{"device_code":"","user_code":"u","verification_uri":"v"}"#,
            r#"{"device_code":7,"user_code":"u","verification_uri":"v"}"#,
        ] {
            assert!(read_json(body).is_err(), "{body}");
        }
    }

    #[test]
    fn a_new_interval_is_found_beside_an_error() {
        assert_eq!(interval(br#"{"error":"slow_down","interval":10}"#), Some(Duration::from_secs(10)));
        assert_eq!(interval(b"error=slow_down&interval=10"), Some(Duration::from_secs(10)));
        for none in
            [&b""[..], b"null", b"[]", b"{}", br#"{"interval":-1}"#, br#"{"interval":"soon"}"#, b"\xff"]
        {
            assert_eq!(interval(none), None);
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_table() {
        use crate::defaults::assert_documented;
        assert_documented("time between two questions of a device, unless the server says", INTERVAL);
        crate::defaults::assert_continued(
            "time between two questions of a device, unless the server says",
            SHORTEST_INTERVAL,
        );
        assert_documented("what `slow_down` adds to it, unless the server says", SLOW_DOWN);
        assert_documented("life of a device code whose server does not say", LIFETIME);
    }
}
