//! The parameters of a request to a token endpoint (RFC 6749 §3.2, Appendix B).

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use percent_encoding::AsciiSet;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::percent_decode_str;
use percent_encoding::utf8_percent_encode;

use crate::secret::Secret;

/// What `application/x-www-form-urlencoded` escapes; the space becomes `+` afterwards.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_').remove(b' ');

/// Parameters, in order.
#[derive(Default)]
pub(crate) struct Form(Vec<(Cow<'static, str>, Value)>);

enum Value {
    Plain(String),
    Secret(Secret),
}

impl Form {
    pub(crate) fn new(grant_type: impl Into<String>) -> Self {
        Self(vec![("grant_type".into(), Value::Plain(grant_type.into()))])
    }

    pub(crate) fn push(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        self.0.push((name.into(), Value::Plain(value.into())));
    }

    /// Adds a value that must not be seen, and that is taken out of whatever the server says of it.
    pub(crate) fn push_secret(&mut self, name: impl Into<Cow<'static, str>>, value: &Secret) {
        self.0.push((name.into(), Value::Secret(value.clone())));
    }

    /// The first value with this name.
    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        self.iter().find(|(of, _)| *of == name).map(|(_, value)| value)
    }

    /// All names and values, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, value.expose()))
    }

    /// Takes out every value with this name.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(of, _)| of != name);
    }

    /// Gives another name to every value with this one.
    pub(crate) fn rename(&mut self, from: &str, to: Cow<'static, str>) {
        self.0.iter_mut().filter(|(name, _)| name == from).for_each(|(name, _)| *name = to.clone());
    }

    /// Changes every value with this name; a secret stays one.
    pub(crate) fn map(&mut self, name: &str, change: impl Fn(&str) -> String) {
        for (_, value) in self.0.iter_mut().filter(|(of, _)| of == name) {
            *value = match value {
                Value::Plain(text) => Value::Plain(change(text)),
                Value::Secret(secret) => Value::Secret(Secret::new(change(secret.expose()))),
            };
        }
    }

    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.0.iter().filter_map(|(_, value)| match value {
            Value::Plain(_) => None,
            Value::Secret(secret) => Some(secret),
        })
    }

    /// The body of the request.
    pub(crate) fn encode(&self) -> Bytes {
        let mut body = String::new();
        for (name, value) in self.iter() {
            if !body.is_empty() {
                body.push('&');
            }
            body.push_str(&form_encode(name));
            body.push('=');
            body.push_str(&form_encode(value));
        }
        body.into()
    }
}

impl Value {
    fn expose(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Secret(secret) => secret.expose(),
        }
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Encodes one name or value (RFC 6749 Appendix B).
pub(crate) fn form_encode(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string().replace(' ', "+")
}

/// The pairs of a form, decoded; bytes that are not UTF-8 are replaced.
pub(crate) fn form_decode(form: &str) -> impl Iterator<Item = (String, String)> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    form.split('&').filter(|pair| !pair.is_empty()).map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_appendix_b_is_encoded() {
        assert_eq!(form_encode(" %&+\u{a3}\u{20ac}"), "+%25%26%2B%C2%A3%E2%82%AC");
    }

    #[test]
    fn a_form_is_read_back_as_it_was_written() {
        let mut form = Form::new("client_credentials");
        form.push("scope", "a b+c&d=e~*");
        form.push_secret("client_secret", &Secret::new("é:%"));
        let body = String::from_utf8(form.encode().to_vec()).unwrap();
        let read: Vec<_> = form_decode(&body).collect();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            read,
            [
                pair("grant_type", "client_credentials"),
                pair("scope", "a b+c&d=e~*"),
                pair("client_secret", "é:%")
            ]
        );
        assert!(!format!("{form:?}").contains('é'));
    }
}
