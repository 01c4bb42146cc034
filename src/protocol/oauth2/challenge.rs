//! `WWW-Authenticate` (RFC 9110 §11.6.1, RFC 6750 §3).

use std::fmt;
use std::time::Duration;

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

use crate::protocol::oauth2::placement::is_token_byte;

/// Bytes of all lines together that are read.
const LIMIT: usize = 16 * 1024;
/// Challenges that are kept.
const CHALLENGES: usize = 16;
/// Parameters of each that are kept.
const PARAMETERS: usize = 32;

/// What `Debug` shows of schemes and names; others may be anything.
const SCHEMES: [&str; 8] = ["Basic", "Bearer", "Digest", "DPoP", "MAC", "Negotiate", "NTLM", "OAuth"];
const NAMES: [&str; 10] = [
    "acr_values",
    "algs",
    "error",
    "error_description",
    "error_uri",
    "max_age",
    "nonce",
    "realm",
    "resource_metadata",
    "scope",
];

/// One challenge of a response: how the server wants to be asked (RFC 9110 §11.6.1).
///
/// Everything in it is the server's text, which may repeat what it was sent. `Debug` shows which of the well-known schemes
/// and parameters there are, and nothing else.
///
/// ```
/// use http::HeaderMap;
/// use http::header::WWW_AUTHENTICATE;
/// use tower_oauth::oauth2::Challenge;
///
/// let mut headers = HeaderMap::new();
/// let value = r#"Basic realm="a, b", bearer error="insufficient_scope", scope="orders:read orders:write""#;
/// headers.append(WWW_AUTHENTICATE, value.parse()?);
///
/// let challenges = Challenge::parse(&headers);
/// assert_eq!(challenges[0].realm(), Some("a, b"));
/// let bearer = challenges.iter().find(|challenge| challenge.is("Bearer")).unwrap();
/// assert_eq!(bearer.error(), Some("insufficient_scope"));
/// assert_eq!(bearer.scopes().collect::<Vec<_>>(), ["orders:read", "orders:write"]);
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Challenge {
    scheme: Box<str>,
    token68: Option<Box<str>>,
    parameters: Vec<(Box<str>, Box<str>)>,
}

impl Challenge {
    /// The challenges of a response, in their order, from any number of `WWW-Authenticate` lines.
    ///
    /// What is not as RFC 9110 has it is read as far as it makes sense, and otherwise passed over. At most 16 KiB are
    /// read, and at most 16 challenges with 32 parameters each.
    pub fn parse(headers: &HeaderMap) -> Vec<Self> {
        let mut challenges = Vec::new();
        let mut left = LIMIT;
        for line in headers.get_all(WWW_AUTHENTICATE) {
            let line = line.as_bytes();
            let read = line.get(..left).unwrap_or(line);
            left -= read.len();
            Line { rest: read, after_comma: true }.read(&mut challenges);
        }
        challenges
    }

    /// The scheme as the server writes it, such as `Bearer`; case makes no difference.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Whether this is the scheme, in any case.
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// What stands behind the scheme in place of parameters, as with `Negotiate`.
    pub fn token68(&self) -> Option<&str> {
        self.token68.as_deref()
    }

    /// The first parameter of this name, in any case, without its quotes and escapes.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All parameters with their values, in their order.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The `realm`: what is protected (RFC 9110 §11.5).
    pub fn realm(&self) -> Option<&str> {
        self.parameter("realm")
    }

    /// The `error`, such as `invalid_token` (RFC 6750 §3.1).
    pub fn error(&self) -> Option<&str> {
        self.parameter("error")
    }

    /// The `error_description`, for developers.
    pub fn error_description(&self) -> Option<&str> {
        self.parameter("error_description")
    }

    /// The `error_uri`: a page that explains the error.
    pub fn error_uri(&self) -> Option<&str> {
        self.parameter("error_uri")
    }

    /// The tokens of the `scope` that the resource needs (RFC 6750 §3).
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.parameter("scope").unwrap_or_default().split_ascii_whitespace()
    }

    /// The `resource_metadata`: where the resource says which authorization servers it trusts (RFC 9728 §5.1). Whoever
    /// follows it lets the resource choose where to log in.
    pub fn resource_metadata(&self) -> Option<&str> {
        self.parameter("resource_metadata")
    }

    /// The `acr_values`: how strongly the user is to be authenticated (RFC 9470 §3).
    pub fn acr_values(&self) -> impl Iterator<Item = &str> {
        self.parameter("acr_values").unwrap_or_default().split_ascii_whitespace()
    }

    /// The `max_age`: how long ago the user may have been authenticated (RFC 9470 §3).
    pub fn max_age(&self) -> Option<Duration> {
        let seconds = self.parameter("max_age")?;
        seconds
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| seconds.parse().ok())
            .flatten()
            .map(Duration::from_secs)
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = |word: &str, words: &[&'static str]| {
            words.iter().find(|known| known.eq_ignore_ascii_case(word)).copied().unwrap_or("…")
        };
        let names: Vec<_> = self.parameters().map(|(name, _)| known(name, &NAMES)).collect();
        let scheme = known(&self.scheme, &SCHEMES);
        formatter.debug_struct("Challenge").field("scheme", &scheme).field("parameters", &names).finish()
    }
}

/// What is left of a line.
struct Line<'a> {
    rest: &'a [u8],
    /// Whether a challenge may begin here: only at the start of a line, and after a comma.
    after_comma: bool,
}

impl<'a> Line<'a> {
    /// Reads the line to its end. Each round takes at least one byte.
    fn read(mut self, challenges: &mut Vec<Challenge>) {
        // The challenge of this line that parameters belong to; those of one that is not kept belong to none.
        let mut current: Option<usize> = None;
        loop {
            self.skip_separators();
            if self.rest.is_empty() {
                return;
            }
            let word = self.take(is_token_byte);
            if word.is_empty() {
                self.pass_over();
                continue;
            }
            if let Some(value) = self.value() {
                let challenge = current.and_then(|current| challenges.get_mut(current));
                if let Some(challenge) = challenge.filter(|challenge| challenge.parameters.len() < PARAMETERS)
                {
                    challenge.parameters.push((text(word), value));
                }
            } else if std::mem::replace(&mut self.after_comma, false) {
                current = (challenges.len() < CHALLENGES).then_some(challenges.len());
                let token68 = self.token68();
                if current.is_some() {
                    challenges.push(Challenge { scheme: text(word), token68, parameters: Vec::new() });
                }
            }
        }
    }

    fn skip_separators(&mut self) {
        while let Some((byte, rest)) = self.rest.split_first() {
            match byte {
                b',' => self.after_comma = true,
                b' ' | b'\t' => {}
                _ => return,
            }
            self.rest = rest;
        }
    }

    /// Goes to the next comma outside of quotes.
    fn pass_over(&mut self) {
        while let Some((byte, rest)) = self.rest.split_first() {
            match byte {
                b',' => return,
                b'"' => {
                    self.rest = rest;
                    self.quoted();
                }
                _ => self.rest = rest,
            }
        }
    }

    /// The value of a parameter whose name was just read; `None`, and nothing is taken, if it was no such name.
    fn value(&mut self) -> Option<Box<str>> {
        let after_name = self.rest.trim_ascii_start();
        let value = after_name.strip_prefix(b"=")?;
        self.after_comma = false;
        self.rest = value.trim_ascii_start();
        if let Some(quoted) = self.rest.strip_prefix(b"\"") {
            self.rest = quoted;
            return Some(self.quoted());
        }
        Some(text(self.take(|byte| !matches!(byte, b',' | b' ' | b'\t'))))
    }

    /// A quoted text (RFC 9110 §5.6.4) whose first quote was taken. One that does not end goes to the end of the line.
    fn quoted(&mut self) -> Box<str> {
        let mut unescaped = Vec::new();
        while let Some((&byte, rest)) = self.rest.split_first() {
            self.rest = rest;
            match byte {
                b'"' => break,
                b'\\' => {
                    if let Some((&escaped, rest)) = self.rest.split_first() {
                        unescaped.push(escaped);
                        self.rest = rest;
                    }
                }
                _ => unescaped.push(byte),
            }
        }
        text(&unescaped)
    }

    /// What may stand behind a scheme in place of parameters: one word up to the next comma.
    fn token68(&mut self) -> Option<Box<str>> {
        let behind = self.rest.trim_ascii_start();
        let is_apart = behind.len() < self.rest.len();
        let end = behind.iter().position(|&byte| byte == b',').unwrap_or(behind.len());
        let word = behind.get(..end).unwrap_or_default().trim_ascii_end();
        let padding = word.iter().rev().take_while(|&&byte| byte == b'=').count();
        let body = word.get(..word.len() - padding).unwrap_or_default();
        let is_body = |&byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
        if !is_apart || body.is_empty() || !body.iter().all(is_body) {
            return None;
        }
        self.rest = behind.get(end..).unwrap_or_default();
        Some(text(word))
    }

    fn take(&mut self, of: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest;
        let end = rest.iter().position(|&byte| !of(byte)).unwrap_or(rest.len());
        let (taken, rest) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        self.rest = rest;
        taken
    }
}

fn text(bytes: &[u8]) -> Box<str> {
    String::from_utf8_lossy(bytes).into()
}

#[cfg(test)]
mod tests;
