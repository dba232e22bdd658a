"""One post of a delivery, and what came of it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

HEAD_BYTES = 16 * 1024


class Trigger(StrEnum):
    """Why a try was made."""

    AUTOMATIC = "automatic"
    REPLAY = "replay"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Try:
    """A row of `tries`. Exactly one of `status_code` and `error` is set; `response_head` is the body's first 16 KB."""

    delivery_id: str
    number: int
    trigger: Trigger
    started_at: datetime
    duration_seconds: float
    status_code: int | None
    error: str | None
    address: str | None
    response_head: bytes = b""
    response_headers: dict[str, str] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Only 2xx is a success; a redirect is not."""
        return self.status_code is not None and 200 <= self.status_code < 300
