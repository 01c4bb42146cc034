//! The layer: configuration, and the decision what is done with a request.

use std::sync::Arc;

use http::Request;
use http::header::AUTHORIZATION;
use tower::Layer;

use crate::body::FromBytes;
use crate::clock::Clock;
use crate::error::ConfigError;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::oauth1::BaseStringUri;
use crate::oauth1::BodyDigest;
use crate::oauth1::BodyHash;
use crate::oauth1::Credentials;
use crate::oauth1::OAuth1;
use crate::oauth1::Placement;
use crate::oauth1::SignatureMethod;
use crate::oauth1::Signer;
use crate::origin::Admission;
use crate::origin::Guard;
use crate::origin::Origin;
use crate::origin::Origins;

/// Signs the requests of the service that it wraps. See the [module docs](super).
///
/// | setting | default |
/// |---|---|
/// | [`signature_method`](Self::signature_method) | [`HmacSha1`](super::HmacSha1) |
/// | [`placement`](Self::placement) | [`Placement::Header`] |
/// | [`realm`](Self::realm) | none |
/// | [`body_hash`](Self::body_hash) | [`BodyHash::Never`] |
/// | [`body_policy`](Self::body_policy) | [`FromBytes`] |
/// | [`form_limit`](Self::form_limit) | 1 MiB |
/// | a request to an origin that is not listed | an error |
/// | plain http | an error, except to this machine |
/// | an `Authorization` that is on the request | replaced |
#[derive(Clone, Debug)]
#[must_use]
pub struct OAuth1Layer<P = FromBytes> {
    pub(super) shared: Arc<Shared>,
    pub(super) policy: P,
}

/// What does not change from request to request.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) signer: Signer,
    pub(super) form_limit: usize,
    guard: Guard,
    keep_existing: bool,
}

/// What is to be done with a request.
#[derive(Debug)]
pub(super) enum Decision<'a> {
    /// It goes as it is.
    Pass,
    /// It is signed; if its URI is relative, as one for this origin.
    Sign(Option<&'a Origin<'static>>),
}

impl OAuth1Layer {
    /// A layer that signs with `credentials` what goes to `origins`.
    pub fn new(origins: Origins, credentials: Credentials) -> Self {
        Self::with_signer(origins, Signer::new(credentials))
    }

    /// A layer that signs with `signer` what goes to `origins`.
    pub fn with_signer(origins: Origins, signer: Signer) -> Self {
        let guard = Guard::new(origins);
        let shared = Shared { signer, form_limit: 1024 * 1024, guard, keep_existing: false };
        Self { shared: Arc::new(shared), policy: FromBytes }
    }
}

/// How requests are signed: as the methods of [`Signer`], which say more.
impl<P> OAuth1Layer<P> {
    /// The [signature method](Signer::signature_method).
    pub fn signature_method(self, method: impl SignatureMethod) -> Self {
        self.edit_signer(|signer| signer.signature_method(method))
    }

    /// Where the [protocol parameters go](Signer::placement).
    pub fn placement(self, placement: Placement) -> Self {
        self.edit_signer(|signer| signer.placement(placement))
    }

    /// The [realm](Signer::realm).
    ///
    /// # Errors
    /// [`ConfigError::InvalidParameter`] when it holds a control character.
    pub fn realm(self, realm: impl Into<String>) -> Result<Self, ConfigError> {
        self.try_edit_signer(|signer| signer.realm(realm))
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
        self.try_edit_signer(|signer| signer.realms(realms))
    }

    /// [Leaves `oauth_version` out](Signer::omit_version).
    pub fn omit_version(self) -> Self {
        self.edit_signer(Signer::omit_version)
    }

    /// One more [protocol parameter](Signer::parameter).
    ///
    /// # Errors
    /// [`ConfigError::InvalidParameter`] for a name that the layer sets itself, or `realm`.
    pub fn parameter(self, name: impl Into<String>, value: impl Into<String>) -> Result<Self, ConfigError> {
        self.try_edit_signer(|signer| signer.parameter(name, value))
    }

    /// Which requests carry an [`oauth_body_hash`](Signer::body_hash).
    pub fn body_hash(self, body_hash: BodyHash) -> Self {
        self.edit_signer(|signer| signer.body_hash(body_hash))
    }

    /// The [digest of `oauth_body_hash`](Signer::body_digest).
    pub fn body_digest(self, digest: BodyDigest) -> Self {
        self.edit_signer(|signer| signer.body_digest(digest))
    }

    /// What the server takes for the [request's URI](Signer::base_string_uri).
    pub fn base_string_uri(self, uri: BaseStringUri) -> Self {
        self.edit_signer(|signer| signer.base_string_uri(uri))
    }

    /// Signs [other `oauth_*` parameters](Signer::allow_other_oauth_parameters) of the request.
    pub fn allow_other_oauth_parameters(self) -> Self {
        self.edit_signer(Signer::allow_other_oauth_parameters)
    }

    /// Where [timestamps come from](Signer::clock).
    pub fn clock(self, clock: impl Clock) -> Self {
        self.edit_signer(|signer| signer.clock(clock))
    }

    /// Where [nonces come from](Signer::nonce_fn).
    pub fn nonce_fn(self, nonce: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.edit_signer(|signer| signer.nonce_fn(nonce))
    }
}

/// What the layer does with requests.
impl<P> OAuth1Layer<P> {
    /// The largest body that is read to sign it, in bytes; 1 MiB by default. A longer one is an error, and nothing of it
    /// is sent. It holds for forms, and for other bodies where a body hash or the signature method asks for them; those
    /// that need not be read are passed through, however long.
    pub fn form_limit(self, bytes: usize) -> Self {
        self.edit(|shared| shared.form_limit = bytes)
    }

    /// How bodies are read and given back; [`FromBytes`] by default. With [`Untouched`](crate::body::Untouched), which
    /// takes any type of body, a form is an error.
    pub fn body_policy<Q>(self, policy: Q) -> OAuth1Layer<Q> {
        OAuth1Layer { shared: self.shared, policy }
    }

    /// Lets requests to other origins through unsigned; by default they are errors.
    pub fn pass_foreign_unsigned(self) -> Self {
        self.edit(|shared| shared.guard = shared.guard.clone().pass_foreign())
    }

    /// Leaves requests alone that have an `Authorization` already; by default it is replaced, or an error if it has
    /// OAuth parameters.
    pub fn keep_existing(self) -> Self {
        self.edit(|shared| shared.keep_existing = true)
    }

    /// Signs for plain http, to any of the layer's origins. A signature gives no secret away, but whoever sees the
    /// request can read and change all that is not signed. A method that shows its secrets, such as
    /// [`Plaintext`](super::Plaintext), stays an error.
    pub fn dangerously_allow_http(self) -> Self {
        self.edit(|shared| shared.guard = shared.guard.clone().allow_http())
    }

    fn edit(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        change(Arc::make_mut(&mut self.shared));
        self
    }

    fn edit_signer(self, change: impl FnOnce(Signer) -> Signer) -> Self {
        self.edit(|shared| shared.signer = change(shared.signer.clone()))
    }

    fn try_edit_signer(
        self,
        change: impl FnOnce(Signer) -> Result<Signer, ConfigError>,
    ) -> Result<Self, ConfigError> {
        let signer = change(self.shared.signer.clone())?;
        Ok(self.edit(|shared| shared.signer = signer))
    }
}

impl<S, P: Clone> Layer<S> for OAuth1Layer<P> {
    type Service = OAuth1<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        OAuth1::new(inner, self.clone())
    }
}

impl Shared {
    /// Decides what is to be done with a request.
    pub(super) fn decide<B>(&self, request: &Request<B>) -> Result<Decision<'_>, Error> {
        let origin = match self.guard.admit(request.uri())? {
            Admission::Foreign => return Ok(Decision::Pass),
            Admission::Absolute => None,
            Admission::Relative(origin) => Some(origin),
        };
        if self.keep_existing && request.headers().contains_key(AUTHORIZATION) {
            return Ok(Decision::Pass);
        }
        // The layer has one identity. Once it can have many, here is where the request's `TokenKey` chooses the signer,
        // and where a key that is missing or not expected is an error.
        if self.signer.needs_secure_channel() {
            match origin {
                Some(origin) => secure(origin)?,
                None => Origin::of(request.uri()).as_ref().map_or(Ok(()), secure)?,
            }
        }
        Ok(Decision::Sign(origin))
    }
}

/// Whether secrets may be shown to `origin`.
fn secure(origin: &Origin<'_>) -> Result<(), Error> {
    if origin.is_https() || origin.is_loopback() {
        return Ok(());
    }
    let detail = format!("{origin}, and the signature method shows its secrets");
    Err(Error::new(ErrorKind::InsecureScheme).detail(detail))
}
