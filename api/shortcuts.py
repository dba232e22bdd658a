"""The few routes that are asked all the time, past the router and FastAPI's solver of dependencies: for a short answer
those take longer than the answer itself (docs/decisions/0013).

Such a route is declared like every other, and FastAPI makes its OpenAPI. A request with a query goes FastAPI's way.
"""

import typing
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import fastapi
from fastapi.dependencies import models as dependants
from starlette import types

from api import auth, bodies, idempotency, parts, routing, validation
from api import errors as answers
from shared import errors

_Get = Callable[[fastapi.Request], Awaitable[Any]]


async def _caller(request: fastapi.Request) -> auth.Caller:
    found: auth.Caller = request.scope["state"]["caller"]
    return found


async def _key(request: fastapi.Request) -> object:
    return await idempotency.key(request, request.headers.get("Idempotency-Key"))


_KNOWN: Mapping[Any, _Get] = {auth.caller: _caller, parts.of: parts.of, idempotency.key: _key}


@dataclass(frozen=True, slots=True)
class Shortcut:
    """How a route's endpoint is called. `known` are the dependencies, by the parameter they are for; `body` and
    `answers` are FastAPI's fields (it does not export their type).
    """

    route: routing.CheckedRoute
    check: Callable[[fastapi.Request], Awaitable[None]]
    known: Sequence[tuple[str, _Get]]
    body: Any
    answers: Any

    def fits(self, scope: types.Scope) -> bool:
        """Whether nothing was sent that only FastAPI reads."""
        return not scope["query_string"] and scope["method"] in (self.route.methods or ())

    async def answer(self, request: fastapi.Request) -> fastapi.Response:
        """What FastAPI would answer. Raises GenqueueError for what it would refuse."""
        await self.check(request)
        dependant, told = self.route.dependant, fastapi.Response(status_code=self.route.status_code or 200)
        values = {name: await get(request) for name, get in self.known}
        values |= request.path_params
        for query in dependant.query_params:
            values[query.name] = query.get_default()
        for header in dependant.header_params:
            values[header.name] = request.headers.get(header.alias)
        if dependant.body_params:
            values[dependant.body_params[0].name] = self._body(await request.json())
        if dependant.response_param_name:
            values[dependant.response_param_name] = told
        made = await self.route.endpoint(**values)
        return made if isinstance(made, fastapi.Response) else self._response(made, told)

    def _body(self, sent: object) -> object:
        body, faults = self.body.validate(sent, {}, loc=("body",))
        if faults:
            raise validation.of_pydantic(faults, self.body.field_info.annotation)
        return body

    def _response(self, made: object, told: fastapi.Response) -> fastapi.Response:
        """`told` has the status and the headers that the endpoint set."""
        content = self.answers.serialize_json(made)
        response = fastapi.Response(content, told.status_code, media_type="application/json")
        response.raw_headers += [header for header in told.raw_headers if header[0] != b"content-length"]
        return response


class Shortcuts:
    """The innermost middleware."""

    def __init__(self, app: types.ASGIApp, found: Iterable[Shortcut]) -> None:
        self.app = app
        self._found = [(each.route.path_regex, each) for each in found]

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        """Serve one request."""
        found = self._find(scope) if scope["type"] == "http" and not scope.get("root_path") else None
        if found is None:
            await self.app(scope, receive, send)
            return
        scope["route"] = found.route
        try:
            response = await found.answer(bodies.JsonRequest(scope, receive))
        except errors.GenqueueError as error:
            response = answers.of_exception(error, scope)
        await response(scope, receive, send)

    def _find(self, scope: types.Scope) -> Shortcut | None:
        for regex, shortcut in self._found:
            if (match := regex.match(scope["path"])) is not None and shortcut.fits(scope):
                scope["path_params"] = match.groupdict()
                return shortcut
        return None


def of(routers: Iterable[fastapi.APIRouter], operations: Iterable[str]) -> list[Shortcut]:
    """Shortcuts to these operations, by their ids. Raises ValueError for one that needs more of FastAPI."""
    routes = [route for router in routers for route in router.routes if isinstance(route, routing.CheckedRoute)]
    known = {route.operation_id: route for route in routes}
    return [_of(known[operation]) for operation in operations]


def _of(route: routing.CheckedRoute) -> Shortcut:
    dependant = route.dependant
    known = [(inner.name, _getter(inner)) for inner in dependant.dependencies]
    if not _is_plain(route) or any(get is None for _, get in known):
        raise ValueError(f"{route.operation_id} needs FastAPI")
    gets = [(name, get) for name, get in known if name and get]
    return Shortcut(route, route.checks(), gets, route.body_field, route.response_field)


def _getter(inner: dependants.Dependant) -> _Get | None:
    # The scope was checked by the route.
    return _caller if isinstance(inner.call, auth.Needs) else _KNOWN.get(inner.call)


def _is_plain(route: routing.CheckedRoute) -> bool:
    """Whether it takes a body of JSON, texts in its path, and nothing more that must be sent, and answers with JSON or
    with a response of its own.
    """
    dependant = route.dependant
    special = (dependant.cookie_params, dependant.request_param_name, dependant.background_tasks_param_name)
    must_be_sent = [query for query in dependant.query_params if query.field_info.is_required()]
    texts = [*_types(dependant.path_params, str), *_types(dependant.header_params, str | None)]
    answered = typing.get_type_hints(route.endpoint)["return"]
    return (
        not (any(special) or must_be_sent or routing.needs_answer_kept(route))
        and all(texts)
        and len(dependant.body_params) <= 1
        and (route.response_field is not None or answered is fastapi.Response)
    )


def _types(fields: Iterable[Any], wanted: object) -> list[bool]:
    """Whether each is of this type, without further limits."""
    return [field.field_info.annotation == wanted and not field.field_info.metadata for field in fields]
