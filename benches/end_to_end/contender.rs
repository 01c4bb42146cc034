//! The clients, each with one connection for each task.

use std::future::Future;
use std::io::Write;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use bytes::Bytes;
use http::HeaderValue;
use http::Request;
use http::Response;
use http::Version;
use http::header::AUTHORIZATION;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use reqwest_oauth1::OAuthClientProvider;
use tower::BoxError;
use tower::Layer;
use tower::Service;
use tower::ServiceExt;
use tower_oauth::Credentials;
use tower_oauth::OAuth1Layer;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::grant::StaticToken;

use crate::CONNECTIONS;

const PATH: &str = "/1.1/statuses/home_timeline.json?count=20&since_id=12345&exclude_replies=true";

type Connection = Box<dyn Fn(usize) -> Pin<Box<dyn Future<Output = ()> + Send>>>;

pub struct Contender {
    pub name: &'static str,
    /// Each sends as many requests as it is told.
    pub connections: Vec<Connection>,
}

impl Contender {
    pub fn is_bare(&self) -> bool {
        ["bare", "bare, once more", "reqwest"].contains(&self.name)
    }

    pub fn all(version: Version, origin: &str) -> Vec<Self> {
        let origins = Origins::one(origin).expect("an origin");
        let oauth1 = OAuth1Layer::new(
            origins.clone(),
            Credentials::new("consumer key", "consumer secret").token("token", "token secret"),
        );
        let token = StaticToken::new("mF_9.B5f-4.1JqM-mF_9.B5f-4.1JqM-mF_9.B5f-4.1JqM");
        let oauth2 = OAuth2Layer::new(origins, token);
        let url = format!("{origin}{PATH}");
        let hyper = || hyper_client(version);
        vec![
            Self::tower("bare", &url, hyper),
            // The same again: how far two equal contenders differ is what the run's noise is.
            Self::tower("bare, once more", &url, hyper),
            Self::tower("OAuth 1", &url, || oauth1.layer(hyper())),
            Self::tower("OAuth 2", &url, || oauth2.layer(hyper())),
            // What bytes cost, whoever makes them: a header that is as long as a signature, and new each time.
            Self::tower("bare, with as long a header", &url, || LongHeader(hyper())),
            Self::reqwest(version, &url),
            Self::reqwest_oauth1(version, &url),
        ]
    }

    fn tower<S>(name: &'static str, url: &str, client: impl Fn() -> S) -> Self
    where
        S: Service<Request<Full<Bytes>>, Response = Response<Incoming>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        let connection = |_| -> Connection {
            let (client, url) = (client(), url.to_owned());
            Box::new(move |requests| {
                let (client, url) = (client.clone(), url.clone());
                Box::pin(async move {
                    let mut client = client.map_err(Into::into);
                    for _ in 0..requests {
                        let request = Request::get(&url).body(Full::default()).expect("a request");
                        let response: Result<_, BoxError> =
                            async { client.ready().await?.call(request).await }.await;
                        let response = response.expect("an answer");
                        assert!(response.status().is_success());
                        response.into_body().collect().await.expect("a body");
                    }
                })
            })
        };
        Self { name, connections: (0..CONNECTIONS).map(connection).collect() }
    }

    fn reqwest(version: Version, url: &str) -> Self {
        let connection = |_| -> Connection {
            let (client, url) = (reqwest_client(version), url.to_owned());
            Box::new(move |requests| {
                let (client, url) = (client.clone(), url.clone());
                Box::pin(async move {
                    for _ in 0..requests {
                        let response = client.get(&url).send().await.expect("an answer");
                        assert!(response.status().is_success());
                        response.bytes().await.expect("a body");
                    }
                })
            })
        };
        Self { name: "reqwest", connections: (0..CONNECTIONS).map(connection).collect() }
    }

    fn reqwest_oauth1(version: Version, url: &str) -> Self {
        let secrets =
            reqwest_oauth1::Secrets::new("consumer key", "consumer secret").token("token", "token secret");
        let connection = |_| -> Connection {
            let client = reqwest_client(version);
            let (secrets, url) = (secrets.clone(), url.to_owned());
            Box::new(move |requests| {
                let (client, secrets, url) = (client.clone(), secrets.clone(), url.clone());
                Box::pin(async move {
                    for _ in 0..requests {
                        let response =
                            client.clone().oauth1(secrets.clone()).get(&url).send().await.expect("an answer");
                        assert!(response.status().is_success());
                        response.bytes().await.expect("a body");
                    }
                })
            })
        };
        Self { name: "reqwest-oauth1", connections: (0..CONNECTIONS).map(connection).collect() }
    }
}

/// Sends what `OAuth1Layer` would send, as far as its length goes.
#[derive(Clone)]
struct LongHeader<S>(S);

/// As long as the header of [`OAuth1Layer`] for these credentials.
const LENGTH: usize = 268;
const PADDING: [u8; LENGTH] = [b'x'; LENGTH];

impl<S: Service<Request<Full<Bytes>>>> Service<Request<Full<Bytes>>> for LongHeader<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Full<Bytes>>) -> S::Future {
        let mut text = Vec::with_capacity(LENGTH);
        text.extend_from_slice(&PADDING[..LENGTH - 16]);
        write!(text, "{:016x}", rand::random::<u64>()).expect("there is room");
        let mut value = HeaderValue::from_maybe_shared(Bytes::from(text)).expect("visible ASCII");
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
        self.0.call(request)
    }
}

fn hyper_client(version: Version) -> legacy::Client<legacy::connect::HttpConnector, Full<Bytes>> {
    let mut connector = legacy::connect::HttpConnector::new();
    connector.set_nodelay(true);
    legacy::Client::builder(TokioExecutor::new()).http2_only(version == Version::HTTP_2).build(connector)
}

fn reqwest_client(version: Version) -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy();
    let builder = if version == Version::HTTP_2 { builder.http2_prior_knowledge() } else { builder };
    builder.build().expect("a client")
}
