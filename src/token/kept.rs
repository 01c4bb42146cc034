//! What somebody who asks for the same token again and again keeps of it.

use std::time::SystemTime;

use crate::lanes::lane;
use crate::token::Published;
use crate::token::entry::Entry;

/// Something taken of a token that was given out, which can be used as long as nothing has changed. To see that takes a
/// tenth of the time that it takes to look for the token.
///
/// It is for things that are cheap only in the [lane](crate::lanes) in which they were taken.
pub(crate) struct Kept<T> {
    pub(crate) what: T,
    pub(crate) serial: u32,
    version: u64,
    lane: u32,
    /// No look is due before this moment; none if it never is.
    until: Option<SystemTime>,
    pub(super) obtained_at: Option<SystemTime>,
}

impl<T> Kept<T> {
    /// What was taken of the token that an entry gave out. The version is that of the entry before that.
    pub(super) fn new(version: u64, published: &Published, what: T) -> Self {
        Self {
            what,
            serial: published.serial,
            version,
            lane: lane(),
            until: published.look_at(),
            obtained_at: published.token.obtained_at(),
        }
    }

    /// Whether `entry` would give out the same token at `now`, and has nothing else to do.
    #[inline]
    pub(super) fn is_good(&self, entry: &Entry, now: SystemTime) -> bool {
        self.version == entry.version() && self.until.is_none_or(|until| now < until) && self.lane == lane()
    }
}
