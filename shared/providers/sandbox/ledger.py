"""The sandbox's own record as others may read it: every ask, what it cost, and the sums.

Costs and statuses are those of the moment of reading: a generation that failed free of charge after
it was accepted shows 0 from then on.
"""

from __future__ import annotations

import collections
import collections.abc
import typing
from datetime import UTC, datetime

from shared.providers.sandbox import desk, generations, record


class Line(typing.TypedDict):
    """One ask. `id` is None and `status` is `refused` when it was not accepted; a repeat that the
    key recognised has the first one's id and costs nothing.
    """

    seq: int
    id: str | None
    time: str
    account: str
    reference: str
    idempotency_key: str | None
    kind: str
    model: str
    accepted: bool
    deduplicated: bool
    charged_micros: int
    answer: str
    status: str


class Summary(typing.TypedDict):
    """Sums over the whole record. `charged_twice` lists references with more than one charge."""

    asks: int
    accepted: int
    deduplicated: int
    refused: int
    charged_micros: int
    by_status: dict[str, int]
    by_model: dict[str, int]
    charged_twice: list[str]


def lines(front: desk.Desk, since: int = 0) -> collections.abc.Iterator[Line]:
    """Every ask after number `since`, oldest first."""
    now = front.now()
    for seq, entry in front.book.entries(since):
        made = front.any_of(entry.generation_id) if entry.generation_id else None
        yield _line(seq, entry, made, now)


def _line(seq: int, entry: record.Entry, made: generations.Generation | None, now: float) -> Line:
    return Line(
        seq=seq,
        id=entry.generation_id,
        time=datetime.fromtimestamp(entry.at, UTC).isoformat(),
        account=entry.account,
        reference=entry.reference,
        idempotency_key=entry.idempotency_key or None,
        kind=entry.kind,
        model=entry.model,
        accepted=made is not None,
        deduplicated=entry.deduplicated,
        charged_micros=made.charged_micros(now) if made and not entry.deduplicated else 0,
        answer=entry.answer,
        status=made.status(now) if made else "refused",
    )


def summary(front: desk.Desk) -> Summary:
    """The sums now. `accepted` counts generations, so asks = accepted + deduplicated + refused."""
    read = list(lines(front))
    new = [line for line in read if line["accepted"] and not line["deduplicated"]]
    charges = collections.Counter(line["reference"] for line in new if line["charged_micros"])
    return Summary(
        asks=len(read),
        accepted=len(new),
        deduplicated=sum(line["deduplicated"] for line in read),
        refused=sum(not line["accepted"] for line in read),
        charged_micros=sum(line["charged_micros"] for line in new),
        by_status=dict(collections.Counter(str(line["status"]) for line in new)),
        by_model=dict(collections.Counter(line["model"] for line in read)),
        charged_twice=[name for name, times in charges.items() if name and times > 1],
    )
