"""Undoes what Authlib 1.9.8 does against RFC 5849, and nothing else.

The rest stays the library's: reading the header, normalizing origin and parameters, the signature.

1. `oauth_*` parameters are decoded twice, whatever their source: each is decoded once (§3.4.1.3.1).
2. Characters such as `' $ [ ]`, bad escapes and bytes that are not UTF-8 are refused in a query, and
   make a whole form body vanish from the base string: see `byte_exact`.
3. Every parameter named `realm` is left out: only the header's is (§3.4.1.3.1).
4. A `;` at the end of the path is lost.
5. Its Flask integration hands over a URL and a form that Flask has rewritten, without duplicates:
   `authlib_provider.py` hands over what was received.
"""

from authlib.common import urls
from authlib.oauth1.rfc5849 import signature, util, wrapper

import byte_exact


def construct_base_string(method, uri, params, host=None):
    """RFC 5849 §3.4.1.1 out of the library's own three parts; `params` are decoded already."""
    signed = [(name, value) for name, value in params if name != "oauth_signature"]
    return "&".join(
        util.escape(part)
        for part in (
            method.upper(),
            signature.normalize_base_string_uri(uri, host),
            signature.normalize_parameters(signed),
        )
    )


def undo_bugs():
    """Replaces the faulty functions. Call it once, before the first request."""
    urls.url_decode = wrapper.url_decode = byte_exact.decode_form
    wrapper.unescape = byte_exact.decode
    util.quote = byte_exact.encode
    signature.construct_base_string = construct_base_string
    signature.normalize_base_string_uri = byte_exact.with_path_as_sent(
        signature.normalize_base_string_uri
    )

    parse_header = wrapper._parse_authorization_header

    def parse_header_and_set_realm_aside(headers):
        parameters, realm = parse_header(headers)
        return [pair for pair in parameters if pair[0] != "realm"], realm

    wrapper._parse_authorization_header = parse_header_and_set_realm_aside
