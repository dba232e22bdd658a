"""Around every request: its id, one log line, the size cap, security headers, and the last net for errors."""

import re
import time
from collections.abc import Mapping

import structlog
from starlette import datastructures, types

from api import errors as answers
from api import rates
from shared import errors, ids, logs, metrics

REQUEST_ID = "X-Request-Id"

_SANE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
    (b"cache-control", b"no-store"),
)

_log = logs.get(__name__)


class RequestContext:
    """Outermost. Gives the request its id, answers what nobody else caught, and writes one log line.
    The path is logged without its query, which may hold what the caller searched for.
    """

    def __init__(self, app: types.ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        answering = _Answering(scope, send, request_id)
        try:
            await self.app(scope, receive, answering.send)
        except Exception as error:  # noqa: BLE001 - the last net: no trace may leave
            await self._answer(error, scope, receive, answering)
        finally:
            answering.count()

    async def _answer(
        self, error: Exception, scope: types.Scope, receive: types.Receive, answering: "_Answering"
    ) -> None:
        response = answers.of_exception(error, scope)
        if answering.status is not None:
            raise error  # half an answer is out: the server must cut the line
        await response(scope, receive, answering.send)


class _Answering:
    """What goes out for one request."""

    __slots__ = ("_began", "_scope", "_send", "request_id", "status")

    def __init__(self, scope: types.Scope, send: types.Send, request_id: str) -> None:
        self.request_id = request_id
        self.status: int | None = None
        self._scope = scope
        self._send = send
        self._began = time.perf_counter()

    async def send(self, message: types.Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            # In lower case, as ASGI wants them; Starlette's own way looks through all of them for each.
            own = {name.lower().encode(): value.encode() for name, value in self._own_headers().items()}
            kept = [header for header in message["headers"] if header[0] not in own]
            told = {name for name, _ in kept}
            standard = [header for header in _HEADERS if header[0] not in told]
            message["headers"] = [*kept, *own.items(), *standard]
        await self._send(message)

    def _own_headers(self) -> dict[str, str]:
        """What nobody else may set."""
        return {REQUEST_ID: self.request_id, **self._scope["state"].pop(rates.STATE, {})}

    @property
    def route(self) -> str | None:
        """The pattern of the path: a path itself may hold ids, and has no end of values."""
        return getattr(self._scope.get("route"), "path", None)

    def count(self) -> None:
        """Once it is over: in the metrics, and as a line in the log."""
        seconds, method, route = time.perf_counter() - self._began, self._scope["method"], self.route
        metrics.http_answered(route or "none", method, str(self.status), seconds)
        _log.info(
            "request",
            method=method,
            path=_shown(self._scope["path"]),
            route=route,
            status=self.status,
            milliseconds=round(seconds * 1000, 1),
        )


def _shown(path: str) -> str:
    """The path for the log; a callback's holds its signature."""
    return "/callbacks/…" if path.startswith("/callbacks/") else path[:200]


def _request_id(scope: types.Scope) -> str:
    given = datastructures.Headers(scope=scope).get(REQUEST_ID)
    return given if given and _SANE_ID.fullmatch(given) else ids.new(ids.Prefix.REQUEST)


class BodyLimit:
    """Raises TooLargeError where the body is read: at once if the length is declared, else as soon as it is passed.
    `larger` are the limits of paths that take files.
    """

    def __init__(self, app: types.ASGIApp, limit_bytes: int, larger: Mapping[str, int] | None = None) -> None:
        self.app = app
        self.limit_bytes = limit_bytes
        self.larger = larger or {}

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = datastructures.Headers(scope=scope)
        is_old = scope["http_version"].startswith("1.")
        if is_old and "content-length" not in headers and "transfer-encoding" not in headers:
            # HTTP/1 has no other way to say that there is a body.
            await self.app(scope, receive, send)
            return
        declared = headers.get("content-length", "0")
        limit_bytes = self._limit(scope)
        counted = 0

        async def receive_counted() -> types.Message:
            nonlocal counted
            if declared.isdecimal() and int(declared) > limit_bytes:
                raise self._too_large(limit_bytes)
            message = await receive()
            counted += len(message.get("body", b""))
            if counted > limit_bytes:
                raise self._too_large(limit_bytes)
            return message

        await self.app(scope, receive_counted, send)

    def _limit(self, scope: types.Scope) -> int:
        """Only forms may be larger: a JSON body is read into memory."""
        is_form = datastructures.Headers(scope=scope).get("content-type", "").startswith("multipart/")
        return self.larger.get(scope["path"], self.limit_bytes) if is_form else self.limit_bytes

    def _too_large(self, limit_bytes: int) -> errors.TooLargeError:
        return errors.TooLargeError(f"The body is larger than {limit_bytes} bytes.", details={"max_bytes": limit_bytes})


class HeaderLimit:
    """Raises HeadersTooLargeError for headers that are together too large."""

    def __init__(self, app: types.ASGIApp, limit_bytes: int) -> None:
        self.app = app
        self.limit_bytes = limit_bytes

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        """Serve one request."""
        if (
            scope["type"] == "http"
            and sum(len(name) + len(value) for name, value in scope["headers"]) > self.limit_bytes
        ):
            raise errors.HeadersTooLargeError(details={"max_bytes": self.limit_bytes})
        await self.app(scope, receive, send)
