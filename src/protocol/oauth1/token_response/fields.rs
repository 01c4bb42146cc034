//! The fields of an answer, of JSON or of a form.

use percent_encoding::percent_decode_str;
use serde_json::Map;
use serde_json::Value;

/// The fields of a body, or why it has none.
pub(super) fn read(body: &[u8]) -> Result<Map<String, Value>, &'static str> {
    let body = String::from_utf8_lossy(body);
    let body = body.trim_start_matches('\u{feff}').trim();
    match body.bytes().next() {
        None => Err("it is empty"),
        Some(b'{') => serde_json::from_str(body).map_err(|_| "it is not valid JSON"),
        Some(b'<') => Err("it is a page of HTML or XML, not a form"),
        Some(b'[' | b'"') => Err("it is JSON, but not an object"),
        Some(_) if body.contains('=') => Ok(collect(pairs(body))),
        Some(_) => Err("it is neither a form nor JSON"),
    }
}

/// The pairs of a form or a query, decoded once; bytes that are not UTF-8 are replaced.
pub(crate) fn pairs(form: &str) -> impl Iterator<Item = (String, String)> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    form.split('&').filter(|pair| !pair.is_empty()).map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

/// A value as text, if it is one that a form could hold.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The pairs by name. Values of one name become a list, so that a token that is there twice is not a token.
fn collect(pairs: impl Iterator<Item = (String, String)>) -> Map<String, Value> {
    let mut fields = Map::new();
    for (name, value) in pairs {
        let value = Value::String(value);
        match fields.get_mut(&name) {
            None => {
                fields.insert(name, value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    fields
}
