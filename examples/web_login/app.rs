//! The routes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use http::header::SET_COOKIE;
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceBuilder, ServiceExt};
use tower_oauth::adapter::{RequestBody, ResponseBody};
use tower_oauth::endpoint::{IntrospectionEndpoint, RevocationEndpoint, TokenEndpoint};
use tower_oauth::grant::AuthorizationCode;
use tower_oauth::token::Event;
use tower_oauth::{ClientAuth, Error, ErrorKind, OAuth2Layer, Origins, Secret, TokenKey, TokenManager};

use super::pages::{self, Page};
use super::sessions::{Sessions, random};

/// The provider, and the client that is known there.
pub struct Settings {
    pub client_id: String,
    pub client_secret: Secret,
    pub authorization_url: String,
    pub token_url: String,
    pub profile_url: String,
    pub introspection_url: Option<String>,
    pub revocation_url: Option<String>,
    pub scope: String,
    pub resource: Option<String>,
}

/// Whatever the handlers need. One client for all users: whose token is meant is said on each request.
struct App {
    flow: AuthorizationCode,
    manager: TokenManager,
    api: BoxCloneSyncService<Request<RequestBody>, http::Response<ResponseBody>, BoxError>,
    introspection: Option<IntrospectionEndpoint>,
    sessions: Sessions,
    profile: Uri,
    resource: Option<String>,
    refreshes: Arc<AtomicU32>,
}

type Shared = State<Arc<App>>;

/// The application at `origin`.
pub fn router(settings: Settings, origin: &str) -> Result<Router, BoxError> {
    let http = tower_oauth::client();
    let auth = ClientAuth::basic(settings.client_id, settings.client_secret);
    let endpoint = TokenEndpoint::new(&settings.token_url, auth, http.clone())?;
    let beside = |url: Option<String>| url.map(|url| RevocationEndpoint::beside(&endpoint, &url)).transpose();
    let revocation = beside(settings.revocation_url)?;
    let introspection = settings.introspection_url.map(|url| IntrospectionEndpoint::beside(&endpoint, &url));
    let flow = AuthorizationCode::at(&settings.authorization_url, endpoint)?
        .redirect_uri(format!("{origin}/callback"))
        .scope(&settings.scope);

    // In memory. With a store, users stay logged in when the application starts anew.
    let refreshes = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&refreshes);
    let mut manager = TokenManager::builder(flow.clone()).on_event(move |event| {
        if matches!(event, Event::Refreshed { .. }) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    if let Some(revocation) = revocation {
        manager = manager.revocation(revocation);
    }
    let manager = manager.build();

    let profile: Uri = settings.profile_url.parse()?;
    let host = profile.authority().ok_or("the profile's URL has no host")?;
    let origins = Origins::one(&format!("{}://{host}", profile.scheme_str().unwrap_or_default()))?;
    let layer = OAuth2Layer::with_manager(origins, manager.clone()).key_per_request();
    let api = BoxCloneSyncService::new(ServiceBuilder::new().layer(layer).service(http));

    let sessions = Sessions::default();
    let introspection = introspection.transpose()?;
    let resource = settings.resource;
    let app = App { flow, manager, api, introspection, sessions, profile, resource, refreshes };
    Ok(Router::new()
        .route("/", get(menu))
        .route("/login", get(login))
        .route("/callback", get(callback))
        .route("/profile", get(profile_page))
        .route("/automatic_refresh", post(automatic_refresh))
        .route("/manual_refresh", post(manual_refresh))
        .route("/validate", get(validate))
        .route("/logout", post(logout))
        .with_state(Arc::new(app)))
}

async fn menu(State(app): Shared, headers: HeaderMap) -> Response {
    let Some(user) = app.sessions.user(&headers) else { return welcome() };
    // A stored token outlives the process that got it, and a login may have been revoked elsewhere.
    match app.manager.authorized(&user).await {
        Ok(true) => Page::new("Menu").text("You are logged in.").logged_in(),
        Ok(false) => Page::new("Welcome back").text("Your login has ended.").logged_out(),
        Err(error) => failed(&error),
    }
}

fn welcome() -> Response {
    Page::new("Welcome").text("Once you have logged in, this application calls an API for you.").logged_out()
}

/// Begins a login. What has to be kept stays in the session; the browser gets the URL only.
async fn login(State(app): Shared, headers: HeaderMap) -> Response {
    let mut request = app.flow.request();
    if let Some(resource) = &app.resource {
        request = request.resource(resource);
    }
    match request.build() {
        Ok((url, pending)) => {
            let cookie = app.sessions.begin(&headers, &pending);
            ([(SET_COOKIE, cookie)], Redirect::to(&url)).into_response()
        }
        Err(error) => failed(&error),
    }
}

/// Ends a login: the answer is held against what this very browser's session has kept.
async fn callback(State(app): Shared, headers: HeaderMap, uri: Uri) -> Response {
    let Some(pending) = app.sessions.take_pending(&headers) else {
        let text = "No login was begun in this browser, or it has ended already.";
        return Page::new("That was unexpected").status(StatusCode::BAD_REQUEST).text(text).logged_out();
    };
    // A real application takes the name of its user.
    let user = TokenKey::new(random());
    match app.flow.log_in(&app.manager, &user, pending, &uri).await {
        Ok(()) => {
            let cookie = app.sessions.log_in(&headers, user);
            ([(SET_COOKIE, cookie)], Redirect::to("/profile")).into_response()
        }
        Err(error) => failed(&error),
    }
}

async fn profile_page(State(app): Shared, headers: HeaderMap) -> Response {
    let Some(user) = app.sessions.user(&headers) else { return Redirect::to("/").into_response() };
    match app.profile(&user).await {
        Ok(profile) => Page::new("Profile").text("The API says:").facts(&profile).logged_in(),
        Err(error) => failed(error.as_ref()),
    }
}

/// Declares the token refused, as an API that answers 401 would: the next request gets another one by itself.
async fn automatic_refresh(State(app): Shared, headers: HeaderMap) -> Response {
    let Some(user) = app.sessions.user(&headers) else { return Redirect::to("/").into_response() };
    if let Some(token) = app.manager.peek(&user) {
        app.manager.invalidate(&user, &token);
    }
    match app.profile(&user).await {
        Ok(profile) => {
            let page = Page::new("Refreshed by itself")
                .text("The token was renewed on the way to the API, which says:");
            page.facts(&profile).text(&app.count()).logged_in()
        }
        Err(error) => failed(error.as_ref()),
    }
}

async fn manual_refresh(State(app): Shared, headers: HeaderMap) -> Response {
    let Some(user) = app.sessions.user(&headers) else { return Redirect::to("/").into_response() };
    match app.manager.refresh(&user).await {
        Ok(_) => Page::new("Refreshed by hand").text("There is a new token.").text(&app.count()).logged_in(),
        Err(error) => failed(&error),
    }
}

/// Asks the provider what the token is worth.
async fn validate(State(app): Shared, headers: HeaderMap) -> Response {
    let Some(user) = app.sessions.user(&headers) else { return Redirect::to("/").into_response() };
    let Some(endpoint) = &app.introspection else {
        return Page::new("Validate").text("The provider has no introspection endpoint.").logged_in();
    };
    let answer = match app.manager.token(&user).await {
        Ok(token) => endpoint.introspect(token.access_token()).await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(answer) => {
            let scope = answer.scope().collect::<Vec<_>>().join(" ");
            let facts = serde_json::json!({ "active": answer.is_active(), "scope": scope });
            Page::new("Validate").text("The provider says of the token:").facts(&facts).logged_in()
        }
        Err(error) => failed(&error),
    }
}

/// Ends the login at the provider, and here.
async fn logout(State(app): Shared, headers: HeaderMap) -> Response {
    if let Some(user) = app.sessions.user(&headers) {
        // What cannot be revoked is forgotten all the same.
        if let Err(error) = app.manager.revoke(&user).await {
            eprintln!("not revoked: {error}");
            if let Err(error) = app.manager.forget(&user).await {
                return failed(&error);
            }
        }
    }
    let cookie = app.sessions.end(&headers);
    ([(SET_COOKIE, cookie)], Page::new("Goodbye").text("You are logged out.").logged_out()).into_response()
}

impl App {
    /// What the API says of a user. The layer finds the token by the key on the request.
    async fn profile(&self, user: &TokenKey) -> Result<Value, BoxError> {
        let mut request = Request::get(self.profile.clone()).body(RequestBody::default())?;
        request.extensions_mut().insert(user.clone());
        let (answer, body) = self.api.clone().oneshot(request).await?.into_parts();
        if !answer.status.is_success() {
            return Err(format!("the API answered {}", answer.status).into());
        }
        Ok(serde_json::from_slice(&body.collect().await?.to_bytes())?)
    }

    fn count(&self) -> String {
        format!("Refreshes since the start: {}", self.refreshes.load(Ordering::Relaxed))
    }
}

/// What a user is told when something goes wrong: what they can do, and nothing of the inside.
fn failed(error: &(dyn std::error::Error + 'static)) -> Response {
    let ours = Error::find(error);
    match ours.map(Error::kind) {
        Some(ErrorKind::AuthorizationDenied) => {
            Page::new("Login cancelled").text("You did not allow access. Nothing was changed.").logged_out()
        }
        Some(ErrorKind::MissingState | ErrorKind::StateMismatch) => Page::new("That was another login")
            .status(StatusCode::BAD_REQUEST)
            .text("Begin again, in one window.")
            .logged_out(),
        _ if ours.is_some_and(Error::needs_reauthorization) => {
            Page::new("Please log in again").text("Your login has ended at the provider.").logged_out()
        }
        _ => {
            eprintln!("{error}");
            pages::failure()
        }
    }
}
