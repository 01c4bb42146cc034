//! The kinds of failures, with their words.

/// What happened. The names given by [`as_str`](Self::as_str) are stable: they may be used in metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A refresh ended without an answer: it panicked, or the runtime was shut down under it.
    Abandoned,
    /// The resource owner did not allow the access that was asked for.
    AuthorizationDenied,
    /// The time to authorize is over: nobody came back in time, or the codes that were given out are no longer good.
    AuthorizationExpired,
    /// Not tried: the last attempt failed a moment ago. [`retry_at`](crate::Error::retry_at) says when the next is.
    BackOff,
    /// The request's body failed while it was read.
    BodyFailed,
    /// The request's body is longer than may be read.
    BodyTooLarge,
    /// The request's body has to be read, and the layer's body policy cannot.
    BodyUnreadable,
    /// The provider did not confirm the callback, as OAuth 1.0a wants it (RFC 5849 §2.1).
    CallbackUnconfirmed,
    /// The server's metadata names an endpoint at an origin that the discovery may not lead to.
    ForeignEndpoint,
    /// The request goes to an origin that is not among the layer's `Origins`.
    ForeignOrigin,
    /// The request, or the endpoint, is plain http.
    InsecureScheme,
    /// The server wants the user to log in anew, or in a stronger way (RFC 9470). Only where the layer was told so by
    /// [`insufficiency_is_error`](crate::OAuth2Layer::insufficiency_is_error).
    InsufficientAuthentication,
    /// The token is not good for what the request needs (RFC 6750 §3.1). Only where the layer was told so by
    /// [`insufficiency_is_error`](crate::OAuth2Layer::insufficiency_is_error).
    InsufficientScope,
    /// The answer that the resource owner brought back makes no sense: no code, the same parameter twice, another way than
    /// was asked for.
    InvalidAuthorizationResponse,
    /// A token (or other credential) holds bytes that no header may carry.
    InvalidToken,
    /// The request's URI cannot be sent as it is written: it is not a URI at all, it has a user name in it, or the HTTP client
    /// would rewrite it after it was signed.
    InvalidUri,
    /// What came is from another authorization server than the one that was asked (RFC 9207).
    IssuerMismatch,
    /// The endpoint answered with an `id_token` and without an `access_token`.
    MissingAccessToken,
    /// The flow, or the manager, was not given such an endpoint.
    MissingEndpoint,
    /// The answer that the resource owner brought back does not say which login it belongs to.
    MissingState,
    /// The layer takes its identity from each request, and this one has no `TokenKey`.
    MissingTokenKey,
    /// The callback of the resource owner's approval has no verifier.
    MissingVerifier,
    /// There is no token, and the source cannot get the first one by itself.
    NoToken,
    /// Body placement was asked for, and the request's body is not a form.
    NotAForm,
    /// The token does not fit where it was to go: the URI or the headers would be longer than they may be.
    Placement,
    /// The hook [`protected_request`](crate::OAuth2Layer::protected_request) failed.
    ProtectedRequest,
    /// The request already has an `oauth_*` parameter.
    ProtocolParameterPresent,
    /// The HTTP client followed a redirect by itself, with a signature or token that was made for another URL.
    RedirectFollowed,
    /// The endpoint answered with a redirect, which is never followed.
    Redirected,
    /// The token client was built from the very stack that waits for its token.
    Reentrant,
    /// The server refused, in the words of RFC 6749 §5.2. [`server`](crate::Error::server) has them.
    Refused,
    /// The request's URI has no origin, and the layer cannot tell which one is meant.
    RelativeUri,
    /// Somebody has to log in again.
    ReauthorizationRequired,
    /// The endpoint's answer is longer than may be read.
    ResponseTooLarge,
    /// The manager was shut down.
    ShutDown,
    /// The request could not be signed.
    Signature,
    /// A token source, or credential source, of your own failed.
    Source,
    /// The answer that the resource owner brought back belongs to another login, or is forged.
    StateMismatch,
    /// The token store failed.
    Store,
    /// The endpoint did not answer in time.
    Timeout,
    /// The token has ended or was refused, and the manager renews tokens only
    /// [by hand](crate::token::TokenManagerBuilder::refresh_by_hand).
    TokenExpired,
    /// The callback is not about the request token of this login.
    TokenMismatch,
    /// The HTTP client could not send the request to the endpoint or read its answer.
    Transport,
    /// The layer has one identity, and the request carries a `TokenKey`.
    UnexpectedTokenKey,
    /// The endpoint answered with a status that is neither a success nor an OAuth error.
    UnexpectedStatus,
    /// A token that was written down cannot be read again.
    UnreadableToken,
    /// The server cannot end tokens of this type (RFC 7009 §2.2.1).
    UnsupportedTokenType,
    /// The endpoint's answer is not what the specification describes.
    UnusableResponse,
    /// The request waited for a token as long as it may; the refresh goes on.
    WaitTimeout,
}

impl ErrorKind {
    /// A stable name in snake case.
    pub fn as_str(self) -> &'static str {
        self.words().0
    }

    /// What happened, as the start of a sentence.
    pub(super) fn what(self) -> &'static str {
        self.words().1
    }

    /// What the reader can do next.
    pub(super) fn advice(self) -> &'static str {
        self.words().2
    }

    /// Whether it may pass by itself. Kinds that depend on the server's answer are decided in `Error`.
    pub(super) fn is_transient(self) -> bool {
        matches!(
            self,
            Self::Abandoned
                | Self::BackOff
                | Self::Source
                | Self::Store
                | Self::Timeout
                | Self::Transport
                | Self::UnexpectedStatus
                | Self::UnusableResponse
                | Self::WaitTimeout
        )
    }

    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Abandoned => {
                ("abandoned", "the refresh ended without an answer", "the next request tries again")
            }
            Self::AuthorizationDenied => ("authorization_denied", "the resource owner denied access", ""),
            Self::AuthorizationExpired => {
                ("authorization_expired", "the time to authorize is over", "begin a new login")
            }
            Self::BackOff => {
                ("back_off", "no token: the last attempt failed a moment ago", "try again later")
            }
            Self::BodyFailed => ("body_failed", "the request's body failed while it was read", ""),
            Self::BodyTooLarge => (
                "body_too_large",
                "the request's body is too long to be read",
                "raise the layer's limit, or send the body in another media type",
            ),
            Self::BodyUnreadable => (
                "body_unreadable",
                "the request's body has to be read, and the body policy of the layer cannot",
                "use the policy `FromBytes`, `Buffered` or `body_fn`",
            ),
            Self::CallbackUnconfirmed => (
                "callback_unconfirmed",
                "the provider did not confirm the callback",
                "if it knows no better, use `allow_unconfirmed_callback()`",
            ),
            Self::ForeignEndpoint => (
                "foreign_endpoint",
                "the server's metadata names endpoints at origins that were not allowed",
                "if they are right, allow them with `Discovery::endpoints_also_at`",
            ),
            Self::ForeignOrigin => (
                "foreign_origin",
                "the request goes to an origin that may not have these credentials",
                "add it to the layer's `Origins`, or let such requests through bare with `pass_foreign_unsigned()`",
            ),
            Self::InsecureScheme => (
                "insecure_scheme",
                "credentials are not sent over plain http",
                "use https, or `dangerously_allow_http()` if the network is yours",
            ),
            Self::InsufficientAuthentication => (
                "insufficient_authentication",
                "the server wants the user to be authenticated anew, or in a stronger way",
                "log in again with the `acr_values` or `max_age` that it asks for",
            ),
            Self::InsufficientScope => (
                "insufficient_scope",
                "the token is not good for what the request needs",
                "ask for the scope with an `AccessScope` in the request's extensions, or in a new login",
            ),
            Self::InvalidAuthorizationResponse => (
                "invalid_authorization_response",
                "what came back from the authorization could not be understood",
                "begin a new login",
            ),
            Self::InvalidToken => (
                "invalid_token",
                "the token cannot be put on a request",
                "look at where it came from: it must be visible ASCII and of type Bearer",
            ),
            Self::InvalidUri => ("invalid_uri", "the request's URI cannot be sent as it is", ""),
            Self::IssuerMismatch => (
                "issuer_mismatch",
                "the issuer is not the one that was expected",
                "do not use what came; if the issuer is right, compare it with the configured one, character by character",
            ),
            Self::MissingAccessToken => (
                "missing_access_token",
                "the endpoint answered with an id_token and no access_token",
                "ask for a scope of the API; if the API takes the id_token, use `ResponseRules::id_token_as_bearer`",
            ),
            Self::MissingEndpoint => (
                "missing_endpoint",
                "there is no such endpoint",
                "name it where the flow, or the manager, is built",
            ),
            Self::MissingState => (
                "missing_state",
                "what came back from the authorization does not say which login it belongs to",
                "do not use it; if the server never sends `state` back, it does not follow RFC 6749 §4.1.2",
            ),
            Self::MissingTokenKey => (
                "missing_token_key",
                "the request has no `TokenKey`",
                "insert one into its extensions: this layer has no identity of its own (redirect and retry layers may \
                 have dropped it)",
            ),
            Self::MissingVerifier => (
                "missing_verifier",
                "the resource owner's approval came without a verifier",
                "log in again; if the provider gives none, use `allow_missing_verifier()`",
            ),
            Self::NoToken => (
                "no_token",
                "there is no token and the source cannot get the first one by itself",
                "log in and hand the token to `TokenManager::put`",
            ),
            Self::NotAForm => (
                "not_a_form",
                "the parameters were to go into the body, which is not a form",
                "send `application/x-www-form-urlencoded`, or use another placement",
            ),
            Self::Placement => (
                "placement",
                "the token does not fit where it was to go",
                "shorten the request, or use another `Placement`",
            ),
            Self::ProtectedRequest => {
                ("protected_request", "the hook `protected_request` failed", "see the cause")
            }
            Self::ProtocolParameterPresent => (
                "protocol_parameter_present",
                "the request already has an OAuth parameter",
                "leave the oauth_ parameters to the layer (RFC 5849 §3.1)",
            ),
            Self::RedirectFollowed => (
                "redirect_followed",
                "the HTTP client followed a redirect by itself, with what was meant for another URL",
                "build it with redirects off (`Reqwest::new` does), and follow them outside of the layer",
            ),
            Self::Redirected => (
                "redirected",
                "the endpoint answered with a redirect, which would carry secrets elsewhere",
                "configure the endpoint's final URL",
            ),
            Self::Reentrant => (
                "reentrant",
                "the token client goes through the layer that waits for its token",
                "give the grant an HTTP client of its own",
            ),
            Self::Refused => ("refused", "the server refused", ""),
            Self::RelativeUri => (
                "relative_uri",
                "the request's URI has no scheme and host, and the layer does not have exactly one origin to stand in",
                "send an absolute URI, or give the layer one origin",
            ),
            Self::ReauthorizationRequired => (
                "reauthorization_required",
                "the grant is no longer valid",
                "log in again, and hand the token to `TokenManager::put`, or store the credentials where your \
                 `CredentialSource` looks",
            ),
            Self::ResponseTooLarge => (
                "response_too_large",
                "the endpoint's answer is too long to be read",
                "check the URL of the endpoint",
            ),
            Self::ShutDown => ("shut_down", "the token manager was shut down", ""),
            Self::Signature => ("signature", "the request could not be signed", ""),
            Self::Source => ("source", "the token source failed", ""),
            Self::StateMismatch => (
                "state_mismatch",
                "what came back from the authorization belongs to another login",
                "do not use it: it may be forged",
            ),
            Self::Store => ("store", "the token store failed", ""),
            Self::Timeout => ("timeout", "the endpoint did not answer in time", ""),
            Self::TokenExpired => (
                "token_expired",
                "the token has ended or was refused, and is renewed only by hand",
                "call `TokenManager::refresh`",
            ),
            Self::TokenMismatch => (
                "token_mismatch",
                "the callback is not about the request token of this login",
                "do not use it: it belongs to another login, or is forged",
            ),
            Self::Transport => ("transport", "the endpoint could not be reached", ""),
            Self::UnexpectedTokenKey => (
                "unexpected_token_key",
                "the request carries a `TokenKey`, and the layer has one identity for all",
                "remove it, or build the layer with `key_per_request()` or `OAuth1Layer::per_request`",
            ),
            Self::UnexpectedStatus => (
                "unexpected_status",
                "the endpoint answered with an unexpected status",
                "check the URL of the endpoint and the state of the server",
            ),
            Self::UnreadableToken => ("unreadable_token", "a stored token could not be read", "log in again"),
            Self::UnsupportedTokenType => (
                "unsupported_token_type",
                "the server cannot end tokens of this type",
                "end the refresh token it came from, or let it expire",
            ),
            Self::UnusableResponse => (
                "unusable_response",
                "the endpoint's answer could not be understood",
                "check the URL of the endpoint",
            ),
            Self::WaitTimeout => (
                "wait_timeout",
                "no token came within the time that a request waits",
                "the refresh goes on; try again",
            ),
        }
    }
}
