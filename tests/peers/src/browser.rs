//! Just enough of a browser to log in: follows redirects, and keeps cookies.

use std::collections::HashMap;

use http::Method;
use http::header::LOCATION;
use http::header::SET_COOKIE;

use crate::http_client::Answer;
use crate::http_client::send_bare;

/// Redirects in a row.
const HOPS: usize = 10;

/// Where a login ends.
#[derive(Debug)]
pub enum Ending {
    /// The server sends the browser to a URL outside of its own origin, which is not opened.
    SentTo(String),
    /// The server shows a page.
    Page(Answer),
}

impl Ending {
    /// The URL to which the browser was sent.
    ///
    /// # Panics
    ///
    /// If there is a page instead.
    pub fn url(self) -> String {
        match self {
            Self::SentTo(url) => url,
            Self::Page(page) => panic!("{} {}", page.status, String::from_utf8_lossy(&page.body)),
        }
    }
}

/// Opens `url` in a browser without cookies, and follows the redirects within `origin`.
///
/// # Panics
///
/// If the server cannot be reached, or redirects without end.
pub async fn open(origin: &str, url: &str) -> Ending {
    let mut cookies = HashMap::new();
    let mut url = url.to_owned();
    for _ in 0..HOPS {
        let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let page = send_bare(Method::GET, &url, &[("cookie", &pairs.join("; "))], "").await;
        for cookie in page.headers.get_all(SET_COOKIE) {
            let cookie = cookie.to_str().expect("a cookie of text");
            let pair = cookie.split(';').next().and_then(|pair| pair.split_once('='));
            let (name, value) = pair.expect("a cookie with a value");
            cookies.insert(name.to_owned(), value.to_owned());
        }
        let Some(location) = page.headers.get(LOCATION) else { return Ending::Page(page) };
        let location = location.to_str().expect("a URL of text");
        url = if location.starts_with('/') { format!("{origin}{location}") } else { location.to_owned() };
        if !url.starts_with(&format!("{origin}/")) {
            return Ending::SentTo(url);
        }
    }
    panic!("too many redirects, the last one to {url}");
}
