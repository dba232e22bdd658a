"""Claims that a living process dropped on the way."""

import contextlib

from workers import hand


def test_what_is_under_work_is_no_stray() -> None:
    mine = hand.Hand()
    with mine.holding({"job_1": 3}):
        assert mine.strays({"job_1": 3}) == {}
        assert mine.strays({"job_1": 3}) == {}


def test_a_stray_must_be_seen_twice() -> None:
    mine = hand.Hand()
    assert mine.strays({"job_1": 3}) == {}
    assert mine.strays({"job_1": 3}) == {"job_1": 3}


def test_a_newer_claim_of_the_same_job_starts_anew() -> None:
    mine = hand.Hand()
    mine.strays({"job_1": 3})
    assert mine.strays({"job_1": 4}) == {}


def test_a_block_that_ends_keeps_a_newer_claim() -> None:
    mine = hand.Hand()
    older = contextlib.ExitStack()
    older.enter_context(mine.holding({"job_1": 3}))
    with mine.holding({"job_1": 4}):
        older.close()
        assert mine.strays({"job_1": 4}) == {}
        assert mine.strays({"job_1": 4}) == {}
