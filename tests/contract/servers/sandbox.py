"""The sandbox itself: the provider that is shipped, and asked for its misbehaviour by model name."""

from collections.abc import AsyncIterator

from aiohttp import web

from shared.domain import faults, models, states
from shared.providers import base
from shared.providers.sandbox import app, desk, record
from tests.contract.servers import upstream

_K = faults.FaultKind


def build(_up: upstream.Upstream) -> web.Application:
    book = record.Record(":memory:")
    application = app.build(desk.Desk(book), "a-callback-secret")

    async def life(_app: web.Application) -> AsyncIterator[None]:
        yield
        book.close()

    application.cleanup_ctx.append(life)
    return application


def _offer(kind: states.Kind) -> upstream.Offer:
    prefix = "video" if kind is states.Kind.VIDEO else f"{kind}-async"
    courses = {
        upstream.Course.WELL: "instant",
        upstream.Course.FAILS: "fail",
        upstream.Course.EMPTY: "no-media",
        upstream.Course.ODD: "odd",
        upstream.Course.HANGS: "hang",
    }
    named = {course: f"{prefix}-{suffix}" for course, suffix in courses.items()}
    return upstream.Offer(kind, f"{prefix}-instant", models=named, size="64x64", seconds=1)


DIALECT = upstream.Dialect(
    name="sandbox",
    build=build,
    base_path="/keyed",
    key="sandbox-key",
    authorised=lambda request: request.headers.get("Authorization", "").startswith("Bearer sandbox"),
    doubt=models.Doubt.KEYED,
    courses=frozenset({upstream.Course.FAILS, upstream.Course.EMPTY, upstream.Course.ODD}),
    # A generation that still waits is stopped at once; one that runs already is asked to.
    cancels=frozenset({base.Cancellation.CONFIRMED, base.Cancellation.REQUESTED}),
    says_progress=True,
    gone_status=410,
    offers=(_offer(states.Kind.VIDEO),),
    wrong_key=upstream.Refusal("wrong key", _K.AUTH, 401, {"error": {"code": "auth", "message": "No."}}),
    refusals=(
        upstream.Refusal("moderated", _K.CONTENT_POLICY, model="video-refuse"),
        upstream.Refusal("bad field", _K.INVALID_INPUT, model="video-invalid"),
        upstream.Refusal("down", _K.UNAVAILABLE, model="video-unavailable"),
        upstream.Refusal("behind a 200", _K.UNAVAILABLE, model="video-error200"),
        upstream.Refusal("no such model", _K.NOT_FOUND, model="video-nobody"),
        upstream.Refusal("rate", _K.THROTTLED, model="video-throttle", wait_seconds=1),
    ),
    callback="callback_url",
)
