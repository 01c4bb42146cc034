"""What a provider remembers: clients, temporary credentials, token credentials, nonces.

All of it lives in memory and starts with the well-known credentials below. A test that wants others
adds them with `POST /_credentials`.
"""

import threading
from dataclasses import dataclass, field

CLIENT_KEY = "client-key"
CLIENT_SECRET = "client secret&=+é"
TOKEN = "token-key"
TOKEN_SECRET = "token secret%&=+ü"

# Realms that exist here. A token sees `/realms/<name>/...` only if it was granted that realm.
REALMS = ("photos", "printing")

# How far a timestamp may be from the provider's clock, in seconds.
TIMESTAMP_TOLERANCE = 300


@dataclass
class Client:
    key: str
    secret: str
    rsa_public_key: str | None = None


@dataclass
class Temporary:
    """Temporary credentials: the first of the three legs (RFC 5849 §2.1)."""

    secret: str
    client_key: str
    callback: str
    realms: list = field(default_factory=list)
    verifier: str | None = None


@dataclass
class TokenCredentials:
    """Token credentials: what the third leg gives (RFC 5849 §2.3)."""

    secret: str
    client_key: str
    realms: list = field(default_factory=list)


class Accounts:
    """The provider's memory. Shared by the threads of one server."""

    def __init__(self, rsa_public_key=None):
        self.rsa_public_key = rsa_public_key
        self.clients = {}
        self.temporary = {}
        self.tokens = {}
        self._used = set()
        self._lock = threading.Lock()
        self.add(CLIENT_KEY, CLIENT_SECRET, TOKEN, TOKEN_SECRET)

    def add(self, client_key, client_secret, token=None, token_secret=None, realms=()):
        """Registers a client and, if wanted, a token that belongs to it."""
        self.clients[client_key] = Client(client_key, client_secret, self.rsa_public_key)
        if token is not None:
            self.tokens[token] = TokenCredentials(token_secret or "", client_key, list(realms))

    def token(self, client_key, token):
        """The token credentials if they exist and belong to this client."""
        found = self.tokens.get(token)
        return found if found and found.client_key == client_key else None

    def first_use(self, client_key, timestamp, nonce, token):
        """True once for each combination; False is a replay (RFC 5849 §3.3)."""
        combination = (client_key, timestamp, nonce, token)
        with self._lock:
            if combination in self._used:
                return False
            self._used.add(combination)
            return True
