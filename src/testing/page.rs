//! The pages that a user sees, where a test wants a browser to see any.

use http::Response;
use http::StatusCode;
use http::header;

use crate::testing::answer;
use crate::testing::body::Body;

const STYLE: &str = "\
:root{color-scheme:light dark;--text:#1d2433;--soft:#5b6472;--back:#f4f5f7;--card:#fff;--line:#dcdfe4;--strong:#2456d6}\
@media(prefers-color-scheme:dark){:root{--text:#e7e9ee;--soft:#a2a9b5;--back:#14171c;--card:#1e2229;--line:#343a44;--strong:#7fa2ff}}\
*{box-sizing:border-box}body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;background:var(--back);\
color:var(--text);font:1rem/1.5 system-ui,sans-serif}main{width:100%;max-width:26rem;padding:2rem;background:var(--card);\
border:1px solid var(--line);border-radius:.75rem}h1{margin:0 0 .5rem;font-size:1.375rem;line-height:1.25}p{margin:.5rem 0;\
color:var(--soft)}b{color:var(--text)}form{display:flex;flex-wrap:wrap;gap:.75rem;margin-top:1.5rem}label{width:100%}\
input,button{font:inherit;padding:.625rem 1rem;border:1px solid var(--line);border-radius:.5rem;background:var(--card);\
color:var(--text)}input{width:100%;letter-spacing:.1em}button{flex:1;cursor:pointer}\
button[value=approve]{background:var(--strong);border-color:var(--strong);color:var(--card);font-weight:600}\
:focus-visible{outline:2px solid var(--strong);outline-offset:2px}";

/// A page with this title and this content, which is HTML already.
pub(super) fn page(status: StatusCode, title: &str, content: &str) -> Response<Body> {
    let title = html(title);
    let text = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style></head><body><main><h1>{title}</h1>\
         {content}</main></body></html>"
    );
    let response = answer::typed(status, "text/html; charset=utf-8", text);
    // No `form-action`: some browsers hold it against the redirect that follows the form.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";
    answer::with(response, header::CONTENT_SECURITY_POLICY, policy)
}

/// A form that asks for a decision, with these fields in it, which are not seen.
pub(super) fn decision(action: &str, hidden: &[(String, String)]) -> String {
    let hidden: String = hidden
        .iter()
        .map(|(name, value)| {
            format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", html(name), html(value))
        })
        .collect();
    format!(
        "<form method=\"post\" action=\"{}\">{hidden}<button name=\"decision\" value=\"approve\">Approve</button>\
         <button name=\"decision\" value=\"deny\">Deny</button></form>",
        html(action)
    )
}

/// Text for HTML, in content and in quoted attributes.
pub(super) fn html(text: &str) -> String {
    let escape = |character: char| match character {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\'' => "&#39;".to_owned(),
        other => other.to_string(),
    };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_says_is_text_and_never_html() {
        let form = decision("/authorize", &[("state".to_owned(), "\"><script>'&".to_owned())]);
        assert!(form.contains("value=\"&quot;&gt;&lt;script&gt;&#39;&amp;\""), "{form}");
    }
}
