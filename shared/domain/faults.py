"""Why a provider did not deliver: a closed set, with what it means for the job as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """Every adapter maps its provider's errors to these."""

    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    TIMED_OUT = "timed_out"
    INVALID_INPUT = "invalid_input"
    CONTENT_POLICY = "content_policy"
    AUTH = "auth"
    OUT_OF_CREDIT = "out_of_credit"
    NOT_FOUND = "not_found"
    OUTPUT_UNUSABLE = "output_unusable"
    IN_DOUBT = "in_doubt"


@dataclass(frozen=True, slots=True)
class Consequence:
    """`retryable`: the same endpoint may be asked again. `falls_back`: another one may be asked."""

    retryable: bool
    falls_back: bool


CONSEQUENCES: Mapping[FaultKind, Consequence] = {
    FaultKind.THROTTLED: Consequence(retryable=True, falls_back=True),
    FaultKind.UNAVAILABLE: Consequence(retryable=True, falls_back=True),
    FaultKind.TIMED_OUT: Consequence(retryable=False, falls_back=True),
    # The caller's own faults: another provider would only cost more.
    FaultKind.INVALID_INPUT: Consequence(retryable=False, falls_back=False),
    FaultKind.CONTENT_POLICY: Consequence(retryable=False, falls_back=False),
    FaultKind.AUTH: Consequence(retryable=False, falls_back=True),
    FaultKind.OUT_OF_CREDIT: Consequence(retryable=False, falls_back=True),
    FaultKind.NOT_FOUND: Consequence(retryable=False, falls_back=True),
    # Asking the same endpoint again would be paid again for, likely, the same bytes.
    FaultKind.OUTPUT_UNUSABLE: Consequence(retryable=False, falls_back=True),
    # The job's `on_doubt` decides, not this table.
    FaultKind.IN_DOUBT: Consequence(retryable=False, falls_back=False),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One failure of one attempt. `message` is ours or the provider's, cut to a sentence; it is shown to callers."""

    kind: FaultKind
    message: str
    retry_after_seconds: float | None = None
