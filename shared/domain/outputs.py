"""The stored files of a job, and what a provider gave us to make them from."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


class Variant(StrEnum):
    """The output itself, or a small picture made from it."""

    MAIN = "main"
    THUMBNAIL = "thumbnail"
    SPRITESHEET = "spritesheet"


@dataclass(frozen=True, slots=True)
class Source:
    """One result of a provider: exactly one of `url`, `text` and `body` is set."""

    media_type: str | None = None
    url: str | None = None
    text: str | None = None
    body: bytes | None = None

    @property
    def is_inline(self) -> bool:
        """Whether it came as bytes, which are kept apart until they are stored."""
        return self.url is None and self.text is None


@dataclass(frozen=True, slots=True)
class Usage:
    """What a provider says was used. `cost_micros` is its own bill, where it gives one."""

    cost_micros: int | None = None
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Output:
    """A row of `outputs`: bytes that are in the owner's storage and were opened (promise P4)."""

    id: str
    job_id: str
    tenant_id: str
    number: int
    variant: Variant
    key: str
    media_type: str
    size_bytes: int
    sha256: str
    created_at: datetime
    width: int | None = None
    height: int | None = None
    duration_seconds: float | None = None
    expires_at: datetime | None = None
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Everything an output's key depends on. `created_at` is the job's."""

    tenant_id: str
    job_id: str
    attempt_id: str
    created_at: datetime
    number: int


def key_for(place: Place, variant: Variant, extension: str) -> str:
    """Where an output lies in the bucket. The same for every repetition of one attempt's collecting, which so
    overwrites itself; different for another attempt. Tenant first, so that rights and erasure go by prefix.
    """
    day = place.created_at.astimezone(UTC).strftime("%Y/%m/%d")
    name = f"{place.number:02d}-{variant}.{extension}"
    return f"{place.tenant_id}/{day}/{place.job_id}/{place.attempt_id}/{name}"
