//! Token requests that bend: method, place of the parameters, names, headers, another URL for renewals.

use http::Method;
use http::Request;
use http::Response;
use http_body_util::Full;
use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::ErrorKind;
use tower_oauth::Token;
use tower_oauth::TokenManager;
use tower_oauth::endpoint::RequestRules;
use tower_oauth::endpoint::TokenEndpoint;
use tower_oauth::grant::RefreshToken;

use crate::Played;
use crate::REFRESH_TOKEN;
use crate::Text;
use crate::key;

const GOOD: &str = r#"{"access_token":"good","expires_in":3600}"#;

/// The request for a first token by rules, at a URL that has a query already.
async fn asked(rules: RequestRules) -> crate::Seen {
    let played = Played::new();
    played.says(200, GOOD);
    let auth = ClientAuth::post("id", "s3cret");
    let endpoint = TokenEndpoint::new("https://auth.test/token?tenant=a", auth, played.clone()).unwrap();
    let grant = ClientCredentials::at(endpoint.request_rules(rules)).scope("one two");
    TokenManager::builder(grant).build().token(&key()).await.unwrap();
    played.last()
}

#[tokio::test(start_paused = true)]
async fn parameters_go_into_a_form_into_json_or_into_the_query() {
    let in_order = "grant_type=client_credentials&scope=one+two&client_id=id&client_secret=s3cret";
    let seen = asked(RequestRules::new()).await;
    assert_eq!((&seen.method, &*seen.body), (&Method::POST, in_order));
    assert_eq!(seen.uri.query(), Some("tenant=a"));
    let seen = asked(RequestRules::new().json()).await;
    assert_eq!((&seen.method, seen.header("content-type")), (&Method::POST, Some("application/json")));
    assert_eq!(seen.parameter("client_secret").as_deref(), Some("s3cret"));
    for (rules, method) in
        [(RequestRules::new().query(), Method::POST), (RequestRules::new().get(), Method::GET)]
    {
        let seen = asked(rules).await;
        assert_eq!((seen.method, &*seen.body), (method, ""));
        assert_eq!(seen.uri.query(), Some(&*format!("tenant=a&{in_order}")));
        assert_eq!(seen.headers.get("content-type"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn names_headers_and_separators_are_those_of_the_rules() {
    let rules = RequestRules::new()
        .rename("client_id", "app_id")
        .rename("client_secret", "secret")
        .scope_separator(",")
        .parameter("format", "json")
        .header("x-api-version", "7")
        .and_then(|rules| rules.user_agent("reader/1"))
        .and_then(|rules| rules.accept("text/json"))
        .unwrap();
    let seen = asked(rules).await;
    assert_eq!(
        seen.body,
        "grant_type=client_credentials&scope=one%2Ctwo&app_id=id&secret=s3cret&format=json"
    );
    assert_eq!(
        [seen.header("x-api-version"), seen.header("user-agent"), seen.header("accept")],
        [Some("7"), Some("reader/1"), Some("text/json")]
    );
}

#[tokio::test(start_paused = true)]
async fn renewals_may_have_a_url_and_rules_of_their_own() {
    let played = Played::new();
    played.says(200, GOOD);
    let endpoint = TokenEndpoint::new("https://auth.test/token", ClientAuth::none("id"), played.clone())
        .and_then(|endpoint| endpoint.refresh_url("https://refresh.test/renew"))
        .unwrap()
        .request_rules(RequestRules::new().json())
        .refresh_request_rules(RequestRules::new().query());
    let manager = TokenManager::builder(RefreshToken::at(endpoint.clone())).build();
    manager.put(&key(), Token::new("login").with_refresh_token(REFRESH_TOKEN)).await.unwrap();
    manager.refresh(&key()).await.unwrap();
    assert_eq!(played.last().url(), "https://refresh.test/renew");
    assert_eq!(played.last().parameter("refresh_token").as_deref(), Some(REFRESH_TOKEN));
    TokenManager::builder(ClientCredentials::at(endpoint.clone())).build().token(&key()).await.unwrap();
    assert_eq!(
        (played.last().url(), played.last().body.starts_with('{')),
        ("https://auth.test/token".to_owned(), true)
    );
    // An error names the URL that was asked.
    played.says(500, "");
    assert_eq!(manager.refresh(&key()).await.unwrap_err().endpoint(), Some("https://refresh.test/renew"));
    assert!(endpoint.refresh_url("refresh.test").is_err());
}

#[tokio::test(start_paused = true)]
async fn secrets_in_a_query_stay_out_of_every_error_even_if_the_http_client_names_the_url() {
    #[derive(Debug)]
    struct Named(String);
    impl std::fmt::Display for Named {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(formatter, "error sending request for url ({})", self.0)
        }
    }
    impl std::error::Error for Named {}
    for rules in [RequestRules::new().query(), RequestRules::new().get()] {
        let http = tower::service_fn(|request: Request<Text>| {
            let uri = request.uri().to_string();
            async move { Err::<Response<Full<bytes::Bytes>>, _>(Named(uri)) }
        });
        let auth = ClientAuth::post("id", "s3cret s3cret");
        let endpoint =
            TokenEndpoint::new("https://auth.test/token", auth, http).unwrap().request_rules(rules);
        assert!(!format!("{endpoint:?}").contains("s3cret"));
        let grant = ClientCredentials::at(endpoint);
        let error = TokenManager::builder(grant).build().token(&key()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transport);
        let mut shown = format!("{error} {error:?} {error:#?}");
        let mut next = std::error::Error::source(&error);
        while let Some(cause) = next {
            shown += &format!("{cause} {cause:?}");
            next = cause.source();
        }
        assert!(shown.contains("https://auth.test/token?[redacted]") && !shown.contains("s3cret"), "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_in_a_query_that_the_server_repeats_stays_out_of_the_error() {
    let played = Played::new();
    played.says(
        400,
        r#"{"error":"bad","error_description":"/token?client_secret=s3cret%26x is wrong: s3cret&x"}"#,
    );
    let auth = ClientAuth::post("id", "s3cret&x");
    let endpoint = TokenEndpoint::new("https://auth.test/token", auth, played.clone()).unwrap();
    let grant = ClientCredentials::at(endpoint.request_rules(RequestRules::new().get()));
    let error = TokenManager::builder(grant).build().token(&key()).await.unwrap_err();
    let shown = format!("{error} {error:?} {:?}", error.server());
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_gets_a_hint_where_basic_has_two_forms() {
    for (auth, hint) in [
        (ClientAuth::basic("id", "a+b"), Some("`ClientAuth::basic_raw`")),
        (ClientAuth::basic_raw("id", "a+b"), Some("`ClientAuth::basic`")),
        (ClientAuth::basic("i d", "ab"), Some("`ClientAuth::basic_raw`")),
        (ClientAuth::basic("id", "a-b_c.d"), None),
        (ClientAuth::basic_raw("id", "ab"), None),
        (ClientAuth::post("id", "a+b"), None),
    ] {
        for (body, is_about_the_client) in
            [(r#"{"error":"invalid_client"}"#, true), (r#"{"error":"invalid_scope"}"#, false)]
        {
            let played = Played::new();
            played.says(401, body);
            let endpoint =
                TokenEndpoint::new("https://auth.test/token", auth.clone(), played.clone()).unwrap();
            let grant = ClientCredentials::at(endpoint);
            let error = TokenManager::builder(grant).build().token(&key()).await.unwrap_err().to_string();
            match hint.filter(|_| is_about_the_client) {
                Some(hint) => assert!(error.contains(hint), "{error}"),
                None => assert!(!error.contains("ClientAuth"), "{error}"),
            }
            assert_eq!(played.count(), 1, "nothing is tried out");
        }
    }
}
