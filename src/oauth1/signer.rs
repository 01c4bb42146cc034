//! The signer: configuration, and signing without a layer.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::Request;
use http::request::Parts;

use crate::clock::Clock;
use crate::clock::SharedClock;
use crate::error::ConfigError;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::oauth1::Credentials;
use crate::oauth1::Explanation;
use crate::oauth1::SignedParameters;
use crate::oauth1::instruction::Instruction;
use crate::oauth1::nonce;
use crate::oauth1::nonce::Nonces;
use crate::oauth1::view::View;
use crate::origin::Origin;
use crate::protocol::oauth1::base_string::BaseStringUri;
use crate::protocol::oauth1::base_string::BaseUri;
use crate::protocol::oauth1::body_hash::BodyDigest;
use crate::protocol::oauth1::body_hash::BodyHash;
use crate::protocol::oauth1::header::Placement;
use crate::protocol::oauth1::header::first_protocol_parameter;
use crate::protocol::oauth1::params::present;
use crate::protocol::oauth1::scratch::Scratch;
use crate::protocol::oauth1::sign::KNOWN_PARAMETERS;
use crate::protocol::oauth1::sign::Plan;
use crate::protocol::oauth1::sign::Rules;
use crate::protocol::oauth1::sign::Signable;
use crate::protocol::oauth1::signature::HmacSha1;
use crate::protocol::oauth1::signature::SignatureMethod;
use crate::protocol::oauth1::template::ProtocolParameter;
use crate::protocol::oauth1::template::Text;

/// Signs requests with one pair of credentials.
///
/// This is what [`OAuth1Layer`](super::OAuth1Layer) is built on. By itself it guards nothing: it signs for whatever
/// host the request names.
///
/// ```
/// use bytes::Bytes;
/// use http::Request;
/// use tower_oauth::oauth1::{Credentials, HmacSha256, Signer};
///
/// let signer = Signer::new(Credentials::new("client", "secret").token("token", "token secret"))
///     .signature_method(HmacSha256)
///     .realm("123456_SB1")?;
///
/// let mut request = Request::get("https://rest.example.com/orders?status=open").body(Bytes::new())?;
/// signer.sign(&mut request)?;
/// assert!(request.headers()["authorization"].to_str()?.starts_with(r#"OAuth realm="123456_SB1", "#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Clones share the prepared key.
#[derive(Clone)]
#[must_use]
pub struct Signer {
    settings: Arc<Settings>,
    plan: Arc<Plan>,
}

#[derive(Clone)]
struct Settings {
    credentials: Credentials,
    method: Arc<dyn SignatureMethod>,
    placement: Placement,
    realm: Option<String>,
    callback: Option<String>,
    verifier: Option<String>,
    version: bool,
    parameters: Vec<(String, String)>,
    body_hash: BodyHash,
    body_digest: Option<BodyDigest>,
    base_string_uri: BaseStringUri,
    allow_other_oauth_parameters: bool,
    clock: SharedClock,
    nonces: Nonces,
}

impl Signer {
    /// Signs with [`HmacSha1`], in the `Authorization` header, with `oauth_version`, without a realm and without a body
    /// hash, unless told otherwise.
    pub fn new(credentials: Credentials) -> Self {
        let settings = Settings {
            credentials,
            method: Arc::new(HmacSha1),
            placement: Placement::default(),
            realm: None,
            callback: None,
            verifier: None,
            version: true,
            parameters: Vec::new(),
            body_hash: BodyHash::default(),
            body_digest: None,
            base_string_uri: BaseStringUri::new(),
            allow_other_oauth_parameters: false,
            clock: SharedClock::default(),
            nonces: Nonces::default(),
        };
        Self { plan: Arc::new(settings.plan()), settings: Arc::new(settings) }
    }

    /// Signs with other credentials, and with everything else as before.
    pub fn credentials(self, credentials: Credentials) -> Self {
        self.edit(|settings| settings.credentials = credentials)
    }

    /// The signature method; [`HmacSha1`] by default.
    pub fn signature_method(self, method: impl SignatureMethod) -> Self {
        self.edit(|settings| settings.method = Arc::new(method))
    }

    /// Where the protocol parameters go; [`Placement::Header`] by default.
    pub fn placement(self, placement: Placement) -> Self {
        self.edit(|settings| settings.placement = placement)
    }

    /// The realm: the first thing in the header, not signed, not sent in other placements (RFC 5849 §3.5.1). None by
    /// default.
    ///
    /// # Errors
    /// [`ConfigError::InvalidParameter`] when it holds a control character.
    pub fn realm(self, realm: impl Into<String>) -> Result<Self, ConfigError> {
        let realm = realm.into();
        if realm.chars().any(char::is_control) {
            let reason = "it holds a control character, which no header may carry";
            return Err(ConfigError::InvalidParameter { name: "realm".to_owned(), reason });
        }
        Ok(self.edit(|settings| settings.realm = Some(realm)))
    }

    /// Several realms, which are sent as one, with spaces between them.
    ///
    /// # Errors
    /// As [`realm`](Self::realm).
    pub fn realms<I>(self, realms: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let realms: Vec<_> = realms.into_iter().collect();
        self.realm(realms.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" "))
    }

    /// Sends `oauth_callback`, for a request for temporary credentials (RFC 5849 §2.1).
    pub fn callback(self, callback: impl Into<String>) -> Self {
        let callback = callback.into();
        self.edit(|settings| settings.callback = Some(callback))
    }

    /// Sends `oauth_verifier`, for a request for token credentials (RFC 5849 §2.3).
    pub fn verifier(self, verifier: impl Into<String>) -> Self {
        let verifier = verifier.into();
        self.edit(|settings| settings.verifier = Some(verifier))
    }

    /// Leaves `oauth_version` out, which the RFC makes optional. By default `1.0` is sent, since some servers insist.
    pub fn omit_version(self) -> Self {
        self.edit(|settings| settings.version = false)
    }

    /// Sends and signs one more protocol parameter, such as `oauth_session_handle`. A name that was given before gets
    /// the new value.
    ///
    /// # Errors
    /// [`ConfigError::InvalidParameter`] for a name that the signer sets itself, or `realm`.
    pub fn parameter(self, name: impl Into<String>, value: impl Into<String>) -> Result<Self, ConfigError> {
        let (name, value) = (name.into(), value.into());
        if name == "realm" || KNOWN_PARAMETERS.contains(&name.as_str()) {
            let reason = "the signer sets it itself; use its own method";
            return Err(ConfigError::InvalidParameter { name, reason });
        }
        Ok(self.edit(|settings| {
            settings.parameters.retain(|(present, _)| *present != name);
            settings.parameters.push((name, value));
        }))
    }

    /// Which requests carry an `oauth_body_hash`; by default none.
    pub fn body_hash(self, body_hash: BodyHash) -> Self {
        self.edit(|settings| settings.body_hash = body_hash)
    }

    /// The digest of `oauth_body_hash`; by default [that of the signature method](SignatureMethod::body_digest).
    pub fn body_digest(self, digest: BodyDigest) -> Self {
        self.edit(|settings| settings.body_digest = Some(digest))
    }

    /// What the server takes for the request's scheme, host and path, where that is not what is sent.
    pub fn base_string_uri(self, uri: BaseStringUri) -> Self {
        self.edit(|settings| settings.base_string_uri = uri)
    }

    /// Signs parameters of the request that begin with `oauth_` without being protocol parameters (`oauth_foo`) like
    /// any other; by default they are errors, as the protocol parameters are in any case. OAuth servers are known to
    /// disagree about them.
    pub fn allow_other_oauth_parameters(self) -> Self {
        self.edit(|settings| settings.allow_other_oauth_parameters = true)
    }

    /// Takes timestamps from `clock`; by default from the operating system's.
    pub fn clock(self, clock: impl Clock) -> Self {
        self.edit(|settings| settings.clock = SharedClock::new(clock))
    }

    /// Takes nonces from `nonce`, which must not return the same twice within one second. By default they are 25 random
    /// letters and digits, with 125 bits of chance.
    pub fn nonce_fn(self, nonce: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.edit(|settings| settings.nonces = Nonces::With(Arc::new(nonce)))
    }

    /// Whether the body of a request with these headers has to be known to sign it: if it is a form, if it is hashed,
    /// or if the signature method asks for it.
    pub fn reads_body(&self, headers: &HeaderMap) -> bool {
        let is_form = View::is_form(headers);
        is_form || self.plan.hashes_body(is_form) || self.settings.method.needs_body()
    }

    /// Signs `request`, with a new nonce and the present time. Only what [`Placement`] names is changed.
    ///
    /// # Errors
    /// - [`ErrorKind::RelativeUri`]: the URI has no scheme or no host.
    /// - [`ErrorKind::ProtocolParameterPresent`]: query, form or `Authorization` already have an `oauth_*` parameter.
    /// - [`ErrorKind::NotAForm`]: the placement is [`Placement::Form`] and the body is not one.
    /// - [`ErrorKind::Signature`]: the signature method failed, or the signed URI would be longer than a URI may be.
    pub fn sign<B>(&self, request: &mut Request<B>) -> Result<(), Error>
    where
        B: AsRef<[u8]> + From<Bytes>,
    {
        let body = request.body().as_ref();
        if let Some(form) = self.instruct(&View::of(request), body, None)?.apply(request)? {
            *request.body_mut() = form.into();
        }
        Ok(())
    }

    /// Signs a request whose body is elsewhere.
    ///
    /// `body` is all of it where [`reads_body`](Self::reads_body) says so, and may be empty otherwise. With
    /// [`Placement::Form`] the result is the form to send in its place, else `None`.
    ///
    /// # Errors
    /// As [`sign`](Self::sign).
    pub fn sign_parts(&self, parts: &mut Parts, body: &[u8]) -> Result<Option<Bytes>, Error> {
        self.instruct(&View::of_parts(parts), body, None)?.apply_to_parts(parts)
    }

    /// Signs `request` as [`sign`](Self::sign) does, and says what was signed, for comparing it with what a provider
    /// says that it got.
    ///
    /// # Errors
    /// As [`sign`](Self::sign).
    pub fn explain<B>(&self, request: &mut Request<B>) -> Result<Explanation, Error>
    where
        B: AsRef<[u8]> + From<Bytes>,
    {
        let (view, body) = (View::of(request), request.body().as_ref());
        let (instruction, explanation) =
            self.instruct_and(&view, body, None, self.seconds(), |instruction, scratch| {
                (instruction, Explanation::new(&*self.settings.method, scratch))
            })?;
        if let Some(form) = instruction.apply(request)? {
            *request.body_mut() = form.into();
        }
        Ok(explanation)
    }

    /// Says what to change in a request. A relative URI stands for `origin`.
    pub(super) fn instruct(
        &self,
        view: &View<'_>,
        body: &[u8],
        origin: Option<&Origin<'_>>,
    ) -> Result<Instruction, Error> {
        self.instruct_at(view, body, origin, self.seconds())
    }

    /// As [`instruct`](Self::instruct), with this timestamp, in seconds since 1970.
    pub(super) fn instruct_at(
        &self,
        view: &View<'_>,
        body: &[u8],
        origin: Option<&Origin<'_>>,
        seconds: u64,
    ) -> Result<Instruction, Error> {
        self.instruct_and(view, body, origin, seconds, |instruction, _| instruction)
    }

    /// As [`instruct_at`](Self::instruct_at), and lets `look` see the texts that led to it.
    fn instruct_and<T>(
        &self,
        view: &View<'_>,
        body: &[u8],
        origin: Option<&Origin<'_>>,
        seconds: u64,
        look: impl FnOnce(Instruction, &Scratch) -> T,
    ) -> Result<T, Error> {
        let settings = &*self.settings;
        let fields = view.fields();
        let is_form = fields.is_form();
        if settings.placement == Placement::Form && !is_form {
            return Err(Error::new(ErrorKind::NotAForm).detail(view.describe_content_type()));
        }
        if fields.has_authorization {
            for authorization in view.authorizations() {
                if let Some(name) = first_protocol_parameter(authorization) {
                    return Err(present(&name, "in the `Authorization` header"));
                }
            }
        }
        let uri = BaseUri::new(&settings.base_string_uri, view.uri, fields.host, origin)
            .ok_or_else(|| Error::new(ErrorKind::RelativeUri))?;
        let (random, given);
        let nonce = match &settings.nonces {
            Nonces::Random => {
                random = nonce::random();
                Text::Unreserved(&random)
            }
            Nonces::With(nonce) => {
                given = nonce();
                Text::Any(given.as_bytes())
            }
        };
        let signable = Signable {
            method: view.method.as_str(),
            uri: &uri,
            query: view.uri.query(),
            is_form,
            body,
            additional: view.extensions.get().map_or(&[], SignedParameters::as_slice),
            nonce,
            seconds,
        };
        Scratch::lend(|scratch| {
            self.plan.sign(&signable, scratch)?;
            let instruction =
                Instruction::new(settings.placement, scratch.attachment.as_slice(), view.uri, body)?;
            Ok(look(instruction, scratch))
        })
    }

    /// Whether the signature would show secrets to whoever sees it.
    pub(super) fn needs_secure_channel(&self) -> bool {
        self.settings.method.needs_secure_channel()
    }

    /// The name of the signature method, and where the signature goes.
    pub(super) fn manner(&self) -> (&str, Placement) {
        (self.settings.method.name(), self.settings.placement)
    }

    /// The clock of the timestamps.
    pub(super) fn shared_clock(&self) -> &SharedClock {
        &self.settings.clock
    }

    /// The present moment, in seconds since 1970. Before that it is 0, which every server refuses.
    fn seconds(&self) -> u64 {
        self.settings.clock.since_1970().as_secs()
    }

    fn edit(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self.plan = Arc::new(self.settings.plan());
        self
    }
}

impl Settings {
    fn plan(&self) -> Plan {
        let fixed = ProtocolParameter::fixed;
        let mut parameters = vec![
            fixed("oauth_consumer_key", self.credentials.client_identifier()),
            fixed("oauth_signature_method", self.method.name()),
        ];
        let optional = [
            ("oauth_callback", self.callback.as_deref()),
            ("oauth_token", self.credentials.token_identifier()),
            ("oauth_verifier", self.verifier.as_deref()),
            ("oauth_version", self.version.then_some("1.0")),
        ];
        parameters.extend(optional.iter().filter_map(|(name, value)| value.map(|value| fixed(name, value))));
        parameters.extend(self.parameters.iter().map(|(name, value)| fixed(name, value)));
        let rules = Rules {
            parameters,
            realm: self.realm.clone(),
            placement: self.placement,
            body_hash: self.body_hash,
            body_digest: self.body_digest.unwrap_or(self.method.body_digest()),
            allow_other_oauth_parameters: self.allow_other_oauth_parameters,
        };
        Plan::new(rules, self.method.key(&self.credentials.secrets()))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &*self.settings;
        formatter
            .debug_struct("Signer")
            .field("credentials", &settings.credentials)
            .field("signature_method", &settings.method.name())
            .field("placement", &settings.placement)
            .field("realm", &settings.realm)
            .field("body_hash", &settings.body_hash)
            .finish_non_exhaustive()
    }
}
