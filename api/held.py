"""Answers that wait for their job: dialects whose callers expect the result itself, not an id.

For `held_quiet_seconds` nothing is sent, so that a failure still has its own status. After that the status is 200 and
a filler keeps proxies from cutting the line; a late failure is then told in the body.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass

import fastapi
from fastapi import responses

from api import errors, parts
from shared import errors as faults
from shared.services import endings, jobs, waiting

FILLER_SECONDS = 10.0
# The worker ends a job at its deadline; the answer waits a little longer to hear of it.
GRACE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Form:
    """How an answer is written. `body` yields it once the job is completed; `failed` is what stands for a late
    failure; `filler` means nothing to the reader.
    """

    media_type: str
    filler: bytes
    body: Callable[[jobs.JobView], AsyncIterator[bytes]]
    failed: Callable[[faults.GenqueueError], bytes]
    id_header: str = "X-Genqueue-Job-Id"


@dataclass(frozen=True, slots=True)
class Wait:
    """Whose job is waited for."""

    given: parts.Parts
    tenant_id: str
    job_id: str

    async def over(self, seconds: float) -> bool:
        """Whether the job is over within so many seconds."""
        given = self.given
        return await waiting.until_over(given.db, given.changes, self.tenant_id, self.job_id, seconds, given.stopping)

    async def view(self) -> jobs.JobView:
        """The completed job. Raises whatever `endings.check` raises."""
        view = await jobs.get(self.given.db, self.tenant_id, self.job_id, with_request=True)
        endings.check(view.job)
        return view


async def answer(wait: Wait, form: Form) -> fastapi.Response:
    """The answer once the job is over. Raises as `Wait.view` does, as long as nothing was sent."""
    settings = wait.given.settings
    headers = {form.id_header: wait.job_id}
    quiet_seconds = min(settings.held_quiet_seconds, settings.held_answer_seconds)
    if await wait.over(quiet_seconds) or wait.given.stopping.is_set():
        body = form.body(await wait.view())
        # The first piece is made before the status is sent: what can fail, fails here.
        return responses.StreamingResponse(_rest(await anext(body), body), 200, headers, form.media_type)
    left = settings.held_answer_seconds - quiet_seconds + GRACE_SECONDS
    return responses.StreamingResponse(_slowly(wait, form, left), 200, headers, form.media_type)


async def _rest(first: bytes, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in body:
        yield piece


async def _slowly(wait: Wait, form: Form, seconds: float) -> AsyncIterator[bytes]:
    try:
        async with contextlib.aclosing(_fillers(wait, form, seconds)) as fillers:
            async for filler in fillers:
                yield filler
        async for piece in form.body(await wait.view()):
            yield piece
    except Exception as error:  # noqa: BLE001 - the status is sent: the body is the only place left to tell it
        yield form.failed(errors.known(error))


async def _fillers(wait: Wait, form: Form, seconds: float) -> AsyncGenerator[bytes, None]:
    deadline = asyncio.get_running_loop().time() + seconds
    yield form.filler
    while (left := deadline - asyncio.get_running_loop().time()) > 0:
        if await wait.over(min(left, FILLER_SECONDS)) or wait.given.stopping.is_set():
            return
        yield form.filler
