"""Statements that the driver runs belong to the transaction they are run in."""

import functools
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import pytest

from shared import clock
from shared.db import budgets as rows
from shared.db import engine
from shared.domain import budgets
from tests.integration.tenants import money


class Given(NamedTuple):
    """A database with a budget of 1000."""

    database: engine.Database
    budget_id: str


@pytest.fixture
async def given(database: engine.Database) -> Given:
    by = await money.sender(database, await money.tenant(database))
    return Given(database, await money.budget(database, by, 1000, budgets.Period.MONTH))


async def found(given: Given) -> budgets.Budget:
    async with given.database.transaction() as connection:
        budget = await rows.get(connection, None, given.budget_id)
    assert budget is not None
    return budget


async def in_transaction(given: Given, error: type[Exception] | None, *, looks_first: bool = False) -> None:
    budget = await found(given)
    async with given.database.transaction() as connection:
        if looks_first:
            await rows.get(connection, None, given.budget_id)
        assert await rows.reserve(connection, budget, 7, clock.now()) is not None
        if error is not None:
            raise error


async def in_brisk(given: Given, error: type[Exception] | None) -> None:
    budget = await found(given)
    async with given.database.brisk(1.0) as connection:
        assert await rows.reserve(connection, budget, 7, clock.now()) is not None
        if error is not None:
            raise error


@pytest.mark.parametrize(
    "write",
    [in_transaction, functools.partial(in_transaction, looks_first=True), in_brisk],
    ids=["first", "later", "brisk"],
)
async def test_what_the_driver_writes_is_kept_or_undone_with_the_rest(
    given: Given, write: Callable[[Given, type[Exception] | None], Awaitable[None]]
) -> None:
    with pytest.raises(ZeroDivisionError):
        await write(given, ZeroDivisionError)
    assert (await found(given)).held_micros == 0
    await write(given, None)
    assert (await found(given)).held_micros == 7
