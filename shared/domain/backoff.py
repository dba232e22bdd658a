"""When to try again: growing pauses with jitter, so that many jobs do not come back at once."""

import email.utils
import random
from datetime import datetime

FIRST_POLL_SECONDS = 0.5
LONGEST_POLL_SECONDS = 15.0
LONGEST_RETRY_SECONDS = 120.0
POLL_GROWTH = 1.3


def jittered(seconds: float, seed: str) -> float:
    """`seconds`, up to a fifth more or less; the same for the same seed, so that a plan made again is the same."""
    return seconds * random.Random(seed).uniform(0.8, 1.2)  # noqa: S311 - spreads load, guards nothing


def retry_seconds(tries: int, seed: str) -> float:
    """How long to wait after the `tries`-th failure in a row: 1, 2, 4 … at most two minutes."""
    return jittered(min(2.0 ** min(max(tries - 1, 0), 10), LONGEST_RETRY_SECONDS), seed)


def poll_seconds(poll_count: int, usual_seconds: float, seed: str) -> float:
    """The pause before the next poll. The first comes near half the model's usual time; then the step grows by
    1.3 from a tenth of it, between half a second and 15 s.
    """
    if poll_count == 0:
        return jittered(min(max(usual_seconds / 2, FIRST_POLL_SECONDS), LONGEST_POLL_SECONDS), seed)
    step = max(usual_seconds / 10, FIRST_POLL_SECONDS) * POLL_GROWTH ** min(poll_count - 1, 40)
    return jittered(min(step, LONGEST_POLL_SECONDS), f"{seed}-{poll_count}")


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds from a Retry-After header: a number, or an HTTP date. None if absent or senseless."""
    if not value:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment - now).total_seconds()) if moment.tzinfo else None
