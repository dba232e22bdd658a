"""Rows become domain objects here, and only here."""

from dataclasses import asdict, fields
from typing import Any

import sqlalchemy as sa

from shared.domain import (
    attempts,
    deliveries,
    envelopes,
    events,
    faults,
    files,
    jobs,
    outputs,
    receivers,
    signing,
    states,
    tries,
)

# Or one of the driver's own (db/prepared.py), which has no types.
Row = sa.Row[Any] | sa.RowMapping | dict[str, Any]

_OUTPUT_FIELDS = frozenset(field.name for field in fields(outputs.Output))
_JOB_FIELDS = tuple(field.name for field in fields(jobs.Job))
_EVENT_FIELDS = tuple(field.name for field in fields(events.Event))
_DELIVERY_FIELDS = tuple(field.name for field in fields(deliveries.Delivery))
_RECEIVER_FIELDS = tuple(field.name for field in fields(receivers.Receiver))


def job(row: Row) -> jobs.Job:
    """A job from a row of `jobs`; columns only the relay needs are dropped."""
    values = _picked(row, _JOB_FIELDS)
    values["kind"] = states.Kind(values["kind"])
    values["status"] = states.JobStatus(values["status"])
    values["step"] = states.Step(values["step"])
    values["on_doubt"] = states.OnDoubt(values["on_doubt"])
    values["budget_ids"] = tuple(values["budget_ids"])
    values["billed"] = states.Billed(values["billed"]) if values["billed"] else None
    return jobs.Job(**values)


def attempt(row: Row) -> attempts.Attempt:
    """An attempt from a row of `attempts`."""
    values = mapping(row)
    values["status"] = states.AttemptStatus(values["status"])
    values["fault"] = faults.FaultKind(values["fault"]) if values["fault"] else None
    values["sources"] = tuple(outputs.Source(**source) for source in values["sources"] or ())
    values["usage"] = outputs.Usage(**values["usage"]) if values["usage"] else None
    return attempts.Attempt(**values)


def output(row: Row) -> outputs.Output:
    """An output from a row of `outputs`; a column only upkeep needs is dropped."""
    values = {name: value for name, value in mapping(row).items() if name in _OUTPUT_FIELDS}
    values["variant"] = outputs.Variant(values["variant"])
    return outputs.Output(**values)


def event(row: Row) -> events.Event:
    """An event from a row of `events`."""
    values = _picked(row, _EVENT_FIELDS)
    return events.Event(**values | {"type": events.EventType(values["type"])})


def event_values(value: events.Event) -> dict[str, Any]:
    """The columns of an event."""
    return {name: getattr(value, name) for name in _EVENT_FIELDS}


def delivery(row: Row) -> deliveries.Delivery:
    """A delivery from a row of `deliveries` with `event_type` and `subject_id` of its event."""
    values = _picked(row, _DELIVERY_FIELDS)
    values["event_type"] = events.EventType(values["event_type"])
    values["status"] = deliveries.DeliveryStatus(values["status"])
    values["format"] = envelopes.Envelope(values["format"]) if values["format"] else None
    values["trigger"] = tries.Trigger(values["trigger"])
    return deliveries.Delivery(**values)


def tried(row: Row) -> tries.Try:
    """A try from a row of `tries`."""
    values = mapping(row)
    values["trigger"] = tries.Trigger(values["trigger"])
    values["response_head"] = bytes(values["response_head"])
    return tries.Try(**values)


def receiver(row: Row) -> receivers.Receiver:
    """A receiver from a row of `receivers`."""
    values = _picked(row, _RECEIVER_FIELDS)
    named = values["events"]
    values["events"] = None if named is None else tuple(events.EventType(name) for name in named)
    values["header_names"] = tuple(values["header_names"])
    reason = values["disabled_reason"]
    values["disabled_reason"] = receivers.DisabledReason(reason) if reason else None
    return receivers.Receiver(**values)


def signing_key(row: Row) -> signing.SigningKey:
    """A signing key from a row of `signing_keys`."""
    return signing.SigningKey(**mapping(row))


def file(row: Row) -> files.File:
    """A file from a row of `files`."""
    return files.File(**mapping(row))


def source(value: outputs.Source) -> dict[str, Any]:
    """A source as JSON, without its bytes: those are kept in `attempt_bodies`."""
    return {name: item for name, item in asdict(value).items() if name != "body" and item is not None}


def mapping(row: Row) -> dict[str, Any]:
    """The columns of a row, by name."""
    return dict(row._mapping if isinstance(row, sa.Row) else row)  # noqa: SLF001 - SQLAlchemy's documented accessor


def _picked(row: Row, names: tuple[str, ...]) -> dict[str, Any]:
    found = mapping(row)
    return {name: found[name] for name in names}
