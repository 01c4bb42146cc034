"""Checks the server itself: that it accepts what is right and refuses what is not.

    python check.py

The tests in Rust lean on these verdicts. The assertions here are made by joserfc.
"""

import base64
import http.client
import json
import secrets
import subprocess
import sys
import time
import unittest
from pathlib import Path
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from server import DELEGATED_USER, PASSWORD, ROBOT, SECRET, SHARED_SECRET

HERE = Path(__file__).parent
KEYS = HERE.parents[1] / "vectors/keys"
RSA = RSAKey.import_key((KEYS / "rsa2048-a.pem").read_text())
OTHER_RSA = RSAKey.generate_key(2048)
EC = ECKey.import_key((KEYS / "p256.pem").read_text())
SHARED = OctKey.import_key(SHARED_SECRET)
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CLIENT_JWT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Checks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        command = [sys.executable, str(HERE / "server.py"), "--until-stdin-closes"]
        cls.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        cls.port = json.loads(cls.process.stdout.readline())["port"]
        cls.origin = f"http://127.0.0.1:{cls.port}"

    @classmethod
    def tearDownClass(cls):
        cls.process.stdin.close()
        cls.process.wait(10)
        cls.process.stdout.close()

    def ask(self, method, path, headers, form=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        if form is not None:
            headers = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
        connection.request(method, path, urlencode(form) if form is not None else None, headers)
        answer = connection.getresponse()
        body = json.loads(answer.read())
        connection.close()
        return answer.status, body

    def token(self, headers=None, **form):
        return self.ask("POST", "/token", headers or {}, form)

    def assertion(self, key=RSA, algorithm="RS256", **changes):
        now = int(time.time())
        claims = {
            "iss": ROBOT,
            "aud": f"{self.origin}/token",
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_hex(8),
            **changes,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode({"alg": algorithm}, claims, key)

    def trade(self, **changes):
        return self.token(grant_type=JWT_BEARER, assertion=self.assertion(**changes))

    def prove(self, client, key, algorithm, **changes):
        claims = {"iss": client, "sub": client, **changes}
        return self.token(
            grant_type="client_credentials",
            client_assertion_type=CLIENT_JWT,
            client_assertion=self.assertion(key, algorithm, **claims),
        )

    def assert_refused(self, answer, error):
        status, body = answer
        self.assertIn(status, (400, 401))
        self.assertEqual(body["error"], error)

    def assert_good(self, answer, **expected):
        status, body = answer
        self.assertEqual(status, 200, body)
        authorization = {"Authorization": f"Bearer {body['access_token']}"}
        status, whose = self.ask("GET", "/api", authorization)
        self.assertEqual(status, 200)
        self.assertEqual(whose, {**whose, **expected})

    def test_an_assertion_of_the_service_account_gets_a_token_for_the_scope_in_it(self):
        self.assert_good(self.trade(scope="read"), client=ROBOT, scope="read", user=None)
        self.assert_good(self.trade(sub=DELEGATED_USER), user=DELEGATED_USER)

    def test_other_assertions_of_it_get_none(self):
        wrong = {
            "a key of somebody else": {"key": OTHER_RSA},
            "a shared secret": {"key": SHARED, "algorithm": "HS256"},
            "expired": {"exp": int(time.time()) - 120},
            "no end": {"exp": None},
            "for another server": {"aud": "https://elsewhere.example/token"},
            "for nobody": {"aud": None},
            "an unknown account": {"iss": "nobody@project.iam.example"},
            "a user who did not delegate": {"sub": "bob@example.com"},
        }
        for what, changes in wrong.items():
            with self.subTest(what):
                self.assert_refused(self.trade(**changes), "invalid_grant")

    def test_clients_prove_themselves_with_assertions(self):
        self.assert_good(self.prove("rsa-jwt", RSA, "RS256"), client="rsa-jwt")
        self.assert_good(self.prove("ec-jwt", EC, "ES256"), client="ec-jwt")
        self.assert_good(self.prove("secret-jwt", SHARED, "HS256"), client="secret-jwt")
        self.assert_good(self.prove("rsa-jwt", RSA, "RS256", aud=self.origin), client="rsa-jwt")

    def test_other_assertions_of_clients_prove_nothing(self):
        wrong = {
            "a key of somebody else": ("rsa-jwt", OTHER_RSA, "RS256", {}),
            "the key of another client": ("rsa-jwt", EC, "ES256", {}),
            "the secret of another client": ("ec-jwt", SHARED, "HS256", {}),
            "expired": ("rsa-jwt", RSA, "RS256", {"exp": int(time.time()) - 120}),
            "for another server": ("rsa-jwt", RSA, "RS256", {"aud": "https://elsewhere.example"}),
            "in another name": ("rsa-jwt", RSA, "RS256", {"iss": "ec-jwt"}),
            "without identifier": ("rsa-jwt", RSA, "RS256", {"jti": None}),
        }
        for what, (client, key, algorithm, changes) in wrong.items():
            with self.subTest(what):
                self.assert_refused(self.prove(client, key, algorithm, **changes), "invalid_client")

    def test_an_assertion_proves_something_once(self):
        self.assert_good(self.prove("rsa-jwt", RSA, "RS256", jti="once"))
        self.assert_refused(self.prove("rsa-jwt", RSA, "RS256", jti="once"), "invalid_client")

    def basic(self, text):
        return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}

    def test_basic_is_not_fully_form_decoded(self):
        ask = lambda text: self.token(self.basic(text), grant_type="client_credentials")
        self.assert_good(ask(f"basic:{SECRET}"), client="basic")
        self.assert_refused(ask("basic:s3cret+%C3%A9%2B%25"), "invalid_client")
        self.assert_refused(ask("basic:wrong"), "invalid_client")

    def test_a_client_that_posts_its_secret_does_not_use_basic(self):
        post = {"client_id": "post", "client_secret": SECRET, "grant_type": "client_credentials"}
        self.assert_good(self.token(**post), client="post")
        self.assert_refused(self.token(**{**post, "client_secret": "wrong"}), "invalid_client")
        wrong_method = self.token(self.basic(f"post:{SECRET}"), grant_type="client_credentials")
        self.assert_refused(wrong_method, "invalid_client")

    def test_a_password_begins_what_refresh_tokens_continue_once_each(self):
        post = {"client_id": "post", "client_secret": SECRET}
        form = {**post, "grant_type": "password", "username": "ann", "password": PASSWORD}
        # RFC 6749 §5.2 would have it an `invalid_grant`.
        self.assert_refused(self.token(**{**form, "password": "wrong"}), "invalid_request")
        first = self.token(**form)
        self.assert_good(first, user="ann")
        refresh = {**post, "grant_type": "refresh_token", "refresh_token": first[1]["refresh_token"]}
        self.assert_good(self.token(**refresh), user="ann")
        self.assert_refused(self.token(**refresh), "invalid_grant")

    def test_without_a_token_the_api_is_closed(self):
        status, body = self.ask("GET", "/api", {"Authorization": "Bearer nonsense"})
        self.assertEqual((status, body["error"]), (401, "invalid_token"))


if __name__ == "__main__":
    unittest.main()
