"""Where outputs lie: the same place for a repetition, another for another attempt."""

import dataclasses
from datetime import UTC, datetime, timedelta, timezone

from shared.domain import outputs

PLACE = outputs.Place("ten_1", "job_1", "att_1", datetime(2026, 11, 3, 23, 30, tzinfo=UTC), 0)


def test_the_key_is_made_of_what_never_changes() -> None:
    key = "ten_1/2026/11/03/job_1/att_1/00-main.mp4"
    assert outputs.key_for(PLACE, outputs.Variant.MAIN, "mp4") == key
    elsewhere = PLACE.created_at.astimezone(timezone(timedelta(hours=5)))
    assert outputs.key_for(dataclasses.replace(PLACE, created_at=elsewhere), outputs.Variant.MAIN, "mp4") == key


def test_attempts_numbers_and_variants_lie_apart() -> None:
    keys = {
        outputs.key_for(dataclasses.replace(PLACE, attempt_id=attempt, number=number), variant, "jpg")
        for attempt in ("att_1", "att_2")
        for number in (0, 1, 11)
        for variant in outputs.Variant
    }
    assert len(keys) == 2 * 3 * 3
