//! Where a token may go, and whose it is.

use super::*;
use tower_oauth::TokenKey;

async fn outcome(
    layer: &OAuth2Layer,
    request: Request<Body>,
) -> (Result<u16, ErrorKind>, Vec<Option<String>>) {
    let (inner, sent) = scripted(|_| status(200));
    let outcome = tower::Layer::layer(layer, inner).oneshot(request).await;
    (outcome.map(|response| response.status().as_u16()).map_err(|error| kind(&error)), sent.all())
}

fn layer(origins: Origins) -> OAuth2Layer {
    OAuth2Layer::with_manager(origins, counting_manager().0)
}

#[tokio::test]
async fn a_foreign_origin_gets_an_error_or_a_bare_request_and_never_a_token() {
    let foreign = layer(Origins::one("https://api.test").unwrap());
    let (result, sent) = outcome(&foreign, get("https://evil.test/")).await;
    assert_eq!((result, sent), (Err(ErrorKind::ForeignOrigin), vec![]));
    let (result, sent) = outcome(&foreign.pass_foreign_unsigned(), get("https://evil.test/")).await;
    assert_eq!((result, sent), (Ok(200), vec![None]));
}

#[tokio::test]
async fn plain_http_is_refused_unless_it_is_this_machine_or_allowed() {
    let remote = layer(Origins::one("http://api.test").unwrap());
    assert_eq!(outcome(&remote, get("http://api.test/")).await.0, Err(ErrorKind::InsecureScheme));
    assert_eq!(outcome(&remote.dangerously_allow_http(), get("http://api.test/")).await.0, Ok(200));
    let local = layer(Origins::one("http://127.0.0.1:3000").unwrap());
    assert_eq!(outcome(&local, get("http://127.0.0.1:3000/")).await.0, Ok(200));
}

#[tokio::test]
async fn a_relative_uri_needs_exactly_one_origin() {
    let one = layer(Origins::one("https://api.test").unwrap());
    assert_eq!(outcome(&one, get("/orders")).await.1, [Some("Bearer token-1".to_owned())]);
    let two = layer(Origins::several(["https://a.test", "https://b.test"]).unwrap());
    assert_eq!(outcome(&two, get("/orders")).await, (Err(ErrorKind::RelativeUri), vec![]));
    let any = layer(Origins::dangerously_any());
    assert_eq!(outcome(&any, get("/orders")).await, (Err(ErrorKind::RelativeUri), vec![]));
}

#[tokio::test]
async fn a_key_that_is_missing_or_unexpected_fails_the_request() {
    let keyed = |key: &str| {
        let mut request = get("https://api.test/");
        request.extensions_mut().insert(TokenKey::new(key));
        request
    };
    let one = layer(Origins::one("https://api.test").unwrap());
    assert_eq!(outcome(&one, keyed("a")).await, (Err(ErrorKind::UnexpectedTokenKey), vec![]));
    let many = one.key_per_request();
    assert_eq!(outcome(&many, get("https://api.test/")).await, (Err(ErrorKind::MissingTokenKey), vec![]));
    assert_eq!(outcome(&many, keyed("a")).await.0, Ok(200));
}

#[tokio::test]
async fn each_key_gets_its_own_token() {
    let source = token_source_fn(|request: tower_oauth::token::SourceRequest| async move {
        Ok(Token::new(format!("token-of-{}", request.key())))
    });
    let manager = TokenManager::builder(source).build();
    let layer =
        OAuth2Layer::with_manager(Origins::one("https://api.test").unwrap(), manager).key_per_request();
    let (inner, sent) = scripted(|_| status(200));
    let service = tower::Layer::layer(&layer, inner);
    let names: Vec<_> = (0..100).map(|number| format!("tenant-{}", number % 7)).collect();
    for name in &names {
        let mut request = get("https://api.test/");
        request.extensions_mut().insert(TokenKey::new(name.as_str()));
        service.clone().oneshot(request).await.unwrap();
    }
    let expected: Vec<_> = names.iter().map(|name| format!("Bearer token-of-{name}")).collect();
    assert_eq!(sent.tokens(), expected);
}

#[tokio::test]
async fn a_layer_may_have_one_key_other_than_the_default() {
    let source = token_source_fn(|request: tower_oauth::token::SourceRequest| async move {
        Ok(Token::new(request.key().as_str()))
    });
    let layer =
        OAuth2Layer::new(Origins::one("https://api.test").unwrap(), source).key(&TokenKey::new("robot"));
    assert_eq!(outcome(&layer, get("https://api.test/")).await.1, [Some("Bearer robot".to_owned())]);
}
