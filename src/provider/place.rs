//! The part of an address that differs from customer to customer: a host, a tenant, a realm.

use crate::error::ConfigError;
use crate::transport::Endpoint;

/// A name that becomes one label of a host, such as that of a shop.
pub(super) fn label<'a>(name: &'static str, text: &'a str) -> Result<&'a str, ConfigError> {
    let is_sound = !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-');
    if is_sound {
        Ok(text)
    } else {
        Err(invalid(name, "it is one label of a host: letters, digits and hyphens"))
    }
}

/// A host, perhaps with a port.
pub(super) fn host<'a>(name: &'static str, text: &'a str) -> Result<&'a str, ConfigError> {
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|number| number > 0) && !port.starts_with('+');
    let is_sound = host.split('.').all(|part| label(name, part).is_ok()) && port.is_none_or(is_port);
    if is_sound {
        Ok(text)
    } else {
        Err(invalid(name, "it is a host without scheme and path, such as `example.com`"))
    }
}

/// One segment of a path.
pub(super) fn segment<'a>(name: &'static str, text: &'a str) -> Result<&'a str, ConfigError> {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let is_sound = !text.is_empty() && text.bytes().all(is_letter) && text != "." && text != "..";
    if is_sound {
        Ok(text)
    } else {
        Err(invalid(name, "it is one segment of a path: letters, digits and `-._~`"))
    }
}

/// The beginning of a URL, without a slash at its end.
pub(super) fn base<'a>(name: &'static str, text: &'a str) -> Result<&'a str, ConfigError> {
    if text.contains(['?', '#']) {
        return Err(invalid(name, "it has a query or a fragment"));
    }
    Endpoint::parse(text)?;
    Ok(text.trim_end_matches('/'))
}

/// One of a few.
pub(super) fn one_of(
    name: &'static str,
    text: &str,
    known: &[(&str, &'static str)],
) -> Result<&'static str, ConfigError> {
    let found = known.iter().find(|(key, _)| *key == text);
    found.map(|(_, value)| *value).ok_or(invalid(name, "it is none of those that are listed"))
}

fn invalid(name: &'static str, reason: &'static str) -> ConfigError {
    ConfigError::InvalidSetting { name, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_would_change_the_rest_of_an_address_is_a_part_of_one() {
        for text in ["", "a b", "a/b", "a@b", "a?b", "a#b", "a\\b", "a%2fb", "é", "a\n", "-a", "a-"] {
            assert!(label("shop", text).is_err() && host("host", text).is_err(), "{text:?}");
        }
        for text in ["", ".", "..", "a/b", "a?b", "a#b", "a b", "%2e", "a\\b", "é"] {
            assert!(segment("tenant", text).is_err(), "{text:?}");
        }
        for text in ["a.b", &"a".repeat(64)] {
            assert!(label("shop", text).is_err(), "{text}");
        }
        for text in ["a..b", ".a", "a:", "a:0", "a:65536", "a:+1", "a:b", "https://a"] {
            assert!(host("host", text).is_err(), "{text}");
        }
        for text in
            ["", "a.test", "ftp://a.test", "https://a.test/?b", "https://a.test/#b", "https://u@a.test"]
        {
            assert!(base("base", text).is_err(), "{text}");
        }
    }

    #[test]
    fn sound_parts_are_taken() {
        assert_eq!(label("shop", "my-shop1"), Ok("my-shop1"));
        assert_eq!(host("host", "git.example.com:8443"), Ok("git.example.com:8443"));
        assert_eq!(segment("tenant", "9188040d-6c67_x.y~z"), Ok("9188040d-6c67_x.y~z"));
        assert_eq!(base("base", "https://a.test/auth/"), Ok("https://a.test/auth"));
        assert_eq!(one_of("region", "eu", &[("us", "com"), ("eu", "eu")]), Ok("eu"));
        assert!(one_of("region", "xx", &[("us", "com")]).is_err());
    }
}
