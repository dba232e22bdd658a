"""What a turn of a slice asks of its batch as a whole. It comes many times a second: statements are made once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from shared.db import batches as batch_tables
from shared.db import engine
from shared.db.tables import batches as tables
from shared.db.tables import slices as slice_tables
from shared.domain import batches, slices

_B, _S = tables.batches, slice_tables.slices
_LOCK = (
    sa.select(_B)
    .join(_S, _S.c.number == sa.bindparam("slice"))
    .where(_B.c.id == sa.bindparam("batch"))
    .with_for_update()
)
_IN_THE_AIR = sa.text(
    "SELECT coalesce(sum(s.held) FILTER (WHERE s.batch_number = :batch), 0) AS own, "
    "coalesce(sum(s.held), 0) AS of_model, count(DISTINCT b.tenant_id) AS tenants, "
    "(SELECT count(*) FROM batch_rows WHERE batch_number = :batch AND job_id IS NOT NULL "
    "AND status = 'in_progress') AS released, "
    "(SELECT max_in_flight FROM keys WHERE id = :key AND tenant_id = :tenant) AS of_key "
    # The slice that asks holds what it knows, not what it last wrote down.
    "FROM (SELECT number, batch_number, CASE WHEN number = :slice THEN :held ELSE held END AS held FROM slices) s "
    "JOIN batches b ON b.number = s.batch_number WHERE b.status = 'in_progress' "
    "AND (b.number = :batch OR b.model = CAST(:model AS text))"
)
# Rows are taken in hand in the same statement. Their numbers are named twice: by a join alone, Postgres may well read
# every row of the batch to find some.
_NOTE = sa.text(
    "WITH begun AS ("
    "UPDATE batch_rows AS r SET status = 'in_progress', slice = :slice, due_at = NULL, attempt = v.attempt, "
    "asks = v.asks, model = v.model, provider = v.provider, credential = v.credential, "
    "sent_at = CASE WHEN v.asks > 1 THEN coalesce(r.sent_at, :now) ELSE :now END, "
    "started_at = coalesce(r.started_at, :now) "
    "FROM unnest(CAST(:numbers AS int[]), CAST(:attempts AS int[]), CAST(:asks AS int[]), "
    "CAST(:models AS text[]), CAST(:providers AS text[]), CAST(:credentials AS int[])) "
    "AS v(number, attempt, asks, model, provider, credential) "
    "WHERE r.batch_number = :batch AND r.number = ANY(CAST(:numbers AS int[])) AND r.number = v.number"
    "), noted AS (UPDATE slices SET held = :held WHERE number = :slice) UPDATE batches SET "
    "queued = queued + :queued, in_progress = in_progress + :in_progress, completed = completed + :completed, "
    "failed = failed + :failed, cost_micros = cost_micros + :cost_micros, cursor = :cursor, "
    "held_micros = :held_micros WHERE number = :batch"
)


@dataclass(frozen=True, slots=True)
class InTheAir:
    """Rows in hand of a batch, rows in hand of its model, and how many tenants run batches of that model; rows of the
    batch that ordinary jobs carry on; how many rows and jobs its key may have in the air, if that is limited.
    """

    own: int
    of_model: int
    tenants: int
    released: int
    of_key: int | None


@dataclass(frozen=True, slots=True)
class Note:
    """What a turn changed: the rows that are about to be asked; counts by status, what rows cost; where the cursor
    stands, what the batch holds on to in micro-dollars, and how many rows the slice has in hand.
    """

    asks: Sequence[slices.Ask]
    deltas: Mapping[str, int]
    cost_micros: int
    cursor: int
    held_micros: int
    held: int


async def lock(connection: engine.Connection, batch_id: str, slice_number: int) -> batches.Batch | None:
    """The batch, locked with the slice until the transaction ends; None if the slice is gone: its process was taken
    for dead.
    """
    row = (await connection.execute(_LOCK, {"batch": batch_id, "slice": slice_number})).one_or_none()
    return batch_tables.batch(row) if row else None


async def in_the_air(connection: engine.Connection, batch: batches.Batch, slice_number: int, held: int) -> InTheAir:
    """What counts against the limits, where this slice holds `held` rows."""
    values = {"key": batch.key_id, "tenant": batch.tenant_id, "model": batch.recipe.model}
    own = {"batch": batch.number, "slice": slice_number, "held": held}
    row = (await connection.execute(_IN_THE_AIR, values | own)).one()
    return InTheAir(int(row.own), int(row.of_model), row.tenants, row.released, row.of_key)


async def note(
    connection: engine.Connection, batch: batches.Batch, slice_number: int, change: Note, now: datetime
) -> None:
    """Write down what the turn changed, in the transaction that moves the rows: those to be asked are taken in hand,
    each with the attempt that is about to be sent (promise P3). The batch and the slice are locked.
    """
    own = {"batch": batch.number, "slice": slice_number, "now": now, "cursor": change.cursor, "held": change.held}
    money = {"cost_micros": change.cost_micros, "held_micros": change.held_micros}
    moved = {name: change.deltas.get(name, 0) for name in ("queued", "in_progress", "completed", "failed")}
    await connection.execute(_NOTE, own | money | moved | _columns(change.asks))


def _columns(asks: Sequence[slices.Ask]) -> dict[str, list[Any]]:
    return {
        "numbers": [ask.order.row.number for ask in asks],
        "attempts": [ask.number for ask in asks],
        "asks": [ask.asks for ask in asks],
        "models": [ask.model.id for ask in asks],
        "providers": [ask.endpoint.provider for ask in asks],
        "credentials": [ask.credential for ask in asks],
    }
