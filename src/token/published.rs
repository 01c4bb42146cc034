//! A token as it is given out.

use std::sync::OnceLock;
use std::time::SystemTime;

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
///
/// The order of the fields matters: what every request reads comes first, in few cache lines.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Published {
    pub(super) times: Times,
    /// Tells one published token from every other of the manager.
    pub(crate) serial: u64,
    /// `Bearer …`.
    header: HeaderCopies,
    pub(crate) token: Token,
    others: Others,
    /// The generation of the record that it is from.
    pub(super) generation: u64,
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
    pub(super) fn new(token: Token, serial: u64, generation: u64, times: Times) -> Result<Self, Error> {
        let header = header_value(&token)?;
        Ok(Self { token, header, others: Others::default(), serial, generation, times })
    }

    /// A token that no manager has.
    pub(crate) fn alone(token: Token) -> Result<Self, Error> {
        Self::new(token.without_refresh_token(), 0, 0, Times { soft: None, hard: None, end: None })
    }

    /// The value of the `Authorization` header, `Bearer …`, marked sensitive.
    pub(crate) fn header(&self, rush: Rush) -> HeaderValue {
        self.header.get(rush)
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

    /// Whether it may be sent at `now`.
    pub(super) fn is_usable(&self, now: SystemTime) -> bool {
        self.times.hard.is_none_or(|hard| now < hard)
    }

    /// Whether no renewal is due at `now`.
    pub(super) fn is_fresh(&self, now: SystemTime) -> bool {
        self.times.soft.is_none_or(|soft| now < soft)
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
