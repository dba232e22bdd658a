"""Telling 'the database is away' from 'this statement is wrong'."""

import asyncpg
from sqlalchemy import exc

# Deadlocks, lost races and time limits pass by themselves; classes 08, 53, 57 and 58 are the server's own troubles.
_PASSING_STATES = frozenset({"40001", "40P01", "55P03", "25006"})
_LOCK_NOT_AVAILABLE = "55P03"
_PASSING_CLASSES = ("08", "53", "57", "58")


def is_outage(error: BaseException) -> bool:
    """Whether trying again later, with nothing changed, may well succeed."""
    if isinstance(error, exc.TimeoutError):
        return True
    if isinstance(error, exc.DBAPIError):
        return error.connection_invalidated or _passes(_cause(error))
    return _passes(error)


def _cause(error: exc.DBAPIError) -> BaseException | None:
    """Asyncpg's own error below SQLAlchemy's two wrappers."""
    return error.orig.__cause__ if error.orig is not None and error.orig.__cause__ is not None else error.orig


def _passes(error: BaseException | None) -> bool:
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        return state in _PASSING_STATES or state.startswith(_PASSING_CLASSES)
    # The last is "another operation is in progress", of a connection that is just being lost.
    return isinstance(error, OSError | TimeoutError | asyncpg.InterfaceError | asyncpg.InternalClientError)


def is_lock_timeout(error: exc.DBAPIError) -> bool:
    """Whether the statement waited longer for a lock than it may."""
    cause = _cause(error)
    return isinstance(cause, asyncpg.PostgresError) and cause.sqlstate == _LOCK_NOT_AVAILABLE
