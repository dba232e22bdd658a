"""A provider on a real socket: the dialect says what it speaks, the upstream remembers, and misbehaves when told to."""

import base64
import email
import email.policy
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson
from aiohttp import web

from shared.domain import faults, models, states
from shared.providers import base

Json = dict[str, Any]

# The first bytes of a film, a picture and a text: nothing here opens them.
FILM = b"\x00\x00\x00\x18ftypmp42" + b"film" * 64
PICTURE = b"\x89PNG\r\n\x1a\n" + b"picture" * 64
TEXT = "A sentence from far away."
# Exact in binary, so that the bytes come back as they were.
VECTORS = b"[[0.5,-0.25],[1.0,0.125]]"
ENCODED_PICTURE = base64.b64encode(PICTURE).decode()
PAGE = "<html><body>Bad gateway, or so</body></html>"
CHUNK = b'{"' + b" " * 65_536


class Place(StrEnum):
    """What a request is about."""

    SUBMIT = "submit"
    LOOK = "look"
    STOP = "stop"
    MEDIA = "media"


class Trouble(StrEnum):
    """What happens to an answer on its way."""

    CUT = "cut"
    PAGE = "page"
    ENDLESS = "endless"
    DOWN = "down"


class Course(StrEnum):
    """What becomes of a job."""

    WELL = "well"
    FAILS = "fails"
    MODERATED = "moderated"
    EMPTY = "empty"
    ODD = "odd"
    HANGS = "hangs"


_STAGES = {
    Course.WELL: ("queued", "running", "done"),
    Course.FAILS: ("queued", "failed"),
    Course.MODERATED: ("queued", "moderated"),
    Course.EMPTY: ("queued", "empty"),
    Course.ODD: ("odd", "done"),
    Course.HANGS: ("running",),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error in the provider's own dialect, and the fault it must become. `model` provokes it by name instead."""

    name: str
    kind: faults.FaultKind
    status: int = 400
    body: Json = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_seconds: float | None = None
    model: str | None = None

    def answer(self) -> web.Response:
        return web.json_response(self.body, status=self.status, headers=dict(self.headers))


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing the provider makes. `waits`: by polling. `models`: other names for other courses (the sandbox)."""

    kind: states.Kind
    model: str
    waits: bool = True
    route: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    models: Mapping[Course, str] = field(default_factory=dict)
    seconds: int = 5
    size: str = "1280x720"
    leaves_out: frozenset[str] = frozenset()
    moderated: Json | None = None

    @property
    def media(self) -> bytes:
        written = {states.Kind.TEXT: TEXT.encode(), states.Kind.EMBEDDING: VECTORS}
        return {states.Kind.VIDEO: FILM, states.Kind.IMAGE: PICTURE, **written}[self.kind]


@dataclass(frozen=True, slots=True)
class Dialect:
    """All that is particular about one provider."""

    name: str
    offers: tuple[Offer, ...]
    refusals: tuple[Refusal, ...]
    build: Callable[["Upstream"], web.Application]
    key: str = "good-key"
    authorised: Callable[[web.Request], bool] = lambda request: (
        request.headers.get("Authorization") == "Bearer good-key"
    )
    wrong_key: Refusal | None = None
    base_path: str = ""
    courses: frozenset[Course] = frozenset({Course.FAILS, Course.MODERATED, Course.EMPTY, Course.ODD})
    failure: faults.FaultKind = faults.FaultKind.UNAVAILABLE
    cancels: frozenset[base.Cancellation] = frozenset({base.Cancellation.UNSUPPORTED})
    says_progress: bool = False
    guards_media: bool = False
    gone_status: int = 404
    doubt: models.Doubt = models.Doubt.NEITHER
    picture: str = "https://pictures.example/cat.png"
    callback: str = ""
    free: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Job:
    """One accepted submit."""

    id: str
    kind: states.Kind
    course: Course
    body: Json
    looks: int = 0
    stopped: bool = False

    @property
    def stage(self) -> str:
        stages = _STAGES[self.course]
        return stages[min(max(self.looks, 1), len(stages)) - 1]


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived."""

    place: Place
    method: str
    path: str
    headers: Mapping[str, str]
    content: bytes
    peer: tuple[str, int]


class Upstream:
    """One provider, running. Tests set what goes wrong; handlers ask for jobs."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.url = ""
        self.jobs: dict[str, Job] = {}
        self.seen: list[Seen] = []
        self.course = Course.WELL
        self.refusal: Refusal | None = None
        self.troubles: dict[Place, Trouble] = {}
        self.instead: dict[Place, web.Response | Refusal | bytes] = {}
        self.media_gone = False
        self.endless_bytes = 0

    def accept(self, kind: states.Kind, body: Json, job_id: str | None = None) -> Job:
        """Take on a job."""
        job = Job(job_id or f"job-{len(self.jobs) + 1}", kind, self.course, body)
        self.jobs[job.id] = job
        return job

    def look(self, job_id: str) -> Job:
        """One look at a job brings it on by a stage. Raises a 404 for one that is unknown."""
        if job_id not in self.jobs:
            raise web.HTTPNotFound(text='{"error": {"message": "unknown job"}}', content_type="application/json")
        self.jobs[job_id].looks += 1
        return self.jobs[job_id]

    def media_url(self, job: Job) -> str:
        return f"{self.url}/media/{job.kind}"

    def at(self, place: Place) -> list[Seen]:
        return [seen for seen in self.seen if seen.place is place]


def place_of(request: web.Request) -> Place:
    """What a request is about, by method and path: the same for all dialects."""
    if request.path.startswith("/media/") or request.path.endswith(("/content", "/view")):
        return Place.MEDIA
    if request.method in {"PUT", "DELETE"} or (
        request.method == "POST" and request.path.endswith(("/cancel", "/queue"))
    ):
        return Place.STOP
    return Place.LOOK if request.method == "GET" else Place.SUBMIT


def need(body: Mapping[str, Any], required: Mapping[str, type], optional: Mapping[str, type] | None = None) -> None:
    """Be strict: a field that is missing, of another type or not in the dialect is a 400."""
    known = {**required, **(optional or {})}
    wrong = [name for name, kind in known.items() if name in body and not isinstance(body[name], kind)]
    wrong += [f"{name} (missing)" for name in required if name not in body]
    wrong += [f"{name} (unknown)" for name in body if name not in known]
    if wrong:
        raise web.HTTPBadRequest(text=f"not this dialect: {', '.join(wrong)}")


async def read(request: web.Request) -> Json:
    found: Json = orjson.loads(await request.read())
    return found


async def form(request: web.Request) -> dict[str, str | bytes]:
    """The parts of a multipart form: texts, and files as bytes. Raises a 400 for anything else."""
    if request.content_type != "multipart/form-data":
        raise web.HTTPBadRequest(text="not multipart/form-data")
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    parts = email.message_from_bytes(head + await request.read(), policy=email.policy.HTTP).iter_parts()
    return dict(map(_part, parts))


def _part(part: Any) -> tuple[str, str | bytes]:
    content = part.get_payload(decode=True)
    name = str(part.get_param("name", header="content-disposition"))
    return name, content if part.get_filename() else content.decode()


@asynccontextmanager
async def running(dialect: Dialect) -> AsyncIterator[Upstream]:
    """The provider, listening on a free port."""
    upstream = Upstream(dialect)
    app = dialect.build(upstream)
    app.middlewares.append(_between(upstream))
    app.router.add_get("/media/{kind}", _media())
    for path, body in dialect.free.items():
        app.router.add_get(path, _free(body))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        upstream.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield upstream
    finally:
        await runner.cleanup()


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _between(upstream: Upstream) -> Any:
    @web.middleware
    async def between(request: web.Request, handler: Handler) -> web.StreamResponse:
        place, dialect = place_of(request), upstream.dialect
        upstream.seen.append(await _noted(request, place))
        if place is Place.MEDIA and upstream.media_gone:
            return web.Response(status=dialect.gone_status)
        guarded = place is not Place.MEDIA or dialect.guards_media
        if guarded and dialect.wrong_key is not None and not dialect.authorised(request):
            return dialect.wrong_key.answer()
        if place is Place.SUBMIT and upstream.refusal is not None and upstream.refusal.model is None:
            return upstream.refusal.answer()
        if place in upstream.instead:
            return _instead(upstream.instead[place])
        answer = await handler(request)
        if upstream.troubles.get(place) is Trouble.ENDLESS:
            return await _endless(upstream, request)
        return await _spoilt(request, answer, upstream.troubles.get(place))

    return between


async def _noted(request: web.Request, place: Place) -> Seen:
    assert request.transport is not None
    peer = request.transport.get_extra_info("peername")
    return Seen(place, request.method, request.path_qs, request.headers.copy(), await request.read(), peer)


def _instead(answer: web.Response | Refusal | bytes) -> web.Response:
    if isinstance(answer, Refusal):
        return answer.answer()
    if isinstance(answer, bytes):
        return web.Response(body=answer, content_type="application/json")
    return answer


async def _spoilt(request: web.Request, answer: web.StreamResponse, trouble: Trouble | None) -> web.StreamResponse:
    """The work is done by now; only the answer suffers."""
    if trouble is Trouble.CUT:
        assert request.transport is not None
        request.transport.abort()
    if trouble is Trouble.PAGE:
        return web.Response(text=PAGE, content_type="text/html")
    if trouble is Trouble.DOWN:
        return web.Response(status=503, text=PAGE, content_type="text/html", headers={"Retry-After": "9"})
    return answer


async def _endless(upstream: Upstream, request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "application/json"})
    await answer.prepare(request)
    try:
        while True:
            await answer.write(CHUNK)
            upstream.endless_bytes += len(CHUNK)
    except ConnectionError:
        return answer


def _media() -> Handler:
    async def media(request: web.Request) -> web.Response:
        film = request.match_info["kind"] == states.Kind.VIDEO
        return web.Response(body=FILM if film else PICTURE, content_type="video/mp4" if film else "image/png")

    return media


def _free(body: Any) -> Handler:
    async def free(request: web.Request) -> web.Response:
        return web.json_response(body)

    return free


def application(*routes: web.RouteDef) -> web.Application:
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_routes(routes)
    return app
