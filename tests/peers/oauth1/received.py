"""One request exactly as it came over the wire.

Flask and Werkzeug decode, join and re-encode what they receive; a signature is made over the bytes
that the client sent. Everything that verifies or reports a request here goes through `Received`.

Bytes become text as UTF-8 in which an invalid byte survives as a lone surrogate ("surrogateescape"),
so that `text.encode("utf-8", "surrogateescape")` gives back the very bytes.
"""

import hashlib
from dataclasses import dataclass

from flask import request

FORM = "application/x-www-form-urlencoded"


def as_text(data):
    """Bytes as text that can be turned back into the same bytes."""
    return data.decode("utf-8", "surrogateescape")


def printable(text):
    """Text that is safe in JSON: a byte that is not UTF-8 shows as `\\udcXX` spelled out."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode("utf-8")


@dataclass(frozen=True)
class Received:
    """Method, target, headers and body of a request, before anybody interprets them."""

    method: str
    target: str
    authority: str
    headers: dict
    body: bytes

    @classmethod
    def now(cls):
        """The request that Flask is handling at this moment."""
        return cls(
            # `request.method` is in capitals whatever was sent.
            method=request.environ["REQUEST_METHOD"],
            target=as_text(request.environ["peer.raw_target"]),
            authority=request.headers.get("Host", ""),
            headers=dict(request.headers),
            body=request.get_data(cache=True, parse_form_data=False),
        )

    @property
    def uri(self):
        """The absolute URI, with path and query as they were sent."""
        return f"http://{self.authority}{self.target}"

    @property
    def path(self):
        """The path as it was sent, escapes included."""
        return self.target.partition("?")[0]

    @property
    def content_type(self):
        return self.headers.get("Content-Type")

    @property
    def is_form(self):
        """Whether the media type is that of a form: any case, any parameters."""
        media_type = (self.content_type or "").partition(";")[0]
        return media_type.strip().lower() == FORM

    @property
    def body_text(self):
        return as_text(self.body)

    def report(self):
        """What arrived, for a test to compare with what it sent."""
        return {
            "method": self.method,
            "target": printable(self.target),
            "authority": self.authority,
            "content_type": self.content_type,
            "body_length": len(self.body),
            "body_sha256": hashlib.sha256(self.body).hexdigest(),
        }
