"""Checks the providers themselves: that each accepts what is right and refuses what is not.

    python check.py

The tests in Rust lean on these verdicts. The requests here are signed by a signer of a few lines,
written from RFC 5849 over bytes, so that the strict providers meet input that no library will sign.
"""

import base64
import hashlib
import hmac
import http.client
import json
import secrets
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, quote, unquote_to_bytes, urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from accounts import CLIENT_KEY, CLIENT_SECRET, TOKEN, TOKEN_SECRET

HERE = Path(__file__).parent
FORM = "application/x-www-form-urlencoded"
DIGESTS = {
    "HMAC-SHA1": hashlib.sha1,
    "HMAC-SHA256": hashlib.sha256,
    "HMAC-SHA512": hashlib.sha512,
    "RSA-SHA1": hashes.SHA1,
    "RSA-SHA256": hashes.SHA256,
    "RSA-SHA512": hashes.SHA512,
}
RSA_KEY = rsa.generate_private_key(65537, 2048)


def escape(data):
    return quote(data, safe="~").encode()


def form_pairs(data):
    for pair in data.split(b"&"):
        if pair:
            name, _, value = pair.replace(b"+", b" ").partition(b"=")
            yield unquote_to_bytes(name), unquote_to_bytes(value)


def sign(method, origin, target, parameters, client_secret, token_secret, form=b""):
    """The signature of RFC 5849 §3.4 for the given protocol parameters."""
    path, _, query = target.partition(b"?")
    pairs = [*form_pairs(query), *form_pairs(form)]
    pairs += [(name.encode(), value.encode()) for name, value in parameters.items()]
    normalized = b"&".join(
        name + b"=" + value for name, value in sorted((escape(n), escape(v)) for n, v in pairs)
    )
    base_string = b"&".join(
        escape(part) for part in (method.upper().encode(), origin + (path or b"/"), normalized)
    )
    key = escape(client_secret.encode()) + b"&" + escape(token_secret.encode())
    name = parameters["oauth_signature_method"]
    if name == "PLAINTEXT":
        return key.decode()
    if name.startswith("RSA"):
        signature = RSA_KEY.sign(base_string, padding.PKCS1v15(), DIGESTS[name]())
    else:
        signature = hmac.digest(key, base_string, DIGESTS[name])
    return base64.b64encode(signature).decode()


class Peer:
    """A provider in a process of its own."""

    def __init__(self, script, *options):
        command = [sys.executable, str(HERE / script), "--until-stdin-closes", *options]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.port = json.loads(self.process.stdout.readline())["port"]
        self.authority = f"127.0.0.1:{self.port}"

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()

    def raw(self, method, target, headers=(), body=b""):
        """Sends the target byte for byte, which `putrequest` alone would refuse to do."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection._validate_path = lambda path: None
        connection._encode_request = lambda request: request.encode("latin-1")
        connection.putrequest(method, target.decode("latin-1"), skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        answer.text = answer.read().decode()
        connection.close()
        return answer

    def signed(self, method, target, **changes):
        """Signs with the well-known credentials, but for what `changes` says, and sends it."""
        client_secret = changes.pop("client_secret", CLIENT_SECRET)
        token_secret = changes.pop("token_secret", TOKEN_SECRET)
        body = changes.pop("body", b"")
        content_type = changes.pop("content_type", FORM if body else None)
        sent_target = changes.pop("sent_target", target)
        realm = changes.pop("realm", None)
        parameters = {
            "oauth_consumer_key": CLIENT_KEY,
            "oauth_token": TOKEN,
            "oauth_nonce": secrets.token_hex(8),
            "oauth_timestamp": str(int(time.time())),
            "oauth_signature_method": "HMAC-SHA1",
            "oauth_version": "1.0",
            **changes,
        }
        parameters = {name: value for name, value in parameters.items() if value is not None}
        if "oauth_token" not in parameters:
            token_secret = ""
        is_form = (content_type or "").partition(";")[0].strip().lower() == FORM
        origin = f"http://{self.authority}".encode()
        parameters["oauth_signature"] = sign(
            method, origin, target, parameters, client_secret, token_secret, body if is_form else b""
        )
        shown = [f'{name}="{escape(value.encode()).decode()}"' for name, value in parameters.items()]
        if realm is not None:
            shown.insert(0, f'realm="{realm}"')
        headers = [("Authorization", "OAuth " + ", ".join(shown))]
        if content_type:
            headers.append(("Content-Type", content_type))
        return self.raw(method, sent_target, headers, body)


class ProviderChecks:
    """What holds for both libraries in both modes."""

    script = None
    options = ()

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        key = Path(cls.folder.name) / "rsa-public-key.pem"
        key.write_bytes(
            RSA_KEY.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        cls.peer = Peer(cls.script, "--rsa-public-key", str(key), *cls.options)

    @classmethod
    def tearDownClass(cls):
        cls.peer.stop()
        cls.folder.cleanup()

    def accepts(self, answer):
        self.assertEqual(answer.status, 200, answer.text)

    def refuses(self, answer, reason, status=401):
        self.assertEqual(answer.status, status, answer.text)
        self.assertIn(reason, answer.text)
        for secret in (CLIENT_SECRET, TOKEN_SECRET):
            self.assertNotIn(json.dumps(secret)[1:-1], answer.text)

    def test_ordinary_requests_are_accepted(self):
        self.accepts(self.peer.signed("GET", b"/photos?size=original&file=vacation.jpg"))
        self.accepts(self.peer.signed("POST", b"/photos", body=b"title=a+b&tag=%C3%A9"))
        self.accepts(
            self.peer.signed("PUT", b"/x", body=b'{"a":1}', content_type="application/json")
        )
        self.accepts(self.peer.signed("HEAD", b"/photos"))
        self.accepts(self.peer.signed("DELETE", b"/photos/1"))

    def test_the_answer_reports_what_was_received(self):
        answer = self.peer.signed("POST", b"/a?b=%2f", body=b"c=d")
        received = json.loads(answer.text)["received"]
        self.assertEqual(received["target"], "/a?b=%2f")
        self.assertEqual(received["body_sha256"], hashlib.sha256(b"c=d").hexdigest())

    def test_a_head_request_is_reported_in_a_header(self):
        answer = self.peer.signed("HEAD", b"/photos")
        self.assertEqual(json.loads(answer.headers["Peer-Report"])["received"]["method"], "HEAD")

    def test_every_signature_method_is_accepted(self):
        for name in [*DIGESTS, "PLAINTEXT"]:
            with self.subTest(name):
                self.accepts(self.peer.signed("GET", b"/photos?a=b", oauth_signature_method=name))

    def test_a_client_alone_may_see_two_legged_resources_only(self):
        self.accepts(self.peer.signed("GET", b"/two-legged/x", oauth_token=None))
        answer = self.peer.signed("GET", b"/x", oauth_token=None)
        self.assertIn(answer.status, (400, 401), answer.text)

    def test_wrong_secrets_are_refused(self):
        self.refuses(self.peer.signed("GET", b"/x", client_secret="wrong"), "signature")
        self.refuses(self.peer.signed("GET", b"/x", token_secret="wrong"), "signature")

    def test_a_changed_request_is_refused(self):
        self.refuses(self.peer.signed("GET", b"/x?a=1", sent_target=b"/x?a=2"), "signature")
        self.refuses(self.peer.signed("GET", b"/x?a=1", sent_target=b"/y?a=1"), "signature")

    def test_a_refusal_shows_the_base_string(self):
        answer = self.peer.signed("GET", b"/x?a=1", sent_target=b"/x?a=2")
        self.assertIn("a%3D2", json.loads(answer.text)["base_string"])

    def test_a_replay_is_refused(self):
        same = {"oauth_nonce": "once", "oauth_timestamp": str(int(time.time()))}
        self.accepts(self.peer.signed("GET", b"/x", **same))
        answer = self.peer.signed("GET", b"/x", **same)
        self.assertIn(answer.status, (400, 401), answer.text)
        self.assertIn("nonce", answer.text)

    def test_a_stale_timestamp_is_refused(self):
        stale = str(int(time.time()) - 3600)
        self.refuses(self.peer.signed("GET", b"/x", oauth_timestamp=stale), "timestamp")

    def test_an_unsigned_request_is_refused(self):
        answer = self.peer.raw("GET", b"/x")
        self.assertIn(answer.status, (400, 401), answer.text)

    def test_credentials_can_be_added(self):
        more = {"client_key": "k/%41", "client_secret": "s", "token": "t=", "token_secret": ""}
        body = json.dumps(more).encode()
        headers = [("Content-Type", "application/json")]
        self.accepts(self.peer.raw("POST", b"/_credentials", headers, body))

    def test_the_three_legs_lead_to_a_token(self):
        answer = self.peer.signed(
            "POST", b"/initiate", oauth_token=None, oauth_callback="http://127.0.0.1/callback?x=1"
        )
        self.accepts(answer)
        temporary = dict(parse_qsl(answer.text))
        self.assertEqual(temporary["oauth_callback_confirmed"].lower(), "true")
        answer = self.peer.raw("GET", f"/authorize?oauth_token={temporary['oauth_token']}".encode())
        self.assertEqual(answer.status, 302, answer.text)
        returned = parse_qs(urlsplit(answer.headers["Location"]).query)
        answer = self.peer.signed(
            "POST",
            b"/token",
            oauth_token=temporary["oauth_token"],
            token_secret=temporary["oauth_token_secret"],
            oauth_verifier=returned["oauth_verifier"][0],
        )
        self.accepts(answer)
        token = dict(parse_qsl(answer.text))
        answer = self.peer.signed(
            "GET",
            b"/x",
            oauth_token=token["oauth_token"],
            token_secret=token["oauth_token_secret"],
        )
        self.accepts(answer)


class StrictChecks(ProviderChecks):
    """What only the strict modes can do: odd input, decoded once, byte for byte."""

    options = ("--strict",)

    def test_odd_queries_are_accepted(self):
        for query in [
            b"a[]=1&b{c}=|^'$",
            b"bad=%zz&alone=100%",
            b"latin=%E9",
            b"plus=+%2B&star=*&tilde=~&lower=%c3%a9",
            b"a&&b=&=c&d==e",
            b"same=1&same=1&same=0",
            b"realm=here",
            b"q=?&x=/;:@",
            "raw=é à".replace(" ", "").encode(),
        ]:
            with self.subTest(query):
                self.accepts(self.peer.signed("GET", b"/x?" + query))
                self.accepts(self.peer.signed("GET", b"/x?" + query, realm="photos"))
                self.accepts(self.peer.signed("POST", b"/x", body=query))

    def test_odd_paths_are_accepted(self):
        for path in [b"/", b"//a//b", b"/a;", b"/a;b=c", b"/%2F%2f/..", b"/caf\xc3\xa0", b"/a'b"]:
            with self.subTest(path):
                self.accepts(self.peer.signed("GET", path + b"?a=b"))

    def test_odd_methods_are_accepted(self):
        for method in ["PATCH", "PURGE", "get", "OPTIONS"]:
            with self.subTest(method):
                self.accepts(self.peer.signed(method, b"/x"))

    def test_a_form_is_a_form_whatever_its_spelling(self):
        for content_type in [f"{FORM}; charset=utf-8", FORM.title(), f"{FORM} ;a=b"]:
            with self.subTest(content_type):
                self.accepts(self.peer.signed("PUT", b"/x", body=b"a=b", content_type=content_type))

    def test_a_body_that_only_looks_like_a_form_is_not_signed(self):
        for content_type in ["text/plain", f"text/plain; a={FORM}", f"{FORM}-not", None]:
            with self.subTest(content_type):
                self.accepts(
                    self.peer.signed("POST", b"/x", body=b"a=b", content_type=content_type)
                )

    def test_escapes_in_protocol_parameters_are_decoded_once(self):
        self.accepts(self.peer.signed("GET", b"/x", oauth_nonce="50%41%2F"))

    def test_bytes_that_are_not_text_arrive(self):
        body = bytes(range(256))
        answer = self.peer.signed("POST", b"/x", body=body, content_type="application/octet-stream")
        self.accepts(answer)
        received = json.loads(answer.text)["received"]
        self.assertEqual(received["body_sha256"], hashlib.sha256(body).hexdigest())


class Oauthlib(ProviderChecks, unittest.TestCase):
    script = "oauthlib_provider.py"

    def test_a_realm_needs_a_token_of_that_realm(self):
        self.refuses(self.peer.signed("GET", b"/realms/photos/x"), "realm")
        known = {"client_key": "k", "client_secret": "s", "token": "t", "token_secret": "z"}
        body = json.dumps({**known, "realms": ["photos"]}).encode()
        self.peer.raw("POST", b"/_credentials", [("Content-Type", "application/json")], body)
        credentials = {
            "oauth_consumer_key": "k",
            "client_secret": "s",
            "oauth_token": "t",
            "token_secret": "z",
        }
        self.accepts(self.peer.signed("GET", b"/realms/photos/x", **credentials))
        self.refuses(self.peer.signed("GET", b"/realms/printing/x", **credentials), "realm")


class OauthlibStrict(StrictChecks, unittest.TestCase):
    script = "oauthlib_provider.py"


class Authlib(ProviderChecks, unittest.TestCase):
    script = "authlib_provider.py"


class AuthlibStrict(StrictChecks, unittest.TestCase):
    script = "authlib_provider.py"


if __name__ == "__main__":
    unittest.main()
