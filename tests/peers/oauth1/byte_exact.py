"""Decoding and encoding that keep every byte, for the strict mode of both verifiers.

RFC 5849 §3.4.1.3.1 has every parameter decoded once and §3.6 has the result encoded again. Both
libraries refuse or change some input on the way: raw `[ ] { } | ^ ' $`, escapes that are not
hexadecimal (`%zz`), bytes that are not UTF-8 (`%E9`). Here nothing is refused: what cannot be decoded
stands for itself, and bytes come out as they went in.
"""

from urllib.parse import parse_qsl, quote, unquote


def decode_form(text):
    """The pairs of a query or a form body; `+` is a space, a bad escape is literal."""
    return parse_qsl(text or "", keep_blank_values=True, errors="surrogateescape")


def decode(text):
    """One parameter of an `Authorization` header; `+` is a plus."""
    return unquote(text, errors="surrogateescape")


def encode(text, safe=None):
    """RFC 5849 §3.6. `safe` is there for callers that pass their own; it makes no difference."""
    return quote(text.encode("utf-8", "surrogateescape"), safe="~")


def with_path_as_sent(normalize):
    """Keeps a library's rules for scheme, host and port, and takes the path from the request.

    Both libraries split `;parameters` off the path and lose an empty one: `/a;` became `/a`.
    """

    def base_string_uri(uri, host=None):
        scheme, separator, rest = uri.partition("://")
        end_of_authority = next((i for i, c in enumerate(rest) if c in "/?#"), len(rest))
        authority, target = rest[:end_of_authority], rest[end_of_authority:]
        path = target.partition("#")[0].partition("?")[0] or "/"
        return normalize(f"{scheme}{separator}{authority}/", host)[:-1] + path

    return base_string_uri
