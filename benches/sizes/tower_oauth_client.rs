//! The same with the crate's own HTTP client.

use http::Request;
use tower::Layer;
use tower::Service;
use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::Credentials;
use tower_oauth::OAuth1Layer;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::adapter::RequestBody;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let secret = std::env::args().next().unwrap_or_default();
    let origins = Origins::one("https://api.example.com")?;
    let credentials = Credentials::new("consumer key", secret.as_str()).token("token", secret.as_str());
    let request = || Request::get("https://api.example.com/orders?page=2").body(RequestBody::default());
    OAuth1Layer::new(origins.clone(), credentials).layer(tower_oauth::client()).call(request()?).await?;
    let auth = ClientAuth::basic("client id", secret);
    let grant = ClientCredentials::new("https://auth.example.com/token", auth, tower_oauth::client())?;
    OAuth2Layer::new(origins, grant).layer(tower_oauth::client()).call(request()?).await?;
    Ok(())
}
