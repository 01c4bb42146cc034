"""What the providers answer: always JSON, always with what was received and why it was refused.

A refusal shows the base string as the verifier saw it, so that a failing test can be understood from
its message. Secrets and signatures are never shown (with PLAINTEXT the signature *is* the secrets).
"""

import json

from flask import Response

from received import printable

# A `HEAD` answer has no body: there the report travels in this header.
REPORT_HEADER = "Peer-Report"


def accepted(received, **seen):
    return _answer(200, received, {"verdict": "accepted", **seen})


def refused(received, status, reason, base_string=None, **seen):
    """`status` is 400 for a request that makes no sense, 401 for one that is not authentic (§3.2)."""
    report = {"verdict": "refused", "reason": reason, "base_string": base_string, **seen}
    answer = _answer(status, received, report)
    if status == 401:
        answer.headers["WWW-Authenticate"] = 'OAuth realm="photos"'
    return answer


def visible_parameters(parameters):
    """The protocol parameters without the signature."""
    return {
        printable(name): printable(value)
        for name, value in dict(parameters).items()
        if name.startswith("oauth_") and name != "oauth_signature"
    }


def _answer(status, received, report):
    text = json.dumps({**report, "received": received.report()}, sort_keys=True)
    answer = Response(text, status, content_type="application/json")
    if received.method.upper() == "HEAD":
        answer.headers[REPORT_HEADER] = text
    return answer
