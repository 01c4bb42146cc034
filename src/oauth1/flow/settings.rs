//! The flow, and how it is set up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::error::ConfigError;
use crate::oauth1::BaseStringUri;
use crate::oauth1::Credentials;
use crate::oauth1::HmacSha1;
use crate::oauth1::Placement;
use crate::oauth1::SignatureMethod;
use crate::oauth1::Signer;
use crate::oauth1::flow::Endpoints;
use crate::oauth1::flow::Step;
use crate::secret::Secret;
use crate::transport::HttpService;
use crate::transport::Transport;

/// A client that gets token credentials from one provider; see the [module docs](super).
///
/// It keeps nothing of a login, so that one value serves any number of them at once. What is set for a [`Step`] can
/// differ between the two requests:
///
/// | setting | default |
/// |---|---|
/// | [`signature_method`](Self::signature_method) | [`HmacSha1`] |
/// | [`realm`](Self::realm) | none |
/// | [`callback`](Self::callback) | `oob`: the provider shows the verifier to the resource owner |
/// | [`http_method`](Self::http_method), per step | `POST` |
/// | [`placement`](Self::placement), per step | [`Placement::Header`] |
/// | [`parameter`](Self::parameter), per step | none |
/// | a callback that is not confirmed | an error |
/// | an approval without a verifier | an error |
/// | [`timeout`](Self::timeout) | 20 s for each request |
/// | [`response_limit`](Self::response_limit) | 1 MiB |
/// | plain http | refused, except to this machine |
/// | redirects | never followed |
#[derive(Clone)]
#[must_use]
pub struct Flow {
    pub(super) client_id: String,
    pub(super) client_secret: Secret,
    pub(super) endpoints: Endpoints,
    pub(super) transport: Transport,
    pub(super) allows_http: bool,
    pub(super) callback: Option<String>,
    pub(super) requires_confirmation: bool,
    pub(super) requires_verifier: bool,
    pub(super) clock: Arc<dyn Clock>,
    method: Arc<dyn SignatureMethod>,
    realm: Option<String>,
    has_version: bool,
    base_string_uri: BaseStringUri,
    nonce: Option<Arc<dyn Fn() -> String + Send + Sync>>,
    access_token: StepSettings,
    request_token: StepSettings,
}

/// What can differ between the two requests.
#[derive(Clone)]
pub(super) struct StepSettings {
    pub(super) http_method: Method,
    pub(super) placement: Placement,
    /// Those that are no protocol parameters.
    pub(super) parameters: Vec<(String, String)>,
    oauth_parameters: Vec<(String, String)>,
}

impl Flow {
    /// A client that is known to the provider by this identifier and secret, which others call "consumer key" or "API
    /// key" and secret. The provider is reached through `http`: any HTTP client that is a tower service, and that does
    /// not sign itself.
    pub fn new<S, Q, R>(
        client_id: impl Into<String>,
        client_secret: impl Into<Secret>,
        endpoints: Endpoints,
        http: S,
    ) -> Self
    where
        S: HttpService<Q, R>,
    {
        Self {
            client_id: client_id.into(),
            client_secret: client_secret.into(),
            endpoints,
            transport: Transport::new(http),
            allows_http: false,
            callback: Some("oob".to_owned()),
            requires_confirmation: true,
            requires_verifier: true,
            clock: Arc::new(SystemClock),
            method: Arc::new(HmacSha1),
            realm: None,
            has_version: true,
            base_string_uri: BaseStringUri::new(),
            nonce: None,
            access_token: StepSettings::new(),
            request_token: StepSettings::new(),
        }
    }
}

/// What is asked of the provider.
impl Flow {
    /// Where the provider sends the resource owner back to (RFC 5849 §2.1): an absolute URL of the client, or `oob`, the
    /// default, when there is none and the provider is to show the verifier.
    pub fn callback(mut self, url: impl Into<String>) -> Self {
        self.callback = Some(url.into());
        self
    }

    /// Sends no `oauth_callback`, for a provider that refuses it because it knows the callback already.
    pub fn omit_callback(mut self) -> Self {
        self.callback = None;
        self
    }

    /// The method of a step's request; `POST` by default, as RFC 5849 §2 has it. Some providers want `GET` (Tumblr does
    /// for the access token).
    pub fn http_method(mut self, step: Step, method: Method) -> Self {
        self.step_mut(step).http_method = method;
        self
    }

    /// Where the protocol parameters of a step's request go; [`Placement::Header`] by default.
    pub fn placement(mut self, step: Step, placement: Placement) -> Self {
        self.step_mut(step).placement = placement;
        self
    }

    /// Adds a parameter to a step's request, such as `scope`, and signs it.
    ///
    /// One whose name begins with `oauth_` goes where the protocol parameters go, and has one value only. Any other goes
    /// into the query of a `GET`, else into the form that is the body.
    ///
    /// # Errors
    /// [`ConfigError::InvalidParameter`] for a name that the flow sets itself, such as `oauth_callback`.
    pub fn parameter(
        mut self,
        step: Step,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, ConfigError> {
        let (name, value) = (name.into(), value.into());
        let settings = self.step_mut(step);
        if name.starts_with("oauth_") {
            settings.oauth_parameters.retain(|(present, _)| *present != name);
            settings.oauth_parameters.push((name, value));
        } else {
            settings.parameters.push((name, value));
        }
        // The signer knows which names it sets itself.
        self.signer(step, self.client()).map(|_| self)
    }

    /// Does without `oauth_callback_confirmed` in the answer to the first step. By default it must be `true`, in any case
    /// of letters: a provider that does not say so may speak OAuth 1.0 without the "a", where whoever starts a login can
    /// have somebody else approve it, and get in as them (RFC 5849 §4.11 has more).
    pub fn allow_unconfirmed_callback(mut self) -> Self {
        self.requires_confirmation = false;
        self
    }

    /// Does without a verifier, for providers that give none. By default an approval without it is an error, because it
    /// is what ties the approval to the one who comes back with it.
    pub fn allow_missing_verifier(mut self) -> Self {
        self.requires_verifier = false;
        self
    }
}

/// How requests are signed: as the methods of [`Signer`], which say more.
impl Flow {
    /// The [signature method](Signer::signature_method).
    pub fn signature_method(mut self, method: impl SignatureMethod) -> Self {
        self.method = Arc::new(method);
        self
    }

    /// The [realm](Signer::realm).
    ///
    /// # Errors
    /// [`ConfigError::InvalidParameter`] when it holds a control character.
    pub fn realm(mut self, realm: impl Into<String>) -> Result<Self, ConfigError> {
        self.realm = Some(realm.into());
        // The signer knows which realms can be sent.
        self.signer(Step::RequestToken, self.client()).map(|_| self)
    }

    /// [Several realms](Signer::realms).
    ///
    /// # Errors
    /// [`ConfigError::InvalidParameter`] when one holds a control character.
    pub fn realms<I>(self, realms: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let realms: Vec<_> = realms.into_iter().collect();
        self.realm(realms.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" "))
    }

    /// [Leaves `oauth_version` out](Signer::omit_version).
    pub fn omit_version(mut self) -> Self {
        self.has_version = false;
        self
    }

    /// What the server takes for [the request's URI](Signer::base_string_uri).
    pub fn base_string_uri(mut self, uri: BaseStringUri) -> Self {
        self.base_string_uri = uri;
        self
    }

    /// Where timestamps, and the moments from which lifetimes are counted, come from; by default the operating system's
    /// clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Where [nonces come from](Signer::nonce_fn).
    pub fn nonce_fn(mut self, nonce: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.nonce = Some(Arc::new(nonce));
        self
    }
}

/// How requests are sent.
impl Flow {
    /// The longest time of one request, until its answer was read.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.transport.timeout(timeout);
        self
    }

    /// The largest answer that is read, in bytes.
    pub fn response_limit(mut self, limit: usize) -> Self {
        self.transport.response_limit(limit);
        self
    }

    /// Sends requests, receives token secrets and directs resource owners over plain http, to any host. A signature
    /// method that shows its secrets, such as [`Plaintext`](crate::oauth1::Plaintext), stays an error.
    pub fn dangerously_allow_http(mut self) -> Self {
        self.transport.allow_http();
        self.allows_http = true;
        self
    }
}

impl Flow {
    /// The client for itself.
    pub(super) fn client(&self) -> Credentials {
        Credentials::new(self.client_id.clone(), self.client_secret.clone())
    }

    pub(super) fn step(&self, step: Step) -> &StepSettings {
        match step {
            Step::AccessToken => &self.access_token,
            Step::RequestToken => &self.request_token,
        }
    }

    /// What signs a step's request.
    pub(super) fn signer(&self, step: Step, credentials: Credentials) -> Result<Signer, ConfigError> {
        let mut signer = Signer::new(credentials)
            .signature_method(Arc::clone(&self.method))
            .placement(self.step(step).placement)
            .base_string_uri(self.base_string_uri.clone())
            .clock(Arc::clone(&self.clock));
        if let Some(realm) = &self.realm {
            signer = signer.realm(realm.clone())?;
        }
        if let Some(nonce) = self.nonce.clone() {
            signer = signer.nonce_fn(move || nonce());
        }
        if !self.has_version {
            signer = signer.omit_version();
        }
        let parameters = &self.step(step).oauth_parameters;
        parameters
            .iter()
            .try_fold(signer, |signer, (name, value)| signer.parameter(name.clone(), value.clone()))
    }

    fn step_mut(&mut self, step: Step) -> &mut StepSettings {
        match step {
            Step::AccessToken => &mut self.access_token,
            Step::RequestToken => &mut self.request_token,
        }
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Flow")
            .field("client_id", &self.client_id)
            .field("client_secret", &self.client_secret)
            .field("endpoints", &self.endpoints)
            .field("signature_method", &self.method.name())
            .field("realm", &self.realm)
            .field("callback", &self.callback)
            .field("request_token", &self.request_token)
            .field("access_token", &self.access_token)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

impl StepSettings {
    fn new() -> Self {
        Self {
            http_method: Method::POST,
            placement: Placement::default(),
            parameters: Vec::new(),
            oauth_parameters: Vec::new(),
        }
    }
}

impl fmt::Debug for StepSettings {
    /// Of the parameters the names only.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> =
            self.parameters.iter().chain(&self.oauth_parameters).map(|(name, _)| name).collect();
        formatter
            .debug_struct("Step")
            .field("http_method", &self.http_method)
            .field("placement", &self.placement)
            .field("parameters", &names)
            .finish()
    }
}
