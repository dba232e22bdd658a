"""The connection pool of a process, and the one way to open a transaction."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.ext import asyncio as sa_asyncio

from shared import gathering

Connection = sa_asyncio.AsyncConnection
_PUBLIC_URL = "genqueue_public_url"
LOCK_SECONDS = 10

Begin = Callable[[Connection], Awaitable[None]]


class _Together:
    """A transaction that is opened when it is first needed."""

    def __init__(self, made: sa_asyncio.AsyncEngine, exits: AsyncExitStack, begin: Begin | None) -> None:
        self._engine, self._exits, self._begin = made, exits, begin
        self._connection: Connection | None = None

    async def connection(self) -> Connection:
        """Its connection. Raises what `begin` raises, at the first call."""
        if self._connection is None:
            self._connection = await self._exits.enter_async_context(self._engine.begin())
            if self._begin is not None:
                await self._begin(self._connection)
        return self._connection


_together: ContextVar[_Together | None] = ContextVar("together", default=None)


def _dumps(value: Any) -> str:  # noqa: ANN401 - whatever a JSONB column holds
    return orjson.dumps(value).decode()


def public_url(connection: Connection) -> str:
    """The base of the URLs callers use, as the Database of this connection was told."""
    inner = connection.sync_connection
    return str(inner.get_execution_options().get(_PUBLIC_URL, "")) if inner is not None else ""


def driver(connection: Connection) -> Any:  # noqa: ANN401 - asyncpg has no types
    """The driver's own connection. What is begun there, SQLAlchemy does not know of. Raises RuntimeError."""
    inner = connection.sync_connection
    found = inner.connection.driver_connection if inner is not None else None
    if found is None:
        raise RuntimeError("The connection is not open.")
    return found


async def _roll_back(connection: Connection, own: Any) -> None:  # noqa: ANN401 - see `driver`
    """A connection whose transaction may still be open must not go back into the pool: whoever had it next would write
    into that one, and nobody would commit it.
    """
    try:
        await own.execute("ROLLBACK")
    except BaseException as error:
        await connection.invalidate()
        if not isinstance(error, Exception):
            raise


class Database:
    """A pool of connections to Postgres. One a process; close it at the end."""

    def __init__(self, url: str, pool_size: int, name: str, public_url: str = "") -> None:
        """`public_url` is what the URLs in events begin with: they are frozen where the event is written."""
        # By the work that is done together (services/jointly.py).
        self.gatherings: dict[object, gathering.Gathering[Any, Any]] = {}
        self.engine = sa_asyncio.create_async_engine(
            url,
            execution_options={_PUBLIC_URL: public_url.rstrip("/")},
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=30,
            # SQLAlchemy's errors would quote prompts otherwise.
            hide_parameters=True,
            json_serializer=_dumps,
            json_deserializer=orjson.loads,
            connect_args={
                "timeout": 5,
                "command_timeout": 30,
                "server_settings": {
                    "application_name": f"genqueue-{name}",
                    "jit": "off",  # our statements are short; compiling them costs more than running them
                    "statement_timeout": "30000",
                    "lock_timeout": f"{LOCK_SECONDS * 1000}",
                    "idle_in_transaction_session_timeout": "60000",
                },
            },
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Commits at the end of the block, rolls back on any exception. Inside `together`: joins, and commits with
        it.
        """
        around = _together.get()
        if around is not None:
            yield await around.connection()
            return
        async with self.engine.begin() as connection:
            yield connection

    @property
    def is_together(self) -> bool:
        """Whether this task is within `together`: then what it writes must be written by itself."""
        return _together.get() is not None

    @asynccontextmanager
    async def together(self, begin: Begin | None = None) -> AsyncIterator[None]:
        """One transaction around all that are opened in this block, by this task: they commit together or not at
        all. It is opened by the first of them, with `begin`: before that, and never after, the block may call
        outside; it must not gather queries. Inside another: joins that one, and there is no `begin`.
        """
        if _together.get() is not None:
            yield
            return
        async with AsyncExitStack() as exits:
            token = _together.set(_Together(self.engine, exits, begin))
            try:
                yield
            finally:
                _together.reset(token)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """Reads only, each statement by itself: what a transaction of reads would see, without its two round trips."""
        async with self.engine.connect() as connection:
            yield await connection.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def single(self) -> AsyncIterator[Connection]:
        """For one statement that changes something: it commits by itself, without the two round trips of a
        transaction. Inside `together`: joins, and commits with it.
        """
        around = _together.get()
        if around is not None:
            yield await around.connection()
            return
        async with self.reading() as connection:
            yield connection

    @asynccontextmanager
    async def brisk(
        self, longest_wait_seconds: float = LOCK_SECONDS, *, to_disk: bool = True
    ) -> AsyncIterator[Connection]:
        """A transaction that is begun and ended by the driver itself, in one round trip each. Whatever waits longer
        than that for a lock raises. Without `to_disk` a crash of Postgres may lose it. Inside `together`: joins, and
        commits with it.
        """
        around = _together.get()
        if around is not None:
            yield await around.connection()
            return
        begin = f"BEGIN; SET LOCAL lock_timeout = '{int(longest_wait_seconds * 1000)}ms'"
        async with self.reading() as connection:
            own = driver(connection)
            try:
                await own.execute(begin if to_disk else f"{begin}; SET LOCAL synchronous_commit = off")
                yield connection
                await own.execute("COMMIT")
            except BaseException:
                await _roll_back(connection, own)
                raise

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """Reads only, and all of it as it was at one moment."""
        async with self.engine.connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ")
            async with connection.begin():
                yield connection

    async def ping(self) -> None:
        """Raise if Postgres does not answer."""
        async with self.engine.connect() as connection:
            await connection.execute(sa.text("SELECT 1"))

    async def close(self) -> None:
        """Close every connection. May be repeated."""
        await self.engine.dispose()
