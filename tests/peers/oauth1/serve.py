"""The command line and the server that both providers share.

    python oauthlib_provider.py [--strict] [--port N] [--rsa-public-key FILE] [--until-stdin-closes]

The server binds a port of 127.0.0.1 (0, the default, takes a free one) and prints one line of JSON,
`{"ready": true, "port": N, ...}`, once it listens. With `--until-stdin-closes` it ends as soon as the
process that started it is gone.
"""

import argparse
import json
import os
import re
import sys
import threading
from pathlib import Path

from flask import Flask, request
from werkzeug.serving import WSGIRequestHandler, make_server

from accounts import Accounts
from received import Received


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--strict", action="store_true", help="undo the library's own bugs")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--rsa-public-key", type=Path, help="PEM file; needed for RSA methods")
    parser.add_argument("--until-stdin-closes", action="store_true")
    return parser.parse_args()


def accounts(options):
    key = options.rsa_public_key
    return Accounts(rsa_public_key=key.read_text() if key else None)


def web_application(remembered, handle_resource):
    """A Flask application in which every path that is no endpoint is a protected resource.

    `handle_resource(received)` gets any method and any path. The routing of Flask comes too late for
    that: it knows few methods and redirects `//a` to `/a`.
    """
    app = Flask(__name__)
    endpoints = {"/initiate", "/authorize", "/token", "/_credentials"}

    @app.before_request
    def every_other_path_is_protected():
        received = Received.now()
        if received.path in endpoints:
            return None
        return handle_resource(received)

    @app.post("/_credentials")
    def add_credentials():
        remembered.add(**request.get_json())
        return {}

    return app


def is_two_legged(received):
    """Below `/two-legged` a request is signed by a client alone, without a token."""
    return received.path == "/two-legged" or received.path.startswith("/two-legged/")


def required_realms(received):
    """`/realms/<name>/...` belongs to a realm; every other path to none."""
    segments = received.path.split("/")
    return [segments[2]] if len(segments) > 2 and segments[1] == "realms" else []


class ByteExactHandler(WSGIRequestHandler):
    """Keeps the request target as bytes, in the environment's `peer.raw_target`."""

    # Without it, headers and body of an answer wait for each other's acknowledgement.
    disable_nagle_algorithm = True

    def parse_request(self):
        words = self.raw_requestline.split(b" ")
        self.raw_target = words[1] if len(words) == 3 else b""
        # Python's own parser takes the bytes 0x85 and 0xA0 for white space; both occur in UTF-8.
        self.raw_requestline = re.sub(
            rb"[\x80-\xff]", lambda byte: b"%%%02X" % byte[0][0], self.raw_requestline
        )
        return super().parse_request()

    def make_environ(self):
        return {**super().make_environ(), "peer.raw_target": self.raw_target}

    def log_request(self, code="-", size="-"):
        """Only errors are worth a line."""


def serve(app, options, **facts):
    server = make_server(
        "127.0.0.1", options.port, app, threaded=True, request_handler=ByteExactHandler
    )
    if options.until_stdin_closes:
        threading.Thread(target=_end_with_standard_input, daemon=True).start()
    print(json.dumps({"ready": True, "port": server.port, **facts}), flush=True)
    server.serve_forever()


def _end_with_standard_input():
    sys.stdin.buffer.read()
    os._exit(0)
