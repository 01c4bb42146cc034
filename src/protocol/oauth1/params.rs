//! Collecting, encoding and sorting the parameters that are signed (RFC 5849 §3.4.1.3).

use std::cmp::Ordering;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::protocol::oauth1::encode::Escape;
use crate::protocol::oauth1::encode::append;
use crate::protocol::oauth1::encode::decode_first;
use crate::protocol::oauth1::encode::escape;
use crate::protocol::oauth1::encode::escape_byte;
use crate::protocol::oauth1::encode::escaped;
use crate::protocol::oauth1::encode::for_each_reserved;
use crate::protocol::oauth1::scratch::wipe;

/// What every protocol parameter's name begins with.
pub(crate) const PREFIX: &[u8] = b"oauth_";
/// The same as the first six bytes of sixteen.
const OAUTH: u128 = 0x6f61_7574_685f;

/// Between a name and its value, and between two parameters, in the base string.
pub(crate) const EQUALS: &[u8] = b"%3D";
pub(crate) const AND: &[u8] = b"%26";

/// Bytes of a name that an error shows.
const SHOWN: usize = 64;

/// The parameters of one request, from all sources, as they will stand in the base string.
///
/// Parameters are encoded, sorted, and encoded once more as part of the base string. Both encodings are done in one
/// pass, because the second does not change the order: it puts `%25` in the place of `%`, and leaves every other byte
/// alone.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    /// `name%3Dvalue%26` of each parameter, encoded twice, one behind the other.
    text: Vec<u8>,
    entries: Vec<Entry>,
    has_oauth_names: bool,
}

/// Where a parameter is in the text.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The first bytes of the name as a number, which decides most comparisons.
    begin: u128,
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
    RefuseOnly(Vec<String>),
}

impl Parameters {
    /// Adds the parameters of a query or a form. Pairs are separated by `&` only, empty pairs are none.
    ///
    /// # Errors
    /// [`ErrorKind::ProtocolParameterPresent`] for a name that `names` refuses.
    pub(crate) fn add_form(&mut self, form: &[u8], source: Source, names: &OauthNames) -> Result<(), Error> {
        let first = self.entries.len();
        let mut start = self.text.len();
        let mut name_end = None;
        let mut done = 0;
        for_each_reserved(form, |index, byte| {
            append::<16>(form, done, index, &mut self.text);
            done = index + 1;
            match byte {
                b'&' => {
                    self.end_pair(start, name_end.take());
                    start = self.text.len();
                }
                b'=' if name_end.is_none() => {
                    name_end = Some(self.text.len());
                    self.text.extend_from_slice(EQUALS);
                }
                _ => {
                    if let Some((byte, length)) = form.get(index..).and_then(decode_first) {
                        escape_byte(byte, Escape::Twice, &mut self.text);
                        done = index + length;
                    }
                }
            }
        });
        append::<16>(form, done, form.len(), &mut self.text);
        self.end_pair(start, name_end);
        self.check(first, source, names)
    }

    /// Adds a parameter that is not in the request.
    ///
    /// # Errors
    /// [`ErrorKind::ProtocolParameterPresent`] for a name that `names` refuses.
    pub(crate) fn add(&mut self, name: &str, value: &str, names: &OauthNames) -> Result<(), Error> {
        let first = self.entries.len();
        self.add_protocol(name, |out| escape(value.as_bytes(), Escape::Twice, out));
        self.check(first, Source::Additional, names)
    }

    /// Adds a protocol parameter, whose value `write` appends, encoded twice.
    pub(crate) fn add_protocol(&mut self, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.text.len();
        escape(name.as_bytes(), Escape::Twice, &mut self.text);
        let name_end = self.text.len();
        self.text.extend_from_slice(EQUALS);
        write(&mut self.text);
        self.end_pair(start, Some(name_end));
    }

    /// Whether a parameter of the request begins with `oauth_`.
    pub(crate) fn has_oauth_names(&self) -> bool {
        self.has_oauth_names
    }

    /// Sorts the parameters by name, then by value, as encoded bytes (§3.4.1.3.2), and appends them.
    ///
    /// `run` appends parameters that are sorted already and begin with `oauth_`, as no other then may: nothing can stand
    /// between two of them.
    pub(crate) fn write_sorted(&mut self, run: Option<impl FnOnce(&mut Vec<u8>)>, out: &mut Vec<u8>) {
        let text = self.text.as_slice();
        // Numbers first, which sort much quicker than texts; then those that begin alike, if there are any.
        if !self.entries.is_sorted_by_key(|entry| entry.begin) {
            self.entries.sort_unstable_by_key(|entry| entry.begin);
        }
        if self.entries.windows(2).any(|pair| matches!(pair, [left, right] if left.begin == right.begin)) {
            for alike in self.entries.chunk_by_mut(|left, right| left.begin == right.begin) {
                alike.sort_unstable_by(|left, right| left.compare(right, text));
            }
        }
        let prefix = begin(PREFIX, 0, PREFIX.len());
        let split = run.as_ref().map_or(0, |_| self.entries.partition_point(|entry| entry.begin < prefix));
        let (before, after) = self.entries.split_at_checked(split).unwrap_or_default();

        let start = out.len();
        before.iter().for_each(|entry| entry.write(text, out));
        if let Some(run) = run {
            run(out);
            out.extend_from_slice(AND);
        }
        after.iter().for_each(|entry| entry.write(text, out));
        // Nothing is behind the last one.
        out.truncate(start.max(out.len().saturating_sub(AND.len())));
    }

    /// Overwrites what was collected.
    pub(crate) fn wipe(&mut self) {
        wipe(&mut self.text);
        self.entries.clear();
        self.has_oauth_names = false;
    }

    /// Bytes of memory that are held.
    pub(crate) fn capacity(&self) -> usize {
        self.text.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    /// Ends the pair that was written from `start` on, unless nothing was.
    fn end_pair(&mut self, start: usize, name_end: Option<usize>) {
        let name_end = name_end.unwrap_or(self.text.len());
        if self.text.len() == start {
            return;
        }
        if self.text.len() == name_end {
            self.text.extend_from_slice(EQUALS);
        }
        let end = self.text.len();
        self.text.extend_from_slice(AND);
        let begin = begin(&self.text, start, name_end);
        // Letters and `_` are never escaped, so that an encoded name begins like the decoded one.
        self.has_oauth_names |= begin >> 80 == OAUTH;
        self.entries.push(Entry { begin, start, name_end, end });
    }

    /// Looks for names that begin with `oauth_` from the entry `first` on.
    fn check(&self, first: usize, source: Source, names: &OauthNames) -> Result<(), Error> {
        if !self.has_oauth_names {
            return Ok(());
        }
        for entry in self.entries.get(first..).unwrap_or_default() {
            let name = slice(&self.text, entry.start, entry.name_end);
            if name.starts_with(PREFIX) && names.refuse(name) {
                return Err(present(name, source.describe()));
            }
        }
        Ok(())
    }
}

impl Entry {
    fn compare(&self, other: &Self, text: &[u8]) -> Ordering {
        let name = |entry: &Self| slice(text, entry.start, entry.name_end);
        // Both values are behind an `%3D`.
        let value = |entry: &Self| slice(text, entry.name_end, entry.end);
        name(self).cmp(name(other)).then_with(|| value(self).cmp(value(other)))
    }

    /// Appends the parameter and what separates it from the next.
    fn write(&self, text: &[u8], out: &mut Vec<u8>) {
        append::<48>(text, self.start, self.end + AND.len(), out);
    }
}

impl OauthNames {
    /// Whether `name`, encoded twice, is refused.
    fn refuse(&self, name: &[u8]) -> bool {
        match self {
            Self::Refuse => true,
            Self::RefuseOnly(names) => {
                names.iter().any(|refused| escaped(&escaped(refused.as_bytes())) == name)
            }
        }
    }
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

/// Whether a `Content-Type` is that of a form (§3.4.1.3.1). Case and parameters do not count: `; charset=utf-8` is a
/// form all the same.
pub(crate) fn is_form(content_type: &[u8]) -> bool {
    let media_type = content_type.split(|&byte| byte == b';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}

/// The error for a protocol parameter that is in the request already. Its name is percent-encoded.
pub(crate) fn present(name: &[u8], place: &'static str) -> Error {
    let shown: String = name.iter().take(SHOWN).copied().map(char::from).collect();
    let more = if name.len() > SHOWN { "…" } else { "" };
    Error::new(ErrorKind::ProtocolParameterPresent).detail(format!("`{shown}{more}` {place}"))
}

/// The first sixteen bytes of `text[start..end]`, as a number that sorts as they do. Shorter texts are filled with zeros,
/// which sort before every byte of an encoded text.
fn begin(text: &[u8], start: usize, end: usize) -> u128 {
    let length = end - start;
    match text.get(start..).and_then(<[u8]>::first_chunk) {
        Some(chunk) if length >= 16 => u128::from_be_bytes(*chunk),
        // What comes behind the end is masked, which is quicker than copying what is before it.
        Some(chunk) => u128::from_be_bytes(*chunk) & !(u128::MAX >> (8 * length)),
        None => {
            let mut chunk = [0; 16];
            for (to, from) in chunk.iter_mut().zip(slice(text, start, end)) {
                *to = *from;
            }
            u128::from_be_bytes(chunk)
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
        parameters.write_sorted(None::<fn(&mut Vec<u8>)>, &mut out);
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
