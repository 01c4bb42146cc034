//! The buffers in which a request is signed.
//!
//! They are kept from one signature to the next, one set for each thread, so that signing allocates nothing but its
//! result. What stood in them is overwritten after each use: a form may hold a password.

use std::cell::Cell;

use crate::protocol::oauth1::params::Parameters;

/// Bytes of buffers that a thread keeps. A larger form gives its memory back.
const KEPT: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) parameters: Parameters,
    pub(crate) base_string: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) attachment: Vec<u8>,
}

impl Scratch {
    /// Lends the buffers of this thread, empty, to `sign`.
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
        wipe(&mut self.base_string);
        wipe(&mut self.signature);
        wipe(&mut self.attachment);
    }

    fn capacity(&self) -> usize {
        let buffers = [&self.base_string, &self.signature, &self.attachment];
        self.parameters.capacity() + buffers.iter().map(|buffer| buffer.capacity()).sum::<usize>()
    }
}

/// Overwrites and empties `buffer`.
pub(crate) fn wipe(buffer: &mut Vec<u8>) {
    buffer.fill(0);
    // Keeps the optimiser from leaving the overwriting out.
    std::hint::black_box(buffer.as_slice());
    buffer.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_reused_empty() {
        let first = Scratch::lend(|scratch| {
            scratch.base_string.extend_from_slice(b"left behind");
            scratch.base_string.as_ptr()
        });
        let second = Scratch::lend(|scratch| {
            assert!(scratch.base_string.is_empty());
            scratch.base_string.push(0);
            scratch.base_string.as_ptr()
        });
        assert_eq!(first, second);
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
