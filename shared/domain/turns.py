"""Whose turn it is within a tenant: priority, and age so that nothing starves."""

from datetime import datetime, timedelta

# One step of priority is worth so much waiting: priority 9 goes before everything of priority 5 that came up to
# two hours earlier, and nothing waits for ever behind newer, more urgent jobs.
STEP = timedelta(minutes=30)


def turn_at(created_at: datetime, priority: int) -> datetime:
    """The earliest of these goes first. It never changes, so that an index can keep the order."""
    return created_at - priority * STEP
