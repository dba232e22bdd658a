"""Batches as rows. What callers read names the tenant (P6); what workers do goes by number."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from shared.db import engine, receivers, rows
from shared.db import events as event_rows
from shared.db.tables import batches as tables
from shared.domain import batches, events, recipes, sheets

_B = tables.batches
_COUNTS = tuple(field.name for field in fields(batches.Counts))
_QUOTE = tuple(field.name for field in fields(batches.Quote))
_PLAIN = tuple(
    field.name
    for field in fields(batches.Batch)
    if field.name not in ("counts", "quote", "recipe", "wishes", "options", "layout", "notes", "files", "budget_ids")
)


async def insert(connection: engine.Connection, new: batches.NewBatch) -> batches.Batch:
    """Insert a batch that is to be read, due now."""
    inserted = await connection.execute(
        sa.insert(_B)
        .values(
            id=new.id,
            tenant_id=new.tenant_id,
            key_id=new.key_id,
            is_test=new.is_test,
            status=batches.BatchStatus.VALIDATING,
            created_at=new.created_at,
            recipe=new.recipe.model_dump(mode="json", exclude_defaults=True),
            wishes=asdict(new.wishes),
            options=asdict(new.options),
            priority=new.wishes.priority,
            model=new.recipe.model,
            source_name=new.source_name,
            source_key=new.source_key,
            source_url=new.source_url,
            clone_of=new.clone_of,
            **await _webhook(connection, new),
            ring_at=new.created_at,
            rung_at=new.created_at,
        )
        .returning(_B)
    )
    return batch(inserted.one())


async def _webhook(connection: engine.Connection, new: batches.NewBatch) -> dict[str, str]:
    if new.webhook_origin is None or new.wishes.webhook_url is None:
        return {}
    receiver = await receivers.implicit(connection, new.tenant_id, new.webhook_origin, new.created_at)
    return {"webhook_url": new.wishes.webhook_url, "webhook_receiver_id": receiver}


async def get(
    connection: engine.Connection, tenant_id: str, batch_id: str, *, for_update: bool = False
) -> batches.Batch | None:
    """The tenant's batch, or None. `for_update` locks it until the transaction ends."""
    return await _one(connection, sa.and_(_B.c.tenant_id == tenant_id, _B.c.id == batch_id), for_update=for_update)


async def by_id(connection: engine.Connection, batch_id: str, *, for_update: bool = False) -> batches.Batch | None:
    """A batch, whoever owns it: for workers."""
    return await _one(connection, _B.c.id == batch_id, for_update=for_update)


async def _one(
    connection: engine.Connection, which: sa.ColumnElement[bool], *, for_update: bool
) -> batches.Batch | None:
    query = sa.select(_B).where(which)
    row = (await connection.execute(query.with_for_update() if for_update else query)).one_or_none()
    return batch(row) if row else None


async def page(
    connection: engine.Connection,
    tenant_id: str,
    statuses: frozenset[batches.BatchStatus],
    before_id: str | None,
    limit: int,
) -> list[batches.Batch]:
    """Up to `limit` batches, newest first, all older than `before_id`."""
    query = sa.select(_B).where(_B.c.tenant_id == tenant_id).order_by(_B.c.id.desc()).limit(limit)
    if statuses:
        query = query.where(_B.c.status.in_(sorted(statuses)))
    if before_id is not None:
        query = query.where(_B.c.id < before_id)
    return [batch(row) for row in await connection.execute(query)]


async def change(
    connection: engine.Connection,
    number: int,
    status: batches.BatchStatus,
    **values: Any,  # noqa: ANN401 - columns
) -> batches.Batch | None:
    """Move a batch to `status`, due now; None when it may not go there from where it is."""
    changed = await connection.execute(
        sa.update(_B)
        .where(_B.c.number == number, _B.c.status.in_(sorted(batches.sources_of(status))))
        .values(**{"status": status, "ring_at": sa.func.now(), **values})
        .returning(_B)
    )
    row = changed.one_or_none()
    return batch(row) if row else None


async def note(connection: engine.Connection, number: int, **values: Any) -> None:  # noqa: ANN401 - columns
    """Write columns that change no status."""
    await connection.execute(sa.update(_B).where(_B.c.number == number).values(**values))


async def move(connection: engine.Connection, number: int, deltas: Mapping[str, int], cost_micros: int = 0) -> None:
    """Add to counts (by status) and cost: always in the transaction that moves the rows."""
    changes: dict[str, Any] = {name: _B.c[name] + delta for name, delta in deltas.items() if delta}
    if cost_micros:
        changes["cost_micros"] = _B.c.cost_micros + cost_micros
    if changes:
        await connection.execute(sa.update(_B).where(_B.c.number == number).values(**changes))


async def add_read(
    connection: engine.Connection, number: int, added: Mapping[str, int], dearest_micros: int, last: int
) -> None:
    """Rows up to `last` were read: add to counts and quote, in the transaction that stores the rows."""
    sums = {name: _B.c[name] + amount for name, amount in added.items()}
    await note(
        connection, number, cursor=last, dearest_micros=sa.func.greatest(_B.c.dearest_micros, dearest_micros), **sums
    )


async def ring_by(connection: engine.Connection, number: int, at: datetime) -> None:
    """Have the batch rung for at `at`, or earlier if it is due earlier."""
    await note(connection, number, ring_at=sa.func.least(_B.c.ring_at, at))


async def add_event(
    connection: engine.Connection, of: batches.Batch, kind: events.EventType, now: datetime, data: dict[str, Any]
) -> None:
    """Write the batch's next event, after the change it tells of."""
    current = await by_id(connection, of.id)
    shown = {"object": "batch", "status": current.status if current else of.status, "metadata": of.wishes.metadata}
    await event_rows.append(connection, of.id, of.tenant_id, kind, now, shown | data)


def batch(row: rows.Row) -> batches.Batch:
    """A batch from a row of `batches`."""
    found: Any = row._mapping if isinstance(row, sa.Row) else row  # noqa: SLF001 - documented accessor
    values = {name: found[name] for name in _PLAIN}
    values["status"] = batches.BatchStatus(found["status"])
    values["ends_as"] = batches.BatchStatus(found["ends_as"])
    return batches.Batch(
        **values,
        counts=batches.Counts(**{name: found[name] for name in _COUNTS}),
        quote=batches.Quote(**{name: found[name] for name in _QUOTE}),
        recipe=recipes.Recipe.model_validate(found["recipe"]),
        wishes=_wishes(found["wishes"]),
        options=_options(found["options"]),
        layout=_layout(found["layout"]) if found["layout"] else None,
        notes=tuple(found["notes"]),
        budget_ids=tuple(found["budget_ids"]),
        files=tuple(batches.ResultFile(**item) for item in found["files"]),
    )


def _wishes(stored: Mapping[str, Any]) -> batches.Wishes:
    return batches.Wishes(**{**stored, "on_invalid": batches.OnInvalid(stored["on_invalid"])})


def _options(stored: Mapping[str, Any]) -> sheets.Options:
    return sheets.Options(
        form=sheets.Form(stored["form"]) if stored["form"] else None,
        encoding=sheets.Encoding(stored["encoding"]) if stored["encoding"] else None,
        delimiter=sheets.Delimiter(stored["delimiter"]) if stored["delimiter"] else None,
        sheet=stored["sheet"],
    )


def _layout(stored: Mapping[str, Any]) -> sheets.Layout:
    return sheets.Layout(**{**stored, "form": sheets.Form(stored["form"]), "columns": tuple(stored["columns"])})


def files_as_json(files: Sequence[batches.ResultFile]) -> list[dict[str, Any]]:
    """Result files as they are kept."""
    return [asdict(item) for item in files]
