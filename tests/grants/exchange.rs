//! Token exchange (RFC 8693), and grants by name.

use std::time::Duration;

use tower_oauth::Secret;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::endpoint::SecretSource;
use tower_oauth::grant::ExtensionGrant;
use tower_oauth::grant::SecurityToken;
use tower_oauth::grant::StaticToken;
use tower_oauth::grant::TokenExchange;
use tower_oauth::grant::TokenType;
use tower_oauth::token::AccessScope;

use crate::Played;

#[tokio::test]
async fn a_subject_is_traded_with_everything_that_was_asked_for() {
    let played = Played::token();
    let grant = TokenExchange::at(played.endpoint(), "subject", TokenType::ID_TOKEN)
        .actor("actor", TokenType::JWT)
        .requested_token_type(TokenType::ACCESS_TOKEN)
        .audience("billing")
        .audience("orders")
        .resource("https://api.test/b")
        .resource("https://api.test/a")
        .scope("read write");
    TokenManager::builder(grant).build().token(&TokenKey::default()).await.unwrap();
    let seen = played.last();
    assert_eq!(seen.value("grant_type"), Some("urn:ietf:params:oauth:grant-type:token-exchange"));
    assert_eq!(seen.value("subject_token"), Some("subject"));
    assert_eq!(seen.value("subject_token_type"), Some("urn:ietf:params:oauth:token-type:id_token"));
    assert_eq!(seen.value("actor_token"), Some("actor"));
    assert_eq!(seen.value("actor_token_type"), Some("urn:ietf:params:oauth:token-type:jwt"));
    assert_eq!(seen.value("requested_token_type"), Some("urn:ietf:params:oauth:token-type:access_token"));
    assert_eq!(seen.values("audience"), ["billing", "orders"]);
    assert_eq!(seen.values("resource"), ["https://api.test/a", "https://api.test/b"]);
    assert_eq!(seen.value("scope"), Some("read write"));
}

#[tokio::test]
async fn nothing_is_said_of_an_actor_that_is_not_there() {
    let played = Played::token();
    let grant = TokenExchange::at(played.endpoint(), "subject", TokenType::ACCESS_TOKEN);
    TokenManager::builder(grant).build().token(&TokenKey::default()).await.unwrap();
    let names: Vec<_> = played.last().form.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["grant_type", "subject_token", "subject_token_type"]);
}

#[tokio::test]
async fn the_six_types_of_rfc_8693_have_their_uris_and_others_can_be_named() {
    let uris = [
        TokenType::ACCESS_TOKEN,
        TokenType::REFRESH_TOKEN,
        TokenType::ID_TOKEN,
        TokenType::SAML1,
        TokenType::SAML2,
        TokenType::JWT,
    ]
    .map(|kind| kind.as_str().to_owned());
    let named = ["access_token", "refresh_token", "id_token", "saml1", "saml2", "jwt"];
    assert_eq!(uris, named.map(|name| format!("urn:ietf:params:oauth:token-type:{name}")));
    assert_eq!(TokenType::new("urn:example:token").as_str(), "urn:example:token");
}

#[tokio::test]
async fn what_kind_of_token_came_is_told_and_need_not_be_said() {
    let played = Played::new([
        (
            200,
            r#"{"access_token":"a1","token_type":"Bearer","expires_in":60,
                "issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}"#,
        ),
        (200, r#"{"access_token":"a2","token_type":"N_A","expires_in":60}"#),
    ]);
    let grant = TokenExchange::at(played.endpoint(), "subject", TokenType::ACCESS_TOKEN);
    let manager = TokenManager::builder(grant).build();
    let first = manager.token(&TokenKey::default()).await.unwrap();
    let kind = first.extra("issued_token_type").and_then(|kind| kind.as_str());
    assert_eq!(kind, Some(TokenType::ACCESS_TOKEN.as_str()));
    let second = manager.refresh(&TokenKey::default()).await.unwrap();
    assert_eq!((second.access_token().expose(), second.extra("issued_token_type")), ("a2", None));
}

#[tokio::test]
async fn each_user_s_own_token_is_traded_and_is_asked_for_each_time() {
    let played = Played::token();
    let subject =
        SecurityToken::per_key(|user: TokenKey| async move { Ok(Secret::new(format!("of {user}"))) });
    let grant = TokenExchange::at(played.endpoint(), subject, TokenType::ACCESS_TOKEN);
    let manager = TokenManager::builder(grant).build();
    for user in ["alice", "bob"] {
        manager.token(&TokenKey::new(user)).await.unwrap();
        assert_eq!(played.last().value("subject_token"), Some(&*format!("of {user}")));
    }
}

#[tokio::test]
async fn the_subject_can_be_the_token_of_another_manager() {
    let played = Played::token();
    let logins = TokenManager::builder(StaticToken::new("login")).build();
    let alice = TokenKey::new("alice");
    let token = Token::new("alice's").expires_in(Duration::from_secs(3600));
    logins.put(&alice, token).await.unwrap();
    let grant =
        TokenExchange::at(played.endpoint(), SecurityToken::from_manager(logins), TokenType::ACCESS_TOKEN);
    TokenManager::builder(grant).build().token(&alice).await.unwrap();
    assert_eq!(played.last().value("subject_token"), Some("alice's"));
}

#[tokio::test]
async fn a_refresh_token_is_used_first_and_the_subject_again_when_it_has_died() {
    let played = Played::new([
        (200, r#"{"access_token":"a1","token_type":"Bearer","expires_in":60,"refresh_token":"r1"}"#),
        (200, r#"{"access_token":"a2","token_type":"Bearer","expires_in":60}"#),
        (400, r#"{"error":"invalid_grant"}"#),
        (200, r#"{"access_token":"a3","token_type":"Bearer","expires_in":60}"#),
    ]);
    let grant = TokenExchange::at(played.endpoint(), "subject", TokenType::ACCESS_TOKEN);
    let manager = TokenManager::builder(grant).build();
    let key = TokenKey::default();
    manager.token(&key).await.unwrap();
    for expected in ["a2", "a3"] {
        assert_eq!(manager.refresh(&key).await.unwrap().access_token().expose(), expected);
    }
    let seen = played.seen();
    let asked: Vec<_> = seen.iter().map(|seen| seen.value("grant_type").unwrap()).collect();
    let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
    assert_eq!(asked, [exchange, "refresh_token", "refresh_token", exchange]);
    assert_eq!(seen[1].value("refresh_token"), Some("r1"));
    assert_eq!(seen[1].value("subject_token"), None);
}

#[tokio::test]
async fn what_a_request_asks_for_takes_the_place_of_what_the_grant_was_set_up_with() {
    let played = Played::token();
    let grant = TokenExchange::at(played.endpoint(), "subject", TokenType::ACCESS_TOKEN).scope("all");
    let manager = TokenManager::builder(grant).build();
    let narrow = AccessScope::new().scope("orders:read").resource("https://api.test");
    manager.token_for(&TokenKey::default(), &narrow).await.unwrap();
    let seen = played.last();
    assert_eq!(
        (seen.value("scope"), seen.value("resource")),
        (Some("orders:read"), Some("https://api.test"))
    );
}

#[tokio::test]
async fn any_grant_can_be_named_with_parameters_of_its_own() {
    let played = Played::token();
    let grant = ExtensionGrant::at(played.endpoint(), "urn:example:grant")
        .parameter("plain", "p")
        .secret_parameter("hidden", "h1dden")
        .secret_parameter("made", SecretSource::from_fn(|| async { Ok(Secret::new("m")) }))
        .scope("s");
    assert!(!format!("{grant:?}").contains("h1dden"));
    TokenManager::builder(grant).build().token(&TokenKey::default()).await.unwrap();
    let seen = played.last();
    assert_eq!(seen.value("grant_type"), Some("urn:example:grant"));
    assert_eq!(
        (seen.value("plain"), seen.value("hidden"), seen.value("made")),
        (Some("p"), Some("h1dden"), Some("m"))
    );
    assert_eq!(seen.value("scope"), Some("s"));
}
