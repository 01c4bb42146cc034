"""Checks the server itself: that it accepts what is right and refuses what is not.

    python check.py
"""

import base64
import hashlib
import http.client
import json
import secrets
import subprocess
import sys
import unittest
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

HERE = Path(__file__).parent
# As in server.py, which cannot be imported without starting Django.
SECRET = "django s3cret+%:é"
PASSWORD = "ann's password"
CALLBACK = "http://127.0.0.1:54321/callback"


class Checks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        command = [sys.executable, str(HERE / "server.py"), "--until-stdin-closes"]
        cls.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        cls.port = json.loads(cls.process.stdout.readline())["port"]

    @classmethod
    def tearDownClass(cls):
        cls.process.stdin.close()
        cls.process.wait(10)
        cls.process.stdout.close()

    def ask(self, method, path, headers=None, form=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = dict(headers or {})
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, urlencode(form) if form is not None else None, headers)
        answer = connection.getresponse()
        answer.text = answer.read().decode()
        connection.close()
        return answer

    def token(self, headers=None, **form):
        answer = self.ask("POST", "/o/token/", headers, form)
        return answer.status, json.loads(answer.text)

    def log_in(self, client, **changes):
        """Gives the answer of the authorization endpoint, and the verifier of PKCE."""
        verifier = secrets.token_urlsafe(32)
        digest = hashlib.sha256(verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": client,
            "redirect_uri": CALLBACK,
            "scope": "read",
            "state": "a state",
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
            **changes,
        }
        query = {name: value for name, value in query.items() if value is not None}
        answer = self.ask("GET", "/o/authorize/?" + urlencode(query))
        location = answer.getheader("Location")
        if location is None:
            return {"status": answer.status}, verifier
        answered = parse_qs(urlsplit(location).query)
        return {name: values[0] for name, values in answered.items()}, verifier

    def exchange(self, client, code, verifier, headers=None, **changes):
        form = {
            "grant_type": "authorization_code",
            "client_id": client,
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": CALLBACK,
            **changes,
        }
        return self.token(headers, **form)

    def assert_good(self, answer, **expected):
        status, body = answer
        self.assertEqual(status, 200, body)
        api = self.ask("GET", "/api", {"Authorization": f"Bearer {body['access_token']}"})
        self.assertEqual(api.status, 200)
        whose = json.loads(api.text)
        self.assertEqual(whose, {**whose, **expected})
        return body

    def assert_refused(self, answer, error):
        status, body = answer
        self.assertIn(status, (400, 401))
        self.assertEqual(body["error"], error)

    def test_an_app_without_secret_logs_in_with_pkce(self):
        callback, verifier = self.log_in("app")
        self.assertEqual(callback["state"], "a state")
        self.assertEqual(callback["iss"], f"http://127.0.0.1:{self.port}")
        self.assert_good(self.exchange("app", callback["code"], verifier), client="app", user="ann")

    def test_without_pkce_nobody_logs_in(self):
        callback, _ = self.log_in("app", code_challenge=None, code_challenge_method=None)
        self.assertEqual(callback["error"], "invalid_request")

    def test_a_wrong_callback_is_no_way_back(self):
        answer, _ = self.log_in("app", redirect_uri="http://127.0.0.1:54321/elsewhere")
        self.assertEqual(answer, {"status": 400})

    def test_a_code_needs_its_verifier_and_is_good_once(self):
        callback, _ = self.log_in("app")
        self.assert_refused(self.exchange("app", callback["code"], "x" * 43), "invalid_grant")
        callback, verifier = self.log_in("app")
        self.assert_good(self.exchange("app", callback["code"], verifier))
        self.assert_refused(self.exchange("app", callback["code"], verifier), "invalid_grant")

    def test_a_client_with_a_secret_has_to_know_it(self):
        callback, verifier = self.log_in("web")
        code = callback["code"]
        self.assert_refused(self.exchange("web", code, verifier), "invalid_client")
        wrong = self.exchange("web", code, verifier, client_secret="wrong")
        self.assert_refused(wrong, "invalid_client")
        self.assert_good(self.exchange("web", code, verifier, client_secret=SECRET), client="web")

    def test_basic_is_form_decoded(self):
        basic = lambda text: {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}
        callback, verifier = self.log_in("web")
        encoded = basic("web:django%20s3cret%2B%25%3A%C3%A9")
        self.assert_good(self.exchange("web", callback["code"], verifier, encoded), client="web")

    def test_a_refresh_token_is_good_once_and_its_second_use_ends_them_all(self):
        callback, verifier = self.log_in("app")
        first = self.assert_good(self.exchange("app", callback["code"], verifier))
        refresh = lambda token: self.token(
            grant_type="refresh_token", client_id="app", refresh_token=token
        )
        second = self.assert_good(refresh(first["refresh_token"]), user="ann")
        self.assert_refused(refresh(first["refresh_token"]), "invalid_grant")
        self.assert_refused(refresh(second["refresh_token"]), "invalid_grant")

    def test_a_password_is_traded_by_the_client_that_may(self):
        form = {"grant_type": "password", "username": "ann", "client_secret": SECRET}
        self.assert_good(self.token(**form, client_id="old", password=PASSWORD), client="old")
        self.assert_refused(self.token(**form, client_id="old", password="wrong"), "invalid_grant")
        refused = self.token(**form, client_id="web", password=PASSWORD)
        self.assert_refused(refused, "unauthorized_client")

    def test_the_api_refuses_with_403_and_says_nothing_of_bearer_tokens(self):
        answer = self.ask("GET", "/api", {"Authorization": "Bearer nonsense"})
        self.assertEqual((answer.status, answer.getheader("WWW-Authenticate")), (403, None))

    def test_the_token_endpoint_has_a_slash_at_its_end(self):
        self.assertEqual(self.ask("POST", "/o/token", form={}).status, 404)


if __name__ == "__main__":
    unittest.main()
