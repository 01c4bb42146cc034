//! Texts with holes: what is the same in every request of one pair of credentials is written once.

use crate::protocol::oauth1::encode::Escape;
use crate::protocol::oauth1::encode::escape;

/// One protocol parameter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ProtocolParameter {
    pub(crate) name: String,
    pub(crate) value: Value,
}

/// The value of a protocol parameter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// The same in every request.
    Fixed(String),
    /// Another in every request.
    Hole(Hole),
}

/// What is another text in every request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Hole {
    BodyHash,
    Nonce,
    Signature,
    Timestamp,
}

/// What goes into the holes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filling<'a> {
    pub(crate) body_hash: Text<'a>,
    pub(crate) nonce: Text<'a>,
    pub(crate) signature: Text<'a>,
    pub(crate) timestamp: Text<'a>,
}

/// A text before any encoding.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Text<'a> {
    Any(&'a [u8]),
    /// Nothing in it is ever escaped.
    Unreserved(&'a [u8]),
}

/// A text with holes. What fills them is escaped, once or twice.
#[derive(Debug)]
pub(crate) struct Template {
    times: Escape,
    /// A text, and the hole behind it.
    pieces: Vec<(Vec<u8>, Hole)>,
    end: Vec<u8>,
}

impl ProtocolParameter {
    pub(crate) fn fixed(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), value: Value::Fixed(value.to_owned()) }
    }

    pub(crate) fn hole(name: &str, hole: Hole) -> Self {
        Self { name: name.to_owned(), value: Value::Hole(hole) }
    }
}

impl Template {
    pub(crate) fn new(times: Escape) -> Self {
        Self { times, pieces: Vec::new(), end: Vec::new() }
    }

    /// Appends `text` as it is.
    pub(crate) fn text(&mut self, text: &[u8]) {
        self.end.extend_from_slice(text);
    }

    /// Appends `value`, escaped.
    pub(crate) fn value(&mut self, value: &Value) {
        match value {
            Value::Fixed(text) => escape(text.as_bytes(), self.times, &mut self.end),
            Value::Hole(hole) => self.pieces.push((std::mem::take(&mut self.end), *hole)),
        }
    }

    /// Appends the text to `out`, with its holes filled.
    pub(crate) fn write(&self, filling: &Filling<'_>, out: &mut Vec<u8>) {
        for (text, hole) in &self.pieces {
            out.extend_from_slice(text);
            filling.write_hole(*hole, self.times, out);
        }
        out.extend_from_slice(&self.end);
    }
}

impl Filling<'_> {
    /// Appends `value`, escaped.
    pub(crate) fn write(&self, value: &Value, times: Escape, out: &mut Vec<u8>) {
        match value {
            Value::Fixed(text) => escape(text.as_bytes(), times, out),
            Value::Hole(hole) => self.write_hole(*hole, times, out),
        }
    }

    fn write_hole(&self, hole: Hole, times: Escape, out: &mut Vec<u8>) {
        let text = match hole {
            Hole::BodyHash => self.body_hash,
            Hole::Nonce => self.nonce,
            Hole::Signature => self.signature,
            Hole::Timestamp => self.timestamp,
        };
        match text {
            Text::Any(text) => escape(text, times, out),
            Text::Unreserved(text) => out.extend_from_slice(text),
        }
    }
}

impl Default for Filling<'_> {
    fn default() -> Self {
        let nothing = Text::Unreserved(&[]);
        Self { body_hash: nothing, nonce: nothing, signature: nothing, timestamp: nothing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_filled_with_escaped_text_and_the_rest_stays() {
        let mut template = Template::new(Escape::Twice);
        template.text(b"a=");
        template.value(&Value::Hole(Hole::Nonce));
        template.text(b"&b=");
        template.value(&Value::Fixed("/".to_owned()));
        template.text(b";");
        let mut out = Vec::new();
        template.write(&Filling { nonce: Text::Any(b"+1"), ..Filling::default() }, &mut out);
        assert_eq!(out, b"a=%252B1&b=%252F;");
    }
}
