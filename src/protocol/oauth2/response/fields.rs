//! The body of an answer as names and values, whatever it was written in.

use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::DeserializeOwned;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde_json::Map;
use serde_json::Value;

use crate::protocol::oauth2::form::form_decode;

/// Why JSON that holds something else is of no use.
pub(super) const NO_OBJECT: &str = "it is JSON, but not an object";

/// What a body holds.
pub(crate) struct Fields {
    pub(crate) map: Map<String, Value>,
    /// Whether it is JSON, and not a form.
    pub(super) is_json: bool,
    /// Whether a name comes more than once.
    pub(super) has_duplicates: bool,
    /// Whether it is an object alone, and not the first one of a list.
    pub(crate) is_alone: bool,
}

/// Why a body holds nothing.
pub(super) enum Unreadable {
    /// It is a page for people.
    Page,
    /// It is something else.
    Other(&'static str),
}

/// Reads a body: an object of JSON, the first object in a list, or a form.
pub(super) fn read(body: &[u8]) -> Result<Fields, Unreadable> {
    let body = String::from_utf8_lossy(body);
    let body = body.trim_start_matches('\u{feff}').trim();
    let invalid = Unreadable::Other("it is not valid JSON");
    match body.bytes().next() {
        None => Err(Unreadable::Other("it is empty")),
        Some(b'{') => {
            let members = json::<Members>(body).ok_or(invalid)?;
            Ok(Fields {
                map: members.map,
                is_json: true,
                has_duplicates: members.has_duplicates,
                is_alone: true,
            })
        }
        Some(b'[') => match json::<Vec<Value>>(body).ok_or(invalid)?.into_iter().next() {
            Some(Value::Object(map)) => {
                Ok(Fields { map, is_json: true, has_duplicates: false, is_alone: false })
            }
            _ => Err(Unreadable::Other(NO_OBJECT)),
        },
        Some(b'<') => Err(Unreadable::Page),
        Some(b'"') => Err(Unreadable::Other(NO_OBJECT)),
        Some(_) if is_form(body) => {
            let mut fields =
                Fields { map: Map::new(), is_json: false, has_duplicates: false, is_alone: true };
            let is_sound = body.split('&').filter(|pair| !pair.is_empty()).all(is_pair);
            for (name, value) in form_decode(body) {
                // A token that runs into the next field, or is cut off, is not the one that was meant.
                if is_sound || !name.to_ascii_lowercase().ends_with("token") {
                    fields.has_duplicates |= fields.map.insert(name, Value::String(value)).is_some();
                }
            }
            Ok(fields)
        }
        Some(_) => Err(Unreadable::Other("it is neither JSON nor a form")),
    }
}

/// Whether a text can be a form. JSON that has lost its first byte is none, although a URL in it may have a query.
fn is_form(body: &str) -> bool {
    body.contains('=') && !body.contains(|letter: char| letter.is_control() || "{}\"<>".contains(letter))
}

/// Whether a piece of a form is a name and a value. `=` may end a value, as it does in Base64.
fn is_pair(piece: &str) -> bool {
    piece.split_once('=').is_some_and(|(_, value)| !value.trim_end_matches('=').contains('='))
}

fn json<T: DeserializeOwned>(text: &str) -> Option<T> {
    // What cannot be kept is rare, so it is only looked for when the parser stumbled.
    serde_json::from_str(text).or_else(|_| serde_json::from_str(&mended(text))).ok()
}

/// The members of an object; of those with the same name, the last.
struct Members {
    map: Map<String, Value>,
    has_duplicates: bool,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Members, A::Error> {
                let mut read = Members { map: Map::new(), has_duplicates: false };
                while let Some((name, value)) = members.next_entry::<String, Value>()? {
                    read.has_duplicates |= read.map.insert(name, value).is_some();
                }
                Ok(read)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// JSON with a text in place of each number that is too large to be kept, and a replacement character in place of each
/// half of a surrogate pair: either would make the whole document unreadable.
pub(crate) fn mended(json: &str) -> String {
    let mut mended = String::with_capacity(json.len());
    let mut rest = json;
    let mut in_text = false;
    while let Some(letter) = rest.chars().next() {
        let piece = if in_text && letter == '\\' {
            let (piece, escaped) = escape(rest);
            mended.push_str(escaped);
            rest = rest.get(piece..).unwrap_or_default();
            continue;
        } else if !in_text && (letter == '-' || letter.is_ascii_digit()) {
            let end = rest.find(|letter: char| !(letter.is_ascii_digit() || "+-.eE".contains(letter)));
            rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
        } else {
            rest.get(..letter.len_utf8()).unwrap_or_default()
        };
        in_text ^= letter == '"';
        let is_too_large = piece.parse::<f64>().is_ok_and(f64::is_infinite);
        if is_too_large {
            mended.extend(["\"", piece, "\""]);
        } else {
            mended.push_str(piece);
        }
        rest = rest.get(piece.len()..).unwrap_or_default();
    }
    mended
}

/// The length of the escape that a text begins with, and what is to be written for it.
fn escape(text: &str) -> (usize, &str) {
    let surrogate = |text: &str, from: u16, to: u16| {
        let digits = text.strip_prefix("\\u").and_then(|rest| rest.get(..4));
        let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        unit.is_some_and(|unit| (from..=to).contains(&unit))
    };
    let is_pair =
        surrogate(text, 0xd800, 0xdbff) && text.get(6..).is_some_and(|next| surrogate(next, 0xdc00, 0xdfff));
    if is_pair {
        (12, text.get(..12).unwrap_or_default())
    } else if surrogate(text, 0xd800, 0xdfff) {
        (6, "\\ufffd")
    } else {
        let length = 1 + text.chars().nth(1).map_or(0, char::len_utf8);
        (length, text.get(..length).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_be_kept_is_mended() {
        for (written, meant) in [
            (r#"{"a":1e400,"b":[-1e999],"c":1}"#, r#"{"a":"1e400","b":["-1e999"],"c":1}"#),
            (r#"{"1e400":"1e400 \" 1e400"}"#, r#"{"1e400":"1e400 \" 1e400"}"#),
            (r#""\ud800 \uDC00 \ud83d\ude00 \\ud800""#, r#""\ufffd \ufffd \ud83d\ude00 \\ud800""#),
            (r#""\"#, r#""\"#),
            ("é-", "é-"),
        ] {
            assert_eq!(mended(written), meant);
        }
    }
}
