//! A buffer to which a text is appended in many short pieces.
//!
//! A base string is made of dozens of pieces of a few bytes each: a name, a separator, a value, an escape. What each of
//! them costs beyond the copying counts more than the copying. A `Vec` looks up its length and capacity for each, may
//! grow at each, and copies by a call. A [`Writer`] has the rest of its room in two registers, compares once, and copies
//! a fixed number of bytes of which the surplus is overwritten by what comes next.
//!
//! It never grows. When the room is too small it goes on counting, and all is written once more into a larger buffer.

use std::fmt;

/// The longest piece that is copied with a surplus.
const SURPLUS: usize = 72;

/// A text, and room behind it.
#[derive(Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    length: usize,
    /// The greatest length since it was wiped.
    greatest: usize,
}

/// The room behind a text.
#[derive(Debug, Default)]
pub(crate) struct Writer<'a> {
    room: &'a mut [u8],
    whole: usize,
    missing: usize,
}

impl Buffer {
    /// An empty buffer for so many bytes.
    pub(crate) fn with_room(bytes: usize) -> Self {
        Self { bytes: vec![0; bytes + SURPLUS], ..Self::default() }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// The text, and whatever is behind it, so that pieces of it can be copied with a surplus.
    pub(crate) fn with_surplus(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Cuts off what is behind the first `length` bytes.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// The text as a vector.
    pub(crate) fn into_vec(mut self) -> Vec<u8> {
        self.bytes.truncate(self.length);
        self.bytes
    }

    /// Appends what `write` writes. It is called again if there was not enough room for it.
    #[inline]
    pub(crate) fn append(&mut self, mut write: impl FnMut(&mut Writer<'_>)) {
        self.append_after(|_, out| write(out));
    }

    /// The same, and lets `write` read what is before it.
    #[inline]
    pub(crate) fn append_after(&mut self, mut write: impl FnMut(&[u8], &mut Writer<'_>)) {
        loop {
            let (text, room) = self.bytes.split_at_mut_checked(self.length).unwrap_or_default();
            let mut writer = Writer { whole: room.len(), room, missing: 0 };
            write(text, &mut writer);
            let (written, missing) = (writer.written(), writer.missing);
            if missing == 0 {
                self.length += written;
                self.greatest = self.greatest.max(self.length);
                return;
            }
            self.grow(written + missing);
        }
    }

    /// Makes room for so many bytes more.
    #[cold]
    #[inline(never)]
    pub(crate) fn grow(&mut self, more: usize) {
        // A quarter more than asked for, because a form is first asked for as if nothing in it were escaped.
        let room = self.length + more + more / 4 + 256;
        let mut larger = vec![0; room];
        for (to, from) in larger.iter_mut().zip(self.as_slice()) {
            *to = *from;
        }
        // What was tried may have been written anywhere.
        self.greatest = self.bytes.len();
        let (length, greatest) = (self.length, self.length);
        self.wipe();
        *self = Self { bytes: larger, length, greatest };
    }

    /// Makes sure that there is room for so many bytes more.
    pub(crate) fn reserve(&mut self, more: usize) {
        if self.bytes.len() - self.length < more {
            self.grow(more);
        }
    }

    /// Overwrites and empties it.
    pub(crate) fn wipe(&mut self) {
        let end = self.bytes.len().min(self.greatest + SURPLUS);
        overwrite(self.bytes.get_mut(..end).unwrap_or_default());
        self.length = 0;
        self.greatest = 0;
    }

    /// Bytes of memory that are held.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl Writer<'_> {
    /// How many bytes were written.
    #[inline(always)]
    pub(crate) fn written(&self) -> usize {
        self.whole - self.room.len()
    }

    /// Appends `text`, which is expected to be long.
    #[inline(always)]
    pub(crate) fn text(&mut self, text: &[u8]) {
        self.text_with(text, |_| {});
    }

    /// Appends `text`, in which `change` then changes something.
    #[inline(always)]
    pub(crate) fn text_with(&mut self, text: &[u8], change: impl FnOnce(&mut [u8])) {
        match std::mem::take(&mut self.room).split_at_mut_checked(text.len()) {
            Some((to, rest)) => {
                to.copy_from_slice(text);
                change(to);
                self.room = rest;
            }
            // From here on nothing is written any more.
            None => self.missing += text.len(),
        }
    }

    /// Appends `text[start..end]`, which is expected to be at most `N` bytes long, and to have as many behind `start`.
    #[inline(always)]
    pub(crate) fn part<const N: usize>(&mut self, text: &[u8], start: usize, end: usize) {
        let from = text.get(start..).and_then(<[u8]>::first_chunk::<N>);
        let length = end - start;
        if let (Some(from), true) = (from, length <= N) {
            if self.fill::<N>(|to| (*to = *from, length).1) {
                return;
            }
        }
        self.exactly(text.get(start..end).unwrap_or_default());
    }

    /// As [`text`](Self::text), in a few instructions more but much less code.
    #[inline(always)]
    pub(crate) fn exactly(&mut self, text: &[u8]) {
        let (room, missing) = append(std::mem::take(&mut self.room), text);
        self.room = room;
        self.missing += missing;
    }

    /// Lets `write` write up to `N` bytes and say how many count. If there is not room for `N`, nothing is done.
    #[inline(always)]
    pub(crate) fn fill<const N: usize>(&mut self, write: impl FnOnce(&mut [u8; N]) -> usize) -> bool {
        const { assert!(N <= SURPLUS) };
        let Some(to) = self.room.first_chunk_mut::<N>() else { return false };
        let length = write(to).min(N);
        self.room = std::mem::take(&mut self.room).get_mut(length..).unwrap_or_default();
        true
    }
}

/// Overwrites `bytes` with zeros.
#[inline]
pub(crate) fn overwrite(bytes: &mut [u8]) {
    // An empty vector points to where there is no memory, and glibc's `memset` for AVX-512 writes nothing to it by a
    // masked store, which keeps a processor busy for a tenth of a signature.
    if bytes.is_empty() {
        return;
    }
    bytes.fill(0);
    // Keeps the optimiser from leaving the overwriting out.
    std::hint::black_box(bytes);
}

/// Appends `text`, and returns the rest of the room and for how many bytes there was none.
#[inline(never)]
fn append<'a>(room: &'a mut [u8], text: &[u8]) -> (&'a mut [u8], usize) {
    match room.split_at_mut_checked(text.len()) {
        Some((to, rest)) => {
            copy(text, to);
            (rest, 0)
        }
        // From here on nothing is written any more.
        None => (&mut [], text.len()),
    }
}

/// Copies `from` to `to`, which is as long. Short texts, as most are, are copied as their first and their last bytes,
/// which may overlap: that is done before a call of `memcpy` has found out what to do.
#[inline]
pub(crate) fn copy(from: &[u8], to: &mut [u8]) {
    match from.len() {
        33.. => to.copy_from_slice(from),
        16.. => copy_ends::<16>(from, to),
        8.. => copy_ends::<8>(from, to),
        4.. => copy_ends::<4>(from, to),
        _ => to.iter_mut().zip(from).for_each(|(to, from)| *to = *from),
    }
}

#[inline(always)]
fn copy_ends<const N: usize>(from: &[u8], to: &mut [u8]) {
    if let (Some(from), Some(to)) = (from.first_chunk::<N>(), to.first_chunk_mut::<N>()) {
        *to = *from;
    }
    if let (Some(from), Some(to)) = (from.last_chunk::<N>(), to.last_chunk_mut::<N>()) {
        *to = *from;
    }
}

impl fmt::Debug for Buffer {
    /// The length only: there may be a password in a form.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Buffer").field("length", &self.length).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_any_length_are_appended_whatever_room_there_is() {
        let text: Vec<u8> = (1..=80).collect();
        for room in 0..40 {
            let mut buffer = Buffer { bytes: vec![0; room], ..Buffer::default() };
            let mut expected = Vec::new();
            for start in 0..text.len() {
                for length in 0..=(text.len() - start).min(40) {
                    buffer.append(|out| {
                        out.part::<16>(&text, start, start + length);
                        out.text(b"-");
                    });
                    expected.extend_from_slice(&text[start..start + length]);
                    expected.push(b'-');
                }
            }
            assert_eq!(buffer.as_slice(), expected);
        }
    }

    #[test]
    fn nothing_is_left_behind() {
        let mut buffer = Buffer::default();
        for _ in 0..3 {
            buffer.append(|out| out.part::<16>(&[b'x'; 100], 0, 10));
            buffer.append(|out| out.part::<64>(&[b'x'; 100], 0, 1));
        }
        buffer.truncate(5);
        buffer.wipe();
        assert!(buffer.as_slice().is_empty() && buffer.bytes.iter().all(|&byte| byte == 0));
    }

    #[test]
    fn what_is_before_can_be_read() {
        let mut buffer = Buffer::default();
        buffer.append(|out| out.text(b"ab"));
        buffer.append_after(|text, out| {
            out.text(text);
            out.text(text);
        });
        assert_eq!(buffer.as_slice(), b"ababab");
    }

    #[test]
    fn the_text_is_not_printed() {
        let mut buffer = Buffer::with_room(10);
        buffer.append(|out| out.text(b"hunter2"));
        assert_eq!(format!("{buffer:?}"), "Buffer { length: 7, .. }");
        assert_eq!(buffer.into_vec(), b"hunter2");
    }
}
