//! The requests that are signed.

use std::fmt::Write as _;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Uri;
use http::header::ACCEPT;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http_body_util::Full;

/// The credentials of every contender. They need no escaping, because some peers do not escape them.
pub const CLIENT: &str = "xvz1evFS4wEEPTGEFPHBog";
pub const CLIENT_SECRET: &str = "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw";
pub const TOKEN: &str = "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb";
pub const TOKEN_SECRET: &str = "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE";

/// A request, ready to be made again and again.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    pub method: Method,
    pub uri: Uri,
    /// The URI without its query.
    pub bare_uri: String,
    /// Empty if there is none.
    pub query: String,
    pub form: Option<Bytes>,
    headers: HeaderMap,
}

impl Case {
    /// POST, with one parameter in the query and one in the form.
    pub fn a() -> Self {
        let form = "status=Hello%20Ladies%20%2B%20Gentlemen%2C%20a%20signed%20OAuth%20request%21";
        Self::new("A", Method::POST, "include_entities=true", Some(form.to_owned()))
    }

    /// GET, with five parameters.
    pub fn b() -> Self {
        let query =
            "screen_name=twitterapi&count=100&include_rts=true&tweet_mode=extended&q=tower%20%26%20hyper";
        Self::new("B", Method::GET, query, None)
    }

    /// GET, with fifty.
    pub fn c() -> Self {
        Self { name: "C".to_owned(), ..Self::with_parameters(50) }
    }

    /// GET, with so many. Every fifth value has something to escape, and they are in no order.
    pub fn with_parameters(count: usize) -> Self {
        let mut query = String::new();
        for number in 0..count {
            let separator = if number == 0 { "" } else { "&" };
            let name = number * 7919 % 1009;
            let value = if number % 5 == 0 { "one%20%2F%20two" } else { "value" };
            write!(query, "{separator}field_{name}={value}{number}").unwrap();
        }
        Self::new(&format!("GET with {count}"), Method::GET, &query, None)
    }

    /// POST, with a form of about so many bytes: values of a hundred bytes, a few of them escaped.
    pub fn with_form(bytes: usize) -> Self {
        let mut form = String::new();
        let mut number = 0;
        while form.len() < bytes {
            let separator = if number == 0 { "" } else { "&" };
            write!(form, "{separator}field_{number}=The+quick+brown+fox%2C+{}", "jumps-over".repeat(8))
                .unwrap();
            number += 1;
        }
        form.truncate(bytes);
        // A cut escape would be another text for each peer.
        while form.ends_with('%') || form.as_bytes().get(form.len() - 2) == Some(&b'%') {
            form.pop();
        }
        Self::new(&format!("form of {bytes}"), Method::POST, "", Some(form))
    }

    /// The same with all parameters in the form: reqwest-oauth1 signs the query or the form, but not both.
    pub fn in_the_form(mut self) -> Self {
        if let (Some(form), false) = (&self.form, self.query.is_empty()) {
            self.form = Some([self.query.as_bytes(), b"&", form].concat().into());
            self.query.clear();
            self.uri = self.bare_uri.parse().unwrap();
        }
        self
    }

    fn new(name: &str, method: Method, query: &str, form: Option<String>) -> Self {
        let bare_uri = "https://api.example.com/1.1/statuses/update.json".to_owned();
        let separator = if query.is_empty() { "" } else { "?" };
        let uri = format!("{bare_uri}{separator}{query}").parse().unwrap();
        // Room for one more, so that the growth of the map is nobody's.
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if form.is_some() {
            let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
            headers.insert(CONTENT_TYPE, form_type);
        }
        let (name, query) = (name.to_owned(), query.to_owned());
        Self { name, method, uri, bare_uri, query, form: form.map(Bytes::from), headers }
    }

    /// The body; nothing for a GET.
    pub fn body(&self) -> Bytes {
        self.form.clone().unwrap_or_default()
    }

    /// A new request.
    pub fn request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = HeaderMap::with_capacity(4);
        request.headers_mut().extend(self.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        request
    }

    /// Its head.
    pub fn head(&self) -> Parts {
        self.request().into_parts().0
    }

    /// Its parameters, decoded, as `application/x-www-form-urlencoded`.
    pub fn pairs(&self) -> Vec<(std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)> {
        let form = self.form.as_deref().unwrap_or_default();
        let query = form_urlencoded::parse(self.query.as_bytes());
        query.chain(form_urlencoded::parse(form)).collect()
    }
}
