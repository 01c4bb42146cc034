//! The pages.

use axum::response::{Html, IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use http::{HeaderName, StatusCode};
use serde_json::Value;

const STYLE: &str = "\
:root{color-scheme:light dark;--text:#1d2433;--soft:#5b6472;--back:#f4f5f7;--card:#fff;--line:#dcdfe4;--strong:#2456d6}\
@media(prefers-color-scheme:dark){:root{--text:#e7e9ee;--soft:#a2a9b5;--back:#14171c;--card:#1e2229;--line:#343a44;--strong:#7fa2ff}}\
*{box-sizing:border-box}body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;background:var(--back);\
color:var(--text);font:1rem/1.5 system-ui,sans-serif}main{width:100%;max-width:32rem;padding:2rem;background:var(--card);\
border:1px solid var(--line);border-radius:.75rem;overflow-wrap:anywhere}h1{margin:0 0 .5rem;font-size:1.5rem;line-height:1.25}\
p{margin:.5rem 0;color:var(--soft)}dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;margin:1rem 0}\
dt{color:var(--soft)}dd{margin:0}nav{display:flex;flex-wrap:wrap;gap:.5rem;margin-top:1.5rem}\
a,button{font:inherit;padding:.5rem .875rem;border:1px solid var(--line);border-radius:.5rem;background:none;color:var(--text);\
text-decoration:none;cursor:pointer}a.first{background:var(--strong);border-color:var(--strong);color:var(--card);font-weight:600}\
:focus-visible{outline:2px solid var(--strong);outline-offset:2px}";

/// What can be done when somebody is logged in. Whatever changes something is posted.
const LOGGED_IN: &str = "<nav><a href=\"/profile\">Profile</a><a href=\"/validate\">Validate</a>\
<form method=\"post\" action=\"/automatic_refresh\"><button>Refresh by itself</button></form>\
<form method=\"post\" action=\"/manual_refresh\"><button>Refresh by hand</button></form>\
<form method=\"post\" action=\"/logout\"><button>Log out</button></form></nav>";
const LOGGED_OUT: &str = "<nav><a class=\"first\" href=\"/login\">Log in</a></nav>";

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
             content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style></head><body><main><h1>{title}</h1>\
             {content}{navigation}</main></body></html>"
        );
        let policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";
        let headers: [(HeaderName, &str); 3] = [
            (CONTENT_SECURITY_POLICY, policy),
            (CACHE_CONTROL, "no-store"),
            (REFERRER_POLICY, "no-referrer"),
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
