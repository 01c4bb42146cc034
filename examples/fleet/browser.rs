//! Just enough of a browser for somebody to log in: follows redirects, keeps cookies, and sends the forms of a page with a
//! name and a password in them.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tower::BoxError;

/// Pages that a login may lead through.
const PAGES: usize = 20;

pub type Http = Client<HttpConnector, Full<Bytes>>;

pub fn new_http() -> Http {
    Client::builder(TokioExecutor::new()).build_http()
}

pub struct Browser<'a> {
    http: Http,
    cookies: BTreeMap<String, String>,
    user: &'a str,
    password: &'a str,
}

impl<'a> Browser<'a> {
    pub fn new(http: Http, user: &'a str, password: &'a str) -> Self {
        Self { http, cookies: BTreeMap::new(), user, password }
    }

    /// Goes from `url` until it is sent to `redirect_uri`; gives the parameters that it comes there with.
    pub async fn go(&mut self, url: &str, redirect_uri: &str) -> Result<BTreeMap<String, String>, BoxError> {
        let (mut url, mut form) = (url.to_owned(), None);
        for _ in 0..PAGES {
            if let Some(rest) = url.strip_prefix(redirect_uri).filter(|rest| rest.starts_with('?')) {
                return Ok(parameters(&rest[1..]));
            }
            let response = self.load(&url, form.take()).await?;
            self.keep_cookies(&response);
            if let Some(location) = response.headers().get(LOCATION) {
                url = join(&url, location.to_str()?)?;
                continue;
            }
            let status = response.status();
            let page = response.into_body().collect().await?.to_bytes();
            let page = String::from_utf8_lossy(&page);
            let (action, fields) = self.fill_in(&page).ok_or_else(|| {
                format!("nobody can log in: {} answered {status}, without a redirect or a form", shown(&url))
            })?;
            url = join(&url, &action)?;
            form = Some(fields);
        }
        Err(format!("the login does not come to an end within {PAGES} pages").into())
    }

    async fn load(
        &self,
        url: &str,
        form: Option<String>,
    ) -> Result<Response<hyper::body::Incoming>, BoxError> {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let builder = if form.is_some() { Request::post(url) } else { Request::get(url) };
        let request = builder
            .header(COOKIE, cookies.join("; "))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from(form.unwrap_or_default()))?;
        Ok(self.http.request(request).await?)
    }

    /// Paths and domains are of no matter to a server on this machine.
    fn keep_cookies<B>(&mut self, response: &Response<B>) {
        for cookie in response.headers().get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            let pair = cookie.split(';').next().and_then(|pair| pair.split_once('='));
            if let Some((name, value)) = pair {
                self.cookies.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
    }

    /// Where the first form of a page goes, and what is in it.
    fn fill_in(&self, page: &str) -> Option<(String, String)> {
        let form = page.split_once("<form")?.1;
        let (tag, rest) = form.split_once('>')?;
        let inside = rest.split_once("</form").map_or(rest, |(inside, _)| inside);
        let mut fields = Vec::new();
        for input in inside.split("<input").skip(1) {
            let input = input.split_once('>').map_or(input, |(tag, _)| tag);
            let Some(name) = attribute(input, "name") else { continue };
            let kind = attribute(input, "type").unwrap_or_default();
            let value = match (name.as_str(), kind.as_str()) {
                (_, "password") => self.password.to_owned(),
                ("login" | "user" | "username" | "email", _) => self.user.to_owned(),
                _ => attribute(input, "value").unwrap_or_default(),
            };
            fields.push((name, value));
        }
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Some((attribute(tag, "action").unwrap_or_default(), query(&fields)))
    }
}

/// The value of an attribute in quotes.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split_once(&format!(" {name}="))?.1;
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    Some(value.get(1..)?.split(quote).next()?.replace("&amp;", "&"))
}

/// Where a link on the page `base` leads.
fn join(base: &str, link: &str) -> Result<String, BoxError> {
    if link.contains("://") {
        return Ok(link.to_owned());
    }
    if link.is_empty() {
        return Ok(base.to_owned());
    }
    let uri: http::Uri = base.parse()?;
    let origin = format!("http://{}", uri.authority().ok_or("a page without a host")?);
    if link.starts_with('/') {
        return Ok(format!("{origin}{link}"));
    }
    let folder = uri.path().rsplit_once('/').map_or("", |(folder, _)| folder);
    Ok(format!("{origin}{folder}/{link}"))
}

/// A URL without what may be secret in it.
fn shown(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}

pub fn query(parameters: &[(&str, &str)]) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs: Vec<_> =
        parameters.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

fn parameters(query: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decode(name), decode(value))).collect()
}
