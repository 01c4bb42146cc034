"""Signature methods that Authlib does not have, through the door it offers for them.

Authlib verifies HMAC-SHA1, RSA-SHA1 and PLAINTEXT. The base string is still Authlib's; only the last
step, one call of Python's `hmac` or of `cryptography`, is added.
"""

import base64
import hashlib
import hmac

from authlib.oauth1.rfc5849 import signature
from authlib.oauth1.rfc5849.base_server import BaseServer
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_pem_public_key

OWN = ["HMAC-SHA1", "RSA-SHA1", "PLAINTEXT"]
ADDED = ["HMAC-SHA256", "HMAC-SHA512", "RSA-SHA256", "RSA-SHA512"]


def _hmac_with(digest):
    def verify(request):
        secrets = (request.client_secret or "", request.token_secret or "")
        key = "&".join(signature.escape(secret) for secret in secrets)
        base_string = signature.generate_signature_base_string(request)
        expected = base64.b64encode(hmac.digest(key.encode(), base_string.encode(), digest))
        return hmac.compare_digest(expected, request.signature.encode())

    return verify


def _rsa_with(digest):
    def verify(request):
        key = load_pem_public_key(request.rsa_public_key.encode())
        base_string = signature.generate_signature_base_string(request)
        try:
            given = base64.b64decode(request.signature)
            key.verify(given, base_string.encode(), padding.PKCS1v15(), digest())
        except (InvalidSignature, ValueError):
            return False
        return True

    return verify


def register():
    BaseServer.register_signature_method("HMAC-SHA256", _hmac_with(hashlib.sha256))
    BaseServer.register_signature_method("HMAC-SHA512", _hmac_with(hashlib.sha512))
    BaseServer.register_signature_method("RSA-SHA256", _rsa_with(hashes.SHA256))
    BaseServer.register_signature_method("RSA-SHA512", _rsa_with(hashes.SHA512))
