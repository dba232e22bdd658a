"""Rates, and when there is too much. Pure: the arithmetic of a leaky bucket (GCRA), seconds as floats."""

import math
from dataclasses import dataclass

WINDOW_SECONDS = 60
LEVELS = 10


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one more is allowed, how many are left, and the seconds until the bucket is whole again (or, if it is
    not allowed, until the next one is).
    """

    allowed: bool
    limit: int
    remaining: int
    reset_seconds: float
    retry_seconds: float = 0.0

    def headers(self) -> dict[str, str]:
        """The IETF draft's fields (-11) and the older ones most clients read."""
        reset = math.ceil(self.reset_seconds)
        return {
            "RateLimit-Policy": f'"requests";q={self.limit};w={WINDOW_SECONDS}',
            "RateLimit": f'"requests";r={self.remaining};t={reset}',
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(reset),
        }


def judge(limit: int, full_at: float, now: float) -> tuple[Verdict, float]:
    """Take one from a bucket of `limit` that refills evenly within a minute. `full_at` is when it would be whole
    again; the new one is answered too, the same if nothing was taken.
    """
    step = WINDOW_SECONDS / limit
    after = max(full_at, now) + step
    if after - now > WINDOW_SECONDS + 1e-6:
        retry = after - now - WINDOW_SECONDS
        return Verdict(False, limit, 0, max(full_at - now, 0.0), retry), full_at  # noqa: FBT003 - named in the class
    remaining = int((WINDOW_SECONDS - (after - now)) / step + 1e-6)
    return Verdict(True, limit, remaining, after - now), after  # noqa: FBT003 - named in the class


def lowest_admitted(length: int, age_seconds: float, max_length: int, max_age_seconds: float) -> int:
    """The lowest priority that is let in: 0 below the limits, one more for every tenth above them. A limit of 0 is
    none.
    """
    load = max(length / max_length if max_length else 0.0, age_seconds / max_age_seconds if max_age_seconds else 0.0)
    return 0 if load < 1 else min(int((load - 1) * LEVELS + 1e-6) + 1, LEVELS)
