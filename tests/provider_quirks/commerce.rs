//! Shops and payments.

use tower_oauth::provider;

use crate::CLIENT_SECRET;
use crate::Client;
use crate::REFRESH_TOKEN;
use crate::api_call;
use crate::extra;
use crate::samples;
use crate::seconds;
use crate::token_of;

#[tokio::test(start_paused = true)]
async fn ebay_calls_bearer_tokens_otherwise() {
    let ebay = provider::ebay();
    let client = Client::logged_in(&ebay).await;
    let token = client.renews(200, samples::EBAY).await.unwrap();
    assert_eq!((token.token_type(), client.seen().proof()), ("Bearer", "header"));
    assert_eq!(client.record().await.refresh_expires_at(), Some(client.now() + seconds(47_304_000)));
    let application = r#"{"access_token":"a","expires_in":7200,"token_type":"application access token"}"#;
    assert_eq!(token_of(&provider::ebay_sandbox(), application).await.token_type(), "Bearer");
    client
        .renews(200, r#"{"access_token":"b","expires_in":7200,"token_type":"User Access Token"}"#)
        .await
        .unwrap();
    assert_eq!(
        client.stored_refresh_token().await.as_deref(),
        Some("v^1.1#rmB8tLs4nQh21"),
        "it stays the same"
    );
}

#[tokio::test(start_paused = true)]
async fn shopify_leaves_things_out_and_wants_a_header_of_its_own() {
    let shopify = provider::shopify("my-shop").unwrap();
    let client = Client::new(&shopify);
    let token = client.gets(200, samples::SHOPIFY).await.unwrap();
    assert_eq!((token.token_type(), token.expires_at()), ("Bearer", Some(client.now() + seconds(86_399))));
    assert_eq!(client.seen().url(), "https://my-shop.myshopify.com/admin/oauth/access_token");
    let call = api_call(&shopify).await;
    assert_eq!((call.header("x-shopify-access-token"), call.header("authorization")), (Some("access"), None));
    // A renewal without a lifetime, and with a successor.
    let client = Client::logged_in(&shopify).await;
    let renewed = r#"{"access_token":"shpat_2","scope":"read_orders","refresh_token":"shprt_2","refresh_token_expires_in":7776000}"#;
    assert_eq!(client.renews(200, renewed).await.unwrap().expires_at(), None);
    assert_eq!(client.stored_refresh_token().await.as_deref(), Some("shprt_2"));
    assert!(provider::shopify("my-shop.evil.test/").is_err());
}

#[tokio::test(start_paused = true)]
async fn stripe_wants_its_key_as_a_bearer_token() {
    let client = Client::logged_in(&provider::stripe()).await;
    let token = client.renews(200, samples::STRIPE).await.unwrap();
    assert_eq!((extra(&token, "stripe_user_id"), token.extra("livemode")), ("acct_1", Some(&false.into())));
    let seen = client.seen();
    assert_eq!(seen.header("authorization"), Some(&*format!("Bearer {CLIENT_SECRET}")));
    assert_eq!(seen.proof(), "header");
}

#[tokio::test(start_paused = true)]
async fn paypal_writes_the_lifetime_as_a_text() {
    for paypal in [provider::paypal(), provider::paypal_sandbox()] {
        let client = Client::new(&paypal);
        let token = client.gets(200, samples::PAYPAL).await.unwrap();
        assert_eq!(token.expires_at(), Some(client.now() + seconds(32_400)));
        assert_eq!(client.seen().proof(), "header");
    }
}

#[tokio::test(start_paused = true)]
async fn plentymarkets_writes_camel_case() {
    let client = Client::logged_in(&provider::plentymarkets("shop.example.com").unwrap()).await;
    let token = client.renews(200, samples::PLENTYMARKETS).await.unwrap();
    assert_eq!(
        (token.access_token().expose(), token.expires_at()),
        ("eyJPLAKq7Zp3Xw9v40", Some(client.now() + seconds(86_400)))
    );
    assert_eq!(client.stored_refresh_token().await.as_deref(), Some("eyJPLRmB8tLs4nQh40"));
    assert_ne!(client.stored_refresh_token().await.as_deref(), Some(REFRESH_TOKEN));
}
