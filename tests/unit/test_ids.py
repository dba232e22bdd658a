"""Ids are ULIDs in lower case, written by ourselves: the library must read them back as the same."""

from datetime import UTC, datetime

import ulid

from shared import ids


def body_of(made: str) -> str:
    return made.partition("_")[2]


def test_the_library_reads_what_we_write() -> None:
    for _ in range(1000):
        body = body_of(ids.new(ids.Prefix.JOB))
        assert str(ulid.ULID.from_str(body.upper())).lower() == body


def test_ids_are_unique_and_sort_by_the_time_they_were_made() -> None:
    made = [ids.new(ids.Prefix.EVENT) for _ in range(1000)]
    assert len(set(made)) == 1000
    milliseconds = [body_of(each)[:10] for each in made]
    assert milliseconds == sorted(milliseconds)
    assert all(ids.is_valid(ids.Prefix.EVENT, each) for each in made)


def test_the_first_id_of_a_moment() -> None:
    moment = datetime(2026, 11, 23, tzinfo=UTC)
    first = body_of(ids.first_at(ids.Prefix.JOB, moment))
    assert first.endswith("0" * 16)
    assert ulid.ULID.from_str(first.upper()).datetime == moment
    assert ids.first_at(ids.Prefix.JOB, datetime(1900, 1, 1, tzinfo=UTC)) == "job_" + "0" * 26
