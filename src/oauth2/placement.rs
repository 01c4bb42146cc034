//! Puts tokens where they go.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Uri;
use http::header::AUTHORIZATION;
use http::header::CACHE_CONTROL;
use http::header::CONTENT_LENGTH;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::uri::PathAndQuery;
use percent_encoding::percent_decode;
use tower::BoxError;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::origin::Admission;
use crate::origin::Guard;
use crate::protocol::oauth2::form::form_encode;
use crate::protocol::oauth2::placement::Place;
use crate::protocol::oauth2::placement::Placement;
use crate::token::Published;
use crate::token::Rush;
use crate::token::Token;

/// What is done to a request where it is more than to put the default header on it.
#[derive(Clone, Default)]
pub(super) struct Attachment {
    pub(super) placement: Placement,
    pub(super) hook: Option<Arc<Hook>>,
}

/// What a user does to a request before it gets its token.
pub(super) type Hook = dyn Fn(&mut Parts, &Token) -> Result<(), BoxError> + Send + Sync;

/// All of a request but its body, in one piece or in parts.
pub(super) trait Head {
    fn uri_mut(&mut self) -> &mut Uri;
    fn headers_mut(&mut self) -> &mut HeaderMap;
    fn edit<T>(&mut self, edit: impl FnOnce(&mut Parts) -> T) -> T;
}

impl Head for Parts {
    fn uri_mut(&mut self) -> &mut Uri {
        &mut self.uri
    }

    fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }

    fn edit<T>(&mut self, edit: impl FnOnce(&mut Parts) -> T) -> T {
        edit(self)
    }
}

impl<B> Head for Request<B> {
    fn uri_mut(&mut self) -> &mut Uri {
        self.uri_mut()
    }

    fn headers_mut(&mut self) -> &mut HeaderMap {
        self.headers_mut()
    }

    /// Lends the head to `edit`; this moves it twice and allocates nothing.
    fn edit<T>(&mut self, edit: impl FnOnce(&mut Parts) -> T) -> T {
        fn swap<B>(request: &mut Request<B>, parts: &mut Parts) {
            std::mem::swap(request.method_mut(), &mut parts.method);
            std::mem::swap(request.uri_mut(), &mut parts.uri);
            std::mem::swap(request.version_mut(), &mut parts.version);
            std::mem::swap(request.headers_mut(), &mut parts.headers);
            std::mem::swap(request.extensions_mut(), &mut parts.extensions);
        }
        let (mut parts, ()) = Request::new(()).into_parts();
        swap(self, &mut parts);
        let result = edit(&mut parts);
        swap(self, &mut parts);
        result
    }
}

impl Attachment {
    /// Whether nothing is left to do but the default.
    pub(super) fn is_default(&self) -> bool {
        self.hook.is_none() && self.placement.is_default()
    }

    /// Whether the token goes into the body, which has to be read.
    pub(super) fn is_form(&self) -> bool {
        matches!(self.placement.place(), Place::Form { .. })
    }

    /// Whether there is a token (or something in its place) on the request already. What is in a form is not seen.
    pub(super) fn is_present(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        headers.contains_key(AUTHORIZATION)
            || match self.placement.place() {
                Place::Header { name, .. } => headers.contains_key(name),
                Place::Query { name } => {
                    uri.query().is_some_and(|query| pairs(query.as_bytes()).any(|pair| is_named(pair, name)))
                }
                Place::Form { .. } => false,
            }
    }

    /// Runs the hook, then puts the token and what goes with it on a request. For a form, the rest is
    /// [`fill`](Self::fill).
    pub(super) fn attach(
        &self,
        head: &mut impl Head,
        published: &Published,
        rush: Rush,
        guard: &Guard,
    ) -> Result<(), Error> {
        if let Some(hook) = &self.hook {
            head.edit(|parts| hook(parts, &published.token))
                .map_err(|error| Error::new(ErrorKind::ProtectedRequest).caused_by(error))?;
            // It may have changed where the request goes, and must not take the token elsewhere.
            if guard.admit(head.uri_mut())? == Admission::Foreign {
                let detail = "the hook `protected_request` sends it there";
                return Err(Error::new(ErrorKind::ForeignOrigin).detail(detail));
            }
        }
        match self.placement.place() {
            Place::Header { name, prefix } => {
                let value = published.header_after(prefix, rush)?;
                if *name != AUTHORIZATION {
                    head.headers_mut().remove(AUTHORIZATION);
                }
                insert(head.headers_mut(), name.clone(), value)?;
            }
            Place::Query { name } => {
                let pair = pair(name, &published.token);
                let uri = head.uri_mut();
                *uri = with_query(uri, &replaced(uri.query().unwrap_or_default().as_bytes(), name, &pair))?;
                head.headers_mut().remove(AUTHORIZATION);
                forbid_storing(head.headers_mut())?;
            }
            Place::Form { name } => {
                head.headers_mut().remove(AUTHORIZATION);
                let uri = head.uri_mut();
                // A second token beside the one in the form is what no server has to accept (RFC 6750 §2).
                let query = uri.query().unwrap_or_default().as_bytes();
                if pairs(query).any(|pair| is_named(pair, name)) {
                    *uri = with_query(uri, &replaced(query, name, ""))?;
                }
            }
        }
        for (name, value) in self.placement.companions() {
            insert(head.headers_mut(), name.clone(), value.clone())?;
        }
        Ok(())
    }

    /// The form with the token in it; `Content-Length`, if it is there, is corrected.
    pub(super) fn fill(
        &self,
        headers: &mut HeaderMap,
        form: &Bytes,
        published: &Published,
    ) -> Result<Bytes, Error> {
        let Place::Form { name } = self.placement.place() else { return Ok(form.clone()) };
        let filled = replaced(form, name, &pair(name, &published.token));
        if headers.contains_key(CONTENT_LENGTH) {
            insert(headers, CONTENT_LENGTH, filled.len().into())?;
        }
        Ok(filled.into())
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hook = if self.hook.is_some() { "a hook" } else { "none" };
        formatter.debug_struct("Attachment").field("placement", &self.placement).field("hook", &hook).finish()
    }
}

/// Whether a token can be put into the body of this request (RFC 6750 §2.2).
pub(super) fn check_form<B>(request: &Request<B>) -> Result<(), Error> {
    let not_a_form = |detail: &'static str| Err(Error::new(ErrorKind::NotAForm).detail(detail));
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return not_a_form("a GET has no body that means anything");
    }
    let media_type = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|content_type| content_type.as_bytes().split(|&byte| byte == b';').next())
        .unwrap_or_default();
    if !media_type.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
        return not_a_form("its `Content-Type` is not application/x-www-form-urlencoded");
    }
    Ok(())
}

/// Puts a header on a request, in place of all with its name.
pub(super) fn insert(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) -> Result<(), Error> {
    headers.try_insert(name, value).map(drop).map_err(unfit)
}

/// What is in a shared cache can be asked for by others (RFC 6750 §2.3).
fn forbid_storing(headers: &mut HeaderMap) -> Result<(), Error> {
    let is_forbidden = headers.get_all(CACHE_CONTROL).iter().any(|value| {
        value
            .as_bytes()
            .split(|&byte| byte == b',')
            .any(|directive| directive.trim_ascii().eq_ignore_ascii_case(b"no-store"))
    });
    if is_forbidden {
        return Ok(());
    }
    headers.try_append(CACHE_CONTROL, HeaderValue::from_static("no-store")).map(drop).map_err(unfit)
}

/// `uri` with another query; none, if it is empty.
fn with_query(uri: &Uri, query: &[u8]) -> Result<Uri, Error> {
    if !uri.path().starts_with('/') {
        return Err(Error::new(ErrorKind::Placement).detail("the URI has no path, and so no query"));
    }
    let separator: &[u8] = if query.is_empty() { b"" } else { b"?" };
    let path_and_query = Bytes::from([uri.path().as_bytes(), separator, query].concat());
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::from_maybe_shared(path_and_query).map_err(unfit)?);
    Uri::from_parts(parts).map_err(unfit)
}

fn pair(name: &str, token: &Token) -> String {
    [&form_encode(name), "=", &form_encode(token.access_token().expose())].concat()
}

/// `text` without the pairs of this name, and `pair` at its end. The other pairs stay as they were written.
fn replaced(text: &[u8], name: &str, pair: &str) -> Vec<u8> {
    let mut kept = pairs(text).filter(|pair| !is_named(pair, name)).collect::<Vec<_>>().join(&b'&');
    if !kept.is_empty() && !pair.is_empty() {
        kept.push(b'&');
    }
    kept.extend_from_slice(pair.as_bytes());
    kept
}

fn pairs(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'&')
}

/// Whether the name of `pair`, however it is escaped, is `name`.
fn is_named(pair: &[u8], name: &str) -> bool {
    let found = pair.split(|&byte| byte == b'=').next().unwrap_or_default();
    if !found.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return found == name.as_bytes();
    }
    let found: Vec<u8> = found.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
    percent_decode(&found).eq(name.bytes())
}

fn unfit(error: impl Into<BoxError>) -> Error {
    Error::new(ErrorKind::Placement).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(uri: &str, name: &str) -> String {
        let uri: Uri = uri.parse().unwrap();
        let query = replaced(uri.query().unwrap_or_default().as_bytes(), name, "t=new");
        with_query(&uri, &query).unwrap().to_string()
    }

    #[test]
    fn the_rest_of_the_uri_stays_as_it_was_written() {
        let cases = [
            ("https://a.test", "https://a.test/?t=new"),
            ("https://a.test/", "https://a.test/?t=new"),
            ("https://a.test?x", "https://a.test/?x&t=new"),
            ("https://a.test/?", "https://a.test/?t=new"),
            ("https://u:p@a.test:8443/%7Ea//b;c/../d", "https://u:p@a.test:8443/%7Ea//b;c/../d?t=new"),
            ("https://a.test/?a=%zz&&b+c=d?e&", "https://a.test/?a=%zz&&b+c=d?e&&t=new"),
            ("/a/b?c=%2F", "/a/b?c=%2F&t=new"),
        ];
        for (uri, expected) in cases {
            assert_eq!(query(uri, "t"), expected);
        }
    }

    #[test]
    fn parameters_of_the_name_are_replaced_however_they_are_written() {
        assert_eq!(query("/?t=old", "t"), "/?t=new");
        assert_eq!(query("/?t=old&a=1&t&%74=x&b=2&t=", "t"), "/?a=1&b=2&t=new");
        assert_eq!(query("/?T=1&tt=2&xt=3", "t"), "/?T=1&tt=2&xt=3&t=new");
        assert_eq!(query("/?a+b=1&a%20b=2&c=3", "a b"), "/?c=3&t=new");
    }

    #[test]
    fn a_uri_without_a_path_has_no_query() {
        let error = with_query(&Uri::from_static("*"), b"t=new").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Placement);
    }

    #[test]
    fn a_form_of_any_bytes_keeps_them() {
        assert_eq!(replaced(b"a=\xff\xfe&t=old&b", "t", "t=new"), b"a=\xff\xfe&b&t=new");
        assert_eq!(replaced(b"", "t", "t=new"), b"t=new");
        assert_eq!(replaced(b"t=old", "t", ""), b"");
    }

    #[test]
    fn a_token_is_escaped_as_forms_are() {
        assert_eq!(pair("access_token", &Token::new("a+b/c=&d")), "access_token=a%2Bb%2Fc%3D%26d");
    }
}
