//! Plays a browser, from login to logout, and says what is not as it should be.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use tower::{BoxError, ServiceExt};
use tower_oauth::adapter::{Client, RequestBody};

/// A browser: follows no redirect by itself, and keeps one cookie.
struct Browser {
    http: Client,
    cookie: Option<String>,
}

struct Answer {
    status: StatusCode,
    location: Option<String>,
    text: String,
}

/// The whole tour of the application at `origin`.
pub async fn check(origin: &str) -> Result<(), BoxError> {
    let mut browser = Browser { http: tower_oauth::client(), cookie: None };
    let at = |path: &str| format!("{origin}{path}");
    let expect = |answer: &Answer, title: &str| -> Result<(), BoxError> {
        println!("{} {title}", answer.status);
        let is_right = answer.text.contains(&format!("<h1>{title}</h1>"));
        if is_right { Ok(()) } else { Err(format!("no page `{title}`, but {}", answer.text).into()) }
    };

    expect(&browser.get(&at("/")).await?, "Welcome")?;
    expect(&browser.get(&at("/callback?code=x&state=y")).await?, "That was unexpected")?;
    // Who is not logged in sees nothing.
    let sent_away = browser.get(&at("/profile")).await?;
    assert_eq!(sent_away.location.as_deref(), Some("/"));

    // A login that the user refuses, and one that somebody else began.
    let back = browser.log_in(&at("/login"), "deny").await?;
    expect(&browser.get(&back).await?, "Login cancelled")?;
    let mut somebody_else = Browser { http: browser.http.clone(), cookie: None };
    let forged = somebody_else.log_in(&at("/login"), "approve").await?;
    browser.get(&at("/login")).await?;
    expect(&browser.get(&forged).await?, "That was another login")?;

    let back = browser.log_in(&at("/login"), "approve").await?;
    let before = browser.cookie.clone();
    let logged_in = browser.get(&back).await?;
    assert_eq!(logged_in.location.as_deref(), Some("/profile"));
    assert_ne!(browser.cookie, before, "the session got another name");
    let profile = browser.get(&at("/profile")).await?;
    expect(&profile, "Profile")?;
    assert!(profile.text.contains("<dt>user</dt><dd>test-user</dd>"), "{}", profile.text);
    expect(&browser.get(&back).await?, "That was unexpected")?;

    expect(&browser.get(&at("/")).await?, "Menu")?;
    let refreshed = browser.post(&at("/automatic_refresh"), "").await?;
    expect(&refreshed, "Refreshed by itself")?;
    assert!(refreshed.text.contains("Refreshes since the start: 1"), "{}", refreshed.text);
    let refreshed = browser.post(&at("/manual_refresh"), "").await?;
    expect(&refreshed, "Refreshed by hand")?;
    assert!(refreshed.text.contains("Refreshes since the start: 2"), "{}", refreshed.text);
    let validated = browser.get(&at("/validate")).await?;
    expect(&validated, "Validate")?;
    assert!(validated.text.contains("<dt>active</dt><dd>true</dd>"), "{}", validated.text);
    // A link must not log anybody out.
    assert_eq!(browser.get(&at("/logout")).await?.status, StatusCode::METHOD_NOT_ALLOWED);
    expect(&browser.post(&at("/logout"), "").await?, "Goodbye")?;
    expect(&browser.get(&at("/")).await?, "Welcome")?;
    println!("All is as it should be.");
    Ok(())
}

impl Browser {
    /// Begins a login, decides on the provider's page, and gives the URL to which the provider sends the browser back.
    async fn log_in(&mut self, login: &str, decision: &str) -> Result<String, BoxError> {
        let url = self.get(login).await?.location.ok_or("the application did not redirect")?;
        let page = self.get(&url).await?;
        if !page.text.contains("Allow access?") {
            return Err(format!("the provider shows {}", page.text).into());
        }
        let (endpoint, parameters) = url.split_once('?').ok_or("the provider's URL has no query")?;
        let answer = self.post(endpoint, &format!("{parameters}&decision={decision}")).await?;
        answer.location.ok_or_else(|| "the provider did not redirect".into())
    }

    async fn get(&mut self, url: &str) -> Result<Answer, BoxError> {
        self.send(Method::GET, url, "").await
    }

    async fn post(&mut self, url: &str, form: &str) -> Result<Answer, BoxError> {
        self.send(Method::POST, url, form).await
    }

    async fn send(&mut self, method: Method, url: &str, form: &str) -> Result<Answer, BoxError> {
        let mut request = Request::builder().method(method).uri(url);
        if !form.is_empty() {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        let request = request.body(RequestBody::from(Bytes::from(form.to_owned())))?;
        let (head, body) = self.http.clone().oneshot(request).await?.into_parts();
        if let Some(cookie) = head.headers.get(SET_COOKIE) {
            self.cookie = cookie.to_str()?.split(';').next().map(str::to_owned);
        }
        let location = head.headers.get(LOCATION).map(|location| location.to_str().map(str::to_owned));
        let text = String::from_utf8(body.collect().await?.to_bytes().to_vec())?;
        Ok(Answer { status: head.status, location: location.transpose()?, text })
    }
}
