"""An OAuth 1.0a provider whose verifier is Authlib. How to start it: see `serve.py`.

The paths are those of `oauthlib_provider.py`, but for realms: Authlib has none, so `/realms/...` is a
resource like any other.
"""

import os

# Without it, Authlib refuses every request over plain http, loopback too.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

from authlib.integrations.flask_oauth1 import AuthorizationServer, ResourceProtector
from authlib.integrations.flask_oauth1 import register_temporary_credential_hooks
from authlib.oauth1 import ClientMixin, OAuth1Request, TokenCredentialMixin
from authlib.oauth1.errors import OAuth1Error
from authlib.oauth1.rfc5849 import signature
from authlib.oauth1.rfc5849.base_server import BaseServer
from authlib.oauth1.rfc5849.errors import InvalidClientError, MissingRequiredParameterError
from flask import request as flask_request

import authlib_methods
import authlib_strict
import serve
from accounts import TIMESTAMP_TOLERANCE, TokenCredentials
from answers import accepted, refused, visible_parameters
from received import Received, printable


class Client(ClientMixin):
    """A client of `accounts`, as Authlib wants to see it."""

    def __init__(self, client):
        self.client = client

    def get_default_redirect_uri(self):
        return "http://127.0.0.1/callback"

    def get_client_secret(self):
        return self.client.secret

    def get_rsa_public_key(self):
        return self.client.rsa_public_key


class Token(TokenCredentialMixin):
    """Token credentials of `accounts`, as Authlib wants to see them."""

    def __init__(self, token, credentials):
        self.token = token
        self.credentials = credentials

    def get_oauth_token(self):
        return self.token

    def get_oauth_token_secret(self):
        return self.credentials.secret


class User:
    def get_user_id(self):
        return "alice"


class TemporaryCredentials(dict):
    """The cache in which Authlib keeps temporary credentials."""

    def set(self, key, value, timeout=None):
        self[key] = value

    def delete(self, key):
        self.pop(key, None)


class StrictAuthorizationServer(AuthorizationServer):
    def create_oauth1_request(self, request):
        return as_received(Received.now())


class TwoLeggedProtector(ResourceProtector):
    """Authlib's own checks, without those of a token."""

    def validate_request(self, method, uri, body, headers):
        request = OAuth1Request(method, uri, body, headers)
        if not request.client_id:
            raise MissingRequiredParameterError("oauth_consumer_key")
        request.client = self.get_client_by_id(request.client_id)
        if not request.client:
            raise InvalidClientError()
        self.validate_timestamp_and_nonce(request)
        self.validate_oauth_signature(request)
        return request


def as_received(received):
    """The request for Authlib, byte for byte."""
    body = received.body_text if received.is_form else None
    return OAuth1Request(received.method, received.uri, body, received.headers)


def as_flask_sees_it():
    """The request as Authlib's Flask integration hands it over."""
    form = flask_request.form.to_dict(flat=True)
    return OAuth1Request(flask_request.method, flask_request.url, form, flask_request.headers)


class Provider:
    def __init__(self, remembered, app, strict):
        self.strict = strict
        self.name = "Authlib strict" if strict else "Authlib"
        self.remembered = remembered
        self.app = app
        self.protector = ResourceProtector(app, **self._questions())
        self.two_legged = TwoLeggedProtector(app, **self._questions())
        self.authorization_server = self._authorization_server()

    def _questions(self):
        return {
            "query_client": self._client,
            "query_token": self._token,
            "exists_nonce": self._is_replay,
        }

    def _client(self, client_key):
        found = self.remembered.clients.get(client_key)
        return Client(found) if found else None

    def _token(self, client_key, token):
        found = self.remembered.token(client_key, token)
        return Token(token, found) if found else None

    def _is_replay(self, nonce, timestamp, client_key, token):
        return not self.remembered.first_use(client_key, timestamp, nonce, token)

    def _authorization_server(self):
        kind = StrictAuthorizationServer if self.strict else AuthorizationServer
        server = kind(self.app, query_client=self._client)
        register_temporary_credential_hooks(server, TemporaryCredentials())
        server.register_hook("exists_nonce", self._is_replay)
        server.register_hook("create_token_credential", self._keep_token)
        return server

    def _keep_token(self, token, temporary):
        kept = TokenCredentials(token["oauth_token_secret"], temporary.get_client_id())
        self.remembered.tokens[token["oauth_token"]] = kept
        return Token(token["oauth_token"], kept)

    def resource(self, received):
        protector = self.two_legged if serve.is_two_legged(received) else self.protector
        try:
            seen = as_received(received) if self.strict else as_flask_sees_it()
        except (OAuth1Error, ValueError) as error:
            return refused(received, 400, f"malformed: {error}", verifier=self.name)
        facts = {
            "verifier": self.name,
            "realm": printable(seen.realm),
            "parameters": visible_parameters(seen.oauth_params),
        }
        try:
            protector.validate_request(seen.method, seen.uri, seen.body, seen.headers)
        except OAuth1Error as error:
            reason = f"{error.error}: {error.description or error.get_error_description()}"
            base_string = signature.generate_signature_base_string(seen)
            return refused(received, _status(error), reason, base_string, **facts)
        return accepted(received, **facts)


def _status(error):
    """Authlib calls a stale timestamp an invalid request (400); it is the reader's clock (§3.2)."""
    stale = 'Invalid "oauth_timestamp"' in str(error.description)
    return 401 if stale else error.status_code


def main():
    options = serve.arguments(__doc__)
    if options.strict:
        authlib_strict.undo_bugs()
    authlib_methods.register()
    BaseServer.EXPIRY_TIME = TIMESTAMP_TOLERANCE
    remembered = serve.accounts(options)
    app = serve.web_application(remembered, lambda received: provider.resource(received))
    app.config["OAUTH1_SUPPORTED_SIGNATURE_METHODS"] = authlib_methods.OWN + authlib_methods.ADDED
    provider = Provider(remembered, app, options.strict)

    @app.post("/initiate")
    def initiate():
        return provider.authorization_server.create_temporary_credentials_response()

    @app.get("/authorize")
    def authorize():
        return provider.authorization_server.create_authorization_response(grant_user=User())

    @app.post("/token")
    def token():
        return provider.authorization_server.create_token_response()

    serve.serve(app, options, verifier=provider.name)


if __name__ == "__main__":
    main()
