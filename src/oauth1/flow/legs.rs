//! The legs: what the client does, in the order in which it does it.

use crate::error::Error;
use crate::error::ErrorKind;
use crate::oauth1::Credentials;
use crate::oauth1::Signer;
use crate::oauth1::flow::AccessToken;
use crate::oauth1::flow::AuthorizationResponse;
use crate::oauth1::flow::Flow;
use crate::oauth1::flow::RequestToken;
use crate::oauth1::flow::Step;
use crate::oauth1::flow::Verifier;
use crate::oauth1::flow::exchange::encode;
use crate::oauth1::flow::exchange::with_query;
use crate::origin::is_secure;
use crate::protocol::oauth1::callback;
use crate::secret::Secret;

/// The three legs.
///
/// # Errors
/// The requests have these in common; [`Error::endpoint`] says which endpoint it was.
///
/// - [`ErrorKind::Refused`]: the provider refused. [`Error::server`] has its `oauth_problem`, if it named one, the
///   message how its answer begins.
/// - [`ErrorKind::AuthorizationDenied`]: the provider says that the resource owner refused.
/// - [`ErrorKind::UnexpectedStatus`], [`ErrorKind::UnusableResponse`], [`ErrorKind::Redirected`]: the answer is none that
///   RFC 5849 knows. The message of the first two says how it begins.
/// - [`ErrorKind::ResponseTooLarge`], [`ErrorKind::Timeout`], [`ErrorKind::Transport`]: there is no whole answer.
/// - [`ErrorKind::InsecureScheme`], [`ErrorKind::MissingEndpoint`], [`ErrorKind::Signature`],
///   [`ErrorKind::ProtocolParameterPresent`]: nothing was sent.
impl Flow {
    /// The first leg: gets a request token, with which a resource owner can be asked (RFC 5849 §2.1).
    ///
    /// # Errors
    /// [`ErrorKind::CallbackUnconfirmed`], unless [allowed](Self::allow_unconfirmed_callback), and those above.
    pub async fn fetch_request_token(&self) -> Result<RequestToken, Error> {
        let mut signer = self.signer_for(Step::RequestToken, self.client())?;
        if let Some(callback) = &self.callback {
            signer = signer.callback(callback.clone());
        }
        let sent = [self.client_secret.clone()];
        let response = self.exchange(Step::RequestToken, signer, &[], &sent).await?;
        if self.requires_confirmation && !response.confirms_callback() {
            let endpoint = self.endpoints.of(Step::RequestToken)?;
            return Err(Error::new(ErrorKind::CallbackUnconfirmed).at(endpoint.shown()));
        }
        Ok(RequestToken::received(response))
    }

    /// The second leg: the URL that the resource owner has to open (RFC 5849 §2.2). `parameters` are added to it.
    ///
    /// # Errors
    /// - [`ErrorKind::InsecureScheme`]: it is plain http, and the provider would ask for a password there.
    /// - [`ErrorKind::MissingEndpoint`]: the flow has no such endpoint.
    pub fn authorization_url(
        &self,
        request_token: &RequestToken,
        parameters: &[(&str, &str)],
    ) -> Result<String, Error> {
        let endpoint = self.endpoints.authorization()?;
        if !self.allows_http && !is_secure(endpoint.uri()) {
            return Err(Error::new(ErrorKind::InsecureScheme).at(endpoint.shown()));
        }
        let token = [("oauth_token", request_token.token().expose())];
        Ok(with_query(
            &endpoint.uri().to_string(),
            &encode(token.into_iter().chain(parameters.iter().copied())),
        ))
    }

    /// The way back from it: reads what the provider had the resource owner's browser request from the client.
    ///
    /// `callback` is the URL, or its path and query, or the query alone. Its token is compared, in constant time, with the
    /// request token of this login.
    ///
    /// # Errors
    /// - [`ErrorKind::TokenMismatch`]: it is about another request token, or about none.
    /// - [`ErrorKind::AuthorizationDenied`]: the resource owner refused (`denied`, or an `oauth_problem` of that meaning).
    /// - [`ErrorKind::Refused`]: it names another `oauth_problem`.
    /// - [`ErrorKind::MissingVerifier`]: it has no verifier, unless [allowed](Self::allow_missing_verifier).
    pub fn parse_authorization_response(
        &self,
        request_token: &RequestToken,
        callback: &str,
    ) -> Result<AuthorizationResponse, Error> {
        let callback = callback::parse(callback, request_token.token())?;
        self.check_verifier(callback.verifier.as_ref())?;
        Ok(AuthorizationResponse::received(callback))
    }

    /// The third leg: gets the access token (RFC 5849 §2.3). `verifier` is the
    /// [`AuthorizationResponse`], or the text that the provider showed to the resource owner.
    ///
    /// # Errors
    /// [`ErrorKind::MissingVerifier`] when it is empty, unless [allowed](Self::allow_missing_verifier), and those above.
    pub async fn fetch_access_token(
        &self,
        request_token: &RequestToken,
        verifier: impl Into<Verifier>,
    ) -> Result<AccessToken, Error> {
        let verifier = verifier.into().into_secret();
        self.check_verifier(verifier.as_ref())?;
        let (token, token_secret) = (request_token.token().clone(), request_token.token_secret().clone());
        let credentials = self.client().token(token.clone(), token_secret.clone());
        let mut signer = self.signer_for(Step::AccessToken, credentials)?;
        let mut sent = vec![self.client_secret.clone(), token, token_secret];
        if let Some(verifier) = verifier {
            signer = signer.verifier(verifier.expose());
            sent.push(verifier);
        }
        self.access_token(signer, &[], &sent).await
    }

    /// The credentials of the client, authorized to act for the resource owner: what an
    /// [`OAuth1Layer`](crate::OAuth1Layer) or a [`Signer`] signs with.
    pub fn authorized(&self, access_token: &AccessToken) -> Credentials {
        self.client().token(access_token.token().clone(), access_token.token_secret().clone())
    }
}

/// Other ways to an access token.
///
/// # Errors
/// The requests can fail as those of the three legs.
impl Flow {
    /// xAuth: gets an access token for a user name and a password, without a request token. They travel in the form of a
    /// `POST`, whatever else was set. Providers allow it to few clients.
    ///
    /// # Errors
    /// Those above.
    pub async fn fetch_access_token_with_xauth(
        &self,
        username: impl Into<String>,
        password: impl Into<Secret>,
    ) -> Result<AccessToken, Error> {
        let (mode, username, password) = (Secret::new("client_auth"), Secret::new(username), password.into());
        let signer = self.signer_for(Step::AccessToken, self.client())?;
        let form = [("x_auth_mode", &mode), ("x_auth_password", &password), ("x_auth_username", &username)];
        let sent = [self.client_secret.clone(), password.clone()];
        self.access_token(signer, &form, &sent).await
    }

    /// Gets another access token with the session handle of one that has expired, or is about to (the OAuth Session
    /// extension). A handle that the provider does not replace stays in use.
    ///
    /// # Errors
    /// [`ErrorKind::ReauthorizationRequired`] when there is no session handle, and those above.
    pub async fn renew_access_token(&self, access_token: &AccessToken) -> Result<AccessToken, Error> {
        let Some(handle) = access_token.session_handle().cloned() else {
            return Err(Error::new(ErrorKind::ReauthorizationRequired).detail("there is no session handle"));
        };
        let signer = self
            .signer_for(Step::AccessToken, self.authorized(access_token))?
            .parameter("oauth_session_handle", handle.expose())
            .map_err(unsigned)?;
        let (token, token_secret) = (access_token.token().clone(), access_token.token_secret().clone());
        let sent = [self.client_secret.clone(), token, token_secret, handle.clone()];
        let renewed = self.access_token(signer, &[], &sent).await?;
        Ok(if renewed.session_handle().is_some() { renewed } else { renewed.with_session_handle(handle) })
    }
}

impl Flow {
    async fn access_token(
        &self,
        signer: Signer,
        form: &[(&str, &Secret)],
        sent: &[Secret],
    ) -> Result<AccessToken, Error> {
        let response = self.exchange(Step::AccessToken, signer, form, sent).await?;
        Ok(AccessToken::received(response, self.clock.now()))
    }

    fn signer_for(&self, step: Step, credentials: Credentials) -> Result<Signer, Error> {
        self.signer(step, credentials).map_err(unsigned)
    }

    fn check_verifier(&self, verifier: Option<&Secret>) -> Result<(), Error> {
        if self.requires_verifier && verifier.is_none() {
            return Err(Error::new(ErrorKind::MissingVerifier));
        }
        Ok(())
    }
}

/// What the signer does not take now it did not take when it was set either.
fn unsigned(error: crate::error::ConfigError) -> Error {
    Error::new(ErrorKind::Signature).caused_by(error)
}
