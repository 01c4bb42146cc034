//! Collecting, encoding and sorting the parameters that are signed (RFC 5849 §3.4.1.3).

use std::cmp::Ordering;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::protocol::oauth1::buffer::Buffer;
use crate::protocol::oauth1::buffer::Writer;
use crate::protocol::oauth1::encode::Escape;
use crate::protocol::oauth1::encode::escape;
use crate::protocol::oauth1::encode::escaped;
use crate::protocol::oauth1::entry::AND;
use crate::protocol::oauth1::entry::END;
use crate::protocol::oauth1::entry::EQUALS;
use crate::protocol::oauth1::entry::Entry;
use crate::protocol::oauth1::entry::Piece;
use crate::protocol::oauth1::entry::begin;
use crate::protocol::oauth1::entry::read_form;

/// What every protocol parameter's name begins with.
pub(crate) const PREFIX: &[u8] = b"oauth_";
/// The same as a number.
const OAUTH: u64 = u64::from_be_bytes(*b"\0\0oauth_");

/// Bytes of a name that an error shows.
const SHOWN: usize = 64;

/// The parameters of one request, from all sources, as they will stand in the base string.
///
/// Parameters are encoded, sorted, and encoded once more as part of the base string. Both encodings are done in one
/// pass, because the second does not change the order: it puts `%25` in the place of `%`, and leaves every other byte
/// alone.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    /// All names and values, encoded twice, in any order and with other things between them: forms are here as they were
    /// sent, because most names and values in them are the same after decoding and encoding.
    text: Buffer,
    entries: Vec<Entry>,
    /// What the entries are sorted by, each with its entry's index in the low bits.
    order: Vec<u64>,
    /// The bits that are set in the beginning of some name, and those that are not set in that of some name.
    ones: u128,
    zeros: u128,
    /// How many sort before everything that begins with `oauth_`.
    before_oauth: usize,
    has_oauth_names: bool,
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
        self.read(form, None);
        self.check(first, source, names)
    }

    /// Adds the parameters of a query and of a form, as if they were one: to begin to read a form takes as long as to read a
    /// parameter or two.
    ///
    /// # Errors
    /// As [`add_form`](Self::add_form).
    pub(crate) fn add_query_and_form(
        &mut self,
        query: &[u8],
        form: &[u8],
        names: &OauthNames,
    ) -> Result<(), Error> {
        self.read(query, Some(form));
        if !self.has_oauth_names {
            return Ok(());
        }
        // Rare. An error says in which of the two it was.
        let mut apart = Self::default();
        let checked = apart.add_form(query, Source::Query, names);
        let checked = checked.and_then(|()| apart.add_form(form, Source::Form, names));
        apart.wipe();
        checked
    }

    /// Reads the parameters of a form, or of two.
    #[inline]
    fn read(&mut self, form: &[u8], second: Option<&[u8]>) {
        let Self { text, entries, .. } = self;
        let (first, base) = (entries.len(), text.len());
        let length = form.len() + second.map_or(0, <[u8]>::len);
        // Room for the form, and for what has to be encoded otherwise, which may be as much again.
        text.reserve(2 * length + length / 2 + END.len());
        text.append(|out| {
            out.text(form);
            if let Some(second) = second {
                out.text(b"&");
                out.text(second);
            }
            out.text(END);
        });
        text.append_after(|text, out| {
            entries.truncate(first);
            read_form(text, base, entries, out);
        });
        self.take_in(first);
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
    pub(crate) fn add_protocol(&mut self, name: &str, mut write: impl FnMut(&mut Writer<'_>)) {
        let start = self.text.len();
        self.text.append(|out| escape(name.as_bytes(), Escape::Twice, out));
        let name = Piece { start, end: self.text.len() };
        self.text.append(|out| write(out));
        let value = Piece { start: name.end, end: self.text.len() };
        self.entries.push(Entry { begin: 0, name, value });
        self.take_in(self.entries.len() - 1);
    }

    /// Whether a parameter of the request begins with `oauth_`.
    pub(crate) fn has_oauth_names(&self) -> bool {
        self.has_oauth_names
    }

    /// Sorts the parameters by name, then by value, as encoded bytes (§3.4.1.3.2), and appends them.
    ///
    /// `run` appends parameters that are sorted already and begin with `oauth_`, as no other then may: nothing can stand
    /// between two of them.
    pub(crate) fn write_sorted(&mut self, run: Option<impl Fn(&mut Writer<'_>)>, out: &mut Buffer) {
        self.sort();
        // Enough for them, so that it need not be found out by trying.
        out.reserve(self.text.len() + self.entries.len() * (EQUALS.len() + AND.len()));
        let start = out.len();
        match run {
            Some(run) => {
                let (before, after) = self.order.split_at_checked(self.before_oauth).unwrap_or_default();
                out.append(|out| {
                    self.write(before, out);
                    run(out);
                    out.exactly(AND);
                    self.write(after, out);
                });
            }
            None => out.append(|out| self.write(&self.order, out)),
        }
        // Nothing is behind the last one.
        out.truncate(start.max(out.len().saturating_sub(AND.len())));
    }

    /// Appends the parameters with these keys.
    #[inline(always)]
    fn write(&self, order: &[u64], out: &mut Writer<'_>) {
        let text = self.text.with_surplus();
        let index = index_bits(self.entries.len());
        // A variable of its own is kept in registers.
        let mut writer = std::mem::take(out);
        for key in order {
            if let Some(entry) = self.entries.get((key & index) as usize) {
                entry.write(text, &mut writer);
            }
        }
        *out = writer;
    }

    /// Overwrites what was collected.
    pub(crate) fn wipe(&mut self) {
        self.text.wipe();
        self.entries.clear();
        self.order.clear();
        (self.ones, self.zeros) = (0, 0);
        self.before_oauth = 0;
        self.has_oauth_names = false;
    }

    /// Bytes of memory that are held.
    pub(crate) fn capacity(&self) -> usize {
        self.text.capacity()
            + self.entries.capacity() * size_of::<Entry>()
            + self.order.capacity() * size_of::<u64>()
    }

    /// Looks at the names of the entries from `first` on.
    fn take_in(&mut self, first: usize) {
        let text = self.text.with_surplus();
        for entry in self.entries.get_mut(first..).unwrap_or_default() {
            let begin = begin(text, entry.name);
            entry.begin = begin;
            self.ones |= begin;
            self.zeros |= !begin;
            // Letters and `_` are never escaped, so that an encoded name begins like the decoded one.
            let prefix = (begin >> 80) as u64;
            self.before_oauth += usize::from(prefix < OAUTH);
            self.has_oauth_names |= prefix == OAUTH;
        }
    }

    /// Puts the entries in order.
    ///
    /// Small numbers are sorted, which goes much quicker than texts or entries: the first bits of each name that are not
    /// the same in all names (of `page` and `per_page`, what is behind the `p`), with the index of the entry in the place
    /// of the last ones. Then those that are still alike, if there are any, are compared as texts.
    fn sort(&mut self) {
        let Self { text, entries, order, .. } = self;
        let alike = (self.ones & self.zeros).leading_zeros().min(u128::BITS - 1);
        let index = index_bits(entries.len());
        let keys = entries.iter().map(|entry| (entry.begin << alike >> 64) as u64 & !index);
        order.clear();
        order.extend(keys.zip(0..).map(|(key, position)| key | position));
        order.sort_unstable();
        let are_alike = |left: &u64, right: &u64| left ^ right <= index;
        if order.windows(2).any(|pair| matches!(pair, [left, right] if are_alike(left, right))) {
            let entry = |key: &u64| entries.get((key & index) as usize);
            for alike in order.chunk_by_mut(are_alike) {
                alike.sort_unstable_by(|left, right| match (entry(left), entry(right)) {
                    (Some(left), Some(right)) => left.compare(right, text.as_slice()),
                    _ => Ordering::Equal,
                });
            }
        }
    }

    /// Looks for names that begin with `oauth_` from the entry `first` on.
    fn check(&self, first: usize, source: Source, names: &OauthNames) -> Result<(), Error> {
        if !self.has_oauth_names {
            return Ok(());
        }
        for entry in self.entries.get(first..).unwrap_or_default() {
            let name = entry.name.of(self.text.as_slice());
            if name.starts_with(PREFIX) && names.refuse(name) {
                return Err(present(name, source.describe()));
            }
        }
        Ok(())
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
    const FORM: &[u8] = b"application/x-www-form-urlencoded";
    // As most are written.
    if content_type == FORM {
        return true;
    }
    let media_type = content_type.split(|&byte| byte == b';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(FORM)
}

/// The error for a protocol parameter that is in the request already. Its name is percent-encoded.
pub(crate) fn present(name: &[u8], place: &'static str) -> Error {
    let shown: String = name.iter().take(SHOWN).copied().map(char::from).collect();
    let more = if name.len() > SHOWN { "…" } else { "" };
    Error::new(ErrorKind::ProtocolParameterPresent).detail(format!("`{shown}{more}` {place}"))
}

/// The bits in which every index below `length` fits.
fn index_bits(length: usize) -> u64 {
    length.next_power_of_two() as u64 - 1
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
        let mut out = Buffer::default();
        parameters.write_sorted(None::<fn(&mut Writer<'_>)>, &mut out);
        let out = String::from_utf8(out.into_vec()).unwrap();
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
    fn a_query_and_a_form_are_read_as_they_are_one_after_the_other() {
        let written = |add: &dyn Fn(&mut Parameters) -> Result<(), Error>| {
            let mut parameters = Parameters::default();
            add(&mut parameters).map(|()| {
                let mut out = Buffer::default();
                parameters.write_sorted(None::<fn(&mut Writer<'_>)>, &mut out);
                String::from_utf8(out.into_vec()).unwrap()
            })
        };
        let texts =
            ["", "a=1&", "&b", "%", "%4", "c=%2", "=%e9+&&~", "a=%26&a=1", "oauth_token=1", "x&oauth_y=2"];
        for (query, form) in
            texts.iter().flat_map(|query| texts.map(|form| (query.as_bytes(), form.as_bytes())))
        {
            for names in [OauthNames::Refuse, OauthNames::RefuseOnly(vec!["oauth_token".to_owned()])] {
                let together = written(&|parameters| parameters.add_query_and_form(query, form, &names));
                let apart = written(&|parameters| {
                    parameters.add_form(query, Source::Query, &names)?;
                    parameters.add_form(form, Source::Form, &names)
                });
                let [together, apart] = [together, apart].map(|text| text.map_err(|error| error.to_string()));
                assert_eq!(together, apart, "{query:?} {form:?}");
            }
        }
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
