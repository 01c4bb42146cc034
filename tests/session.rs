//! `Session`, over `tower_oauth::client()` and the embedded provider.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Method;
use http::StatusCode;
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;
use tower::BoxError;
use tower::ServiceBuilder;
use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::Credentials;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::OAuth1Layer;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::Session;
use tower_oauth::TokenKey;
use tower_oauth::adapter::Client;
use tower_oauth::body::Buffered;
use tower_oauth::oauth1::OAuth1;
use tower_oauth::oauth2::OAuth2;
use tower_oauth::testing::Fault;
use tower_oauth::testing::Provider;
use tower_oauth::testing::Served;

/// A provider on a port, and a session that has tokens for it.
async fn stage() -> (Provider, Served, Session<OAuth2<Client, Buffered>>) {
    let provider = Provider::new();
    let served = provider.serve().await.unwrap();
    let session = Session::new(ServiceBuilder::new().layer(layer(&served)).service(tower_oauth::client()));
    (provider, served, session)
}

fn layer(served: &Served) -> OAuth2Layer<Buffered> {
    let auth = ClientAuth::basic("test-client", "test-secret");
    let grant = ClientCredentials::new(&served.url("/token"), auth, tower_oauth::client()).unwrap();
    OAuth2Layer::new(Origins::one(&served.origin()).unwrap(), grant).body_policy(Buffered::default())
}

fn signing(served: &Served) -> Session<OAuth1<Client>> {
    let credentials = Credentials::new("consumer-key", "consumer-secret").token("token", "token-secret");
    let layer = OAuth1Layer::new(Origins::one(&served.origin()).unwrap(), credentials);
    Session::new(ServiceBuilder::new().layer(layer).service(tower_oauth::client()))
}

fn kind(error: &BoxError) -> Option<ErrorKind> {
    Error::find(&**error).map(Error::kind)
}

#[tokio::test]
async fn each_method_goes_out_with_a_token() {
    let (provider, served, session) = stage().await;
    let url = served.url("/resource/orders");
    let requests = [
        (session.get(&url), "GET"),
        (session.post(&url), "POST"),
        (session.put(&url), "PUT"),
        (session.patch(&url), "PATCH"),
        (session.delete(&url), "DELETE"),
        (session.request(Method::OPTIONS, &url), "OPTIONS"),
    ];
    for (request, method) in requests {
        let seen: Value = request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap();
        assert_eq!(seen["method"], method);
    }
    let stats = provider.stats();
    assert_eq!((stats.token_requests, stats.resource.valid), (1, 6));
}

#[tokio::test]
async fn json_and_headers_arrive() {
    let (provider, served, session) = stage().await;
    let request =
        session.post(&served.url("/resource")).header("x-request-id", "7").json(&json!({"a": [1, 2]}));
    let seen: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(seen["body_length"], 11);
    let stats = provider.stats();
    let headers = &stats.requests.last().unwrap().headers;
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["x-request-id"], "7");
}

#[tokio::test]
async fn queries_and_forms_are_signed_whatever_is_in_them() {
    let provider = Provider::new();
    let served = provider.serve().await.unwrap();
    let session = signing(&served);
    let odd = [("q", "caf\u{e9} & cr\u{e8}me"), ("a b", "~+=%20"), ("", "")];
    for url in ["/oauth1/resource", "/oauth1/resource?", "/oauth1/resource?first=1#part"] {
        let response = session.get(&served.url(url)).query(odd).send().await.unwrap();
        assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
    }
    let owned: BTreeMap<String, String> = [("status".to_owned(), "Hello + Goodbye".to_owned())].into();
    let response =
        session.post(&served.url("/oauth1/resource")).query([("b", "2")]).form(&owned).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let stats = provider.stats();
    assert_eq!(stats.oauth1.verified, 4);
    assert_eq!(stats.requests[3].headers["content-type"], "application/x-www-form-urlencoded");
}

#[tokio::test]
async fn pairs_are_appended_to_the_query_of_the_url() {
    let echo = tower::service_fn(|request: http::Request<Bytes>| async move {
        Ok::<_, BoxError>(http::Response::new(http_body_util::Full::<Bytes>::from(request.uri().to_string())))
    });
    let session = Session::new(echo);
    let pairs = [("q", "a&b c"), ("\u{e9}", "-._~")];
    let sent = async |url| {
        session.get(url).query(pairs).query([("z", "")]).send().await.unwrap().text().await.unwrap()
    };
    assert_eq!(sent("https://a.test").await, "https://a.test/?q=a%26b%20c&%C3%A9=-._~&z=");
    assert_eq!(sent("https://a.test/p?x=1#f").await, "https://a.test/p?x=1&q=a%26b%20c&%C3%A9=-._~&z=");
    assert_eq!(sent("/p").await, "/p?q=a%26b%20c&%C3%A9=-._~&z=");
}

#[tokio::test]
async fn many_users_have_a_token_each() {
    let provider = Provider::new();
    let served = provider.serve().await.unwrap();
    let layer = layer(&served).key_per_request();
    let session = Session::new(ServiceBuilder::new().layer(layer).service(tower_oauth::client()));
    let url = served.url("/resource");
    for user in ["alice", "bob", "alice"] {
        assert_eq!(session.get(&url).key(TokenKey::new(user)).send().await.unwrap().status(), 200);
    }
    assert_eq!(provider.stats().token_requests, 2);
    let error = session.get(&url).send().await.unwrap_err();
    assert_eq!(kind(&error), Some(ErrorKind::MissingTokenKey));
}

#[tokio::test]
async fn a_token_that_was_revoked_is_renewed_as_the_layer_says() {
    let (provider, served, session) = stage().await;
    let url = served.url("/resource");
    assert_eq!(session.post(&url).json(&1).send().await.unwrap().status(), 200);
    provider.revoke_all_access_tokens();
    assert_eq!(session.post(&url).json(&1).send().await.unwrap().status(), 200);
    assert_eq!(provider.stats().token_requests, 2);
}

#[tokio::test]
async fn a_status_is_an_error_only_for_those_who_ask() {
    let (provider, served, session) = stage().await;
    provider.inject(Fault::new().status(StatusCode::BAD_GATEWAY).on("/resource"));
    let response = session.get(&served.url("/resource?key=hush")).send().await.unwrap();
    assert_eq!(response.status(), 502);
    let error = response.error_for_status().unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::UnexpectedStatus, Some(StatusCode::BAD_GATEWAY)));
    assert!(error.to_string().contains("/resource") && !error.to_string().contains("hush"), "{error}");
    assert!(session.get(&served.url("/resource")).send().await.unwrap().error_for_status().is_ok());
}

#[tokio::test]
async fn a_response_is_read_within_a_limit() {
    let (_provider, served, session) = stage().await;
    let url = served.url("/resource");
    let length = session.get(&url).send().await.unwrap().bytes().await.unwrap().len();
    let exact = session.clone().response_limit(length);
    assert_eq!(exact.get(&url).send().await.unwrap().bytes().await.unwrap().len(), length);
    let less = session.response_limit(length - 1);
    let error = less.get(&url).send().await.unwrap().text().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResponseTooLarge);
    assert!(error.to_string().contains(&format!("{} bytes", length - 1)), "{error}");
    // Whoever reads the body by hand sets a limit of their own.
    let body = less.get(&url).send().await.unwrap().into_inner().into_body();
    assert_eq!(body.collect().await.unwrap().to_bytes().len(), length);
}

#[tokio::test]
async fn json_of_another_type_is_an_error_that_shows_nothing_of_it() {
    #[derive(Debug, Deserialize)]
    struct Wrong {
        #[allow(dead_code)]
        client_id: u64,
    }
    let (_provider, served, session) = stage().await;
    let error =
        session.get(&served.url("/resource")).send().await.unwrap().json::<Wrong>().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnusableResponse);
    let text = format!("{error} {error:?}");
    assert!(text.contains("line 1") && !text.contains("test-client"), "{text}");
}

#[tokio::test]
async fn what_is_no_request_is_told_when_it_is_sent_and_nothing_is() {
    let (provider, served, session) = stage().await;
    let url = served.url("/resource");
    for url in ["https://a b/", "", &url.replace("http://", "http://user:hush@")] {
        let error = session.get(url).query([("a", "b")]).send().await.unwrap_err();
        assert_eq!(kind(&error), Some(ErrorKind::InvalidUri), "{url}");
        assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
    }
    assert!(session.get(&url).header("not a name", "x").send().await.is_err());
    assert!(session.get(&url).header("name", "not\na value").send().await.is_err());
    let no_json = BTreeMap::from([(vec![1], 2)]);
    assert!(session.post(&url).json(&no_json).send().await.is_err());
    assert_eq!(provider.stats().requests.len(), 0);
}

#[tokio::test]
async fn the_origins_of_the_layer_hold() {
    let (provider, served, session) = stage().await;
    let error = session.get("http://localhost:1/resource").send().await.unwrap_err();
    assert_eq!(kind(&error), Some(ErrorKind::ForeignOrigin));
    assert_eq!(provider.stats().requests.len(), 0);
    drop(served);
}

#[tokio::test]
async fn the_stack_is_given_back_and_requests_made_elsewhere_can_be_sent() {
    let (provider, served, session) = stage().await;
    let request = http::Request::get(served.url("/resource")).body(Default::default()).unwrap();
    assert_eq!(session.execute(request).await.unwrap().status(), 200);
    let _client: &Client = session.get_ref().get_ref();
    let _stack: OAuth2<Client, Buffered> = session.into_inner();
    assert_eq!(provider.stats().resource.valid, 1);
}

#[tokio::test]
async fn debug_shows_no_secret() {
    let (_provider, served, session) = stage().await;
    let request = session.post(&served.url("/resource?key=hush")).header("x-key", "hush").body("hush");
    let debug = format!("{session:?} {request:?}");
    let response = request.send().await.unwrap();
    assert!(!format!("{debug} {response:?}").contains("hush"));
}
