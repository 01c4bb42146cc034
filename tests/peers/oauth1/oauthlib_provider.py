"""An OAuth 1.0a provider whose verifier is oauthlib. How to start it: see `serve.py`.

| path | what it is |
|---|---|
| `/initiate`, `/authorize`, `/token` | the three legs (RFC 5849 §2); the user always agrees |
| `/two-legged/...` | a protected resource for a client without a token |
| `/realms/<name>/...` | a protected resource of one realm |
| any other path | a protected resource; any method |
| `POST /_credentials` | registers a client and a token: the arguments of `Accounts.add`, as JSON |
"""

from flask import Response
from oauthlib.oauth1 import RequestValidator, SignatureOnlyEndpoint, WebApplicationServer
from oauthlib.oauth1.rfc5849 import signature
from oauthlib.oauth1.rfc5849.errors import OAuth1Error

import oauthlib_strict
import serve
from accounts import REALMS, TIMESTAMP_TOLERANCE, Temporary, TokenCredentials
from answers import accepted, refused, visible_parameters
from received import FORM, Received, printable


class Validator(RequestValidator):
    """oauthlib's questions about the provider's memory, answered."""

    enforce_ssl = False  # loopback
    realms = REALMS
    timestamp_lifetime = TIMESTAMP_TOLERANCE

    # Used in place of an unknown name, so that a refusal takes as long as an acceptance.
    dummy_client = dummy_request_token = dummy_access_token = "nobody"
    dummy_secret = "nothing"

    def __init__(self, remembered):
        super().__init__()
        self.remembered = remembered

    # The defaults of oauthlib want 20 to 30 letters and digits; RFC 5849 wants nothing of the kind.
    def check_client_key(self, client_key):
        return True

    check_nonce = check_request_token = check_access_token = check_verifier = check_client_key

    # What belongs to a client.
    def validate_client_key(self, client_key, request):
        return client_key in self.remembered.clients

    def get_client_secret(self, client_key, request):
        client = self.remembered.clients.get(client_key)
        return client.secret if client else self.dummy_secret

    def get_rsa_key(self, client_key, request):
        return self.remembered.rsa_public_key

    def validate_timestamp_and_nonce(
        self, client_key, timestamp, nonce, request, request_token=None, access_token=None
    ):
        token = request_token or access_token
        request.is_replay = not self.remembered.first_use(client_key, timestamp, nonce, token)
        return not request.is_replay

    # First leg: temporary credentials.
    def get_default_realms(self, client_key, request):
        return []

    def validate_requested_realms(self, client_key, realms, request):
        return set(realms) <= set(REALMS)

    def validate_redirect_uri(self, client_key, redirect_uri, request):
        return True

    def save_request_token(self, token, request):
        self.remembered.temporary[token["oauth_token"]] = Temporary(
            token["oauth_token_secret"], request.client_key, request.redirect_uri, request.realms
        )

    # Second leg: authorization.
    def verify_request_token(self, token, request):
        return token in self.remembered.temporary

    def verify_realms(self, token, realms, request):
        return set(realms) <= set(self.remembered.temporary[token].realms)

    def get_realms(self, token, request):
        return self.remembered.temporary[token].realms

    def get_redirect_uri(self, token, request):
        return self.remembered.temporary[token].callback

    def save_verifier(self, token, verifier, request):
        self.remembered.temporary[token].verifier = verifier["oauth_verifier"]

    # Third leg: token credentials.
    def validate_request_token(self, client_key, token, request):
        temporary = self.remembered.temporary.get(token)
        return temporary is not None and temporary.client_key == client_key

    def get_request_token_secret(self, client_key, token, request):
        temporary = self.remembered.temporary.get(token)
        return temporary.secret if temporary else self.dummy_secret

    def validate_verifier(self, client_key, token, verifier, request):
        temporary = self.remembered.temporary.get(token)
        return temporary is not None and temporary.verifier == verifier

    def save_access_token(self, token, request):
        self.remembered.tokens[token["oauth_token"]] = TokenCredentials(
            token["oauth_token_secret"], request.client_key, request.realms
        )

    def invalidate_request_token(self, client_key, token, request):
        self.remembered.temporary.pop(token, None)

    # Protected resources.
    def validate_access_token(self, client_key, token, request):
        return self.remembered.token(client_key, token) is not None

    def get_access_token_secret(self, client_key, token, request):
        credentials = self.remembered.token(client_key, token)
        return credentials.secret if credentials else self.dummy_secret

    def validate_realms(self, client_key, token, request, uri=None, realms=None):
        credentials = self.remembered.token(client_key, token)
        return not realms or (credentials is not None and set(realms) <= set(credentials.realms))


class Provider:
    def __init__(self, remembered, strict):
        self.strict = strict
        self.name = "oauthlib strict" if strict else "oauthlib"
        self.server = WebApplicationServer(Validator(remembered))
        self.two_legged = SignatureOnlyEndpoint(Validator(remembered))

    def as_oauthlib_wants_it(self, received):
        """The URI, method, body and headers for any of oauthlib's endpoints.

        The URI is the one on the wire: `request.url` of Flask has `%2F` and `%C3%A9` decoded.
        """
        headers = dict(received.headers)
        if not self.strict:
            body = received.body.decode("utf-8", "replace")
            return received.uri, received.method, body, headers
        # oauthlib looks for one spelling of the media type, anywhere in the header.
        headers.pop("Content-Type", None)
        if received.is_form:
            headers["Content-Type"] = FORM
        return received.uri, received.method, received.body_text, headers

    def resource(self, received):
        uri, method, body, headers = self.as_oauthlib_wants_it(received)
        try:
            if serve.is_two_legged(received):
                valid, seen = self.two_legged.validate_request(uri, method, body, headers)
            else:
                valid, seen = self.server.validate_protected_resource_request(
                    uri, method, body, headers, realms=serve.required_realms(received)
                )
        except ValueError as error:
            # oauthlib lets this one through when it dislikes a character.
            return refused(received, 400, f"oauthlib: {error}", verifier=self.name)
        if seen is None:
            return refused(received, 400, self._malformed(received), verifier=self.name)
        facts = {
            "verifier": self.name,
            "realm": printable(seen.realm),
            "parameters": visible_parameters(seen.oauth_params),
        }
        if valid:
            return accepted(received, **facts)
        status, reason = self._why(received, seen)
        return refused(received, status, reason, base_string(seen), **facts)

    def _malformed(self, received):
        try:
            self.server._create_request(*self.as_oauthlib_wants_it(received))
        except OAuth1Error as error:
            return f"malformed: {error}"
        return "malformed"

    def _why(self, received, seen):
        """Status and reason of a refusal. oauthlib only says that it refused, so it is asked again."""
        try:
            self.server._check_mandatory_parameters(seen)
        except OAuth1Error as error:
            stale = "Timestamp given is invalid" in str(error.description)
            return (401, "stale timestamp") if stale else (400, f"malformed: {error.description}")
        if getattr(seen, "is_replay", False):
            return 401, "replay: nonce and timestamp were used before"
        wrong = [name for name, right in seen.validator_log.items() if not right]
        return 401, "wrong " + ", ".join(wrong) if wrong else "no token"


def base_string(seen):
    return signature.signature_base_string(
        seen.http_method,
        signature.base_string_uri(seen.uri),
        signature.normalize_parameters(seen.params),
    )


def main():
    options = serve.arguments(__doc__)
    if options.strict:
        oauthlib_strict.undo_bugs()
    remembered = serve.accounts(options)
    provider = Provider(remembered, options.strict)
    app = serve.web_application(remembered, provider.resource)

    def current():
        return provider.as_oauthlib_wants_it(Received.now())

    def answer(headers, body, status):
        return Response(body or "", status, headers)

    @app.post("/initiate")
    def initiate():
        return answer(*provider.server.create_request_token_response(*current()))

    @app.get("/authorize")
    def authorize():
        uri, method, body, headers = current()
        server = provider.server
        realms, _ = server.get_realms_and_credentials(uri, method, body, headers)
        return answer(*server.create_authorization_response(uri, method, body, headers, realms))

    @app.post("/token")
    def token():
        return answer(*provider.server.create_access_token_response(*current()))

    serve.serve(app, options, verifier=provider.name)


if __name__ == "__main__":
    main()
