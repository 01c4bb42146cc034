//! The grants against Authlib's server, django-oauth-toolkit and @jmondi/oauth2-server.

mod authlib;
mod django;
mod token_exchange;

use tower_oauth::Error;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::token::TokenSource;

/// The first token that a source gives.
async fn get(source: impl TokenSource) -> Result<Token, Error> {
    TokenManager::builder(source).build().token(&TokenKey::default()).await
}
