"""Pages: their templates, their security headers, and the route class that turns a cookie into a caller."""

import dataclasses
from collections.abc import Callable, Coroutine
from functools import lru_cache
from pathlib import Path
from typing import Any

import fastapi
import jinja2
from fastapi import exceptions, responses, routing

from api import auth, parts, validation
from api import errors as answers
from api import routing as checks
from api.dashboard import sessions, words
from shared import errors
from shared.db import outages
from shared.domain import keys

_FOLDER = Path(__file__).parent
# No inline script or style, nothing from elsewhere: text that others wrote cannot become code.
POLICY = "; ".join(
    (
        "default-src 'none'",
        *(f"{what}-src 'self'" for what in ("script", "style", "img", "media", "connect")),
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

_Handler = Callable[[fastapi.Request], Coroutine[Any, Any, fastapi.Response]]


@lru_cache(maxsize=1)
def _templates() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= words.FILTERS
    return made


def show(request: fastapi.Request, name: str, status: int = 200, **values: object) -> responses.HTMLResponse:
    """A page. Templates get `here`: where we are, who looks, and the token their forms must carry."""
    text = _templates().get_template(name).render(here=_here(request), **values)
    headers = {"Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin"}
    return responses.HTMLResponse(text, status, headers)


@dataclasses.dataclass(frozen=True, slots=True)
class Here:
    """What every page needs."""

    path: str
    url: str
    token: str
    signed_in: bool
    submits: bool
    manages: bool
    administers: bool
    operates: bool
    public_url: str
    version: str


def _here(request: fastapi.Request) -> Here:
    given: parts.Parts = request.app.state.parts
    session = request.scope.get("state", {}).get("session")
    return Here(
        path=request.url.path,
        url=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        token=session.token if session else "",
        signed_in=session is not None,
        **_rights(request),
        public_url=given.settings.public_url.rstrip("/"),
        version=request.app.version,
    )


def _rights(request: fastapi.Request) -> dict[str, bool]:
    """What the key may do: a page does not offer what the API would refuse."""
    caller: auth.Caller | None = request.scope.get("state", {}).get("caller")
    scopes = caller.scopes if caller else frozenset()
    admin = keys.Scope.ADMIN in scopes
    return {
        "submits": admin or keys.Scope.SUBMIT in scopes,
        "manages": admin or keys.Scope.MANAGE in scopes,
        "administers": admin,
        "operates": caller is not None and caller.is_operator,
    }


def go(path: str) -> responses.RedirectResponse:
    """On to another page of ours."""
    return responses.RedirectResponse(path, 303)


class PageRoute(routing.APIRoute):
    """A page for people: the key is in the cookie, errors are pages, and a stranger is asked to sign in."""

    def get_route_handler(self) -> _Handler:
        """FastAPI's handler behind the cookie."""
        inner = super().get_route_handler()
        public = self.path in auth.PUBLIC_ROUTES
        scope = checks.scope_of(self)

        async def handle(request: fastapi.Request) -> fastapi.Response:
            try:
                request = await _with_key(request)
                if not public:
                    await _let_in(request, scope)
                return await inner(request)
            except errors.UnauthenticatedError as error:
                return _ask_for_key(request, error)
            except errors.GenqueueError as error:
                return show(request, "error.html", error.status, error=error, id=answers.request_id(request.scope))
            except exceptions.RequestValidationError as error:
                fault = validation.of_pydantic(error.errors())
                return show(request, "error.html", 400, error=fault, id=answers.request_id(request.scope))
            except Exception as error:
                if not outages.is_outage(error):
                    raise
                away = errors.UnavailableError("The database does not answer. Nothing is lost; try again in a moment.")
                return show(request, "error.html", 503, error=away, id=answers.request_id(request.scope))

        return handle


async def _let_in(request: fastapi.Request, scope: keys.Scope | None) -> None:
    """As the API does, but pages that follow by themselves do not use up the key's rate."""
    caller = await request.app.state.parts.keys.identify(request)
    if scope is not None:
        caller.check(scope)


async def _with_key(request: fastapi.Request) -> fastapi.Request:
    """The request with the cookie's key. What changes something must come from our own page."""
    known = sessions.Sessions(request.app.state.parts.settings)
    session = known.of(request)
    changes = request.method not in ("GET", "HEAD")
    if changes:
        sessions.check_origin(request)
    if session is None:
        return request
    request.scope.setdefault("state", {})["session"] = session
    receive = await sessions.checked(request, session) if changes else None
    return sessions.with_key(request, session, receive)


def _ask_for_key(request: fastapi.Request, error: errors.GenqueueError) -> fastapi.Response:
    """Somebody who opens a page without a key has done nothing wrong; a bad key, or a script's request, has."""
    tried = not {"authorization", "x-api-key"}.isdisjoint(request.headers) or sessions.COOKIE in request.cookies
    plain = request.method in ("GET", "HEAD") and "hx-request" not in request.headers
    status = 200 if plain and not tried else 401
    return show(request, "sign-in.html", status, next=_next(request), error=error.message if tried else "")


def _next(request: fastapi.Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "") if request.method == "GET" else "/"


def local(path: str) -> str:
    """The path if it leads to a page of ours, else the first page: a link must not send people elsewhere."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"
