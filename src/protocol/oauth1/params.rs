//! Collecting, encoding and sorting the parameters that are signed (RFC 5849 §3.4.1.3).

use std::cmp::Ordering;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::protocol::oauth1::encode::Escape;
use crate::protocol::oauth1::encode::decode_and_escape;
use crate::protocol::oauth1::encode::escape;
use crate::protocol::oauth1::encode::is_unreserved;

/// What every protocol parameter's name begins with.
pub(crate) const PREFIX: &[u8] = b"oauth_";

/// Between a name and its value, and between two parameters, in the base string.
pub(crate) const EQUALS: &[u8] = b"%3D";
pub(crate) const AND: &[u8] = b"%26";

/// Bytes of a name that an error shows.
const SHOWN: usize = 64;

/// The parameters of one request, from all sources, as they will stand in the base string.
///
/// The parameters are sorted after they were encoded, and then encoded once more as part of the base string. Both
/// encodings are done in one pass, because the second one does not change the order: it puts `%25` in the place of `%`
/// and leaves every other byte alone.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    /// `name%3Dvalue` of each parameter, encoded twice, one behind the other.
    text: Vec<u8>,
    entries: Vec<Entry>,
    has_oauth_names: bool,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The first bytes of the name as a number, which decides most comparisons.
    name_start: u64,
    start: usize,
    name_end: usize,
    end: usize,
}

/// Where a parameter of the request was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Source {
    Additional,
    Form,
    Query,
}

/// What is done with a parameter of the request whose name begins with `oauth_`.
#[derive(Clone, Debug)]
pub(crate) enum OauthNames {
    /// It is an error.
    Refuse,
    /// It is an error if it is one of these, the protocol parameters; else it is an ordinary parameter.
    RefuseOnly(Vec<Vec<u8>>),
}

/// The pairs of a query or a form that are not empty.
struct Pairs<'a>(&'a [u8]);

struct Pair<'a> {
    name: Half<'a>,
    value: Half<'a>,
}

/// A name or a value, as it was sent.
struct Half<'a> {
    text: &'a [u8],
    /// Whether it is the same decoded and encoded, as most are.
    is_plain: bool,
}

impl Parameters {
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.entries.clear();
        self.has_oauth_names = false;
    }

    /// Adds the parameters of a query or a form. Pairs are separated by `&` only, empty pairs are none.
    ///
    /// # Errors
    /// [`ErrorKind::ProtocolParameterPresent`] for a name that `names` refuses.
    pub(crate) fn add_form(&mut self, form: &[u8], source: Source, names: &OauthNames) -> Result<(), Error> {
        for pair in Pairs(form) {
            let start = self.text.len();
            pair.name.write(&mut self.text);
            let name_end = self.end_name();
            pair.value.write(&mut self.text);
            self.finish(start, name_end, source, names)?;
        }
        Ok(())
    }

    /// Adds a parameter that is not in the request.
    ///
    /// # Errors
    /// [`ErrorKind::ProtocolParameterPresent`] for a name that `names` refuses.
    pub(crate) fn add(&mut self, name: &str, value: &str, names: &OauthNames) -> Result<(), Error> {
        let start = self.text.len();
        escape(name.as_bytes(), Escape::Twice, &mut self.text);
        let name_end = self.end_name();
        escape(value.as_bytes(), Escape::Twice, &mut self.text);
        self.finish(start, name_end, Source::Additional, names)
    }

    /// Adds text that `write` writes: a protocol parameter, or several that are sorted already.
    ///
    /// Several can go as one because nothing sorts between two names that begin with `oauth_` unless it begins with
    /// `oauth_` itself; [`has_oauth_names`](Self::has_oauth_names) tells.
    pub(crate) fn add_protocol(&mut self, name_length: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.text.len();
        write(&mut self.text);
        self.push(start, start + name_length);
    }

    /// Whether a parameter of the request begins with `oauth_`.
    pub(crate) fn has_oauth_names(&self) -> bool {
        self.has_oauth_names
    }

    /// Sorts the parameters by name, then by value, as bytes (§3.4.1.3.2), and appends them.
    pub(crate) fn write_sorted(&mut self, out: &mut Vec<u8>) {
        let text = self.text.as_slice();
        for entry in &mut self.entries {
            entry.name_start = number(text, entry.start, entry.name_end);
        }
        self.entries.sort_unstable_by(|left, right| left.compare(right, text));
        let mut entries = self.entries.iter();
        if let Some(first) = entries.next() {
            out.extend_from_slice(slice(text, first.start, first.end));
        }
        for entry in entries {
            out.extend_from_slice(AND);
            out.extend_from_slice(slice(text, entry.start, entry.end));
        }
    }

    /// Overwrites what was collected.
    pub(crate) fn wipe(&mut self) {
        crate::protocol::oauth1::scratch::wipe(&mut self.text);
        self.clear();
    }

    pub(crate) fn capacity(&self) -> usize {
        self.text.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    fn end_name(&mut self) -> usize {
        let name_end = self.text.len();
        self.text.extend_from_slice(EQUALS);
        name_end
    }

    fn finish(
        &mut self,
        start: usize,
        name_end: usize,
        source: Source,
        names: &OauthNames,
    ) -> Result<(), Error> {
        // Letters and `_` are never escaped, so that an encoded name begins like the decoded one.
        let name = slice(&self.text, start, name_end);
        if name.starts_with(PREFIX) {
            let refused = match names {
                OauthNames::Refuse => true,
                OauthNames::RefuseOnly(names) => names.iter().any(|refused| refused == name),
            };
            if refused {
                return Err(present(name, source.describe()));
            }
            self.has_oauth_names = true;
        }
        self.push(start, name_end);
        Ok(())
    }

    fn push(&mut self, start: usize, name_end: usize) {
        // The start of the name is read when the text is complete.
        self.entries.push(Entry { name_start: 0, start, name_end, end: self.text.len() });
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let empty = self.0.iter().take_while(|&&byte| byte == b'&').count();
        let form = self.0.get(empty..).filter(|form| !form.is_empty())?;
        // All that is to be known of a pair is found in one pass.
        let mut equals = None;
        let mut is_name_plain = true;
        let mut is_plain = true;
        let mut length = form.len();
        for (index, &byte) in form.iter().enumerate() {
            if is_unreserved(byte) {
                continue;
            }
            match byte {
                b'&' => {
                    length = index;
                    break;
                }
                b'=' if equals.is_none() => {
                    equals = Some(index);
                    is_name_plain = std::mem::replace(&mut is_plain, true);
                }
                _ => is_plain = false,
            }
        }
        self.0 = form.get(length..).unwrap_or_default();
        Some(match equals {
            Some(equals) => Pair {
                name: Half { text: slice(form, 0, equals), is_plain: is_name_plain },
                value: Half { text: slice(form, equals + 1, length), is_plain },
            },
            None => Pair {
                name: Half { text: slice(form, 0, length), is_plain },
                value: Half { text: &[], is_plain: true },
            },
        })
    }
}

impl Half<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        if self.is_plain {
            out.extend_from_slice(self.text);
        } else {
            decode_and_escape(self.text, out);
        }
    }
}

impl Entry {
    fn compare(&self, other: &Self, text: &[u8]) -> Ordering {
        self.name_start.cmp(&other.name_start).then_with(|| {
            let name = |entry: &Self| slice(text, entry.start, entry.name_end);
            // Between the name and the value is `%3D` in both.
            let value = |entry: &Self| slice(text, entry.name_end, entry.end);
            name(self).cmp(name(other)).then_with(|| value(self).cmp(value(other)))
        })
    }
}

/// Whether a `Content-Type` is that of a form (§3.4.1.3.1). Case and parameters do not count: `; charset=utf-8` is a
/// form all the same.
pub(crate) fn is_form(content_type: &[u8]) -> bool {
    let media_type = content_type.split(|&byte| byte == b';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}

impl Source {
    fn describe(self) -> &'static str {
        match self {
            Self::Additional => "among the additional signed parameters",
            Self::Form => "in the form",
            Self::Query => "in the query",
        }
    }
}

/// The error for a protocol parameter that is in the request already. `name` is percent-encoded.
pub(crate) fn present(name: &[u8], place: &'static str) -> Error {
    let shown = String::from_utf8_lossy(slice(name, 0, name.len().min(SHOWN))).into_owned();
    let more = if name.len() > SHOWN { "…" } else { "" };
    Error::new(ErrorKind::ProtocolParameterPresent).detail(format!("`{shown}{more}` {place}"))
}

/// The first eight bytes of a name, as a number that sorts as they do. Shorter names are filled with zeros, which sort
/// before every byte of a name.
fn number(text: &[u8], start: usize, end: usize) -> u64 {
    let length = end - start;
    match text.get(start..).and_then(<[u8]>::first_chunk) {
        Some(chunk) if length >= 8 => u64::from_be_bytes(*chunk),
        // What follows the name is masked out, which is quicker than copying the name.
        Some(chunk) => u64::from_be_bytes(*chunk) & !(u64::MAX >> (8 * length)),
        None => {
            let mut chunk = [0; 8];
            for (to, from) in chunk.iter_mut().zip(slice(text, start, end)) {
                *to = *from;
            }
            u64::from_be_bytes(chunk)
        }
    }
}

fn slice(text: &[u8], start: usize, end: usize) -> &[u8] {
    text.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parameters as the RFC prints them: encoded once.
    fn sorted(sources: &[&str]) -> String {
        let mut parameters = Parameters::default();
        for form in sources {
            parameters.add_form(form.as_bytes(), Source::Query, &OauthNames::RefuseOnly(Vec::new())).unwrap();
        }
        let mut out = Vec::new();
        parameters.write_sorted(&mut out);
        let out = String::from_utf8(out).unwrap();
        out.replace("%3D", "=").replace("%26", "&").replace("%25", "%")
    }

    #[test]
    fn the_example_of_rfc_5849_3_4_1_3_2_is_sorted_as_printed() {
        let header = "oauth_consumer_key=9djdj82h48djs9d2&oauth_token=kkk9d7dh3k39sjv7&\
                      oauth_signature_method=HMAC-SHA1&oauth_timestamp=137131201&oauth_nonce=7d8f3e4a";
        assert_eq!(
            sorted(&["b5=%3D%253D&a3=a&c%40=&a2=r%20b", header, "c2&a3=2+q"]),
            "a2=r%20b&a3=2%20q&a3=a&b5=%3D%253D&c%40=&c2=&oauth_consumer_key=9djdj82h48djs9d2&oauth_nonce=7d8f3e4a\
             &oauth_signature_method=HMAC-SHA1&oauth_timestamp=137131201&oauth_token=kkk9d7dh3k39sjv7"
        );
    }

    #[test]
    fn names_are_compared_before_values_and_as_encoded_bytes() {
        assert_eq!(sorted(&["a1=x&a=x&a-=x&a.=x"]), "a=x&a-=x&a.=x&a1=x");
        assert_eq!(sorted(&["c2=&c%40="]), "c%40=&c2=");
        assert_eq!(sorted(&["tag=perl&tag=%E3%83%96"]), "tag=%E3%83%96&tag=perl");
        assert_eq!(sorted(&["z=1&%7B=1&~=1&%C3%A9=1"]), "%7B=1&%C3%A9=1&z=1&~=1");
        assert_eq!(
            sorted(&["longer_name=2&longer_nam=3&longer_name=1"]),
            "longer_nam=3&longer_name=1&longer_name=2"
        );
    }

    #[test]
    fn equal_parameters_are_all_kept() {
        assert_eq!(sorted(&["a=2&a=1&a=1", "a=2"]), "a=1&a=1&a=2&a=2");
    }

    #[test]
    fn pairs_are_split_at_ampersands_and_at_the_first_equals_sign() {
        assert_eq!(sorted(&["&&a=b=c&"]), "a=b%3Dc");
        assert_eq!(sorted(&["a;b=1;c=2"]), "a%3Bb=1%3Bc%3D2");
        assert_eq!(sorted(&["=v&flag"]), "=v&flag=");
        assert_eq!(sorted(&[""]), "");
    }

    #[test]
    fn a_protocol_parameter_in_the_request_is_named_in_the_error() {
        for query in ["a=1&oauth_token=secret", "%6Fauth_token=secret", "oauth_token"] {
            let error = Parameters::default()
                .add_form(query.as_bytes(), Source::Query, &OauthNames::Refuse)
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ProtocolParameterPresent, "{query}");
            let message = error.to_string();
            assert!(
                message.contains("`oauth_token` in the query") && !message.contains("secret"),
                "{message}"
            );
        }
    }

    #[test]
    fn names_that_only_look_like_protocol_parameters_are_ordinary() {
        let mut parameters = Parameters::default();
        parameters.add_form(b"oauthx=1&OAUTH_TOKEN=2&xoauth_a=3", Source::Form, &OauthNames::Refuse).unwrap();
        assert!(!parameters.has_oauth_names());
    }

    #[test]
    fn a_form_is_known_by_its_media_type_alone() {
        for content_type in [
            "application/x-www-form-urlencoded",
            "Application/X-WWW-Form-Urlencoded",
            "application/x-www-form-urlencoded;charset=utf-8",
            " application/x-www-form-urlencoded ; charset=UTF-8",
        ] {
            assert!(is_form(content_type.as_bytes()), "{content_type}");
        }
        for content_type in
            ["", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded2", "text/plain"]
        {
            assert!(!is_form(content_type.as_bytes()), "{content_type}");
        }
    }

    #[test]
    fn long_names_are_cut_in_errors() {
        let form = format!("oauth_{}=1", "x".repeat(1000));
        let error =
            Parameters::default().add_form(form.as_bytes(), Source::Form, &OauthNames::Refuse).unwrap_err();
        assert!(error.to_string().len() < 300);
    }
}
