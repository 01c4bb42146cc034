//! octocrab 0.54 over both layers.
//!
//! Insertion point: `OctocrabBuilder::new_empty().with_service(http).with_layer(&layer).with_layer(&BaseUriLayer)`. Layers
//! that are added later are further out.
//!
//! What it asks: a service for `Request<OctoBody>` that is `Send + 'static`, whose error goes into a `BoxError`; it puts a
//! buffer around it, so that nothing has to be `Clone`. Our layer asks `Clone` of what is inside of it.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::routing::get;
use axum::routing::post;
use http::Request;
use http::Uri;
use http::header::USER_AGENT;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use octocrab::AuthState;
use octocrab::OctoBody;
use octocrab::Octocrab;
use octocrab::OctocrabBuilder;
use octocrab::service::middleware::base_uri::BaseUriLayer;
use octocrab::service::middleware::extra_headers::ExtraHeadersLayer;
use serde_json::Value;
use serde_json::json;
use tower::ServiceExt;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::adapter::RequestBody;
use tower_oauth::body::Buffered;
use tower_oauth::token::token_source_fn;
use tower_oauth_stacks::guard::SIGNED;
use tower_oauth_stacks::guard::guarded;
use tower_oauth_stacks::stage::LIFETIME;
use tower_oauth_stacks::stage::Stage;

/// A little of GitHub.
async fn github() -> Stage {
    let issue =
        |Json(issue): Json<Value>| async move { Json(json!({ "number": 7, "title": issue["title"] })) };
    let api = Router::new()
        .route("/user", get(async || Json(json!({ "login": "octocat" }))))
        .route("/repos/octocat/hello/issues", post(issue));
    guarded(api).await
}

fn http() -> Client<HttpConnector, OctoBody> {
    Client::builder(TokioExecutor::new()).build_http()
}

/// The paved way: the token next to the client, the base URI outside of it.
fn octocrab<P>(stage: &Stage, layer: &OAuth2Layer<P>) -> Octocrab
where
    P: Clone
        + Send
        + Sync
        + 'static
        + tower_oauth::body::BodyPolicy<OctoBody>
        + tower_oauth::body::DrainPolicy<hyper::body::Incoming>,
{
    let agent = ExtraHeadersLayer::new(Arc::new(vec![(USER_AGENT, "stacks".parse().unwrap())]));
    let built = OctocrabBuilder::new_empty()
        .with_service(http())
        .with_layer(layer)
        .with_layer(&BaseUriLayer::new(stage.server.origin().parse().unwrap()))
        .with_layer(&agent)
        .with_auth(AuthState::None)
        .build();
    built.unwrap()
}

async fn login(octocrab: &Octocrab) -> octocrab::Result<String> {
    let user: Value = octocrab.get("/user", None::<&()>).await?;
    Ok(user["login"].as_str().unwrap().to_owned())
}

async fn open_issue(octocrab: &Octocrab) -> octocrab::Result<Value> {
    octocrab.post("/repos/octocat/hello/issues", Some(&json!({ "title": "It does not start" }))).await
}

#[tokio::test]
async fn a_token_that_expires_in_mid_use_is_renewed_before_the_next_call() {
    let stage = github().await;
    let octocrab = octocrab(&stage, &stage.oauth2());
    assert_eq!(login(&octocrab).await.unwrap(), "octocat");
    stage.clock.advance(LIFETIME);
    let answers = futures_util::future::join_all((0..20).map(|_| login(&octocrab))).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap() == "octocat"));
    let stats = stage.provider.stats();
    assert_eq!((stats.resource.valid, stats.resource.expired, stats.token_requests), (21, 0, 2));
}

#[tokio::test]
async fn a_refused_token_is_replaced_and_the_request_sent_again_with_its_body() {
    let stage = github().await;
    let octocrab = octocrab(&stage, &stage.oauth2().body_policy(Buffered::default()));
    open_issue(&octocrab).await.unwrap();
    stage.provider.revoke_all_access_tokens();
    assert_eq!(open_issue(&octocrab).await.unwrap()["title"], "It does not start");
    let stats = stage.provider.stats();
    assert_eq!((stats.resource.valid, stats.resource.revoked, stats.token_requests), (2, 1, 2));
    let tokens = stage.server.authorizations("/repos");
    assert!(tokens[0] == tokens[1] && tokens[1] != tokens[2]);
}

#[tokio::test]
async fn octocrabs_own_way_to_copy_a_body_serves_as_a_policy_too() {
    let stage = github().await;
    let policy = tower_oauth::body::body_fn(OctoBody::from, OctoBody::try_clone);
    let octocrab = octocrab(&stage, &stage.oauth2().body_policy(policy));
    open_issue(&octocrab).await.unwrap();
    stage.provider.revoke_all_access_tokens();
    assert_eq!(open_issue(&octocrab).await.unwrap()["title"], "It does not start");
    assert_eq!(stage.provider.stats().token_requests, 2);
}

#[tokio::test]
async fn without_a_body_policy_the_refusal_is_an_error_of_octocrab_and_the_next_call_is_right() {
    let stage = github().await;
    let octocrab = octocrab(&stage, &stage.oauth2());
    login(&octocrab).await.unwrap();
    stage.provider.revoke_all_access_tokens();
    let octocrab::Error::GitHub { source, .. } = login(&octocrab).await.unwrap_err() else {
        panic!("not what the server said");
    };
    assert_eq!(source.status_code, 401);
    assert_eq!(login(&octocrab).await.unwrap(), "octocat");
    let stats = stage.provider.stats();
    assert_eq!((stats.resource.valid, stats.resource.revoked, stats.token_requests), (2, 1, 2));
}

#[tokio::test]
async fn the_client_of_this_crate_serves_octocrab() {
    let stage = github().await;
    let http = stage.client().map_request(|request: Request<OctoBody>| request.map(RequestBody::new));
    let built = OctocrabBuilder::new_empty()
        .with_service(http)
        .with_layer(&stage.oauth2().body_policy(Buffered::default()))
        .with_layer(&BaseUriLayer::new(stage.server.origin().parse().unwrap()))
        .with_auth(AuthState::None)
        .build();
    assert_eq!(open_issue(&built.unwrap()).await.unwrap()["title"], "It does not start");
}

#[tokio::test]
async fn outside_of_the_base_uri_the_only_origin_stands_for_a_relative_one() {
    let stage = github().await;
    let base = BaseUriLayer::new(stage.server.origin().parse().unwrap());
    let with_origins = |origins: Origins| {
        OctocrabBuilder::new_empty()
            .with_service(http())
            .with_layer(&base)
            .with_layer(&OAuth2Layer::with_manager(origins, stage.manager()))
            .with_auth(AuthState::None)
            .build()
            .unwrap()
    };
    assert_eq!(login(&with_origins(stage.origins())).await.unwrap(), "octocat");

    let two = Origins::several([stage.server.origin().as_str(), "https://uploads.github.com"]).unwrap();
    let error = login(&with_origins(two)).await.unwrap_err();
    assert_eq!(Error::find(&error).expect("an error of the layer").kind(), ErrorKind::RelativeUri);
}

#[tokio::test]
async fn an_absolute_uri_elsewhere_gets_no_token() {
    let stage = github().await;
    let octocrab = octocrab(&stage, &stage.oauth2());
    let error = octocrab._get("http://localhost:1/elsewhere").await.unwrap_err();
    assert_eq!(Error::find(&error).expect("an error of the layer").kind(), ErrorKind::ForeignOrigin);
}

#[tokio::test]
async fn octocrabs_own_authorization_is_replaced() {
    let stage = github().await;
    let built = OctocrabBuilder::new_empty()
        .with_service(http())
        .with_layer(&stage.oauth2())
        .with_layer(&BaseUriLayer::new(stage.server.origin().parse().unwrap()))
        .with_auth(AuthState::AccessToken { token: "stale".to_owned().into() })
        .build();
    assert_eq!(login(&built.unwrap()).await.unwrap(), "octocat");
    assert!(stage.server.authorizations("/user").iter().all(|token| token != "Bearer stale"));
}

#[tokio::test]
async fn each_request_can_name_its_tenant() {
    let stage = github().await;
    let provider = stage.provider.clone();
    let source = token_source_fn(move |request| {
        let issued = provider.issue("test-client", request.key().as_str());
        async move { Ok(Token::new(issued.access_token).with_expires_at(issued.expires_at)) }
    });
    let manager = TokenManager::builder(source).clock(stage.clock.clone()).build();
    let layer = OAuth2Layer::with_manager(stage.origins(), manager).key_per_request();
    let octocrab = octocrab(&stage, &layer);
    for tenant in ["acme", "globex"] {
        let mut request = octocrab.build_request(Request::get("/user"), None::<&()>).unwrap();
        request.extensions_mut().insert(TokenKey::new(tenant));
        assert_eq!(octocrab.execute(request).await.unwrap().status(), 200);
    }
    let tokens = stage.server.authorizations("/user");
    assert_ne!(tokens[0], tokens[1]);
    // What octocrab sends of its own accord names nobody, and fails.
    let error = login(&octocrab).await.unwrap_err();
    assert_eq!(Error::find(&error).expect("an error of the layer").kind(), ErrorKind::MissingTokenKey);
}

#[tokio::test]
async fn oauth_1_signs_what_octocrab_sends_with_the_base_uri_and_the_query() {
    let stage = github().await;
    let base: Uri = stage.server.url(SIGNED).parse().unwrap();
    let octocrab = OctocrabBuilder::new_empty()
        .with_service(http())
        .with_layer(&stage.oauth1())
        .with_layer(&BaseUriLayer::new(base))
        .with_auth(AuthState::None)
        .build()
        .unwrap();
    let user: Value = octocrab.get("/user", Some(&[("q", "café crème"), ("a b", "1+1")])).await.unwrap();
    assert_eq!(user["login"], "octocat");
    assert_eq!(open_issue(&octocrab).await.unwrap()["title"], "It does not start");
    assert_eq!(stage.provider.stats().oauth1.verified, 2);
    assert!(stage.server.seen(SIGNED)[0].uri.query().unwrap().contains("caf%C3%A9"));
}
