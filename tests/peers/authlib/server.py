"""An OAuth 2 server on Authlib: assertions (RFC 7523), and the older ways for a client to prove who it is.

    python server.py [--port N] [--key-folder FOLDER] [--until-stdin-closes]

It binds a port of 127.0.0.1 (0, the default, takes a free one) and prints one line of JSON,
`{"ready": true, "port": N}`, once it listens. With `--until-stdin-closes` it ends as soon as the process
that started it is gone.

| client | proves itself with |
|---|---|
| `basic`, `post` | the secret `SECRET`, which has characters that need escaping in forms |
| `secret-jwt` | a JWT signed with the secret `SHARED_SECRET` |
| `rsa-jwt`, `ec-jwt` | a JWT signed with the private key `rsa2048-a.pem` or `p256.pem` |
| `robot@project.iam.example` | nothing: a service account, whose assertions are signed with `rsa2048-a.pem` |

The service account may act for `ann@example.com` and for nobody else. The user `ann` has the password
`ann's password`. `/api` wants a bearer token, and says whose it is.
"""

import argparse
import json
import logging
import os
import sys
import threading
import time
from pathlib import Path

# Authlib wants https, but for this.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, TokenMixin, grants
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion, JWTBearerGrant
from flask import Flask, jsonify, request
from joserfc.jwk import ECKey, OctKey, RSAKey
from werkzeug.serving import WSGIRequestHandler, make_server

# Authlib decodes the escapes of Basic and leaves a `+` as it is, so this comes through raw, and not form-encoded.
SECRET = "s3cret é+%"
SHARED_SECRET = "a secret of 32 bytes, as HS256 wants it"
ROBOT = "robot@project.iam.example"
DELEGATED_USER = "ann@example.com"
PASSWORD = "ann's password"
SECONDS = 60


class Client(ClientMixin):
    def __init__(self, client_id, method, secret=None, key=None):
        self.client_id, self.method, self.secret, self.key = client_id, method, secret, key

    def get_client_id(self):
        return self.client_id

    def get_default_redirect_uri(self):
        return None

    def get_allowed_scope(self, scope):
        return " ".join(word for word in (scope or "").split() if word in ("read", "write"))

    def check_client_secret(self, secret):
        return self.secret == secret

    def check_endpoint_auth_method(self, method, endpoint):
        return method == self.method

    def check_grant_type(self, grant_type):
        return (grant_type == JWTBearerGrant.GRANT_TYPE) == (self.client_id == ROBOT)


class Token(TokenMixin):
    def __init__(self, client, user, scope, seconds):
        self.client, self.user, self.scope = client, user, scope
        self.seconds, self.issued_at, self.revoked = seconds, time.time(), False

    def check_client(self, client):
        return self.client is client

    def get_client(self):
        return self.client

    def get_scope(self):
        return self.scope

    def get_expires_in(self):
        return self.seconds

    def is_expired(self):
        return self.issued_at + self.seconds < time.time()

    def is_revoked(self):
        return self.revoked

    def get_user(self):
        return self.user


class Provider:
    """What the server knows: clients, tokens, and which assertions it has seen."""

    def __init__(self, keys, origin):
        rsa = RSAKey.import_key((keys / "rsa2048-a.pub.pem").read_text())
        ec = ECKey.import_key((keys / "p256.pub.pem").read_text())
        assertion = JWTBearerClientAssertion.CLIENT_AUTH_METHOD
        clients = [
            Client("basic", "client_secret_basic", secret=SECRET),
            Client("post", "client_secret_post", secret=SECRET),
            Client("secret-jwt", assertion, key=OctKey.import_key(SHARED_SECRET)),
            Client("rsa-jwt", assertion, key=rsa),
            Client("ec-jwt", assertion, key=ec),
            Client(ROBOT, "none", key=rsa),
        ]
        self.clients = {client.client_id: client for client in clients}
        self.audiences = [origin, f"{origin}/token"]
        self.access_tokens, self.refresh_tokens, self.seen = {}, {}, set()

    def save(self, token, oauth_request):
        saved = Token(
            oauth_request.client, oauth_request.user, token.get("scope", ""), token["expires_in"]
        )
        self.access_tokens[token["access_token"]] = saved
        if "refresh_token" in token:
            self.refresh_tokens[token["refresh_token"]] = saved


def grants_of(provider):
    by_secret = ["client_secret_basic", "client_secret_post"]

    class ClientCredentials(grants.ClientCredentialsGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = [*by_secret, JWTBearerClientAssertion.CLIENT_AUTH_METHOD]

    class Password(grants.ResourceOwnerPasswordCredentialsGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = by_secret

        def authenticate_user(self, username, password):
            return username if (username, password) == ("ann", PASSWORD) else None

    class RefreshToken(grants.RefreshTokenGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = by_secret
        INCLUDE_NEW_REFRESH_TOKEN = True

        def authenticate_refresh_token(self, refresh_token):
            token = provider.refresh_tokens.get(refresh_token)
            return token if token and not token.revoked else None

        def authenticate_user(self, token):
            return token.user

        def revoke_old_credential(self, token):
            token.revoked = True

    class JwtBearer(JWTBearerGrant):
        def resolve_issuer_client(self, issuer):
            return provider.clients.get(issuer)

        def resolve_client_public_key(self, client):
            return client.key

        def get_audiences(self):
            return provider.audiences

        def authenticate_user(self, subject):
            return subject if subject == DELEGATED_USER else None

        def has_granted_permission(self, client, user):
            return True

        def process_assertion_claims(self, assertion):
            claims = super().process_assertion_claims(assertion)
            self.scope = claims.get("scope", "")
            return claims

        def create_token_response(self):
            # As Google does it: the assertion says for which scope it is, and not the form.
            scope = self.request.client.get_allowed_scope(self.scope)
            token = self.generate_token(
                scope=scope, user=self.request.user, include_refresh_token=False
            )
            self.save_token(token)
            return 200, token, self.TOKEN_RESPONSE_HEADER

    return ClientCredentials, Password, RefreshToken, JwtBearer


def assertions_of(provider):
    class ClientAssertion(JWTBearerClientAssertion):
        def validate_jti(self, claims, jti):
            is_new = (claims["sub"], jti) not in provider.seen
            provider.seen.add((claims["sub"], jti))
            return is_new

        def resolve_client_public_key(self, client):
            return client.key

        def get_audiences(self):
            return provider.audiences

    return ClientAssertion()


def web_application(provider):
    app = Flask(__name__)
    grant_types = ["client_credentials", "password", "refresh_token", JWTBearerGrant.GRANT_TYPE]
    app.config.update(
        OAUTH2_TOKEN_EXPIRES_IN={grant_type: SECONDS for grant_type in grant_types},
        OAUTH2_REFRESH_TOKEN_GENERATOR=True,
    )
    server = AuthorizationServer(app, query_client=provider.clients.get, save_token=provider.save)
    for grant in grants_of(provider):
        server.register_grant(grant)
    server.register_client_auth_method(
        JWTBearerClientAssertion.CLIENT_AUTH_METHOD, assertions_of(provider)
    )

    @app.post("/token")
    def token():
        return server.create_token_response()

    @app.get("/api")
    def api():
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        token = provider.access_tokens.get(text) if scheme == "Bearer" else None
        if token is None or token.is_expired():
            challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            return jsonify(error="invalid_token"), 401, challenge
        return jsonify(client=token.client.client_id, user=token.user, scope=token.scope)

    return app


class QuietHandler(WSGIRequestHandler):
    # Without it, headers and body of an answer wait for each other's acknowledgement.
    disable_nagle_algorithm = True

    def log_request(self, code="-", size="-"):
        """Only errors are worth a line."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, default=0)
    keys = Path(__file__).parents[2] / "vectors/keys"
    parser.add_argument("--key-folder", type=Path, default=keys)
    parser.add_argument("--until-stdin-closes", action="store_true")
    options = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)

    # The port is part of what assertions have to name, so the socket comes first.
    server = make_server(
        "127.0.0.1", options.port, Flask("none"), threaded=True, request_handler=QuietHandler
    )
    server.app = web_application(Provider(options.key_folder, f"http://127.0.0.1:{server.port}"))
    if options.until_stdin_closes:
        threading.Thread(target=_end_with_standard_input, daemon=True).start()
    print(json.dumps({"ready": True, "port": server.port}), flush=True)
    server.serve_forever()


def _end_with_standard_input():
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
