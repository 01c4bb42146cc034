//! The layer: configuration.

use std::fmt;
use std::sync::Arc;

use http::Request;
use http::Uri;
use http::header::AUTHORIZATION;
use http::request::Parts;
use tower::Layer;

use crate::body::Untouched;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::oauth2::OAuth2;
use crate::oauth2::Refusal;
use crate::oauth2::WithToken;
use crate::oauth2::WithoutToken;
use crate::oauth2::marker::ForceRefresh;
use crate::origin::Admission;
use crate::origin::Guard;
use crate::origin::Origins;
use crate::token::AccessScope;
use crate::token::Identity;
use crate::token::TokenKey;
use crate::token::TokenManager;
use crate::token::TokenSource;

/// Puts OAuth 2 tokens on the requests of the service that it wraps. See the [module docs](super).
///
/// Clones, and the services that they make, share one manager.
#[derive(Clone)]
#[must_use]
pub struct OAuth2Layer<P = Untouched> {
    pub(super) shared: Arc<Shared>,
    pub(super) policy: P,
}

/// What does not change from request to request.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) manager: TokenManager,
    pub(super) refusal: Refusal,
    guard: Guard,
    who: Who,
    scope: AccessScope,
    keep_existing: bool,
}

/// Whose token a request gets.
#[derive(Clone)]
enum Who {
    One(Identity),
    PerRequest,
}

/// What is to be done with a request.
pub(super) enum Plan {
    /// It goes as it is.
    Pass,
    /// It gets this header.
    Given(WithToken),
    /// It gets the current token of this identity; a new one first, if so asked.
    Token(Identity, bool),
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
        let shared = Shared { manager, refusal, guard, who, scope, keep_existing: false };
        Self { shared: Arc::new(shared), policy: Untouched }
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

    /// Gives requests tokens that are good for `scope`; by default, for what the source decides.
    pub fn access_scope(self, scope: AccessScope) -> Self {
        self.edit(|shared| {
            if let Who::One(identity) = &shared.who {
                shared.who = Who::One(shared.manager.identity(identity.key(), &scope));
            }
            shared.scope = scope;
        })
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

    /// Leaves requests alone that have an `Authorization` already; by default it is replaced.
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
    /// As a request through the layer.
    pub async fn authorize(&self, parts: &mut Parts) -> Result<(), Error> {
        let plan = self.shared.plan(&parts.uri, &parts.headers, &parts.extensions)?;
        let header = match plan {
            Plan::Pass => return Ok(()),
            Plan::Given(given) => given.header(),
            Plan::Token(identity, false) => {
                let current = self.shared.manager.current(&identity, |published| published.header.clone());
                match current {
                    Some(header) => header,
                    None => self.shared.manager.acquire(&identity).await?.header.clone(),
                }
            }
            Plan::Token(identity, true) => {
                self.shared.manager.acquire_another(&identity).await?.header.clone()
            }
        };
        parts.headers.insert(AUTHORIZATION, header);
        Ok(())
    }

    fn edit(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        change(Arc::make_mut(&mut self.shared));
        self
    }
}

impl Shared {
    /// Decides what is to be done with a request.
    pub(super) fn plan_for<B>(&self, request: &Request<B>) -> Result<Plan, Error> {
        self.plan(request.uri(), request.headers(), request.extensions())
    }

    fn plan(
        &self,
        uri: &Uri,
        headers: &http::HeaderMap,
        extensions: &http::Extensions,
    ) -> Result<Plan, Error> {
        if extensions.get::<WithoutToken>().is_some() {
            return Ok(Plan::Pass);
        }
        if self.guard.admit(uri)? == Admission::Foreign {
            return Ok(Plan::Pass);
        }
        if self.keep_existing && headers.contains_key(AUTHORIZATION) {
            return Ok(Plan::Pass);
        }
        if let Some(given) = extensions.get::<WithToken>() {
            return Ok(Plan::Given(given.clone()));
        }
        let identity = match (&self.who, extensions.get::<TokenKey>()) {
            (Who::One(identity), None) => identity.clone(),
            (Who::PerRequest, Some(key)) => self.manager.identity(key, &self.scope),
            (Who::One(_), Some(_)) => return Err(Error::new(ErrorKind::UnexpectedTokenKey)),
            (Who::PerRequest, None) => return Err(Error::new(ErrorKind::MissingTokenKey)),
        };
        Ok(Plan::Token(identity, extensions.get::<ForceRefresh>().is_some()))
    }
}

impl<S, P: Clone> Layer<S> for OAuth2Layer<P> {
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
            .field("manager", &self.shared.manager)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
