//! oauth2-rs without an HTTP client: a token request whose answer is made up.

use oauth2::ClientId;
use oauth2::ClientSecret;
use oauth2::HttpRequest;
use oauth2::HttpResponse;
use oauth2::TokenResponse;
use oauth2::TokenUrl;
use oauth2::basic::BasicClient;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let http = |request: HttpRequest| async move {
        println!("{:?}", request.headers());
        let mut response = HttpResponse::new(b"{\"access_token\":\"a\",\"token_type\":\"Bearer\"}".to_vec());
        response.headers_mut().insert("content-type", "application/json".parse().expect("it is one"));
        Ok::<_, std::io::Error>(response)
    };
    let client = BasicClient::new(ClientId::new("client id".into()))
        .set_client_secret(ClientSecret::new(std::env::args().next().unwrap_or_default()))
        .set_token_uri(TokenUrl::new("https://auth.example.com/token".into())?);
    let token = client.exchange_client_credentials().request_async(&http).await?;
    println!("{:?}", token.expires_in());
    Ok(())
}
