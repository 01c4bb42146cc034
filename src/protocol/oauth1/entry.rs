//! Where each parameter stands in the text of all of them, and how a query or a form is taken apart.

use std::cmp::Ordering;

use crate::protocol::oauth1::buffer::Writer;
use crate::protocol::oauth1::encode::Escape;
use crate::protocol::oauth1::encode::Reserved;
use crate::protocol::oauth1::encode::decode_first;
use crate::protocol::oauth1::encode::escape_byte;

/// Between a name and its value, and between two parameters, in the base string.
pub(crate) const EQUALS: &[u8] = b"%3D";
pub(crate) const AND: &[u8] = b"%26";

/// Where a parameter is in the text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// The first bytes of the name as a number, which decides most comparisons.
    pub(crate) begin: u128,
    pub(crate) name: Piece,
    pub(crate) value: Piece,
}

/// A part of the text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Entry {
    pub(crate) fn compare(&self, other: &Self, text: &[u8]) -> Ordering {
        let texts = |entry: &Self| (entry.name.of(text), entry.value.of(text));
        self.begin.cmp(&other.begin).then_with(|| texts(self).cmp(&texts(other)))
    }

    /// Appends the parameter and what separates it from the next.
    #[inline(always)]
    pub(crate) fn write(&self, text: &[u8], out: &mut Writer<'_>) {
        const LONG: usize = 32;
        let short = |piece: Piece| {
            let chunk = text.get(piece.start..).and_then(<[u8]>::first_chunk::<LONG>);
            chunk.zip(Some(piece.end - piece.start).filter(|length| *length <= LONG))
        };
        if let (Some((name, name_length)), Some((value, value_length))) =
            (short(self.name), short(self.value))
        {
            // All four in one piece of room. Each overwrites the surplus of the one before.
            let done = out.fill::<{ 2 * LONG + 8 }>(|to| {
                let mut length = 0;
                let mut put = |chunk: &[u8], counting: usize| {
                    if let Some(to) = to.get_mut(length..).and_then(|to| to.get_mut(..chunk.len())) {
                        to.copy_from_slice(chunk);
                    }
                    length += counting;
                };
                put(name, name_length);
                put(b"%3D\0", EQUALS.len());
                put(value, value_length);
                put(b"%26\0", AND.len());
                length
            });
            if done {
                return;
            }
        }
        out.exactly(self.name.of(text));
        out.exactly(EQUALS);
        out.exactly(self.value.of(text));
        out.exactly(AND);
    }
}

impl Piece {
    pub(crate) fn of(self, text: &[u8]) -> &[u8] {
        text.get(self.start..self.end).unwrap_or_default()
    }
}

/// What is put behind a form: a last `&`, and so many letters that what is before them can be looked at in chunks.
pub(crate) const END: &[u8] = b"&aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// Reads the form that is in `text` from `base` on, with an [`END`], and makes an entry for each pair. What has to be
/// encoded otherwise than it was sent is appended to the text.
pub(crate) fn read_form(text: &[u8], base: usize, entries: &mut Vec<Entry>, out: &mut Writer<'_>) {
    // A variable of its own is kept in registers.
    let mut writer = std::mem::take(out);
    let mut reserved = Reserved::of(text, base);
    // Where the name or value that is being read starts, and the name once it is read.
    let mut start = base;
    let mut name: Option<Piece> = None;
    while let Some((mut index, mut byte)) = reserved.next() {
        let mut read = Piece { start, end: index };
        if byte != b'&' && (byte != b'=' || name.is_some()) {
            // The rest is encoded as it is read.
            let changed = text.len() + writer.written();
            let mut done = start;
            while byte != b'&' && (byte != b'=' || name.is_some()) {
                writer.part::<16>(text, done, index);
                if let Some((byte, rest)) = text.get(index..).and_then(decode_first) {
                    escape_byte(byte, Escape::Twice, &mut writer);
                    done = text.len() - rest.len();
                }
                // The `&` of the end is found at last.
                (index, byte) = reserved.next().unwrap_or((done, b'&'));
            }
            writer.part::<16>(text, done, index);
            read = Piece { start: changed, end: text.len() + writer.written() };
        }
        if byte == b'=' {
            name = Some(read);
        } else if let Some(name) = name.take() {
            entries.push(Entry { begin: 0, name, value: read });
        } else if start != index {
            entries.push(Entry { begin: 0, name: read, value: Piece { start: read.end, end: read.end } });
        }
        start = index + 1;
    }
    *out = writer;
}

/// The first sixteen bytes of `text[start..end]`, as a number that sorts as they do. Shorter texts are filled with zeros,
/// which sort before every byte of an encoded text.
#[inline(always)]
pub(crate) fn begin(text: &[u8], Piece { start, end }: Piece) -> u128 {
    /// For each length of a name its bytes.
    static MASKS: [u128; 17] = {
        let mut masks = [u128::MAX; 17];
        let mut length = 0;
        while length < 16 {
            masks[length] = !(u128::MAX >> (8 * length));
            length += 1;
        }
        masks
    };
    match text.get(start..).and_then(<[u8]>::first_chunk) {
        // What comes behind the end is masked, which is quicker than copying what is before it.
        Some(chunk) => u128::from_be_bytes(*chunk) & MASKS[(end - start).min(16)],
        None => {
            let mut chunk = [0; 16];
            for (to, from) in chunk.iter_mut().zip(Piece { start, end }.of(text)) {
                *to = *from;
            }
            u128::from_be_bytes(chunk)
        }
    }
}
