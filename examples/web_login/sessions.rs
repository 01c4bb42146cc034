//! Sessions in memory, by a cookie. A real application has these already: what matters is what goes into them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use tower_oauth::TokenKey;
use tower_oauth::grant::PendingAuthorization;

const NAME: &str = "session=";

/// What is known of each browser, by the value of its cookie.
#[derive(Default)]
pub struct Sessions(Mutex<HashMap<String, Session>>);

#[derive(Default)]
struct Session {
    /// A login that was begun, as JSON. It stays on the server: it is a secret, and must not be changed by others.
    pending: Option<String>,
    /// Whose tokens these are, once somebody has logged in. The tokens themselves are the manager's.
    user: Option<TokenKey>,
}

impl Sessions {
    /// Keeps a login that was begun, in a session of its own. Gives the cookie.
    pub fn begin(&self, headers: &HeaderMap, pending: &PendingAuthorization) -> HeaderValue {
        let id = id(headers).filter(|id| self.with(id, |_| ()).is_some()).unwrap_or_else(random);
        let pending = serde_json::to_string(pending).unwrap_or_default();
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.entry(id.clone()).or_default().pending = Some(pending);
        cookie(&id)
    }

    /// Takes the login that was begun: it is good for one answer.
    pub fn take_pending(&self, headers: &HeaderMap) -> Option<PendingAuthorization> {
        let pending = self.with(&id(headers)?, |session| session.pending.take())??;
        serde_json::from_str(&pending).ok()
    }

    /// Who is logged in.
    pub fn user(&self, headers: &HeaderMap) -> Option<TokenKey> {
        self.with(&id(headers)?, |session| session.user.clone())?
    }

    /// Somebody has logged in. The session gets another name, so that nobody knows it who knew the old one.
    pub fn log_in(&self, headers: &HeaderMap, user: TokenKey) -> HeaderValue {
        self.end(headers);
        let id = random();
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.insert(id.clone(), Session { pending: None, user: Some(user) });
        cookie(&id)
    }

    /// Forgets a session. Gives what makes the browser forget its cookie.
    pub fn end(&self, headers: &HeaderMap) -> HeaderValue {
        if let Some(id) = id(headers) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        }
        HeaderValue::from_static("session=; Max-Age=0; HttpOnly; SameSite=Lax; Path=/")
    }

    fn with<T>(&self, id: &str, then: impl FnOnce(&mut Session) -> T) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(id).map(then)
    }
}

/// A text that nobody can guess.
pub fn random() -> String {
    format!("{:032x}", rand::random::<u128>())
}

fn id(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';'));
    pairs.find_map(|pair| pair.trim().strip_prefix(NAME)).map(str::to_owned)
}

/// `Lax` keeps other sites from posting with it, and lets the provider's redirect come with it. Over https, add `Secure`.
fn cookie(id: &str) -> HeaderValue {
    let cookie = format!("{NAME}{id}; HttpOnly; SameSite=Lax; Path=/");
    HeaderValue::try_from(cookie).unwrap_or(HeaderValue::from_static(""))
}
