"""Signs the requests of the bench with Python's oauthlib and Authlib: the median CPU time of a signature.

Both get a method, a URI, headers and a body, and give the header's value. Before anything is measured, both sign with
the same nonce and timestamp, and their signatures must be the same.

    target/peers/python/bin/python benches/sign/python.py
"""

import gc
import statistics
import time

from authlib.oauth1 import ClientAuth
from authlib.oauth1.rfc5849 import client_auth
from oauthlib.oauth1 import Client
from oauthlib.oauth1.rfc5849 import utils

CLIENT = "xvz1evFS4wEEPTGEFPHBog"
CLIENT_SECRET = "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw"
TOKEN = "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb"
TOKEN_SECRET = "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE"

URI = "https://api.example.com/1.1/statuses/update.json"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ROUNDS = 101


def many(count):
    """The query of case C, as benches/sign/case.rs makes it."""
    value = lambda number: "one%20%2F%20two" if number % 5 == 0 else "value"
    return "&".join(f"field_{n * 7919 % 1009}={value(n)}{n}" for n in range(count))


CASES = {
    "A": (
        "POST",
        f"{URI}?include_entities=true",
        FORM,
        "status=Hello%20Ladies%20%2B%20Gentlemen%2C%20a%20signed%20OAuth%20request%21",
    ),
    "B": (
        "GET",
        f"{URI}?screen_name=twitterapi&count=100&include_rts=true&tweet_mode=extended&q=tower%20%26%20hyper",
        {},
        "",
    ),
    "C": ("GET", f"{URI}?{many(50)}", {}, ""),
}


def with_oauthlib(nonce=None, timestamp=None):
    client = Client(
        CLIENT, CLIENT_SECRET, TOKEN, TOKEN_SECRET, nonce=nonce, timestamp=timestamp
    )

    def sign(method, uri, headers, body):
        _, signed, _ = client.sign(uri, method, body or None, dict(headers))
        return signed["Authorization"]

    return sign


def with_authlib():
    client = ClientAuth(CLIENT, CLIENT_SECRET, TOKEN, TOKEN_SECRET)

    def sign(method, uri, headers, body):
        _, signed, _ = client.prepare(method, uri, dict(headers), body)
        return signed["Authorization"]

    return sign


def signature(header):
    pairs = (pair.strip().split("=", 1) for pair in header.removeprefix("OAuth ").split(","))
    return {name: value.strip('"') for name, value in pairs}["oauth_signature"]


def compare(case):
    """Fails unless both sign alike."""
    nonce, timestamp = "kYjzVBB8Y0ZFabxSWbWovY3uY", "1318622958"
    made = client_auth.generate_nonce, client_auth.generate_timestamp
    client_auth.generate_nonce = lambda: nonce
    client_auth.generate_timestamp = lambda: timestamp
    try:
        one, other = with_oauthlib(nonce, timestamp)(*case), with_authlib()(*case)
    finally:
        client_auth.generate_nonce, client_auth.generate_timestamp = made
    assert signature(one) == signature(other), (one, other)


def measure(contenders, case):
    """Microseconds of CPU for a signature, by contender. They take turns, as in the other benches."""
    rounds = {name: [] for name in contenders}
    times = 10
    gc.disable()
    for _ in range(ROUNDS):
        for name, sign in contenders.items():
            before = time.thread_time_ns()
            for _ in range(times):
                sign(*case)
            rounds[name].append((time.thread_time_ns() - before) / times / 1000)
    gc.enable()
    return {name: statistics.median(spent) for name, spent in rounds.items()}


def main():
    contenders = {"oauthlib": with_oauthlib(), "Authlib": with_authlib()}
    print(f"\n{'Python, HMAC-SHA1':<44} {'us':>10}")
    for name, case in CASES.items():
        compare(case)
        for contender, spent in measure(contenders, case).items():
            print(f"  {f'{name}, {contender}':<42} {spent:>10.1f}")


if __name__ == "__main__":
    main()
