//! The head of a request, kept in case that it has to be sent again.
//!
//! Every request is kept, and hardly one is sent again. So what counts is what it costs to keep one: URI and headers are
//! copied as text into one piece of memory, which is a third of the cost of cloning them, since it asks for no memory
//! for the map and counts no references. They are parsed if it comes to that.

use std::mem;

use http::Extensions;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Uri;
use http::Version;
use http::request::Parts;
use http::uri;
use http::uri::Scheme;

use crate::oauth1::view::View;
use crate::token_key::TokenKey;

/// The head of a request.
pub(super) struct Head {
    method: Method,
    version: Version,
    /// The key, if there is no other extension: to clone a map of extensions takes three pieces of memory.
    key: Option<TokenKey>,
    extensions: Extensions,
    scheme: Option<Scheme>,
    /// Bytes of the authority, and of path and query; a part that the URI does not have is empty.
    authority: usize,
    path_and_query: usize,
    /// Those two, and then the headers, each [written](write) with its lengths.
    text: Vec<u8>,
}

impl Head {
    /// A copy.
    #[inline]
    pub(super) fn of(view: &View<'_>, version: Version) -> Self {
        let authority = view.uri.authority().map_or("", |authority| authority.as_str());
        let path_and_query = view.uri.path_and_query().map_or("", |path_and_query| path_and_query.as_str());
        let mut length = authority.len() + path_and_query.len();
        for (name, value) in view.headers {
            length += LENGTHS + name.as_str().len() + value.len();
        }
        let mut text = Vec::with_capacity(length);
        text.extend_from_slice(authority.as_bytes());
        text.extend_from_slice(path_and_query.as_bytes());
        for (name, value) in view.headers {
            write(&mut text, name, value);
        }
        let key = if view.extensions.len() == 1 { view.extensions.get::<TokenKey>().cloned() } else { None };
        Self {
            method: view.method.clone(),
            version,
            extensions: if key.is_some() { Extensions::new() } else { view.extensions.clone() },
            key,
            scheme: view.uri.scheme().cloned(),
            authority: authority.len(),
            path_and_query: path_and_query.len(),
            text,
        }
    }

    /// The head as it was; `None` if it had something that cannot be read again, which no parser lets through.
    pub(super) fn restore(self) -> Option<Parts> {
        let (authority, rest) = self.text.split_at_checked(self.authority)?;
        let (path_and_query, mut rest) = rest.split_at_checked(self.path_and_query)?;
        let mut uri = uri::Parts::default();
        uri.scheme = self.scheme;
        if !authority.is_empty() {
            uri.authority = Some(authority.try_into().ok()?);
        }
        if !path_and_query.is_empty() {
            uri.path_and_query = Some(path_and_query.try_into().ok()?);
        }
        let (mut head, ()) = Request::new(()).into_parts();
        head.uri = Uri::from_parts(uri).ok()?;
        while !rest.is_empty() {
            let (name, value) = read(&mut rest)?;
            head.headers.append(name, value);
        }
        (head.method, head.version, head.extensions) = (self.method, self.version, self.extensions);
        if let Some(key) = self.key {
            head.extensions.insert(key);
        }
        Some(head)
    }
}

/// Bytes of the lengths of a header.
const LENGTHS: usize = 2 * mem::size_of::<usize>();

/// Appends the lengths of name and value, whether the value is sensitive, name and value.
#[inline]
fn write(to: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    let name = name.as_str();
    // No name is as long as half of the memory.
    to.extend_from_slice(&(name.len() << 1 | usize::from(value.is_sensitive())).to_ne_bytes());
    to.extend_from_slice(&value.len().to_ne_bytes());
    to.extend_from_slice(name.as_bytes());
    to.extend_from_slice(value.as_bytes());
}

/// The next header.
fn read(from: &mut &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let (name_length, rest) = from.split_first_chunk()?;
    let (value_length, rest) = rest.split_first_chunk()?;
    let name_length = usize::from_ne_bytes(*name_length);
    let (name, rest) = rest.split_at_checked(name_length >> 1)?;
    let (value, rest) = rest.split_at_checked(usize::from_ne_bytes(*value_length))?;
    *from = rest;
    let mut value = HeaderValue::from_bytes(value).ok()?;
    value.set_sensitive(name_length & 1 == 1);
    Some((HeaderName::from_bytes(name).ok()?, value))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn restored(request: Request<()>) -> Parts {
        let version = request.version();
        Head::of(&View::of(&request), version).restore().unwrap()
    }

    #[test]
    fn every_uri_comes_back_as_it_was() {
        for uri in [
            "https://api.test",
            "http://API.test:8080/a%2fb/?",
            "https://user:word@[::1]:1/?a=%zz&&b",
            "HTTPS://a.test/\u{e9}?\u{e9}",
            "/a?b",
            "/",
            "*",
        ] {
            let mut request = Request::new(());
            *request.uri_mut() = uri.parse().unwrap();
            let uri = request.uri().clone();
            let head = restored(request);
            assert_eq!(head.uri, uri);
            assert_eq!(head.uri.to_string(), uri.to_string());
            assert_eq!(head.uri.path_and_query(), uri.path_and_query());
        }
    }

    #[test]
    fn headers_come_back_in_their_order_with_what_they_are() {
        let mut request = Request::new(());
        let headers = request.headers_mut();
        headers.append("x-many", HeaderValue::from_static("1"));
        headers.append("x-empty", HeaderValue::from_static(""));
        headers.append("x-many", HeaderValue::from_bytes(b"\xe9\t2").unwrap());
        let mut secret = HeaderValue::from_static("secret");
        secret.set_sensitive(true);
        headers.append("cookie", secret);
        let before = headers.clone();
        let after = restored(request).headers;
        assert!(before.iter().eq(after.iter()));
        let sensitive =
            |headers: &HeaderMap| headers.values().map(HeaderValue::is_sensitive).collect::<Vec<_>>();
        assert_eq!(sensitive(&after), [false, false, false, true]);
        assert_eq!(sensitive(&after), sensitive(&before));
    }

    #[test]
    fn the_rest_comes_back_too() {
        let mut request = Request::new(());
        *request.method_mut() = Method::from_bytes(b"A-METHOD-WITH-A-LONG-NAME").unwrap();
        *request.version_mut() = Version::HTTP_2;
        request.extensions_mut().insert(7_u8);
        let method = request.method().clone();
        let head = restored(request);
        assert_eq!((head.method, head.version), (method, Version::HTTP_2));
        assert_eq!(head.extensions.get(), Some(&7_u8));
        assert!(head.headers.is_empty());
    }

    #[test]
    fn a_key_comes_back_alone_and_with_other_extensions() {
        let key = TokenKey::new("alice");
        let mut request = Request::new(());
        request.extensions_mut().insert(key.clone());
        let head = Head::of(&View::of(&request), request.version());
        assert!(head.extensions.is_empty());
        assert_eq!(head.restore().unwrap().extensions.get(), Some(&key));
        request.extensions_mut().insert(7_u8);
        let extensions = restored(request).extensions;
        assert_eq!((extensions.get(), extensions.get()), (Some(&key), Some(&7_u8)));
    }

    #[test]
    fn what_was_cut_off_is_no_head() {
        let mut request = Request::new(());
        request.headers_mut().append("x-one", HeaderValue::from_static("1"));
        let head = || Head::of(&View::of(&request), request.version());
        let whole = head().text.len();
        for length in 0..whole {
            let mut head = head();
            head.text.truncate(length);
            // Behind the `/` a head without headers ends.
            assert_eq!(head.restore().is_some(), length == 1, "{length}");
        }
        assert!(head().restore().is_some());
    }
}
