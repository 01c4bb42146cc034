//! The layer: configuration.

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use http::Request;
use http::Uri;
use http::header::AUTHORIZATION;
use http::request::Parts;
use tower::BoxError;
use tower::Layer;

use crate::body::Untouched;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::lanes::Spread;
use crate::oauth2::OAuth2;
use crate::oauth2::Placement;
use crate::oauth2::Refusal;
use crate::oauth2::WithToken;
use crate::oauth2::WithoutToken;
use crate::oauth2::marker::ForceRefresh;
use crate::oauth2::placement::Attachment;
use crate::oauth2::placement::Head;
use crate::oauth2::placement::insert;
use crate::origin::Admission;
use crate::origin::Guard;
use crate::origin::Origins;
use crate::token::AccessScope;
use crate::token::Identity;
use crate::token::Published;
use crate::token::Rush;
use crate::token::Token;
use crate::token::TokenKey;
use crate::token::TokenManager;
use crate::token::TokenSource;
use crate::transport::CloneService;

/// Puts OAuth 2 tokens on the requests of the service that it wraps. See the [module docs](super).
///
/// Clones, and the services that they make, share one manager.
#[derive(Clone)]
#[must_use]
pub struct OAuth2Layer<P = Untouched> {
    pub(super) shared: Arc<Spread<Shared>>,
    pub(super) policy: P,
}

/// What does not change from request to request.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) manager: TokenManager,
    pub(super) refusal: Refusal,
    /// `None` for the default: `Authorization: Bearer` and nothing else.
    pub(super) attachment: Option<Box<Attachment>>,
    pub(super) form_limit: usize,
    pub(super) insufficiency_is_error: bool,
    pub(super) guard: Guard,
    pub(super) who: Who,
    pub(super) scope: AccessScope,
    pub(super) keep_existing: bool,
}

/// Whose token a request gets.
#[derive(Clone)]
pub(super) enum Who {
    One(Identity),
    PerRequest,
}

/// What is to be done with a request.
pub(super) enum Plan {
    /// It goes as it is.
    Pass,
    /// It gets a token.
    Token(Wanted),
}

/// Which token.
pub(super) enum Wanted {
    /// This one.
    Given(WithToken),
    /// The current one.
    Current(Whose),
    /// A new one.
    Another(Whose),
}

/// Whose token is wanted.
pub(super) enum Whose {
    /// That of the layer's only identity, which is not counted for each request.
    Own,
    /// That of another one.
    Other(Identity),
}

impl OAuth2Layer {
    /// A layer with one identity, whose tokens come from `source`, are kept in memory, and may go to `origins`.
    pub fn new(origins: Origins, source: impl TokenSource) -> Self {
        Self::with_manager(origins, TokenManager::builder(source).build())
    }

    /// A layer that gives out the tokens of `manager`: those of the key `default`, unless
    /// [`key`](Self::key) or [`key_per_request`](Self::key_per_request) says otherwise.
    pub fn with_manager(origins: Origins, manager: TokenManager) -> Self {
        let scope = AccessScope::new();
        let who = Who::One(manager.identity(&TokenKey::default(), &scope));
        let guard = Guard::new(origins);
        let refusal = Refusal::default();
        let shared = Shared {
            manager,
            refusal,
            attachment: None,
            form_limit: 1024 * 1024,
            insufficiency_is_error: false,
            guard,
            who,
            scope,
            keep_existing: false,
        };
        Self { shared: Arc::new(Spread::new(shared)), policy: Untouched }
    }
}

impl<P> OAuth2Layer<P> {
    /// Gives every request the token of `key`.
    pub fn key(self, key: &TokenKey) -> Self {
        self.edit(|shared| shared.who = Who::One(shared.manager.identity(key, &shared.scope)))
    }

    /// Gives each request the token of the [`TokenKey`] in its extensions; one without fails.
    pub fn key_per_request(self) -> Self {
        self.edit(|shared| shared.who = Who::PerRequest)
    }

    /// Gives requests tokens that are good for `scope`; by default, for what the source decides. A request with an
    /// [`AccessScope`] in its extensions gets one that is good for that.
    pub fn access_scope(self, scope: AccessScope) -> Self {
        self.edit(|shared| {
            if let Who::One(identity) = &shared.who {
                shared.who = Who::One(shared.manager.identity(identity.key(), &scope));
            }
            shared.scope = scope;
        })
    }

    /// Where the token goes, and what goes with it; [`Placement::bearer`] by default.
    pub fn placement(self, placement: Placement) -> Self {
        self.attach(|attachment| attachment.placement = placement)
    }

    /// Lets `hook` edit each request that gets a token, just before it gets it: to add what depends on the token, such
    /// as an account that the server named with it ([`Token::extra`]). It is called again when the request is sent
    /// again, on the request as it came. Requests that go without a token do not get there; whatever is to be done to
    /// them as well, or to responses, is a tower layer's work.
    ///
    /// The token that it sees has no refresh token. Where the request goes is checked once more after it, so that it
    /// cannot lead the token elsewhere; an error of the hook fails the request.
    ///
    /// ```
    /// use http::HeaderValue;
    /// use tower_oauth::grant::StaticToken;
    /// use tower_oauth::{OAuth2Layer, Origins};
    ///
    /// let origins = Origins::one("https://api.example.com")?;
    /// let layer = OAuth2Layer::new(origins, StaticToken::new("mF_9.B5f-4.1JqM")).protected_request(|parts, token| {
    ///     if let Some(tenant) = token.extra("tenant_id").and_then(|tenant| tenant.as_str()) {
    ///         parts.headers.insert("x-tenant-id", HeaderValue::from_str(tenant)?);
    ///     }
    ///     Ok(())
    /// });
    /// # let _ = layer;
    /// # Ok::<(), tower_oauth::ConfigError>(())
    /// ```
    pub fn protected_request(
        self,
        hook: impl Fn(&mut Parts, &Token) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.attach(|attachment| attachment.hook = Some(Arc::new(hook)))
    }

    /// The largest form, in bytes, that a token is put into ([`Placement::form`]); 1 MiB by default.
    pub fn form_limit(self, bytes: usize) -> Self {
        self.edit(|shared| shared.form_limit = bytes)
    }

    /// Turns responses that say `insufficient_scope` or `insufficient_user_authentication` into errors, with
    /// [`InsufficientScope`](super::InsufficientScope) or
    /// [`InsufficientAuthentication`](super::InsufficientAuthentication) as their cause. By default they are delivered,
    /// with the same in their extensions.
    pub fn insufficiency_is_error(self) -> Self {
        self.edit(|shared| shared.insufficiency_is_error = true)
    }

    /// What counts as the refusal of a token; [`Refusal::unauthorized`] by default.
    pub fn refusal(self, refusal: Refusal) -> Self {
        self.edit(|shared| shared.refusal = refusal)
    }

    /// What may be done with request bodies; [`Untouched`] by default.
    pub fn body_policy<Q>(self, policy: Q) -> OAuth2Layer<Q> {
        OAuth2Layer { shared: self.shared, policy }
    }

    /// Lets requests to other origins through without a token; by default they are errors.
    pub fn pass_foreign_unsigned(self) -> Self {
        self.edit(|shared| shared.guard = shared.guard.clone().pass_foreign())
    }

    /// Leaves requests alone that have an `Authorization` already, or something where the [`Placement`] puts the token
    /// (a form is not looked into); by default it is replaced.
    pub fn keep_existing(self) -> Self {
        self.edit(|shared| shared.keep_existing = true)
    }

    /// Sends tokens over plain http, to any of the layer's origins.
    pub fn dangerously_allow_http(self) -> Self {
        self.edit(|shared| shared.guard = shared.guard.clone().allow_http())
    }

    /// The manager, to store logins in, or to shut down.
    pub fn manager(&self) -> &TokenManager {
        &self.shared.manager
    }

    /// Puts the current token on a request that does not go through the layer, waiting for one if need be. The guards
    /// hold as they do in the layer; what the server answers is the caller's to look at
    /// ([`TokenManager::invalidate`]).
    ///
    /// # Errors
    /// As a request through the layer; [`ErrorKind::BodyUnreadable`] where the token goes into a form, which is not here
    /// to be read.
    pub async fn authorize(&self, parts: &mut Parts) -> Result<(), Error> {
        let shared = &self.shared;
        let Plan::Token(wanted) = shared.plan(&parts.uri, &parts.headers, &parts.extensions)? else {
            return Ok(());
        };
        if shared.attachment.as_ref().is_some_and(|attachment| attachment.is_form()) {
            let detail = "a head alone was to get a token, which goes into the form";
            return Err(Error::new(ErrorKind::BodyUnreadable).detail(detail));
        }
        let rush = wanted.rush();
        if let Wanted::Current(whose) = &wanted {
            let attached = shared.current(whose, |published| shared.attach(&mut *parts, published, rush));
            if let Some(attached) = attached {
                return attached;
            }
        }
        let published = shared.acquire(&wanted).await?;
        shared.attach(parts, &published, rush)
    }

    fn attach(self, change: impl FnOnce(&mut Attachment)) -> Self {
        self.edit(|shared| {
            let mut attachment = shared.attachment.take().unwrap_or_default();
            change(&mut attachment);
            // Decided here, so that requests need not look.
            shared.attachment = Some(attachment).filter(|attachment| !attachment.is_default());
        })
    }

    fn edit(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        let mut shared = Shared::clone(&self.shared);
        change(&mut shared);
        self.shared = Arc::new(Spread::new(shared));
        self
    }
}

impl Shared {
    /// Decides what is to be done with a request.
    pub(super) fn plan_for<B>(&self, request: &Request<B>) -> Result<Plan, Error> {
        self.plan(request.uri(), request.headers(), request.extensions())
    }

    fn plan(&self, uri: &Uri, headers: &HeaderMap, extensions: &http::Extensions) -> Result<Plan, Error> {
        let key = extensions.get::<TokenKey>();
        // Nearly every request has nothing but its key: then nothing else has to be looked for.
        let has_wishes = extensions.len() > usize::from(key.is_some());
        if has_wishes && extensions.get::<WithoutToken>().is_some() {
            return Ok(Plan::Pass);
        }
        if self.guard.admit(uri)? == Admission::Foreign {
            return Ok(Plan::Pass);
        }
        if self.keep_existing && self.has_token(uri, headers) {
            return Ok(Plan::Pass);
        }
        if !has_wishes {
            return Ok(Plan::Token(Wanted::Current(self.whose(key, None)?)));
        }
        if let Some(given) = extensions.get::<WithToken>() {
            return Ok(Plan::Token(Wanted::Given(given.clone())));
        }
        let whose = self.whose(key, extensions.get::<AccessScope>())?;
        Ok(Plan::Token(if extensions.get::<ForceRefresh>().is_some() {
            Wanted::Another(whose)
        } else {
            Wanted::Current(whose)
        }))
    }

    /// Whose token a request gets that has this key and this scope in its extensions.
    fn whose(&self, key: Option<&TokenKey>, scope: Option<&AccessScope>) -> Result<Whose, Error> {
        match (&self.who, key) {
            (Who::One(identity), None) => Ok(match scope {
                None => Whose::Own,
                Some(scope) => Whose::Other(self.manager.identity(identity.key(), scope)),
            }),
            (Who::PerRequest, Some(key)) => {
                Ok(Whose::Other(self.manager.identity(key, scope.unwrap_or(&self.scope))))
            }
            (Who::One(_), Some(_)) => Err(Error::new(ErrorKind::UnexpectedTokenKey)),
            (Who::PerRequest, None) => Err(Error::new(ErrorKind::MissingTokenKey)),
        }
    }

    fn has_token(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        match &self.attachment {
            None => headers.contains_key(AUTHORIZATION),
            Some(attachment) => attachment.is_present(uri, headers),
        }
    }

    /// Puts a token on a request.
    pub(super) fn attach(
        &self,
        head: &mut impl Head,
        published: &Published,
        rush: Rush,
    ) -> Result<(), Error> {
        match &self.attachment {
            None => insert(head.headers_mut(), AUTHORIZATION, published.header(rush)),
            Some(attachment) => attachment.attach(head, published, rush, &self.guard),
        }
    }

    /// The token that can be sent right now.
    pub(super) fn current<T>(&self, whose: &Whose, take: impl FnOnce(&Published) -> T) -> Option<T> {
        self.manager.current(self.identity(whose)?, whose.rush(), take)
    }

    pub(super) fn identity<'a>(&'a self, whose: &'a Whose) -> Option<&'a Identity> {
        match (whose, &self.who) {
            (Whose::Other(identity), _) | (Whose::Own, Who::One(identity)) => Some(identity),
            (Whose::Own, Who::PerRequest) => None,
        }
    }

    /// Waits for the token that is wanted.
    pub(super) async fn acquire(&self, wanted: &Wanted) -> Result<Arc<Published>, Error> {
        let identity = |whose| self.identity(whose).ok_or_else(|| Error::new(ErrorKind::MissingTokenKey));
        match wanted {
            Wanted::Given(given) => Ok(Arc::clone(given.published())),
            Wanted::Current(whose) => self.manager.acquire(identity(whose)?).await,
            Wanted::Another(whose) => self.manager.acquire_another(identity(whose)?).await,
        }
    }
}

impl Wanted {
    pub(super) fn rush(&self) -> Rush {
        match self {
            Self::Given(_) => Rush::Certain,
            Self::Current(whose) | Self::Another(whose) => whose.rush(),
        }
    }

    /// Whose token it is, if it is the manager's.
    pub(super) fn whose(self) -> Option<Whose> {
        match self {
            Self::Given(_) => None,
            Self::Current(whose) | Self::Another(whose) => Some(whose),
        }
    }
}

impl Whose {
    /// How many threads may want this token at once.
    pub(super) fn rush(&self) -> Rush {
        match self {
            Self::Own => Rush::Certain,
            Self::Other(_) => Rush::Unlikely,
        }
    }
}

impl<S: CloneService, P: Clone> Layer<S> for OAuth2Layer<P> {
    type Service = OAuth2<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        OAuth2::new(inner, self.clone())
    }
}

impl<P: fmt::Debug> fmt::Debug for OAuth2Layer<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OAuth2Layer")
            .field("guard", &self.shared.guard)
            .field("refusal", &self.shared.refusal)
            .field("attachment", &self.shared.attachment)
            .field("manager", &self.shared.manager)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::assert_documented;
    use crate::token::token_source_fn;

    #[test]
    fn the_defaults_are_those_of_the_table() {
        let source = token_source_fn(|_| async { Ok(Token::new("token")) });
        let layer = OAuth2Layer::new(Origins::dangerously_any(), source);
        let limit = layer.shared.form_limit;
        assert_documented("largest form that a token is put into", format!("{limit} bytes"));
        assert!(layer.shared.attachment.is_none() && !layer.shared.insufficiency_is_error);
        assert_documented("where `OAuth2Layer` puts the token", "`Authorization: Bearer`");
        assert_documented("response that says `insufficient_scope`", "delivered");
    }
}
