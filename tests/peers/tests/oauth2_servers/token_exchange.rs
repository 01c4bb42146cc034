//! Token exchange (RFC 8693) against @jmondi/oauth2-server.

use std::sync::LazyLock;
use std::time::Duration;

use tower_oauth::ClientAuth;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::endpoint::TokenEndpoint;
use tower_oauth::grant::SecurityToken;
use tower_oauth::grant::StaticToken;
use tower_oauth::grant::TokenExchange;
use tower_oauth::grant::TokenType;
use tower_oauth_peers::http_client::http_client;
use tower_oauth_peers::oauth2_servers::token_exchange;
use tower_oauth_peers::oauth2_servers::whose;
use tower_oauth_peers::passed::passed;
use tower_oauth_peers::process::Peer;

use crate::get;

static PEER: LazyLock<Peer> = LazyLock::new(token_exchange);

const SECRET: &str = "gateway s3cret+%";

fn at(auth: ClientAuth) -> TokenEndpoint {
    TokenEndpoint::new(&format!("{}/token", PEER.origin()), auth, http_client()).unwrap()
}

#[tokio::test]
async fn the_token_of_a_user_becomes_one_for_the_service_behind() {
    // This server does not form-decode Basic.
    for (method, auth) in [
        ("client_secret_post", ClientAuth::post("gateway", SECRET)),
        ("client_secret_basic, raw", ClientAuth::basic_raw("gateway", SECRET)),
    ] {
        let grant = TokenExchange::at(at(auth), "token-of-ann", TokenType::ACCESS_TOKEN)
            .audience("billing")
            .requested_token_type(TokenType::ACCESS_TOKEN)
            .resource("https://billing.example")
            .scope("read");
        let token = get(grant).await.unwrap();
        // It is required, and left out.
        assert_eq!(token.extra("issued_token_type"), None);
        let whose = whose(&PEER, token.access_token().expose()).await;
        assert_eq!((&whose["client"], &whose["user"]), (&"gateway".into(), &"ann".into()));
        assert_eq!((&whose["scope"], &whose["audience"]), (&"read".into(), &"billing".into()));
        assert_eq!(whose["resource"], "https://billing.example");
        assert_eq!(whose["requestedTokenType"], TokenType::ACCESS_TOKEN.as_str());
        passed("token exchange", method, PEER.name());
    }
}

#[tokio::test]
async fn an_actor_is_named_and_every_type_of_token_is_taken() {
    let types = [
        TokenType::ACCESS_TOKEN,
        TokenType::REFRESH_TOKEN,
        TokenType::ID_TOKEN,
        TokenType::SAML1,
        TokenType::SAML2,
        TokenType::JWT,
        TokenType::new("urn:example:oauth:token-type:other"),
    ];
    for kind in types {
        let grant = TokenExchange::at(at(ClientAuth::post("gateway", SECRET)), "token-of-ann", kind.clone())
            .actor("token-of-robot", kind.clone());
        let whose = whose(&PEER, get(grant).await.unwrap().access_token().expose()).await;
        assert_eq!(whose["actor"], "robot");
        assert_eq!(
            (&whose["subjectTokenType"], &whose["actorTokenType"]),
            (&kind.as_str().into(), &kind.as_str().into())
        );
    }
}

#[tokio::test]
async fn each_user_of_a_proxy_gets_a_token_for_what_they_logged_in_as() {
    let logins = TokenManager::builder(StaticToken::new("nobody")).build();
    for user in ["ann", "bob"] {
        let token = Token::new(format!("token-of-{user}")).expires_in(Duration::from_secs(3600));
        logins.put(&TokenKey::new(user), token).await.unwrap();
    }
    let subject = SecurityToken::from_manager(logins);
    let grant = TokenExchange::at(at(ClientAuth::post("gateway", SECRET)), subject, TokenType::ACCESS_TOKEN);
    let manager = TokenManager::builder(grant).build();
    for user in ["ann", "bob"] {
        let token = manager.token(&TokenKey::new(user)).await.unwrap();
        assert_eq!(whose(&PEER, token.access_token().expose()).await["user"], user);
    }
}

#[tokio::test]
async fn what_is_wrong_is_refused_and_named() {
    let trade = |secret: &str, subject: &str, kind: TokenType| {
        let auth = ClientAuth::post("gateway", secret.to_owned());
        get(TokenExchange::at(at(auth), subject.to_owned(), kind))
    };
    let error = trade("wrong", "token-of-ann", TokenType::ACCESS_TOKEN).await.unwrap_err();
    assert!(error.is_configuration(), "{error}");
    assert!(trade(SECRET, "nonsense", TokenType::ACCESS_TOKEN).await.is_err());
    assert!(trade(SECRET, "token-of-ann", TokenType::new("access_token")).await.is_err());
}
