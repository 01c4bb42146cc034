//! The pages, one for each way in which it can go.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderName;
use http::HeaderValue;
use http::Response;
use http::StatusCode;
use http::header;
use http_body_util::Full;
use sha2::Digest;
use sha2::Sha256;

use crate::error::Error;

/// Light and dark, phone and desktop. No image, no font, no script.
const STYLE: &str = "\
:root{color-scheme:light dark;--text:#1d2433;--soft:#5b6472;--back:#f4f5f7;--card:#fff;--line:#dcdfe4;--good:#18794e;--bad:#b42318}\
@media(prefers-color-scheme:dark){:root{--text:#e7e9ee;--soft:#a2a9b5;--back:#14171c;--card:#1e2229;--line:#343a44;--good:#5fd09a;\
--bad:#ff8f84}}\
*{box-sizing:border-box}\
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;background:var(--back);color:var(--text);\
font:1rem/1.5 system-ui,-apple-system,'Segoe UI',sans-serif}\
main{width:100%;max-width:28rem;padding:2rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem;\
text-align:center;overflow-wrap:anywhere}\
.mark{display:grid;place-items:center;width:3rem;height:3rem;margin:0 auto 1rem;border:2px solid;border-radius:50%;\
font-size:1.5rem;line-height:1}\
.good{color:var(--good)}.bad{color:var(--bad)}\
h1{margin:0 0 .5rem;font-size:1.375rem;line-height:1.25}p{margin:.5rem 0 0;color:var(--soft)}code{font-size:.875rem}";

/// How it went.
pub(super) enum Page {
    Success,
    /// The resource owner refused.
    Denied,
    Failure(Error),
    /// The answer is not for the login that is waited for.
    OtherLogin,
    /// Somebody asks again.
    Over,
}

/// A page. `application` is who the browser came from.
pub(super) fn page(page: Page, application: Option<&str>) -> Response<Full<Bytes>> {
    let back = match application {
        Some(application) => format!("You can close this window and go back to {application}."),
        None => "You can close this window and go back to the application.".to_owned(),
    };
    let again = match application {
        Some(application) => format!("Go back to {application} to try again."),
        None => "Go back to the application to try again.".to_owned(),
    };
    let (status, is_good, title, texts) = match page {
        Page::Success => (StatusCode::OK, true, "You are logged in", vec![back]),
        Page::Denied => {
            let nothing = "Access was not allowed, and nothing was changed.".to_owned();
            (StatusCode::OK, false, "Login cancelled", vec![nothing, again])
        }
        Page::Failure(error) => {
            // The server's own words, or else ours. Neither has a secret in it.
            let why = error.server().map_or_else(|| error.to_string(), ToString::to_string);
            (StatusCode::BAD_REQUEST, false, "The login failed", vec![again, why])
        }
        Page::OtherLogin => {
            let why = "This page belongs to another login, or to none. Use the window that was opened last."
                .to_owned();
            (StatusCode::BAD_REQUEST, false, "That is not the login that was begun", vec![why])
        }
        Page::Over => (StatusCode::GONE, false, "This login is over", vec![back]),
    };
    let mark = if is_good {
        "<p class=\"mark good\" aria-hidden=\"true\">\u{2713}</p>"
    } else {
        "<p class=\"mark bad\" aria-hidden=\"true\">!</p>"
    };
    let texts: String = texts.iter().map(|text| format!("<p>{}</p>", escape(text))).collect();
    let text = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>{title}</title><style>{STYLE}</style></head><body><main>{mark}\
         <h1>{title}</h1>{texts}</main></body></html>"
    );
    let mut response = empty(status);
    *response.body_mut() = Full::from(text);
    let content_type = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

/// An answer without a page. All answers have the headers that keep them to themselves.
pub(super) fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    let style = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let fixed = [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::CONNECTION, "close"),
    ];
    let headers = response.headers_mut();
    headers.extend(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))));
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Text for HTML.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
