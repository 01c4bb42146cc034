//! Secrets that are known from the start, or made whenever one is needed.

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::secret::Secret;

/// Where a secret comes from, for each request anew: a text that stays the same, a file, a closure, or a JWT that is signed
/// on the spot.
///
/// ```
/// use tower_oauth::{ClientAuth, Error, Secret};
/// use tower_oauth::endpoint::SecretSource;
///
/// # async fn ask_the_vault() -> Result<Secret, std::io::Error> { Ok(Secret::new("s")) }
/// let from_vault = SecretSource::from_fn(|| async { ask_the_vault().await.map_err(Error::transient) });
/// let auth = ClientAuth::post("client id", from_vault);
/// # let _ = auth;
/// ```
#[derive(Clone)]
pub struct SecretSource(Source);

#[derive(Clone)]
enum Source {
    Fixed(Secret),
    Made(Arc<dyn MakeSecret>),
}

impl SecretSource {
    /// Asks `function` for each request.
    ///
    /// Its errors are those of the token request: [`Error::transient`] for what may pass.
    pub fn from_fn<F, A>(function: F) -> Self
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<Secret, Error>> + Send + 'static,
    {
        Self(Source::Made(Arc::new(FromFn(function))))
    }

    /// Reads the file at `path` for each request, because somebody else keeps it fresh: a federated token that a platform
    /// mounts, such as `AZURE_FEDERATED_TOKEN_FILE` or a Kubernetes service account token. White space around it is left
    /// out. Needs a tokio runtime.
    ///
    /// A file that cannot be read, or is empty, is an error that may pass, of kind [`ErrorKind::Source`].
    pub fn file(path: impl Into<PathBuf>) -> Self {
        let path: Arc<Path> = path.into().into();
        Self::from_fn(move || read_file(Arc::clone(&path)))
    }

    /// A JWT that is signed when it is first needed and sent until a tenth of its life is left: Apple's client secret, for
    /// instance.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_oauth::ClientAuth;
    /// use tower_oauth::endpoint::{Assertion, PrivateKey, SecretSource};
    ///
    /// # let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/keys/p256.pem");
    /// let key = PrivateKey::from_pem(std::fs::read(file)?)?.with_key_id("ABC123DEFG");
    /// let secret = Assertion::signed_by(key)
    ///     .issuer("DEF123GHIJ") // the team
    ///     .subject("com.example.app") // the client
    ///     .audience("https://appleid.apple.com")
    ///     .lifetime(Duration::from_secs(24 * 3600));
    /// let auth = ClientAuth::post("com.example.app", SecretSource::signed(secret));
    /// # let _ = auth;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "jwt")]
    pub fn signed(assertion: crate::endpoint::Assertion) -> Self {
        Self(Source::Made(Arc::new(signed::Signed::new(assertion))))
    }

    /// The secret for this request.
    pub(crate) async fn get(&self) -> Result<Secret, Error> {
        match &self.0 {
            Source::Fixed(secret) => Ok(secret.clone()),
            Source::Made(make) => make.make().await,
        }
    }
}

impl From<Secret> for SecretSource {
    fn from(secret: Secret) -> Self {
        Self(Source::Fixed(secret))
    }
}

impl From<&str> for SecretSource {
    fn from(secret: &str) -> Self {
        Secret::new(secret).into()
    }
}

impl From<String> for SecretSource {
    fn from(secret: String) -> Self {
        Secret::new(secret).into()
    }
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Fixed(secret) => secret.fmt(formatter),
            Source::Made(_) => formatter.write_str("SecretSource(..)"),
        }
    }
}

trait MakeSecret: Send + Sync {
    fn make(&self) -> Made<'_>;
}

type Made<'a> = Pin<Box<dyn Future<Output = Result<Secret, Error>> + Send + 'a>>;

struct FromFn<F>(F);

impl<F, A> MakeSecret for FromFn<F>
where
    F: Fn() -> A + Send + Sync,
    A: Future<Output = Result<Secret, Error>> + Send + 'static,
{
    fn make(&self) -> Made<'_> {
        Box::pin((self.0)())
    }
}

async fn read_file(path: Arc<Path>) -> Result<Secret, Error> {
    let failed = |path: &Path, why: &str| {
        Error::new(ErrorKind::Source).detail(format!("the file `{}` {why}", path.display()))
    };
    let opened = Arc::clone(&path);
    let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(opened));
    match read.await {
        Ok(Ok(text)) if text.trim().is_empty() => Err(failed(&path, "is empty")),
        Ok(Ok(text)) => {
            let text = zeroize::Zeroizing::new(text);
            Ok(Secret::new(text.trim()))
        }
        Ok(Err(error)) => Err(failed(&path, "cannot be read").caused_by(error)),
        Err(error) => Err(Error::new(ErrorKind::Abandoned).caused_by(error)),
    }
}

#[cfg(feature = "jwt")]
mod signed {
    //! A JWT that is used until it is old.

    use std::sync::Mutex;
    use std::sync::PoisonError;
    use std::time::SystemTime;

    use crate::endpoint::Assertion;
    use crate::endpoint::secret_source::Made;
    use crate::endpoint::secret_source::MakeSecret;
    use crate::secret::Secret;

    pub(super) struct Signed {
        assertion: Assertion,
        last: Mutex<Option<Last>>,
    }

    struct Last {
        token: Secret,
        signed_at: SystemTime,
    }

    impl Signed {
        pub(super) fn new(assertion: Assertion) -> Self {
            Self { assertion, last: Mutex::new(None) }
        }

        /// The last one, unless it is old, or the clock was set back behind it.
        fn fresh(&self, now: SystemTime) -> Option<Secret> {
            let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            let last = last.as_ref()?;
            let age = now.duration_since(last.signed_at).ok()?;
            let life = self.assertion.life();
            (age < life.saturating_sub(life / 10)).then(|| last.token.clone())
        }
    }

    impl MakeSecret for Signed {
        fn make(&self) -> Made<'_> {
            Box::pin(async {
                let now = self.assertion.now();
                if let Some(token) = self.fresh(now) {
                    return Ok(token);
                }
                // Two who come here at once sign one each: no harm, and nobody waits for somebody else's key.
                let token = self.assertion.sign().await?;
                let last = Last { token: token.clone(), signed_at: now };
                *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
                Ok(token)
            })
        }
    }
}
