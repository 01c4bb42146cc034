"""Undoes what oauthlib 4.0.1 does against RFC 5849, and nothing else.

The rest stays the library's: reading the header, normalizing origin and parameters, the signature.

1. `oauth_*` parameters from a query or a form are decoded twice, those from the header once: each
   source is decoded once (§3.4.1.3.1).
2. Raw `[ ] { } | ^`, bad escapes and bytes that are not UTF-8 are refused: see `byte_exact`.
3. With a realm in the header, an ordinary parameter named `realm` is dropped from the query and the
   form: only the header's own is left out (§3.4.1.3.1).
4. A `;` at the end of the path is lost.
"""

from oauthlib import common
from oauthlib.oauth1.rfc5849 import signature, utils
from oauthlib.oauth1.rfc5849.endpoints.base import BaseEndpoint

import byte_exact


def collect_parameters(
    uri_query="", body=None, headers=None, exclude_oauth_signature=True, with_realm=False
):
    """The parameters of all three sources, each decoded once."""
    found = byte_exact.decode_form(uri_query)
    lower_case = {name.lower(): value for name, value in (headers or {}).items()}
    authorization = lower_case.get("authorization")
    if authorization is not None:
        for name, value in utils.parse_authorization_header(authorization):
            if with_realm or name != "realm":
                found.append((byte_exact.decode(name), byte_exact.decode(value)))
    found += byte_exact.decode_form(body or "")
    if exclude_oauth_signature:
        found = [(name, value) for name, value in found if name != "oauth_signature"]
    return found


def undo_bugs():
    """Replaces the faulty functions. Call it once, before the first request."""
    common.urldecode = signature.urldecode = byte_exact.decode_form
    utils.escape = byte_exact.encode
    signature.collect_parameters = collect_parameters
    signature.base_string_uri = byte_exact.with_path_as_sent(signature.base_string_uri)

    create_request = BaseEndpoint._create_request

    def create_request_with_every_parameter(self, uri, http_method, body, headers):
        request = create_request(self, uri, http_method, body, headers)
        request.params = collect_parameters(request.uri_query, request.body, request.headers)
        return request

    BaseEndpoint._create_request = create_request_with_every_parameter
