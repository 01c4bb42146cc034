//! A token as it is given out.

use std::sync::OnceLock;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use http::HeaderValue;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::token::Rush;
use crate::token::Token;
use crate::token::header_copies::HeaderCopies;
use crate::token::settings::Times;

/// How many values for other headers are kept with a token; more are made each time.
const VALUES: usize = 8;

/// A token with everything that a request needs of it, made once and shared.
#[derive(Debug)]
pub(crate) struct Published {
    /// The earliest of the times, in a form that takes little room.
    look: Nanoseconds,
    /// Tells one published token from the last four billion others of the manager.
    pub(crate) serial: u32,
    /// `Bearer …`.
    header: HeaderCopies,
    hard: Nanoseconds,
    times: Times,
    pub(crate) token: Token,
    others: Others,
    /// The generation of the record that it is from.
    pub(super) generation: u64,
}

/// A moment, in nanoseconds since 1970; the end of time for one that never comes.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) struct Nanoseconds(u64);

impl Nanoseconds {
    /// When a token has to be looked at, and when it is no longer sent. One that is renewed by hand is looked at when it
    /// is no longer sent.
    #[inline]
    fn of(times: Times) -> (Self, Self) {
        let or_never = |moment: Option<SystemTime>| moment.map_or(Self(u64::MAX), Self::from);
        let hard = or_never(times.hard);
        (Self(or_never(times.soft).0.min(hard.0)), hard)
    }
}

impl From<SystemTime> for Nanoseconds {
    #[inline]
    fn from(moment: SystemTime) -> Self {
        let since_1970 = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = since_1970.as_secs().saturating_mul(1_000_000_000);
        Self(seconds.saturating_add(u64::from(since_1970.subsec_nanos())))
    }
}

/// The same token as the value of other headers, or behind other schemes: a chain that grows as they are asked for.
#[derive(Debug, Default)]
struct Others(OnceLock<Box<Other>>);

#[derive(Debug)]
struct Other {
    prefix: Box<str>,
    value: HeaderCopies,
    next: Others,
}

impl Published {
    pub(super) fn new(token: Token, serial: u32, generation: u64, times: Times) -> Result<Self, Error> {
        let header = header_value(&token)?;
        let (look, hard) = Nanoseconds::of(times);
        Ok(Self { look, serial, header, hard, times, token, others: Others::default(), generation })
    }

    /// A token that no manager has.
    pub(crate) fn alone(token: Token) -> Result<Self, Error> {
        Self::new(token.without_refresh_token(), 0, 0, Times { soft: None, hard: None, end: None })
    }

    /// The value of the `Authorization` header, `Bearer …`, marked sensitive.
    pub(crate) fn header(&self, rush: Rush) -> HeaderValue {
        self.header.get(rush)
    }

    /// The same, counted where everybody counts.
    pub(super) fn shared_header(&self) -> HeaderValue {
        self.header.shared()
    }

    /// The value of a header that is `prefix` and the token, marked sensitive; made once for each prefix.
    pub(crate) fn header_after(&self, prefix: &str, rush: Rush) -> Result<HeaderValue, Error> {
        let mut others = &self.others;
        for _ in 0..VALUES {
            let other = match others.0.get() {
                Some(other) => other,
                None => {
                    let value = prefixed(prefix, &self.token)?;
                    let other = Other { prefix: prefix.into(), value, next: Others::default() };
                    others.0.get_or_init(|| Box::new(other))
                }
            };
            if *other.prefix == *prefix {
                return Ok(other.value.get(rush));
            }
            others = &other.next;
        }
        Ok(prefixed(prefix, &self.token)?.get(rush))
    }

    /// When it is renewed, and when it is no longer sent.
    pub(super) fn times(&self) -> Times {
        self.times
    }

    /// When somebody has to look at it: when it is renewed or no longer sent.
    pub(super) fn look_at(&self) -> Option<SystemTime> {
        self.times.soft.into_iter().chain(self.times.hard).min()
    }

    /// Sets when it is renewed, and when it is no longer sent.
    pub(super) fn set_times(&mut self, times: Times) {
        self.times = times;
        (self.look, self.hard) = Nanoseconds::of(times);
    }

    /// Whether it may be sent at `now`.
    #[inline]
    pub(super) fn is_usable(&self, now: impl Into<Nanoseconds>) -> bool {
        now.into() < self.hard
    }

    /// Whether it may be sent at `now`, and no renewal is due.
    #[inline]
    pub(super) fn is_fresh(&self, now: impl Into<Nanoseconds>) -> bool {
        now.into() < self.look
    }

    pub(super) fn same_access_token(&self, other: &Token) -> bool {
        self.token.access_token() == other.access_token()
    }
}

/// The value of the `Authorization` header (RFC 6750 §2.1), marked sensitive.
///
/// # Errors
/// [`ErrorKind::InvalidToken`] for a token that is empty or holds bytes that no header may carry, and for a type that
/// needs more than its name (`mac`, `DPoP`).
pub(super) fn header_value(token: &Token) -> Result<HeaderCopies, Error> {
    prefixed("Bearer ", token)
}

fn prefixed(prefix: &str, token: &Token) -> Result<HeaderCopies, Error> {
    let invalid = |detail: &'static str| Error::new(ErrorKind::InvalidToken).detail(detail);
    if ["mac", "dpop", "hoba"].iter().any(|name| token.token_type().eq_ignore_ascii_case(name)) {
        return Err(invalid("its type needs proofs that this layer does not make"));
    }
    let access_token = token.access_token().expose();
    if access_token.is_empty() {
        return Err(invalid("it is empty"));
    }
    if !access_token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(invalid("it holds bytes that are not visible ASCII"));
    }
    let mut text = Vec::with_capacity(prefix.len() + access_token.len());
    text.extend_from_slice(prefix.as_bytes());
    text.extend_from_slice(access_token.as_bytes());
    HeaderCopies::new(text).ok_or_else(|| invalid("it cannot be the value of a header"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_header_is_sensitive_and_says_bearer_whatever_the_case() {
        for token_type in ["Bearer", "bearer", "BEARER", "User Access Token"] {
            let header = header_value(&Token::new("abc").with_token_type(token_type)).unwrap();
            let header = header.get(Rush::Certain);
            assert_eq!(header, "Bearer abc");
            assert!(header.is_sensitive());
        }
    }

    #[test]
    fn every_prefix_has_its_value_and_it_is_kept() {
        let published = Published::alone(Token::new("abc")).unwrap();
        for round in 0..2 {
            for number in 0..2 * VALUES {
                let value = published.header_after(&format!("Scheme-{number} "), Rush::Certain).unwrap();
                assert_eq!(value, format!("Scheme-{number} abc"), "round {round}");
                assert!(value.is_sensitive());
            }
        }
        assert_eq!(published.header_after("", Rush::Certain).unwrap(), "abc");
        assert!(!format!("{published:?}").contains("abc"));
    }

    #[test]
    fn moments_that_cannot_be_told_in_nanoseconds_are_the_first_or_the_last() {
        let [past, zero, next, never] = [
            UNIX_EPOCH - Duration::from_secs(1),
            UNIX_EPOCH,
            UNIX_EPOCH + Duration::from_nanos(1),
            UNIX_EPOCH + Duration::from_secs(u64::MAX / 1_000_000_000 + 1),
        ]
        .map(|moment| Nanoseconds::from(moment).0);
        assert_eq!([past, zero, next, never], [0, 0, 1, u64::MAX]);
    }

    #[test]
    fn the_bound_is_that_of_the_table() {
        let what = "schemes beside `Bearer` whose header is made once for each token";
        crate::defaults::assert_documented(what, VALUES);
    }

    #[test]
    fn what_no_header_may_carry_is_refused() {
        for text in ["", "a b", "a\nb", "a\0", "ключ", "a\u{7f}"] {
            let error = header_value(&Token::new(text)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidToken, "{text:?}");
        }
        let error = header_value(&Token::new("abc").with_token_type("MAC")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidToken);
    }
}
