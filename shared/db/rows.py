"""Rows become domain objects here, and only here."""

from dataclasses import asdict, fields
from typing import Any

import sqlalchemy as sa

from shared.domain import attempts, faults, jobs, outputs, states

Row = sa.Row[Any] | sa.RowMapping

_OUTPUT_FIELDS = frozenset(field.name for field in fields(outputs.Output))
_JOB_FIELDS = frozenset(field.name for field in fields(jobs.Job))


def job(row: Row) -> jobs.Job:
    """A job from a row of `jobs`; columns only the relay needs are dropped."""
    values = {name: value for name, value in _mapping(row).items() if name in _JOB_FIELDS}
    values["kind"] = states.Kind(values["kind"])
    values["status"] = states.JobStatus(values["status"])
    values["step"] = states.Step(values["step"])
    values["on_doubt"] = states.OnDoubt(values["on_doubt"])
    values["budget_ids"] = tuple(values["budget_ids"])
    values["billed"] = states.Billed(values["billed"]) if values["billed"] else None
    return jobs.Job(**values)


def attempt(row: Row) -> attempts.Attempt:
    """An attempt from a row of `attempts`."""
    values = _mapping(row)
    values["status"] = states.AttemptStatus(values["status"])
    values["fault"] = faults.FaultKind(values["fault"]) if values["fault"] else None
    values["sources"] = tuple(outputs.Source(**source) for source in values["sources"] or ())
    values["usage"] = outputs.Usage(**values["usage"]) if values["usage"] else None
    return attempts.Attempt(**values)


def output(row: Row) -> outputs.Output:
    """An output from a row of `outputs`; a column only upkeep needs is dropped."""
    values = {name: value for name, value in _mapping(row).items() if name in _OUTPUT_FIELDS}
    values["variant"] = outputs.Variant(values["variant"])
    return outputs.Output(**values)


def source(value: outputs.Source) -> dict[str, Any]:
    """A source as JSON, without its bytes: those are kept in `attempt_bodies`."""
    return {name: item for name, item in asdict(value).items() if name != "body" and item is not None}


def _mapping(row: Row) -> dict[str, Any]:
    return dict(row._mapping if isinstance(row, sa.Row) else row)  # noqa: SLF001 - SQLAlchemy's documented accessor
