"""How slices are shared out among batches. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waiting:
    """A batch that wants slices: how many it has, and for how many more it has work."""

    batch_id: str
    tenant_id: str
    slices: int
    wanted: int


def of(waiting: Sequence[Waiting], tenants: int, busy: int, slots: int) -> dict[str, int]:
    """How many more slices each batch may have, in the order given: every tenant the same, and every batch of a
    tenant the same. One slot is kept free, so that a newcomer need not wait for a slice of a large batch to end.
    """
    free = max(slots - busy, 0)
    of_tenant: dict[str, int] = {}
    for item in waiting:
        of_tenant[item.tenant_id] = of_tenant.get(item.tenant_id, 0) + 1
    given: dict[str, int] = {}
    for item in waiting:
        share = max((slots - 1) // max(tenants, 1) // of_tenant[item.tenant_id], 1)
        more = max(min(share - item.slices, item.wanted, free), 0)
        given[item.batch_id] = more
        free -= more
    return given


def wanted(queued: int, most: int | None, held: Sequence[int], rows_per_slice: int) -> int:
    """For how many more slices a batch has work: one at least, which looks after it, unless those it has hold as many
    rows as it may have in the air. `held`: the rows of each of them; `most`: its own limit, if it has one.
    """
    room = queued if most is None else min(queued, most - sum(held))
    if held and most is not None and sum(held) >= most:
        return 0
    return max(math.ceil(room / rows_per_slice), 1)
