"""The Idempotency-Key header (draft-ietf-httpapi-idempotency-key-header-07), on every POST.

Routes that make jobs bind the key to the job, in its transaction. Every other POST is answered inside one transaction
together with its key, and the whole answer is kept for 24 hours; an upload is stored first, and compared by its hash.
An answer may hold a secret that is shown only once: it is sealed with a key that only the caller's own key gives,
which we do not have.
"""

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Annotated

import fastapi
import orjson
from cryptography import fernet

from api import auth
from shared import clock, errors
from shared.db import engine
from shared.db import idempotency as rows
from shared.services import idempotency

_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]{1,255}")
# Official SDKs (made by Stainless) send no key, but count their retries here.
RETRY_COUNT = "X-Stainless-Retry-Count"
_KEPT_HEADERS = ("location", "content-type")
DESCRIPTION = "1 to 255 visible ASCII characters. The same key with the same body is done once, for 24 hours."


async def key(
    request: fastapi.Request,
    idempotency_key: Annotated[
        str | None,
        fastapi.Header(alias="Idempotency-Key", description=DESCRIPTION, examples=["4f1c2a7e-order-17"]),
    ] = None,
) -> idempotency.Once | None:
    """The dependency of routes that make a job. Raises InvalidRequestError for a key we do not take."""
    if idempotency_key is not None:
        return idempotency.Once(_bare(idempotency_key), await _fingerprint(request))
    return _folding(request, await _sent(request))


def for_body(request: fastapi.Request, body: object) -> idempotency.Once | None:
    """The same for a route that reads its body by itself: `body` is what was asked, as JSON, whatever the form it
    came in. Raises InvalidRequestError.
    """
    sent = request.headers.get("Idempotency-Key")
    return idempotency.Once(_bare(sent), _digest(request, body)) if sent is not None else _folding(request, body)


async def for_answer(request: fastapi.Request, caller: auth.Caller) -> idempotency.Once | None:
    """The key of any other POST, one for each key of a tenant; None if there is none. Raises InvalidRequestError."""
    sent = request.headers.get("Idempotency-Key")
    if sent is None:
        return None
    if is_upload(request):
        # Its bytes go to the storage while they come, so they cannot be compared first. A key that is taken and then
        # not kept would be worse than none. (Routes that compare afterwards take `OfUpload`.)
        raise errors.InvalidRequestError("Uploads take no Idempotency-Key.", param="Idempotency-Key")
    return of_content(request, caller, sent, await _sent(request))


def is_upload(request: fastapi.Request) -> bool:
    """Whether the body is a form with files."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower().startswith("multipart/")


async def upload_key(
    request: fastapi.Request,
    idempotency_key: Annotated[
        str | None,
        fastapi.Header(alias="Idempotency-Key", description=DESCRIPTION, examples=["4f1c2a7e-order-17"]),
    ] = None,
) -> str | None:
    """The dependency of routes that take uploads: the key, which they bind with `answer_once` when they know what was
    sent. None for other bodies: those are bound before. Raises InvalidRequestError.
    """
    return _bare(idempotency_key) if idempotency_key is not None and is_upload(request) else None


def of_content(request: fastapi.Request, caller: auth.Caller, sent_key: str, content: object) -> idempotency.Once:
    """A key with what it was sent with; one for each key of a tenant. Raises InvalidRequestError."""
    # A space, which no caller can send, keeps these apart from the keys of jobs.
    return idempotency.Once(f"{caller.key_id} {_bare(sent_key)}", _digest(request, content))


class _AnsweredBeforeError(Exception):
    """Somebody has sent this Idempotency-Key before; here is the answer of then."""

    def __init__(self, answer: rows.Answer) -> None:
        super().__init__()
        self.answer = answer


async def answer_once(
    request: fastapi.Request,
    db: engine.Database,
    tenant_id: str,
    once: idempotency.Once,
    make: Callable[[], Awaitable[fastapi.Response]],
) -> fastapi.Response:
    """All that `make` does, and its answer, in one transaction with the key; or the answer given before. Commits.
    What `make` does before it first needs the database (names are resolved, bytes go to the storage) stays outside.
    Raises IdempotencyMismatchError, IdempotencyInFlightError; then nothing was done.
    """

    async def begin(connection: engine.Connection) -> None:
        before = await idempotency.bind(connection, tenant_id, once, clock.now())
        if before is not None:
            raise _AnsweredBeforeError(before)

    known = await idempotency.known(db, tenant_id, once)
    if known is not None:
        return unseal(request, known)
    try:
        async with db.together(begin):
            response = await make()
            async with db.transaction() as connection:
                await rows.keep(connection, tenant_id, once.key, seal(request, response))
            return response
    except _AnsweredBeforeError as found:
        return unseal(request, found.answer)


def _folding(request: fastapi.Request, body: object) -> idempotency.Once | None:
    """If the operator wants it: a key made up for an SDK that sends none, so that its re-posts make no second job."""
    seconds: int = request.app.state.parts.settings.fold_retries_seconds
    count = request.headers.get(RETRY_COUNT, "")
    if not seconds or not count.isdecimal() or len(count) > 3:
        return None
    caller: auth.Caller = request.scope["state"]["caller"]
    fingerprint = _digest(request, body)
    return idempotency.Once(f" folds {caller.key_id} {fingerprint}", fingerprint, seconds, int(count) > 0)


def _bare(value: str) -> str:
    """The draft standard sends a quoted string, the world sends it bare: one pair of quotes is not part of the key."""
    bare = value[1:-1] if len(value) >= 2 and value[0] == value[-1] == '"' else value
    if not _VISIBLE_ASCII.fullmatch(bare):
        raise errors.InvalidRequestError(
            "The Idempotency-Key must be 1 to 255 visible ASCII characters.",
            param="Idempotency-Key",
            accepted=["1 to 255 visible ASCII characters"],
        )
    return bare


async def _fingerprint(request: fastapi.Request) -> str:
    return _digest(request, await _sent(request))


async def _sent(request: fastapi.Request) -> object:
    return await request.json() if await request.body() else None


def _digest(request: fastapi.Request, body: object) -> str:
    """Of method, path, query and parsed body: spaces and the order of fields make no other request."""
    query = sorted(request.query_params.multi_items()) if request.scope["query_string"] else []
    canonical = orjson.dumps([request.method, request.scope["path"], query, body], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()


def seal(request: fastapi.Request, response: fastapi.Response) -> rows.Answer:
    """The answer as it is kept."""
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    return rows.Answer(response.status_code, headers, _cipher(request).encrypt(bytes(response.body)))


def unseal(request: fastapi.Request, answer: rows.Answer) -> fastapi.Response:
    """The kept answer, word for word. Raises IdempotencyMismatchError when the key was sent with another secret:
    it was rotated since.
    """
    try:
        body = _cipher(request).decrypt(answer.body)
    except fernet.InvalidToken:
        raise errors.IdempotencyMismatchError(
            "This Idempotency-Key was used before your key was rotated; use a new one.", param="Idempotency-Key"
        ) from None
    return fastapi.Response(body, answer.status, {**answer.headers, "Idempotent-Replayed": "true"})


def _cipher(request: fastapi.Request) -> fernet.Fernet:
    secret = (auth.given(request) or "").encode("utf-8", "surrogateescape")
    # Not the digest we store: nobody who has the database can make this.
    return fernet.Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"genqueue sealed answers " + secret).digest()))


Keyed = Annotated[idempotency.Once | None, fastapi.Depends(key)]
OfUpload = Annotated[str | None, fastapi.Depends(upload_key)]
