"""Looking at what became of an accepted attempt: what is needed to ask, and what an answer tells that ends nothing."""

from dataclasses import dataclass
from datetime import datetime

from shared.domain import models


@dataclass(frozen=True, slots=True)
class Due:
    """A job whose provider is to be asked now, with the attempt it waits for. `has_others`: attempts given up before
    may still finish.
    """

    job_id: str
    tenant_id: str
    deadline_at: datetime
    cancel_requested_at: datetime | None
    progress: int
    attempt_id: str
    model: str
    provider: str
    credential: int
    upstream_id: str
    reference: str
    accepted_at: datetime | None
    poll_count: int
    has_others: bool

    @property
    def endpoint(self) -> str:
        """The name of the endpoint that was asked."""
        return models.endpoint_name(self.model, self.provider)

    def must_end(self, now: datetime) -> bool:
        """Whether the job is to be ended instead of being waited for."""
        return self.cancel_requested_at is not None or self.deadline_at <= now


@dataclass(frozen=True, slots=True)
class Answer:
    """The provider was asked and is not done. `progress` and `not_before` only where they are news."""

    due: Due
    progress: int | None = None
    not_before: datetime | None = None

    @property
    def is_news(self) -> bool:
        """Whether more is to be written than that it was asked."""
        return self.progress is not None or self.not_before is not None
