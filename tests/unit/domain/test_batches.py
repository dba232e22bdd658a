"""Ids of rows, the arrows of a batch, and how slices are shared out."""

import pytest

from shared import ids
from shared.domain import batches, shares

TEN = [shares.Waiting(f"bat_{number}", f"ten_{number % 2}", 0, 100) for number in range(10)]


@pytest.mark.parametrize(("generation", "row"), [(0, 1), (3, 77), (batches.MOST_GENERATIONS, batches.MOST_ROWS)])
def test_a_rows_id_says_where_the_row_is(generation: int, row: int) -> None:
    batch_id = batches.new_id()
    job_id = batches.row_id(batch_id, generation, row)
    assert ids.is_valid(ids.Prefix.JOB, job_id)
    assert ids.is_valid(ids.Prefix.BATCH, batch_id)
    assert batches.name_of(job_id) == batches.RowName(batch_id, generation, row)


def test_rows_of_two_batches_never_share_an_id() -> None:
    # Many in one millisecond.
    made = {batches.row_id(batch_id, 0, row) for batch_id in (batches.new_id() for _ in range(500)) for row in range(5)}
    assert len(made) == 2500


def test_every_status_can_be_reached_and_left_unless_it_is_final() -> None:
    reached = set().union(*batches.BATCH_ARROWS.values())
    assert reached == set(batches.BatchStatus) - {batches.BatchStatus.VALIDATING}
    final = {status for status, ends in batches.BATCH_ARROWS.items() if not ends}
    assert final == {batches.BatchStatus.FAILED}
    assert batches.OVER.isdisjoint(batches.WORKING)


def test_a_lone_batch_leaves_a_slot_for_a_newcomer() -> None:
    alone = shares.Waiting("bat_1", "ten_1", 0, 5000)
    assert shares.of([alone], tenants=1, busy=0, slots=4) == {"bat_1": 3}


def test_a_large_batch_gives_way_to_a_small_one() -> None:
    large, small = shares.Waiting("bat_l", "ten_1", 3, 5000), shares.Waiting("bat_s", "ten_1", 0, 1)
    assert shares.of([large, small], tenants=1, busy=3, slots=4) == {"bat_l": 0, "bat_s": 1}


def test_tenants_share_alike_however_many_batches_they_have() -> None:
    many = [shares.Waiting(f"bat_{number}", "ten_1", 0, 100) for number in range(4)]
    one = shares.Waiting("bat_x", "ten_2", 0, 100)
    given = shares.of([*many, one], tenants=2, busy=0, slots=17)
    assert given["bat_x"] == sum(given[item.batch_id] for item in many) == 8


def test_no_more_slices_are_given_than_there_are_slots() -> None:
    assert sum(shares.of(TEN, tenants=2, busy=1, slots=4).values()) == 3


@pytest.mark.parametrize(
    ("queued", "most", "held", "slices"),
    [
        (1000, None, [], 5),
        (0, None, [], 1),
        # No more than may be in the air; while they are there, none.
        (1000, 64, [], 1),
        (1000, 64, [64], 0),
        (1000, 500, [200, 100], 1),
        # A slice that waits for its last answers holds up nobody.
        (1000, 64, [3], 1),
        # A batch that nobody looks after is looked after.
        (0, 64, [], 1),
    ],
)
def test_a_batch_wants_as_many_slices_as_its_rows_may_fill(
    queued: int, most: int | None, held: list[int], slices: int
) -> None:
    assert shares.wanted(queued, most, held, rows_per_slice=200) == slices
