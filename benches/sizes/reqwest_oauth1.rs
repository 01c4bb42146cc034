//! reqwest-oauth1 as it comes, which signs and has no OAuth 2.

use reqwest_oauth1::OAuthClientProvider;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let secret = std::env::args().next().unwrap_or_default();
    let secrets = reqwest_oauth1::Secrets::new("consumer key", secret.clone()).token("token", secret);
    let response =
        reqwest::Client::new().oauth1(secrets).get("https://api.example.com/orders?page=2").send().await?;
    println!("{}", response.status());
    Ok(())
}
