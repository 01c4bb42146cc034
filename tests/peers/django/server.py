"""django-oauth-toolkit: authorization codes with PKCE, refresh tokens that rotate, passwords.

    python server.py [--port N] [--until-stdin-closes]

It binds a port of 127.0.0.1 (0, the default, takes a free one), keeps its database in memory, and prints
one line of JSON, `{"ready": true, "port": N}`, once it listens. With `--until-stdin-closes` it ends as soon
as the process that started it is gone.

| client | secret | may use |
|---|---|---|
| `web` | `SECRET` | authorization codes, with PKCE, and back to `CALLBACK` |
| `app` | none | the same |
| `old` | `SECRET` | the password of the user |

The user `ann`, whose password is `PASSWORD`, is always logged in and always agrees. As it comes, this
server wants PKCE and S256 or plain; it sends the issuer (RFC 9207), and takes the second use of a refresh token for
theft. The token endpoint is `/o/token/`, with the slash.
"""

import argparse
import json
import logging
import os
import sys
import threading
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.conf import settings

SECRET = "django s3cret+%:é"
PASSWORD = "ann's password"
CALLBACK = "http://127.0.0.1:54321/callback"
SECONDS = 60

settings.configure(
    SECRET_KEY="a secret of this server and of nobody else",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "oauth2_provider",
    ],
    MIDDLEWARE=[f"{__name__}.always_logged_in"],
    AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.ModelBackend"],
    # Of one connection, and so of one thread.
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    # Many rounds would only make the tests slow.
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    USE_TZ=True,
    # Of the page that says that a request cannot be answered with a redirect.
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    LOGGING_CONFIG=None,
    OAUTH2_PROVIDER={
        "ACCESS_TOKEN_EXPIRE_SECONDS": SECONDS,
        "REFRESH_TOKEN_REUSE_PROTECTION": True,
        "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
        "SCOPES": {"read": "reading", "write": "writing"},
        "DEFAULT_SCOPES": ["read"],
    },
)
django.setup()

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.http import JsonResponse
from django.urls import include, path
from oauth2_provider import urls as oauth_urls
from oauth2_provider.models import AccessToken, Application
from oauth2_provider.views.generic import ProtectedResourceView


def always_logged_in(get_response):
    """In place of Django's sessions: whoever comes with a browser is Ann."""

    def middleware(request):
        request.user = get_user_model().objects.get(username="ann")
        return get_response(request)

    return middleware


class Api(ProtectedResourceView):
    def get(self, request):
        text = request.headers["Authorization"].removeprefix("Bearer ")
        token = AccessToken.objects.get(token=text)
        return JsonResponse(
            {
                "client": token.application.client_id,
                "user": token.user and token.user.username,
                "scope": token.scope,
            }
        )


urlpatterns = [
    path("o/", include(oauth_urls.base_urlpatterns)),
    path("api", Api.as_view()),
]


def fill_database():
    call_command("migrate", verbosity=0)
    ann = get_user_model().objects.create_user("ann", password=PASSWORD)
    common = {"user": ann, "skip_authorization": True, "client_secret": SECRET}
    code = {"authorization_grant_type": Application.GRANT_AUTHORIZATION_CODE, "redirect_uris": CALLBACK}
    confidential = {"client_type": Application.CLIENT_CONFIDENTIAL}
    Application.objects.create(client_id="web", name="web", **common, **code, **confidential)
    public = {"client_type": Application.CLIENT_PUBLIC}
    Application.objects.create(client_id="app", name="app", **common, **code, **public)
    password = {"authorization_grant_type": Application.GRANT_PASSWORD}
    Application.objects.create(client_id="old", name="old", **common, **password, **confidential)


class QuietHandler(WSGIRequestHandler):
    def log_message(self, *_):
        """Only errors are worth a line."""


def main():
    from django.core.wsgi import get_wsgi_application

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--until-stdin-closes", action="store_true")
    options = parser.parse_args()
    logging.getLogger("django.request").setLevel(logging.CRITICAL)
    logging.getLogger("oauthlib").setLevel(logging.CRITICAL)
    logging.getLogger("oauth2_provider").setLevel(logging.CRITICAL)

    fill_database()
    # One request after the other: a database in memory cannot have two at once.
    server = make_server(
        "127.0.0.1", options.port, get_wsgi_application(), handler_class=QuietHandler
    )
    if options.until_stdin_closes:
        threading.Thread(target=_end_with_standard_input, daemon=True).start()
    print(json.dumps({"ready": True, "port": server.server_port}), flush=True)
    server.serve_forever()


def _end_with_standard_input():
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
