//! oauth2-rs as it comes, with reqwest.

use oauth2::ClientId;
use oauth2::ClientSecret;
use oauth2::TokenResponse;
use oauth2::TokenUrl;
use oauth2::basic::BasicClient;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let http =
        oauth2::reqwest::ClientBuilder::new().redirect(oauth2::reqwest::redirect::Policy::none()).build()?;
    let client = BasicClient::new(ClientId::new("client id".into()))
        .set_client_secret(ClientSecret::new(std::env::args().next().unwrap_or_default()))
        .set_token_uri(TokenUrl::new("https://auth.example.com/token".into())?);
    let token = client.exchange_client_credentials().request_async(&http).await?;
    println!("{:?}", token.expires_in());
    Ok(())
}
