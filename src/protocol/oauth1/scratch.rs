//! The buffers in which a request is signed.
//!
//! They are kept from one signature to the next, one set for each thread, so that signing allocates nothing but its
//! result. What stood in them is overwritten after each use: a form may hold a password.

use std::cell::Cell;

use crate::protocol::oauth1::base_string::decimal;
use crate::protocol::oauth1::buffer::Buffer;
use crate::protocol::oauth1::buffer::overwrite;
use crate::protocol::oauth1::params::Parameters;

/// Bytes of buffers that a thread keeps. A larger form gives its memory back.
const KEPT: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) parameters: Parameters,
    pub(crate) base_string: Buffer,
    pub(crate) signature: Vec<u8>,
    pub(crate) attachment: Buffer,
    pub(crate) timestamp: Timestamp,
}

/// A time in decimal digits, which are written once in a second.
#[derive(Debug)]
pub(crate) struct Timestamp {
    seconds: u64,
    digits: [u8; 20],
    /// Where the digits start.
    start: usize,
}

impl Scratch {
    /// Lends the buffers of this thread, empty, to `sign`.
    #[inline]
    pub(crate) fn lend<T>(sign: impl FnOnce(&mut Self) -> T) -> T {
        thread_local! {
            static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
        }
        // Taken out, so that a signature method, clock or nonce function may itself sign; and without a panic when
        // the thread is just ending.
        let mut scratch = SCRATCH.try_with(Cell::take).ok().flatten().unwrap_or_default();
        let result = sign(&mut scratch);
        scratch.wipe();
        if scratch.capacity() <= KEPT {
            let _ = SCRATCH.try_with(|cell| cell.set(Some(scratch)));
        }
        result
    }

    fn wipe(&mut self) {
        self.parameters.wipe();
        self.base_string.wipe();
        self.attachment.wipe();
        overwrite(&mut self.signature);
        self.signature.clear();
    }

    fn capacity(&self) -> usize {
        self.parameters.capacity()
            + self.base_string.capacity()
            + self.attachment.capacity()
            + self.signature.capacity()
    }
}

impl Timestamp {
    /// `seconds` in decimal digits.
    pub(crate) fn of(&mut self, seconds: u64) -> &[u8] {
        if self.seconds != seconds {
            self.seconds = seconds;
            self.start = self.digits.len() - decimal(seconds, &mut self.digits).len();
        }
        self.digits.get(self.start..).unwrap_or_default()
    }
}

impl Default for Timestamp {
    fn default() -> Self {
        Self { seconds: 0, digits: [b'0'; 20], start: 19 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_reused_empty() {
        let first = Scratch::lend(|scratch| {
            scratch.base_string.append(|out| out.text(b"left behind"));
            scratch.base_string.as_slice().as_ptr()
        });
        let second = Scratch::lend(|scratch| {
            assert!(scratch.base_string.as_slice().is_empty());
            scratch.base_string.append(|out| out.text(b"new"));
            scratch.base_string.as_slice().as_ptr()
        });
        assert_eq!(first, second);
    }

    #[test]
    fn times_are_written_in_full() {
        let mut timestamp = Timestamp::default();
        for seconds in [0, 1_318_622_958, 1_318_622_958, 7, 0, u64::MAX, 1_318_622_959] {
            assert_eq!(timestamp.of(seconds), seconds.to_string().as_bytes());
        }
    }

    #[test]
    fn signing_may_sign() {
        Scratch::lend(|outer| {
            outer.signature.push(1);
            Scratch::lend(|inner| assert!(inner.signature.is_empty()));
            assert_eq!(outer.signature, [1]);
        });
    }

    #[test]
    fn large_buffers_are_given_back() {
        Scratch::lend(|scratch| scratch.base_string.reserve(KEPT + 1));
        Scratch::lend(|scratch| assert!(scratch.capacity() <= KEPT));
    }
}
