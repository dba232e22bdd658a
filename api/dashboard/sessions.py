"""Signing in: the key itself, sealed in a cookie that scripts cannot read and other sites cannot send.

Every page then finds its caller exactly as the API does, from the key: one that is taken back is signed out at once,
and no page can do more than the API would let that key do.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import urlsplit

import fastapi
from cryptography import fernet
from starlette import types

from shared import errors, settings

COOKIE = "genqueue_session"
LIFE_SECONDS = 12 * 3600
TOKEN_FIELD = "csrf_token"  # noqa: S105 - the name of a field
TOKEN_HEADER = "X-CSRF-Token"  # noqa: S105 - the name of a header


@dataclass(frozen=True, slots=True)
class Session:
    """The key of whoever is signed in, and the token that only our own pages know."""

    key: str
    token: str


class Sessions:
    """Seals and opens cookies. Its secret comes from the admin key: a new admin key signs everybody out."""

    def __init__(self, configured: settings.Settings) -> None:
        secret = configured.admin_key.get_secret_value().encode()
        self._seal = fernet.Fernet(base64.urlsafe_b64encode(_derived(secret, b"genqueue dashboard cookie")))
        self._tokens = _derived(secret, b"genqueue dashboard token")
        self._secure = configured.public_url.startswith("https:")

    def begin(self, response: fastapi.Response, key: str) -> None:
        """Sign in on this response. The caller has checked the key."""
        response.set_cookie(
            COOKIE,
            self._seal.encrypt(key.encode()).decode(),
            max_age=LIFE_SECONDS,
            httponly=True,
            samesite="strict",
            secure=self._secure,
        )

    def end(self, response: fastapi.Response) -> None:
        """Sign out on this response."""
        response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=self._secure)

    def of(self, request: fastapi.Request) -> Session | None:
        """Who is signed in, if anybody. A cookie that is old or not ours is nobody's."""
        sealed = request.cookies.get(COOKIE)
        if not sealed:
            return None
        try:
            key = self._seal.decrypt(sealed.encode(), ttl=LIFE_SECONDS).decode()
        except (fernet.InvalidToken, ValueError):
            return None
        return Session(key, hmac.new(self._tokens, sealed.encode(), hashlib.sha256).hexdigest())


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return hmac.new(secret, purpose, hashlib.sha256).digest()


def with_key(request: fastapi.Request, session: Session, receive: types.Receive | None = None) -> fastapi.Request:
    """The same request as the API would get it: with the key in its header."""
    scope = dict(request.scope)
    kept = [(name, value) for name, value in scope["headers"] if name not in (b"authorization", b"x-api-key")]
    scope["headers"] = [*kept, (b"authorization", f"Bearer {session.key}".encode())]
    return fastapi.Request(scope, receive or request.receive)


def check_origin(request: fastapi.Request) -> None:
    """Raise ForbiddenError if the browser says that another site made it send this."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise errors.ForbiddenError("This was sent by another site.", param="Origin")


async def checked(request: fastapi.Request, session: Session) -> types.Receive:
    """Raise ForbiddenError unless one of our own pages sent this. Answers how to read its body (once more)."""
    given = request.headers.get(TOKEN_HEADER)
    receive = request.receive
    if given is None:  # a plain form, sent without our script
        body = await request.body()
        given = str((await request.form()).get(TOKEN_FIELD) or "")

        async def receive() -> types.Message:
            return {"type": "http.request", "body": body, "more_body": False}

    if not hmac.compare_digest(given.encode(), session.token.encode()):
        raise errors.ForbiddenError("This page is too old; load it again and repeat.", param=TOKEN_FIELD)
    return receive
