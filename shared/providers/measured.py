"""An adapter whose every request is counted and timed. It changes nothing else."""

import functools
from collections.abc import Awaitable
from typing import TypeVar

from shared import metrics, tracing
from shared.domain import models
from shared.providers import base

T = TypeVar("T")


class MeasuredAdapter:
    """Stands before the adapter of one provider."""

    def __init__(self, inner: base.Adapter, provider: str) -> None:
        self._inner = inner
        self._provider = provider
        self.doubt: models.Doubt = inner.doubt

    async def submit(self, ask: base.Ask) -> base.SubmitOutcome:
        """As the adapter does."""
        # The reference is the job's id and the attempt's number.
        with tracing.span("provider.submit", ask.reference.partition(".")[0], {"gen_ai.provider.name": self._provider}):
            return await self._count("submit", self._inner.submit(ask))

    async def find(self, reference: str) -> base.Accepted | None:
        """As the adapter does."""
        return await self._count("find", self._inner.find(reference))

    async def poll(self, upstream_id: str) -> base.PollOutcome:
        """As the adapter does."""
        return await self._count("poll", self._inner.poll(upstream_id))

    async def cancel(self, upstream_id: str) -> base.Cancellation:
        """As the adapter does."""
        return await self._count("cancel", self._inner.cancel(upstream_id))

    def download_headers(self, url: str) -> dict[str, str]:
        """As the adapter does."""
        return self._inner.download_headers(url)

    async def _count(self, operation: str, asking: Awaitable[T]) -> T:
        with metrics.provider_request(self._provider, operation) as outcome:
            answer = await asking
            outcome.append(_word(answer))
        return answer


def _word(answer: object) -> str:
    """`accepted`, `refused`, `poll_lost`: a name from a closed set."""
    if isinstance(answer, base.Cancellation):
        return answer.value
    if answer is None:
        return "not_found"
    return _in_words(type(answer).__name__)


@functools.cache
def _in_words(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
