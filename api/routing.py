"""The order in which a request is checked: key, rate, scope, query, media type, size and JSON, then its fields.

FastAPI reads the body before it solves dependencies; without this, a stranger could make us parse 8 MiB.
"""

import re
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import fastapi
from fastapi import routing
from fastapi.dependencies import models as dependants

from api import auth, bodies, idempotency, parts, rates
from shared import errors
from shared.domain import keys

_Handler = Callable[[fastapi.Request], Coroutine[Any, Any, fastapi.Response]]


class CheckedRoute(routing.APIRoute):
    """A route of ours. Query parameters it does not declare are refused."""

    def get_route_handler(self) -> _Handler:
        """FastAPI's handler behind our checks."""
        inner, check = super().get_route_handler(), self.checks()
        keeps_answer, binds_uploads = needs_answer_kept(self), _binds_uploads(self)

        async def handle(request: fastapi.Request) -> fastapi.Response:
            request = bodies.JsonRequest(request.scope, request.receive)
            await check(request)
            binds = not keeps_answer or (binds_uploads and idempotency.is_upload(request))
            return await (inner(request) if binds else _once(request, inner))

        return handle

    def checks(self) -> Callable[[fastapi.Request], Awaitable[None]]:
        """What is checked before the endpoint and its fields, in order. It raises what it finds."""
        queries = _Queries(_query_names(self.dependant), _families(self.openapi_extra))
        public = self.path in auth.PUBLIC_ROUTES
        takes_body = self.body_field is not None
        scope = scope_of(self)

        async def check(request: fastapi.Request) -> None:
            if not public:
                await _let_in(request, scope)
            queries.check(request)
            if takes_body:
                bodies.check_media_type(request)
                await request.json()

        return check


class DialectRoute(routing.APIRoute):
    """A route of another company's API: key, rate and scope are checked as ours. It reads its body by itself, binds
    its Idempotency-Key by `idempotency.for_body`, and passes over query parameters it does not know, as they do.
    """

    def get_route_handler(self) -> _Handler:
        """FastAPI's handler behind our checks."""
        inner = super().get_route_handler()
        scope = scope_of(self)

        async def handle(request: fastapi.Request) -> fastapi.Response:
            request = bodies.JsonRequest(request.scope, request.receive)
            await _let_in(request, scope)
            for name, value in request.query_params.multi_items():
                if "\0" in name or "\0" in value:
                    raise errors.InvalidRequestError("Text may not hold the character U+0000.", param=name[:200])
            return await inner(request)

        return handle


async def _let_in(request: fastapi.Request, scope: keys.Scope | None) -> None:
    given: parts.Parts = request.app.state.parts
    caller = await given.keys.identify(request)
    await rates.check(given, request, caller)
    if scope is not None:
        caller.check(scope)


async def _once(request: fastapi.Request, inner: _Handler) -> fastapi.Response:
    """Answer a POST that may carry an Idempotency-Key: all it does, and its answer, in one transaction. What the
    handler does before it first needs the database (names are resolved, bytes go to the storage) stays outside.
    """
    given: parts.Parts = request.app.state.parts
    caller = await given.keys.identify(request)
    once = await idempotency.for_answer(request, caller)
    if once is None:
        return await inner(request)
    return await idempotency.answer_once(request, given.db, caller.tenant_id, once, lambda: inner(request))


def scope_of(route: routing.APIRoute) -> keys.Scope | None:
    """The scope a route needs: the one it says, else `read` for reading and `manage` for anything else."""
    said = [inner.call.scope for inner in _all(route.dependant) if isinstance(inner.call, auth.Needs)]
    if said:
        return said[0]
    return keys.Scope.READ if (route.methods or set()) <= {"GET", "HEAD"} else keys.Scope.MANAGE


def needs_answer_kept(route: routing.APIRoute) -> bool:
    """Whether it is a POST that does not bind the Idempotency-Key itself."""
    binds = any(inner.call is idempotency.key for inner in _all(route.dependant))
    return "POST" in (route.methods or ()) and route.path not in auth.PUBLIC_ROUTES and not binds


def _binds_uploads(route: routing.APIRoute) -> bool:
    return any(inner.call is idempotency.upload_key for inner in _all(route.dependant))


def _all(dependant: dependants.Dependant) -> Iterator[dependants.Dependant]:
    yield dependant
    for inner in dependant.dependencies:
        yield from _all(inner)


class _Queries:
    """The query parameters a route knows: by name, and families such as `metadata[…]`."""

    def __init__(self, names: set[str], families: set[str]) -> None:
        self._names = names
        self._families = families
        self.accepted = sorted([*names, *(f"{family}[…]" for family in families)])

    def check(self, request: fastapi.Request) -> None:
        if not request.scope["query_string"]:
            return
        for name, value in request.query_params.multi_items():
            if not (name in self._names or member_of(name) in self._families):
                raise errors.UnknownFieldError(
                    "This route does not know this query parameter.", param=name[:200], accepted=self.accepted
                )
            if "\0" in value or "\0" in name:
                raise errors.InvalidRequestError("Text may not hold the character U+0000.", param=name[:200])


_MEMBER = re.compile(r"(?P<family>\w+)(?:\[(?P<bracketed>.+)\]|\.(?P<dotted>.+))", re.DOTALL)


def member_of(name: str) -> str | None:
    """The family of `metadata[key]` or `metadata.key`: `metadata`."""
    found = _MEMBER.fullmatch(name)
    return found["family"] if found else None


def members(request: fastapi.Request, family: str) -> dict[str, str]:
    """All members of a family in the query, by key."""
    found = ((_MEMBER.fullmatch(name), value) for name, value in request.query_params.multi_items())
    return {m["bracketed"] or m["dotted"]: value for m, value in found if m is not None and m["family"] == family}


def _query_names(dependant: dependants.Dependant) -> set[str]:
    """The query parameters of a route and of all its dependencies."""
    names = {param.alias for param in dependant.query_params}
    return names.union(*(_query_names(inner) for inner in dependant.dependencies))


def _families(openapi_extra: dict[str, Any] | None) -> set[str]:
    """What the OpenAPI of the route documents as `deepObject` is a family."""
    parameters = (openapi_extra or {}).get("parameters", [])
    return {item["name"] for item in parameters if item.get("style") == "deepObject"}
