//! Texts with holes: what is the same in every request of one pair of credentials is written once.

use crate::protocol::oauth1::buffer::Buffer;
use crate::protocol::oauth1::buffer::Writer;
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

/// Characters of the nonces that are made here.
pub(crate) const NONCE: usize = 25;
/// Digits of a timestamp, until the year 2286.
const TIMESTAMP: usize = 10;

/// A text with holes. What fills them is escaped, once or twice.
#[derive(Debug)]
pub(crate) struct Template {
    times: Escape,
    /// A text, and the hole behind it.
    pieces: Vec<(Vec<u8>, Hole)>,
    end: Buffer,
    stencil: Stencil,
}

/// The same text as far as nonce and timestamp are the only holes, each with room for one of the usual length.
///
/// It is copied as a whole, and then the two are written over it, which takes a third of the time of copying piece after
/// piece.
#[derive(Debug, Default)]
struct Stencil {
    text: Buffer,
    /// Where they go.
    nonce: Option<usize>,
    timestamp: Option<usize>,
    /// How many holes are in it.
    holes: usize,
    /// Whether there are others behind it.
    is_closed: bool,
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
        Self { times, pieces: Vec::new(), end: Buffer::default(), stencil: Stencil::default() }
    }

    /// Appends `text` as it is.
    pub(crate) fn text(&mut self, text: &[u8]) {
        self.end.append(|out| out.text(text));
        if !self.stencil.is_closed {
            self.stencil.text.append(|out| out.text(text));
        }
    }

    /// Appends `value`, escaped.
    pub(crate) fn value(&mut self, value: &Value) {
        match value {
            Value::Fixed(text) => {
                let mut escaped = Buffer::default();
                escaped.append(|out| escape(text.as_bytes(), self.times, out));
                self.text(escaped.as_slice());
            }
            Value::Hole(hole) => {
                self.pieces.push((std::mem::take(&mut self.end).into_vec(), *hole));
                self.stencil.hole(*hole);
            }
        }
    }

    /// Appends the text to `out`, with its holes filled.
    #[inline]
    pub(crate) fn write(&self, filling: &Filling<'_>, out: &mut Writer<'_>) {
        let is_stencilled = self.stencil.write(filling, out);
        if !is_stencilled || self.stencil.is_closed {
            self.write_pieces(filling, is_stencilled, out);
        }
    }

    /// Appends the pieces, or only those behind the stencil, of which the first lacks its text.
    fn write_pieces(&self, filling: &Filling<'_>, is_stencilled: bool, out: &mut Writer<'_>) {
        let start = if is_stencilled { self.stencil.holes } else { 0 };
        for (index, (text, hole)) in self.pieces.iter().enumerate().skip(start) {
            if !is_stencilled || index > start {
                out.text(text);
            }
            filling.of(*hole).write(self.times, out);
        }
        out.text(self.end.as_slice());
    }
}

impl Stencil {
    fn hole(&mut self, hole: Hole) {
        let start = self.text.len();
        let (place, length) = match hole {
            Hole::Nonce => (&mut self.nonce, NONCE),
            Hole::Timestamp => (&mut self.timestamp, TIMESTAMP),
            Hole::BodyHash | Hole::Signature => {
                self.is_closed = true;
                return;
            }
        };
        if self.is_closed || place.is_some() {
            self.is_closed = true;
            return;
        }
        *place = Some(start);
        self.holes += 1;
        self.text.append(|out| out.text([b'-'; NONCE].get(..length).unwrap_or_default()));
    }

    /// Appends the text, if what goes into the holes is as long as usual and there are such holes.
    #[inline(always)]
    fn write(&self, filling: &Filling<'_>, out: &mut Writer<'_>) -> bool {
        let (Text::Unreserved(nonce), Text::Unreserved(timestamp)) = (filling.nonce, filling.timestamp)
        else {
            return false;
        };
        let (Ok(nonce), Ok(timestamp)) =
            (<&[u8; NONCE]>::try_from(nonce), <&[u8; TIMESTAMP]>::try_from(timestamp))
        else {
            return false;
        };
        let (Some(nonce_start), Some(timestamp_start)) = (self.nonce, self.timestamp) else { return false };
        out.text_with(self.text.as_slice(), |text| {
            if let Some(to) = text.get_mut(nonce_start..).and_then(<[u8]>::first_chunk_mut) {
                *to = *nonce;
            }
            if let Some(to) = text.get_mut(timestamp_start..).and_then(<[u8]>::first_chunk_mut) {
                *to = *timestamp;
            }
        });
        true
    }
}

impl Filling<'_> {
    /// Appends `value`, escaped.
    pub(crate) fn write(&self, value: &Value, times: Escape, out: &mut Writer<'_>) {
        match value {
            Value::Fixed(text) => escape(text.as_bytes(), times, out),
            Value::Hole(hole) => self.of(*hole).write(times, out),
        }
    }

    fn of(&self, hole: Hole) -> Text<'_> {
        match hole {
            Hole::BodyHash => self.body_hash,
            Hole::Nonce => self.nonce,
            Hole::Signature => self.signature,
            Hole::Timestamp => self.timestamp,
        }
    }
}

impl Text<'_> {
    fn write(self, times: Escape, out: &mut Writer<'_>) {
        match self {
            Self::Any(text) => escape(text, times, out),
            Self::Unreserved(text) => out.exactly(text),
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
        let mut out = Buffer::default();
        let filling = Filling { nonce: Text::Any(b"+1"), ..Filling::default() };
        out.append(|out| template.write(&filling, out));
        assert_eq!(out.as_slice(), b"a=%252B1&b=%252F;");
    }

    #[test]
    fn a_text_is_the_same_whatever_the_order_and_the_length_of_what_fills_it() {
        let holes = [Hole::BodyHash, Hole::Nonce, Hole::Signature, Hole::Timestamp];
        // Every list of up to four holes.
        for number in 0..5usize.pow(4) {
            let digits = [number % 5, number / 5 % 5, number / 25 % 5, number / 125];
            let chosen: Vec<Hole> = digits.iter().filter_map(|digit| holes.get(*digit).copied()).collect();
            let mut template = Template::new(Escape::Once);
            for hole in &chosen {
                template.text(b"<");
                template.value(&Value::Hole(*hole));
                template.text(b">");
                template.value(&Value::Fixed("=".to_owned()));
            }
            template.text(b".");
            for (nonce, timestamp) in [
                ("abcdefghijklmnopqrstuvwxy", "1318622958"),
                ("short", "1318622958"),
                ("abcdefghijklmnopqrstuvwxy", "99999999999"),
            ] {
                let filling = Filling {
                    body_hash: Text::Any(b"h="),
                    nonce: Text::Unreserved(nonce.as_bytes()),
                    signature: Text::Any(b"a+b="),
                    timestamp: Text::Unreserved(timestamp.as_bytes()),
                };
                let text = |hole: &Hole| match hole {
                    Hole::BodyHash => "<h%3D>%3D".to_owned(),
                    Hole::Nonce => format!("<{nonce}>%3D"),
                    Hole::Signature => "<a%2Bb%3D>%3D".to_owned(),
                    Hole::Timestamp => format!("<{timestamp}>%3D"),
                };
                let mut out = Buffer::default();
                out.append(|out| template.write(&filling, out));
                let expected = chosen.iter().map(text).collect::<String>() + ".";
                assert_eq!(String::from_utf8(out.into_vec()).unwrap(), expected);
            }
        }
    }
}
