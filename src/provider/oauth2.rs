//! What there is to know of a provider of OAuth 2.

use std::borrow::Cow;
use std::time::Duration;

use crate::endpoint::ClientAuth;
use crate::endpoint::RequestRules;
use crate::endpoint::ResponseRules;
use crate::endpoint::SecretSource;
use crate::endpoint::TokenEndpoint;
use crate::error::ConfigError;
use crate::protocol::oauth2::authorize::ResponseMode;
use crate::protocol::oauth2::placement::Placement;
use crate::provider::Evidence;
use crate::provider::Note;
use crate::transport::HttpService;

/// An authorization server and the APIs behind it, as data.
///
/// The presets are functions of [this module](crate::provider); [`new`](Self::new) is for a server that has none.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Provider {
    /// What people call it.
    pub name: Cow<'static, str>,
    /// Where users are sent to log in (RFC 6749 §3.1); `None` where nobody logs in.
    pub authorization_url: Option<Cow<'static, str>>,
    /// Where tokens are asked for (RFC 6749 §3.2).
    pub token_url: Cow<'static, str>,
    /// Where they are renewed, if that is elsewhere.
    pub refresh_url: Option<Cow<'static, str>>,
    /// Where a device asks for its codes (RFC 8628 §3.1).
    pub device_authorization_url: Option<Cow<'static, str>>,
    /// Where tokens are revoked, if it is done as RFC 7009 says.
    pub revocation_url: Option<Cow<'static, str>>,
    /// The issuer whose metadata can be read (RFC 8414, OpenID Connect Discovery).
    pub issuer: Option<Cow<'static, str>>,
    /// How a client with a secret proves who it is.
    pub client_auth: ClientAuthStyle,
    /// How a client without a secret says who it is.
    pub public_client_auth: ClientAuthStyle,
    /// What becomes of PKCE (RFC 7636).
    pub pkce: Pkce,
    /// How the authorization response has to come back, if not in the query.
    pub response_mode: Option<ResponseMode>,
    /// What separates scopes in the authorization request.
    pub scope_separator: Cow<'static, str>,
    /// The parameter of the authorization request that has the scopes.
    pub scope_parameter: Cow<'static, str>,
    /// Parameters that the authorization request needs besides, such as those for a refresh token.
    pub authorization_parameters: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// What token requests look like.
    pub request_rules: RequestRules,
    /// What renewals look like, where they differ.
    pub refresh_request_rules: Option<RequestRules>,
    /// How answers are read.
    pub response_rules: ResponseRules,
    /// Where the APIs want the token.
    pub placement: Placement,
    /// Headers that the APIs want beside it.
    pub companions: Vec<Companion>,
    /// How long a refresh token that was spent can be used once more, where the provider allows it: after a crash between
    /// the answer and the store, the grant is not lost within this time.
    pub reuse_window: Option<Duration>,
    /// What is peculiar to it, and how that is known.
    pub notes: Vec<Note>,
}

/// How a client proves who it is; [`ClientAuth`] does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientAuthStyle {
    /// [`ClientAuth::basic`].
    Basic,
    /// [`ClientAuth::basic_raw`].
    BasicRaw,
    /// The secret as a bearer token, as Stripe wants it.
    Bearer,
    /// [`ClientAuth::none`]: no secret.
    None,
    /// [`ClientAuth::post`].
    Post,
}

/// What a provider makes of PKCE (RFC 7636).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pkce {
    /// It demands it.
    Required,
    /// It takes it, or leaves it unread: it is sent.
    Accepted,
    /// It is left out, because it makes the provider refuse.
    Refused,
}

/// A header that goes with the token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Companion {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: CompanionValue,
}

/// The value of a [`Companion`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompanionValue {
    /// The client identifier.
    ClientId,
    /// Always this.
    Fixed(Cow<'static, str>),
    /// One for each token, which the application knows: what it is.
    OfEachToken(&'static str),
}

impl Provider {
    /// A server as the RFCs describe it, with its token endpoint at `token_url`: Basic, a space between scopes, a Bearer token
    /// in the header. Set whatever else it has.
    pub fn new(name: impl Into<Cow<'static, str>>, token_url: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            authorization_url: None,
            token_url: token_url.into(),
            refresh_url: None,
            device_authorization_url: None,
            revocation_url: None,
            issuer: None,
            client_auth: ClientAuthStyle::Basic,
            public_client_auth: ClientAuthStyle::None,
            pkce: Pkce::Accepted,
            response_mode: None,
            scope_separator: " ".into(),
            scope_parameter: "scope".into(),
            authorization_parameters: Vec::new(),
            request_rules: RequestRules::new(),
            refresh_request_rules: None,
            response_rules: ResponseRules::lenient(),
            placement: Placement::bearer(),
            companions: Vec::new(),
            reuse_window: None,
            notes: Vec::new(),
        }
    }

    /// Whether all that is peculiar to it was read in the provider's own documentation.
    pub fn is_checked(&self) -> bool {
        !self.notes.is_empty() && self.notes.iter().all(|note| note.evidence == Evidence::Documentation)
    }

    /// What the provider calls `client_id`, in authorization requests too.
    pub fn client_id_parameter(&self) -> &str {
        self.request_rules.name_of("client_id")
    }

    /// The proof of a client with a secret.
    pub fn client_auth(&self, client_id: impl Into<Box<str>>, secret: impl Into<SecretSource>) -> ClientAuth {
        client_auth(self.client_auth, client_id.into(), secret.into())
    }

    /// The token endpoint, for a client with a secret.
    ///
    /// # Errors
    /// [`ConfigError::InvalidEndpoint`] when a URL was changed to one that cannot be used.
    pub fn token_endpoint<S, Q, R>(
        &self,
        client_id: impl Into<Box<str>>,
        secret: impl Into<SecretSource>,
        http: S,
    ) -> Result<TokenEndpoint, ConfigError>
    where
        S: HttpService<Q, R>,
    {
        self.token_endpoint_with(self.client_auth(client_id, secret), http)
    }

    /// The token endpoint, for a client that has no secret.
    ///
    /// # Errors
    /// As [`token_endpoint`](Self::token_endpoint).
    pub fn public_token_endpoint<S, Q, R>(
        &self,
        client_id: impl Into<Box<str>>,
        http: S,
    ) -> Result<TokenEndpoint, ConfigError>
    where
        S: HttpService<Q, R>,
    {
        let auth = client_auth(self.public_client_auth, client_id.into(), SecretSource::from(""));
        self.token_endpoint_with(auth, http)
    }

    /// The token endpoint, for a client that proves who it is in a way of its own.
    ///
    /// # Errors
    /// As [`token_endpoint`](Self::token_endpoint).
    pub fn token_endpoint_with<S, Q, R>(
        &self,
        auth: ClientAuth,
        http: S,
    ) -> Result<TokenEndpoint, ConfigError>
    where
        S: HttpService<Q, R>,
    {
        let mut endpoint = TokenEndpoint::new(&self.token_url, auth, http)?
            .request_rules(self.request_rules.clone())
            .response_rules(self.response_rules.clone());
        if let Some(url) = &self.refresh_url {
            endpoint = endpoint.refresh_url(url)?;
        }
        if let Some(rules) = &self.refresh_request_rules {
            endpoint = endpoint.refresh_request_rules(rules.clone());
        }
        Ok(endpoint)
    }

    /// Where the APIs want the token, with the headers beside it that are the same for every token.
    ///
    /// # Errors
    /// [`ConfigError::InvalidPlacement`] when one cannot be a header's value.
    pub fn placement(&self, client_id: &str) -> Result<Placement, ConfigError> {
        self.companions.iter().try_fold(self.placement.clone(), |placement, companion| {
            match &companion.value {
                CompanionValue::ClientId => placement.companion(companion.name, client_id),
                CompanionValue::Fixed(value) => placement.companion(companion.name, value),
                CompanionValue::OfEachToken(_) => Ok(placement),
            }
        })
    }
}

fn client_auth(style: ClientAuthStyle, client_id: Box<str>, secret: SecretSource) -> ClientAuth {
    match style {
        ClientAuthStyle::Basic => ClientAuth::basic(client_id, secret),
        ClientAuthStyle::BasicRaw => ClientAuth::basic_raw(client_id, secret),
        ClientAuthStyle::Bearer => ClientAuth::custom(client_id, move |mut request| {
            let secret = secret.clone();
            async move {
                request.authorize("Bearer", &secret.get().await?)?;
                Ok(request)
            }
        }),
        ClientAuthStyle::None => ClientAuth::none(client_id),
        ClientAuthStyle::Post => ClientAuth::post(client_id, secret),
    }
}

/// How the presets are written.
impl Provider {
    pub(super) fn authorize(mut self, url: impl Into<Cow<'static, str>>) -> Self {
        self.authorization_url = Some(url.into());
        self
    }

    pub(super) fn refresh(mut self, url: impl Into<Cow<'static, str>>) -> Self {
        self.refresh_url = Some(url.into());
        self
    }

    pub(super) fn device(mut self, url: impl Into<Cow<'static, str>>) -> Self {
        self.device_authorization_url = Some(url.into());
        self
    }

    pub(super) fn revoke(mut self, url: impl Into<Cow<'static, str>>) -> Self {
        self.revocation_url = Some(url.into());
        self
    }

    pub(super) fn issuer(mut self, url: impl Into<Cow<'static, str>>) -> Self {
        self.issuer = Some(url.into());
        self
    }

    pub(super) fn post(mut self) -> Self {
        self.client_auth = ClientAuthStyle::Post;
        self
    }

    pub(super) fn pkce(mut self, pkce: Pkce) -> Self {
        self.pkce = pkce;
        self
    }

    pub(super) fn ask(mut self, name: &'static str, value: &'static str) -> Self {
        self.authorization_parameters.push((name.into(), value.into()));
        self
    }

    /// Scopes with commas, in requests and in answers.
    pub(super) fn commas(mut self) -> Self {
        self.scope_separator = ",".into();
        self.request_rules = self.request_rules.scope_separator(",");
        self
    }

    pub(super) fn requests(mut self, edit: impl FnOnce(RequestRules) -> RequestRules) -> Self {
        self.request_rules = edit(self.request_rules);
        self
    }

    pub(super) fn refreshes(mut self, rules: RequestRules) -> Self {
        self.refresh_request_rules = Some(rules);
        self
    }

    pub(super) fn answers(mut self, edit: impl FnOnce(ResponseRules) -> ResponseRules) -> Self {
        self.response_rules = edit(self.response_rules);
        self
    }

    pub(super) fn placed(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }

    pub(super) fn beside(mut self, name: &'static str, value: CompanionValue) -> Self {
        self.companions.push(Companion { name, value });
        self
    }

    pub(super) fn reuse(mut self, window: Duration) -> Self {
        self.reuse_window = Some(window);
        self
    }

    pub(super) fn documented(self, text: &'static str) -> Self {
        self.note(Evidence::Documentation, text)
    }

    pub(super) fn seen_elsewhere(self, text: &'static str) -> Self {
        self.note(Evidence::OtherClients, text)
    }

    pub(super) fn reported(self, text: &'static str) -> Self {
        self.note(Evidence::Reports, text)
    }

    pub(super) fn unchecked(self, text: &'static str) -> Self {
        self.note(Evidence::Unchecked, text)
    }

    fn note(mut self, evidence: Evidence, text: &'static str) -> Self {
        self.notes.push(Note { evidence, text });
        self
    }
}
