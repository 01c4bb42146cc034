//! The `Authorization: OAuth` header (RFC 5849 §3.5.1).

use percent_encoding::percent_decode_str;

use crate::testing::form::Pairs;

/// What of a header may be shown.
const HARMLESS: [&str; 6] = [
    "realm",
    "oauth_consumer_key",
    "oauth_nonce",
    "oauth_signature_method",
    "oauth_timestamp",
    "oauth_version",
];

/// The parameters after the scheme, decoded, without the realm; `None` when they are not written as they should be.
pub(super) fn parse(parameters: &str) -> Option<Pairs> {
    let pairs = split(parameters)?;
    let signed = pairs.into_iter().filter(|(name, _)| !name.eq_ignore_ascii_case("realm"));
    // Escapes only: here a plus sign is a plus sign.
    let decode = |text: &str| percent_decode_str(text).collect();
    Some(signed.map(|(name, value)| (decode(&name), decode(&value))).collect())
}

/// The parameters after the scheme, with the values of all but the harmless ones taken out.
pub(in crate::testing) fn redact(parameters: &str) -> String {
    let Some(pairs) = split(parameters) else { return "[redacted]".to_owned() };
    let redacted = pairs.into_iter().map(|(name, value)| {
        let value = if HARMLESS.contains(&name.as_str()) { value.as_str() } else { "[redacted]" };
        format!("{name}=\"{value}\"")
    });
    redacted.collect::<Vec<_>>().join(", ")
}

/// Names and values as written, the quotes taken off.
fn split(parameters: &str) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let mut rest = parameters.trim();
    while !rest.is_empty() {
        let (name, after_name) = rest.split_once('=')?;
        let (value, after_value) = match after_name.trim_start().strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => after_name.split_at(after_name.find(',').unwrap_or(after_name.len())),
        };
        pairs.push((name.trim().to_owned(), value.trim().to_owned()));
        let after_value = after_value.trim_start();
        if !after_value.is_empty() {
            rest = after_value.strip_prefix(',')?.trim_start();
        } else {
            rest = "";
        }
    }
    Some(pairs)
}

/// The text before the closing quote, and what follows it. Nothing but a realm has anything to escape.
fn unquote(quoted: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    let end = quoted.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })?;
    let (value, rest) = quoted.split_at_checked(end)?;
    Some((value, rest.strip_prefix('"')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_of_rfc_5849_section_3_5_1_is_parsed_without_its_realm() {
        let header = "realm=\"a, \\\"b=c\", oauth_consumer_key=\"0685bd9184jfhq22\",oauth_token=\"ad180jjd733klru7\"\
                      ,\n oauth_signature=\"wOJIO9A2W5mFwDgiDvZbTSMK%2FPY%3D\", oauth_version=1.0";
        let pairs = parse(header).map(|pairs| {
            pairs
                .into_iter()
                .map(|(name, value)| String::from_utf8([name, value].join(&b'=')).unwrap_or_default())
                .collect::<Vec<_>>()
        });
        let expected = [
            "oauth_consumer_key=0685bd9184jfhq22",
            "oauth_token=ad180jjd733klru7",
            "oauth_signature=wOJIO9A2W5mFwDgiDvZbTSMK/PY=",
            "oauth_version=1.0",
        ];
        assert_eq!(pairs.as_deref(), Some(&expected.map(str::to_owned)[..]));
    }

    #[test]
    fn a_plus_sign_is_none_of_a_forms_spaces() {
        assert_eq!(parse("oauth_nonce=\"a+b\""), Some(vec![(b"oauth_nonce".to_vec(), b"a+b".to_vec())]));
    }

    #[test]
    fn what_is_not_written_as_it_should_be_is_no_header() {
        for header in ["oauth_nonce", "oauth_nonce=\"a", "a=\"b\" c=\"d\""] {
            assert_eq!(parse(header), None, "{header}");
        }
    }
}
