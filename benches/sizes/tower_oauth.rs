//! Both protocols over the simplest service: signing, a grant, refreshing.

use std::convert::Infallible;

use bytes::Bytes;
use http::Request;
use http::Response;
use http_body_util::Full;
use tower::Layer;
use tower::Service;
use tower::service_fn;
use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::Credentials;
use tower_oauth::OAuth1Layer;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let leaf = service_fn(|request: Request<Full<Bytes>>| async move {
        println!("{:?}", request.headers());
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(
            "{\"access_token\":\"a\",\"token_type\":\"Bearer\"}",
        )))
    });
    let secret = std::env::args().next().unwrap_or_default();
    let origins = Origins::one("https://api.example.com")?;
    let credentials = Credentials::new("consumer key", secret.as_str()).token("token", secret.as_str());
    let request = || Request::get("https://api.example.com/orders?page=2").body(Full::<Bytes>::default());
    OAuth1Layer::new(origins.clone(), credentials).layer(leaf).call(request()?).await?;
    let auth = ClientAuth::basic("client id", secret);
    let grant = ClientCredentials::new("https://auth.example.com/token", auth, leaf)?;
    OAuth2Layer::new(origins, grant).layer(leaf).call(request()?).await?;
    Ok(())
}
