"""How many requests a key may send a minute, told in every answer."""

import math

import fastapi

from api import auth, parts
from shared import errors
from shared.domain import tenants

# Where the middleware finds the headers of an answer that somebody else makes (api/middleware.py).
STATE = "rate_headers"


async def check(given: parts.Parts, request: fastapi.Request, caller: auth.Caller) -> None:
    """Count this request. Raises RateLimitedError. The admin key of the settings is not limited: it must get in when
    everything else is full.
    """
    limit = caller.limits.requests_per_minute or given.settings.requests_per_minute
    if caller.key_id == tenants.ADMIN_KEY_ID or not limit:
        return
    verdict = await given.counters.take(f"key:{caller.key_id}", limit)
    request.scope["state"][STATE] = verdict.headers()
    if not verdict.allowed:
        raise errors.RateLimitedError(
            f"This key may send {limit} requests a minute.",
            retry_after_seconds=max(math.ceil(verdict.retry_seconds), 1),
            details={"limit": "requests_per_minute", "requests_per_minute": limit},
        )
