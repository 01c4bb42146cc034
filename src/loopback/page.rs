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

/// Light and dark, phone and desktop. No image, no font, no script: the signs are drawn with borders.
const STYLE: &str = "\
:root{color-scheme:light dark;--text:#1a2130;--soft:#566070;--back:#f3f4f6;--card:#ffffff;--line:#dde1e7;--field:#f3f4f6;\
--good:#146c43;--good-field:#def3e7;--bad:#a92a1c;--bad-field:#fde8e5;--still:#4a5465;--still-field:#e9ecf1}\
@media(prefers-color-scheme:dark){:root{--text:#e8eaf0;--soft:#a7afbc;--back:#12151a;--card:#1c2027;--line:#323945;--field:#14171d;\
--good:#74dba8;--good-field:#183a2b;--bad:#ff9d92;--bad-field:#452421;--still:#b8c0cc;--still-field:#2b313b}}\
*{box-sizing:border-box}html{-webkit-text-size-adjust:100%;text-size-adjust:100%}\
body{margin:0;min-height:100vh;min-height:100svh;display:grid;place-items:center;padding:1rem;background:var(--back);\
color:var(--text);font:1rem/1.5 system-ui,-apple-system,'Segoe UI',sans-serif}\
main{width:100%;max-width:27rem;padding:2.5rem 1.75rem;background:var(--card);border:1px solid var(--line);\
border-radius:1rem;box-shadow:0 1px 2px rgba(0,0,0,.05),0 8px 24px rgba(0,0,0,.06);text-align:center;overflow-wrap:anywhere}\
.sign{display:grid;place-items:center;width:3.5rem;height:3.5rem;margin:0 auto 1.25rem;border-radius:50%}\
.sign::before{content:'';display:block;border:0 solid}\
.good{color:var(--good);background:var(--good-field)}\
.good::before{width:.75rem;height:1.375rem;margin-top:-.25rem;border-width:0 .1875rem .1875rem 0;transform:rotate(45deg)}\
.bad{color:var(--bad);background:var(--bad-field)}\
.bad::before{width:.1875rem;height:1.625rem;background:linear-gradient(currentColor 70%,transparent 70% 88%,currentColor 88%)}\
.still{color:var(--still);background:var(--still-field)}\
.still::before{width:1.25rem;border-width:.1875rem 0 0}\
h1{margin:0 0 .5rem;font-size:1.375rem;line-height:1.3;text-wrap:balance}\
p{margin:.5rem 0 0;color:var(--soft);text-wrap:balance}\
.why{margin:1.25rem 0 0;padding:.75rem 1rem;background:var(--field);border:1px solid var(--line);border-radius:.5rem;\
color:var(--text);font-size:.875rem;text-align:start;text-wrap:wrap}";

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
    let application = application.unwrap_or("the application");
    let back = format!("You can close this window and go back to {application}.");
    let again = format!("Go back to {application} to try again.");
    let mut why = None;
    let (status, sign, title, texts) = match page {
        Page::Success => (StatusCode::OK, "good", "You are logged in", vec![back]),
        // Whoever refused knows what they did: nothing went wrong.
        Page::Denied => {
            let nothing = "Access was not allowed, and nothing was changed.".to_owned();
            (StatusCode::OK, "still", "Login cancelled", vec![nothing, again])
        }
        Page::Failure(error) => {
            // The server's own words, or else ours. Neither has a secret in it.
            why = Some(error.server().map_or_else(|| error.to_string(), ToString::to_string));
            (StatusCode::BAD_REQUEST, "bad", "The login failed", vec![again])
        }
        Page::OtherLogin => {
            let text = "This page belongs to another login, or to none. Use the window that was opened last."
                .to_owned();
            (StatusCode::BAD_REQUEST, "bad", "That is not the login that was begun", vec![text])
        }
        Page::Over => (StatusCode::GONE, "still", "This login is over", vec![back]),
    };
    let mut content: String = texts.iter().map(|text| format!("<p>{}</p>", escape(text))).collect();
    if let Some(why) = why {
        content += &format!("<p class=\"why\">{}</p>", escape(&why));
    }
    let text = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>{title}</title><style>{STYLE}</style></head><body><main>\
         <div class=\"sign {sign}\" aria-hidden=\"true\"></div><h1>{title}</h1>{content}</main></body></html>"
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The colours of the style, light and dark: name and red, green, blue.
    fn palettes() -> [Vec<(String, [f64; 3])>; 2] {
        let (light, dark) = STYLE.split_once("@media(prefers-color-scheme:dark)").unwrap();
        [light, dark].map(|part| {
            let (_, declarations) = part.split_once(":root{").unwrap();
            let (declarations, _) = declarations.split_once('}').unwrap();
            let colours = declarations.split(';').filter_map(|one| one.strip_prefix("--")?.split_once(":#"));
            colours
                .map(|(name, hex)| {
                    assert_eq!(hex.len(), 6, "{name}");
                    let part = |at| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
                    (name.to_owned(), [part(0), part(2), part(4)])
                })
                .collect()
        })
    }

    /// WCAG 2.2, "relative luminance".
    fn luminance(colour: [f64; 3]) -> f64 {
        let linear =
            |part: f64| if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) };
        let [red, green, blue] = colour.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn every_text_can_be_read_in_the_light_and_in_the_dark() {
        assert!((contrast([0.0; 3], [1.0; 3]) - 21.0).abs() < 1e-9);
        for palette in palettes() {
            let colour = |wanted: &str| {
                let found = palette.iter().find(|(name, _)| name == wanted);
                found.unwrap_or_else(|| panic!("no colour {wanted}")).1
            };
            for (text, behind) in [
                ("text", "card"),
                ("soft", "card"),
                ("text", "field"),
                ("good", "good-field"),
                ("bad", "bad-field"),
                ("still", "still-field"),
            ] {
                // Level AA, text of any size (WCAG 2.2 §1.4.3).
                let ratio = contrast(colour(text), colour(behind));
                assert!(ratio >= 4.5, "{text} on {behind}: {ratio:.2}");
            }
        }
    }

    #[test]
    fn light_and_dark_have_the_same_colours_by_name() {
        let [light, dark] =
            palettes().map(|palette| palette.into_iter().map(|(name, _)| name).collect::<Vec<_>>());
        assert_eq!(light, dark);
        for name in light {
            assert!(STYLE.contains(&format!("var(--{name})")), "{name} is not used");
        }
    }

    #[test]
    fn whatever_could_be_markup_is_text() {
        assert_eq!(
            escape("<a href=\"x\" id='y'>&amp;"),
            "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;"
        );
    }
}
