//! The layer: configuration, and the decision what is done with a request.

use std::sync::Arc;

use http::Request;
use http::Uri;
use http::header::AUTHORIZATION;
use tower::Layer;

use crate::body::FromBytes;
use crate::clock::Clock;
use crate::error::ConfigError;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::lanes::Spread;
use crate::oauth1::BaseStringUri;
use crate::oauth1::BodyDigest;
use crate::oauth1::BodyHash;
use crate::oauth1::BoxCredentialSource;
use crate::oauth1::CredentialSource;
use crate::oauth1::Credentials;
use crate::oauth1::OAuth1;
use crate::oauth1::Placement;
use crate::oauth1::SignatureMethod;
use crate::oauth1::Signer;
use crate::oauth1::signers::Prepared;
use crate::oauth1::signers::Signers;
use crate::oauth1::skew::Skew;
use crate::observe::Signatures;
use crate::origin::Admission;
use crate::origin::Guard;
use crate::origin::Origin;
use crate::origin::Origins;
use crate::token_key::TokenKey;
use crate::transport::CloneService;

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
/// | a [timestamp that was refused](Self::without_skew_correction) | corrected, and the request sent once more |
/// | [keys in memory](Self::max_keys), with credentials per request | 10 000 |
/// | a request to an origin that is not listed | an error |
/// | plain http | an error, except to this machine |
/// | an `Authorization` that is on the request | replaced |
///
/// Clones, and the services that they make, share what they learn: the clocks of servers, and the credentials of keys
/// until a setting is changed that signatures depend on.
#[derive(Clone, Debug)]
#[must_use]
pub struct OAuth1Layer<P = FromBytes> {
    pub(super) shared: Arc<Spread<Shared>>,
    pub(super) policy: P,
}

/// What does not change from request to request.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) form_limit: usize,
    /// The clocks of servers; none when they are not to be learned.
    pub(super) skew: Option<Arc<Skew>>,
    who: Who,
    /// Counted for those who watch.
    pub(super) signatures: Signatures,
    guard: Guard,
    keep_existing: bool,
}

/// Whose credentials sign a request.
#[derive(Clone, Debug)]
enum Who {
    One(Signer),
    PerRequest(Arc<Signers>),
}

/// What is to be done with a request.
#[derive(Debug)]
pub(super) enum Decision<'a> {
    /// It goes as it is.
    Pass,
    /// It is signed by this identity, for this target.
    Sign(Identity, Target<'a>),
}

/// Who signs a request.
#[derive(Debug)]
pub(super) enum Identity {
    /// None for the layer's only one.
    Known(Option<Arc<Prepared>>),
    /// The credentials of this key have to be looked up.
    Unknown(TokenKey),
}

/// Where a request goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    /// If its URI is relative, the origin for which it stands.
    pub(super) stand_in: Option<&'a Origin<'static>>,
    /// The number of the origin.
    pub(super) server: Option<u64>,
}

impl OAuth1Layer {
    /// A layer that signs with `credentials` what goes to `origins`.
    pub fn new(origins: Origins, credentials: Credentials) -> Self {
        Self::with_signer(origins, Signer::new(credentials))
    }

    /// A layer that signs with `signer` what goes to `origins`.
    pub fn with_signer(origins: Origins, signer: Signer) -> Self {
        Self::with_identity(origins, Who::One(signer))
    }

    /// A layer that signs each request with the credentials of the [`TokenKey`] in its extensions, which it gets from
    /// `source`; one without fails. All are signed in the same way, as the methods below say.
    ///
    /// The credentials of a key are looked up once, by the first request that needs them, while others with the same key
    /// wait for the answer. They are kept until [`forget`](Self::forget) is called, a server refuses the token
    /// (a 401 with `token_expired`, `token_rejected` or `token_revoked`), or too many other keys were used since
    /// ([`max_keys`](Self::max_keys)). When the source fails, so do those requests that waited; the next one asks again.
    pub fn per_request(origins: Origins, source: impl CredentialSource) -> Self {
        let nobody = Signer::new(Credentials::new("", ""));
        let signers = Signers::new(BoxCredentialSource::new(source), nobody);
        Self::with_identity(origins, Who::PerRequest(Arc::new(signers)))
    }

    fn with_identity(origins: Origins, who: Who) -> Self {
        let shared = Shared {
            form_limit: 1024 * 1024,
            skew: Some(Arc::default()),
            who,
            signatures: Signatures::default(),
            guard: Guard::new(origins),
            keep_existing: false,
        };
        Self { shared: Arc::new(Spread::new(shared)), policy: FromBytes }
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

    /// Where [timestamps come from](Signer::clock). What was learned of servers' clocks is forgotten.
    pub fn clock(self, clock: impl Clock) -> Self {
        let layer = self.edit_signer(|signer| signer.clock(clock));
        layer.edit(|shared| shared.skew = shared.skew.as_ref().map(|_| Arc::default()))
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

    /// How bodies are read and given back, and which can be sent again; [`FromBytes`] by default. With
    /// [`Untouched`](crate::body::Untouched), which takes any type of body, a form is an error, and nothing is sent again.
    pub fn body_policy<Q>(self, policy: Q) -> OAuth1Layer<Q> {
        OAuth1Layer { shared: self.shared, policy }
    }

    /// Lets requests to other origins through unsigned; by default they are errors.
    pub fn pass_foreign_unsigned(self) -> Self {
        self.edit(|shared| shared.guard = shared.guard.clone().pass_foreign())
    }

    /// Takes timestamps from the clock of this machine only, and sends no request again. By default the layer learns the
    /// time of a server that refuses a timestamp; see [the module docs](super#when-the-clock-is-wrong).
    pub fn without_skew_correction(self) -> Self {
        self.edit(|shared| shared.skew = None)
    }

    /// How many keys' credentials are kept, of a layer that takes them [per request](OAuth1Layer::per_request); 10 000 by
    /// default. The key that was used longest ago leaves first. At least one is kept.
    pub fn max_keys(self, keys: usize) -> Self {
        self.edit(|shared| {
            if let Who::PerRequest(signers) = &shared.who {
                shared.who = Who::PerRequest(Arc::new(signers.with_bound(keys)));
            }
        })
    }

    /// Forgets the credentials of a key: call it when they have changed. The next request asks the source. Does nothing to
    /// a layer with one identity.
    pub fn forget(&self, key: &TokenKey) {
        if let Who::PerRequest(signers) = &self.shared.who {
            signers.forget(key);
        }
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
        let mut shared = Shared::clone(&self.shared);
        change(&mut shared);
        self.shared = Arc::new(Spread::new(shared));
        self
    }

    fn edit_signer(self, change: impl FnOnce(Signer) -> Signer) -> Self {
        let signer = change(self.shared.template().clone());
        self.with_template(signer)
    }

    fn try_edit_signer(
        self,
        change: impl FnOnce(Signer) -> Result<Signer, ConfigError>,
    ) -> Result<Self, ConfigError> {
        let signer = change(self.shared.template().clone())?;
        Ok(self.with_template(signer))
    }

    fn with_template(self, signer: Signer) -> Self {
        self.edit(|shared| {
            shared.who = match &shared.who {
                Who::One(_) => Who::One(signer),
                Who::PerRequest(signers) => Who::PerRequest(Arc::new(signers.with_template(signer))),
            };
        })
    }
}

impl<S: CloneService, P: Clone> Layer<S> for OAuth1Layer<P> {
    type Service = OAuth1<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        OAuth1::new(inner, self.clone())
    }
}

impl Shared {
    /// A signer with the settings of all.
    pub(super) fn template(&self) -> &Signer {
        match &self.who {
            Who::One(signer) => signer,
            Who::PerRequest(signers) => signers.template(),
        }
    }

    /// The signer of whoever this is; none is the layer's own.
    pub(super) fn signer<'a>(&'a self, prepared: Option<&'a Arc<Prepared>>) -> &'a Signer {
        prepared.map_or_else(|| self.template(), |prepared| &prepared.signer)
    }

    /// Decides what is to be done with a request.
    #[inline]
    pub(super) fn decide<B>(&self, request: &Request<B>) -> Result<Decision<'_>, Error> {
        let Some(target) = self.target(request.uri())? else { return Ok(Decision::Pass) };
        if self.keep_existing && request.headers().contains_key(AUTHORIZATION) {
            return Ok(Decision::Pass);
        }
        let identity = match (&self.who, request.extensions().get::<TokenKey>()) {
            (Who::One(_), None) => Identity::Known(None),
            (Who::PerRequest(signers), Some(key)) => match signers.known(key) {
                prepared @ Some(_) => Identity::Known(prepared),
                None => Identity::Unknown(key.clone()),
            },
            (Who::One(_), Some(_)) => return Err(Error::new(ErrorKind::UnexpectedTokenKey)),
            (Who::PerRequest(_), None) => return Err(Error::new(ErrorKind::MissingTokenKey)),
        };
        Ok(Decision::Sign(identity, target))
    }

    /// Where a request to `uri` goes, if it may have a signature; `None` if it is to go without.
    #[inline]
    pub(super) fn target(&self, uri: &Uri) -> Result<Option<Target<'_>>, Error> {
        // Nearly every request; what follows comes to the same and takes longer.
        match self.guard.listed(uri) {
            Some(listed) if listed.is_secure() => {
                Ok(Some(Target { stand_in: None, server: Some(listed.number()) }))
            }
            _ => self.target_with_care(uri),
        }
    }

    fn target_with_care(&self, uri: &Uri) -> Result<Option<Target<'_>>, Error> {
        let shows_secrets = self.template().needs_secure_channel();
        let stand_in = match self.guard.admit(uri)? {
            Admission::Foreign => return Ok(None),
            Admission::Absolute => None,
            Admission::Relative(origin) => Some(origin),
        };
        let written = if stand_in.is_none() { Origin::of(uri) } else { None };
        let origin = stand_in.or(written.as_ref());
        if let (Some(origin), true) = (origin, shows_secrets) {
            secure(origin)?;
        }
        Ok(Some(Target { stand_in, server: origin.map(Origin::number) }))
    }

    /// The signer of an identity; none is the layer's own.
    pub(super) async fn prepare(&self, identity: Identity) -> Result<Option<Arc<Prepared>>, Error> {
        match (identity, &self.who) {
            (Identity::Known(prepared), _) => Ok(prepared),
            (Identity::Unknown(key), Who::PerRequest(signers)) => signers.prepare(&key).await.map(Some),
            (Identity::Unknown(_), Who::One(_)) => Err(Error::new(ErrorKind::UnexpectedTokenKey)),
        }
    }

    /// Does not use a signer again whose token was refused.
    pub(super) fn forget_refused(&self, prepared: &Arc<Prepared>) {
        if let Who::PerRequest(signers) = &self.who {
            signers.forget_only(prepared);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::assert_documented;

    #[test]
    fn the_defaults_are_those_of_the_table() {
        let layer = OAuth1Layer::new(Origins::dangerously_any(), Credentials::new("", ""));
        let form_limit = layer.shared.form_limit;
        assert_documented("largest form that is read to be signed", format!("{form_limit} bytes"));
        let timestamps = if layer.shared.skew.is_some() { "corrected" } else { "left" };
        assert_documented("timestamp that a server refuses", timestamps);
        let authorization = if layer.shared.keep_existing { "kept" } else { "replaced" };
        assert_documented("`Authorization` that is there already", authorization);
    }
}
