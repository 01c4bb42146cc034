//! A token as it is given out.

use http::HeaderValue;
use std::time::SystemTime;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::token::Token;
use crate::token::settings::Times;

/// A token with everything that a request needs of it, made once and shared.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) token: Token,
    /// `Bearer …`, marked sensitive.
    pub(crate) header: HeaderValue,
    /// Tells one published token from every other of the manager.
    pub(crate) serial: u64,
    /// The generation of the record that it is from.
    pub(super) generation: u64,
    pub(super) times: Times,
}

impl Published {
    pub(super) fn new(token: Token, serial: u64, generation: u64, times: Times) -> Result<Self, Error> {
        let header = header_value(&token)?;
        Ok(Self { token, header, serial, generation, times })
    }

    /// Whether it may be sent at `now`.
    pub(super) fn is_usable(&self, now: SystemTime) -> bool {
        self.times.hard.is_none_or(|hard| now < hard)
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
pub(crate) fn header_value(token: &Token) -> Result<HeaderValue, Error> {
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
    let mut text = Vec::with_capacity("Bearer ".len() + access_token.len());
    text.extend_from_slice(b"Bearer ");
    text.extend_from_slice(access_token.as_bytes());
    let mut value = HeaderValue::from_maybe_shared(bytes::Bytes::from(text))
        .map_err(|_| invalid("it cannot be the value of a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_sensitive_and_says_bearer_whatever_the_case() {
        for token_type in ["Bearer", "bearer", "BEARER", "User Access Token"] {
            let header = header_value(&Token::new("abc").with_token_type(token_type)).unwrap();
            assert_eq!(header, "Bearer abc");
            assert!(header.is_sensitive());
        }
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
