//! Showing what a server says without showing secrets.

use serde_json::Map;
use serde_json::Value;

use crate::secret::REDACTED;
use crate::secret::Secret;

/// Bytes of a body that are looked at for an excerpt.
const LOOKED_AT: usize = 64 * 1024;
/// Bytes of an excerpt.
const EXCERPT: usize = 1000;

/// Characters that HTML escapes.
const ENTITIES: [(u8, &str); 6] =
    [(b'"', "&quot;"), (b'&', "&amp;"), (b'\'', "&#39;"), (b'\'', "&#x27;"), (b'<', "&lt;"), (b'>', "&gt;")];

/// Takes secrets out of texts, in whatever escapes a server gives them back.
pub(super) struct Redaction(Vec<Secret>);

impl Redaction {
    pub(super) fn of<'a>(secrets: impl Iterator<Item = &'a Secret>) -> Self {
        Self(secrets.filter(|secret| !secret.is_empty()).cloned().collect())
    }

    /// `text` without the secrets.
    pub(super) fn apply(&self, text: &str) -> String {
        let mut out = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((first, after_first)) = rest.split_first() {
            // The longest: one secret may be the beginning of another.
            let longest = self.0.iter().filter_map(|secret| written_length(secret, rest)).max();
            match longest.and_then(|length| rest.get(length..)) {
                Some(after_secret) => {
                    out.extend_from_slice(REDACTED.as_bytes());
                    rest = after_secret;
                }
                None => {
                    out.push(*first);
                    rest = after_first;
                }
            }
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    /// How `body` begins, as one line; `None` when there is nothing to show.
    ///
    /// The fields of a body that was understood are known, and those that are secret are among the secrets. Of another
    /// one that speaks of a token secret nothing is shown.
    pub(super) fn excerpt(&self, body: &[u8], is_understood: bool) -> Option<String> {
        let text = String::from_utf8_lossy(body.get(..LOOKED_AT).unwrap_or(body));
        if !is_understood && speaks_of_token_secret(&text) {
            return Some("(not shown: it speaks of a token secret)".to_owned());
        }
        let redacted = self.apply(&text).replace(char::is_control, " ");
        let mut line = redacted.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.len() > EXCERPT {
            let end = (0..=EXCERPT).rev().find(|&end| line.is_char_boundary(end)).unwrap_or(0);
            line.truncate(end);
            line.push('…');
        }
        Some(line).filter(|line| !line.is_empty())
    }
}

/// The values of fields whose names sound like secrets, in objects and lists within too.
pub(super) fn secrets(fields: &Map<String, Value>) -> Vec<Secret> {
    let mut found = Vec::new();
    for (name, value) in fields {
        let name = name.to_ascii_lowercase();
        let is_secret =
            ["token", "secret", "handle", "password", "verifier"].iter().any(|word| name.contains(word));
        collect(value, is_secret, &mut found);
    }
    found
}

fn collect(value: &Value, is_secret: bool, found: &mut Vec<Secret>) {
    match value {
        Value::String(text) if is_secret => found.push(Secret::new(text.as_str())),
        Value::Number(number) if is_secret => found.push(Secret::new(number.to_string())),
        Value::Array(values) => values.iter().for_each(|value| collect(value, is_secret, found)),
        Value::Object(fields) if is_secret => {
            fields.values().for_each(|value| collect(value, is_secret, found));
        }
        Value::Object(fields) => found.extend(secrets(fields)),
        _ => {}
    }
}

/// Whether there is `token_secret`, `TokenSecret` or the like in `text`.
fn speaks_of_token_secret(text: &str) -> bool {
    let letters: String = text.chars().filter(char::is_ascii_alphabetic).collect();
    letters.to_ascii_lowercase().contains("tokensecret")
}

/// How many bytes at the beginning of `text` are `secret`, each byte of it written in one way or another.
fn written_length(secret: &Secret, text: &[u8]) -> Option<usize> {
    // Most places are seen at the first byte not to be the right one.
    ways_to_write(secret.expose().bytes().next()?, text).next()?;
    // A percent sign may stand for itself or begin an escape, so that there can be more than one place to go on from.
    let mut ends = vec![0];
    for byte in secret.expose().bytes() {
        let mut next: Vec<usize> = ends
            .iter()
            .flat_map(|&end| {
                ways_to_write(byte, text.get(end..).unwrap_or_default()).map(move |length| end + length)
            })
            .collect();
        next.sort_unstable();
        next.dedup();
        if next.is_empty() {
            return None;
        }
        ends = next;
    }
    ends.last().copied()
}

/// The lengths of what, at the beginning of `text`, may stand for `byte`: itself, or an escape of a form, a query or a
/// base string, of JSON or of HTML.
fn ways_to_write(byte: u8, text: &[u8]) -> impl Iterator<Item = usize> {
    let itself = (text.first() == Some(&byte)).then_some(1);
    let space = (byte == b' ' && text.starts_with(b"+")).then_some(1);
    let slash = match text {
        [b'\\', escaped, ..] if *escaped == byte => Some(2),
        _ => None,
    };
    // Escaped again, `%2F` is `%252F`; nobody does it more than once more.
    let percent = (0..3).filter(move |&again| {
        let digits = text
            .strip_prefix(b"%")
            .and_then(|digits| digits.strip_prefix("2525".get(..2 * again)?.as_bytes()));
        digits.is_some_and(|digits| is_hex(byte, digits.get(..2)))
    });
    let percent = percent.map(|again| 3 + 2 * again);
    let unicode = text.strip_prefix(b"\\u00").filter(|digits| is_hex(byte, digits.get(..2))).map(|_| 6);
    let entity = ENTITIES.iter().find(|(of, entity)| *of == byte && text.starts_with(entity.as_bytes()));
    let entity = entity.map(|(_, entity)| entity.len());
    [itself, space, slash, unicode, entity].into_iter().flatten().chain(percent)
}

/// Whether these are the two digits of `byte`.
fn is_hex(byte: u8, digits: Option<&[u8]>) -> bool {
    let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
    digits.is_some_and(|digits| u8::from_str_radix(digits, 16) == Ok(byte))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn redact(secrets: &[&str], text: &str) -> String {
        let secrets: Vec<_> = secrets.iter().map(|secret| Secret::new(*secret)).collect();
        Redaction::of(secrets.iter()).apply(text)
    }

    #[test]
    fn a_secret_is_taken_out_in_every_escape() {
        let secret = "hu\"nter&2 /é<";
        for text in [
            "a hu\"nter&2 /é< z",
            "a hu%22nter%262%20%2F%C3%A9%3C z",
            "a hu%22nter%262%20%2f%c3%a9%3c z",
            "a hu%22nter%262+%2F%C3%A9%3C z",
            "a hu%2522nter%25262%2520%252F%25C3%25A9%253C z",
            "a hu%22nter%262%20/%C3%A9%3C z",
            "a hu\\\"nter&2 \\/é< z",
            "a hu\\u0022nter\\u00262 /é\\u003C z",
            "a hu&quot;nter&amp;2 /é&lt; z",
        ] {
            assert_eq!(redact(&[secret], text), "a [redacted] z", "{text}");
        }
    }

    #[test]
    fn a_secret_with_percent_signs_is_found_escaped_and_as_it_is() {
        for text in ["a %25%2% z", "a %2525%252%25 z", "a %252525%25252%2525 z"] {
            assert_eq!(redact(&["%25%2%"], text), "a [redacted] z", "{text}");
        }
        assert_eq!(redact(&["a%"], "a 5% é a"), "a 5% é a");
    }

    #[test]
    fn the_longer_of_two_secrets_is_taken_out_whole() {
        assert_eq!(redact(&["ab", "abcd"], "abcd ab"), "[redacted] [redacted]");
    }

    #[test]
    fn a_short_secret_does_not_spoil_what_stands_in_its_place() {
        assert_eq!(redact(&["e", ""], "here"), "h[redacted]r[redacted]");
    }

    #[test]
    fn fields_that_sound_secret_are_found_at_any_depth() {
        let fields = json!({
            "user": "bob",
            "data": [{ "accessToken": "a", "list": [1] }, { "oauth_token_secret": { "value": "b" } }],
            "oauth_session_handle": 7,
        });
        let found = secrets(fields.as_object().unwrap());
        let mut found: Vec<_> = found.iter().map(Secret::expose).collect();
        found.sort_unstable();
        assert_eq!(found, ["7", "a", "b"]);
    }

    #[test]
    fn an_excerpt_is_one_bounded_line() {
        let redaction = Redaction::of(std::iter::empty());
        assert_eq!(redaction.excerpt(b" \r\n<h1>\tNo\x1b[31m </h1>\n", false).unwrap(), "<h1> No [31m </h1>");
        assert_eq!(redaction.excerpt(b" \n", false), None);
        let long = redaction.excerpt("é".repeat(LOOKED_AT).as_bytes(), false).unwrap();
        assert!(long.len() <= EXCERPT + '…'.len_utf8() && long.ends_with('…'));
    }

    #[test]
    fn a_page_that_speaks_of_a_token_secret_is_not_shown() {
        let redaction = Redaction::of(std::iter::empty());
        for page in ["<oauth_token_secret>hunter2</oauth_token_secret>", "tokenSecret: hunter2"] {
            let shown = redaction.excerpt(page.as_bytes(), false).unwrap();
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}
