//! The pages.

use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, StatusCode};
use serde_json::Value;
use sha2::{Digest, Sha256};

const STYLE: &str = "\
:root{color-scheme:light dark;--text:#1a2130;--soft:#566070;--back:#f3f4f6;--card:#fff;--line:#dde1e7;--field:#f3f4f6;\
--strong:#2352cc;--on-strong:#fff}\
@media(prefers-color-scheme:dark){:root{--text:#e8eaf0;--soft:#a7afbc;--back:#12151a;--card:#1c2027;--line:#323945;\
--field:#14171d;--strong:#8fb0ff;--on-strong:#10182c}}\
*{box-sizing:border-box}html{-webkit-text-size-adjust:100%;text-size-adjust:100%}\
body{margin:0;min-height:100vh;min-height:100svh;display:grid;place-items:center;padding:1rem;background:var(--back);\
color:var(--text);font:1rem/1.5 system-ui,-apple-system,'Segoe UI',sans-serif}\
main{width:100%;max-width:30rem;padding:2rem 1.75rem;background:var(--card);border:1px solid var(--line);border-radius:1rem;\
box-shadow:0 1px 2px rgba(0,0,0,.05),0 8px 24px rgba(0,0,0,.06);overflow-wrap:anywhere}\
h1{margin:0 0 .5rem;font-size:1.5rem;line-height:1.3;text-wrap:balance}p{margin:.5rem 0;color:var(--soft);text-wrap:pretty}\
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.375rem 1rem;margin:1.25rem 0;padding:.875rem 1rem;\
background:var(--field);border:1px solid var(--line);border-radius:.5rem;font-size:.9375rem}\
dt{color:var(--soft)}dd{margin:0}nav{display:grid;grid-template-columns:1fr 1fr;gap:.5rem;margin-top:1.5rem}\
a,button{display:grid;place-items:center;width:100%;min-height:2.75rem;padding:.5rem;border:1px solid var(--line);\
border-radius:.5rem;background:none;color:var(--text);font:inherit;line-height:1.25;text-align:center;text-decoration:none;\
cursor:pointer}a:hover,button:hover{background:var(--field)}.wide{grid-column:1/-1}\
a.first,a.first:hover{background:var(--strong);border-color:var(--strong);color:var(--on-strong);font-weight:600}\
:focus-visible{outline:2px solid var(--strong);outline-offset:2px}";

/// What can be done when somebody is logged in. Whatever changes something is posted.
const LOGGED_IN: &str = "<nav><a href=\"/profile\">Profile</a><a href=\"/validate\">Validate</a>\
<form method=\"post\" action=\"/automatic_refresh\"><button>Refresh by itself</button></form>\
<form method=\"post\" action=\"/manual_refresh\"><button>Refresh by hand</button></form>\
<form class=\"wide\" method=\"post\" action=\"/logout\"><button>Log out</button></form></nav>";
const LOGGED_OUT: &str = "<nav><a class=\"first wide\" href=\"/login\">Log in</a></nav>";

/// A page that is being put together.
pub struct Page {
    status: StatusCode,
    title: &'static str,
    content: String,
}

impl Page {
    pub fn new(title: &'static str) -> Self {
        Self { status: StatusCode::OK, title, content: String::new() }
    }

    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    pub fn text(mut self, text: &str) -> Self {
        self.content += &format!("<p>{}</p>", escape(text));
        self
    }

    /// The members of an object.
    pub fn facts(mut self, facts: &Value) -> Self {
        let fact = |(name, value): (&String, &Value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!("<dt>{}</dt><dd>{}</dd>", escape(name), escape(&value))
        };
        let facts = facts.as_object().into_iter().flatten().map(fact);
        self.content += &format!("<dl>{}</dl>", facts.collect::<String>());
        self
    }

    pub fn logged_in(self) -> Response {
        self.with(LOGGED_IN)
    }

    pub fn logged_out(self) -> Response {
        self.with(LOGGED_OUT)
    }

    fn with(self, navigation: &str) -> Response {
        let Self { status, title, content } = self;
        let text = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width,initial-scale=1\"><title>{title}</title><style>{STYLE}</style></head><body><main><h1>{title}</h1>\
             {content}{navigation}</main></body></html>"
        );
        // Nothing but this very style, whatever should get into a page in spite of `escape`.
        let style = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        );
        let headers: [(HeaderName, &str); 4] = [
            (CONTENT_SECURITY_POLICY, &policy),
            (CACHE_CONTROL, "no-store"),
            (REFERRER_POLICY, "no-referrer"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        (status, headers, Html(text)).into_response()
    }
}

/// What is shown of a failure that no user can mend.
pub fn failure() -> Response {
    Page::new("Something went wrong")
        .status(StatusCode::BAD_GATEWAY)
        .text("It was not your fault. Try again in a while.")
        .logged_in()
}

fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}
