"""How much a key may have in the queue."""

from shared import errors
from shared.db import engine, queue
from shared.domain import keys

RETRY_SECONDS = 5


async def check_queued(connection: engine.Connection, key_id: str, limits: keys.Limits, adding: int) -> None:
    """Raise RateLimitedError if `adding` more would be too many for this key. In the transaction that adds them:
    submits of a key with this limit go one after the other, so that it is exact. Does not commit.
    """
    if limits.max_queued is None:
        return
    await queue.lock_key(connection, key_id)
    queued = await queue.of_key(connection, key_id, limits.max_queued + 1)
    if queued + adding > limits.max_queued:
        raise errors.RateLimitedError(
            f"This key may have {limits.max_queued} jobs in the queue; wait until some have begun.",
            retry_after_seconds=RETRY_SECONDS,
            details={"limit": "max_queued", "max_queued": limits.max_queued, "queued": queued},
        )
