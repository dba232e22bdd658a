"""The checker itself: a history without fault passes, and every kind of breach planted in it is seen."""

import copy
import hashlib
import io
from typing import Any

import pytest
from PIL import Image

from tests.chaos import checker, customer, history, load, schedule

JOB = "job_1"


def attempt(number: int = 1, status: str = "succeeded", **values: Any) -> load.Json:
    return {
        "number": number,
        "model": "sandbox/text",
        "provider": "sandbox-plain",
        "status": status,
        "fault": None,
        "created_at": f"2026-01-01T00:00:0{number}Z",
        "finished_at": f"2026-01-01T00:00:0{number}Z",
        **values,
    }


def view(*attempts: load.Json, status: str = "completed") -> load.Json:
    doubtful = any(item["status"] == "in_doubt" for item in attempts)
    return {"id": JOB, "status": status, "attempts": list(attempts), "in_doubt": doubtful, "cost": 500, "billed": None}


def ask(number: int = 1, generation: str = "gen_1", job: str = JOB, **values: Any) -> history.Ask:
    usual: dict[str, Any] = {"accepted": True, "deduplicated": False, "charged_micros": 500}
    rest = {"seq": 1, "model": "text", "status": "succeeded", "answer": "accepted"}
    return history.Ask(reference=f"{job}.{number}", generation=generation, **{**usual, **rest, **values})


def story(job: load.Json, *asks: history.Ask, on_doubt: str = "retry") -> history.History:
    book = customer.Book()
    book.accept(load.Order(0, 0.0, "text", {"model": "sandbox/text", "on_doubt": on_doubt}, "key"), JOB)
    book.first[JOB], book.last[JOB] = copy.deepcopy(job), job
    return history.History(book, list(asks), [JOB])


def test_a_good_history_passes() -> None:
    verdict = checker.check(story(view(attempt()), ask()))
    assert verdict.breaches == []
    assert verdict.line(3, 7) == (
        "jobs 1 · terminal 1 · lost 0 · changed after terminal 0 · paid twice 0 · in doubt 0 (policy followed 0)"
        " · completed without good bytes 0 · faults 3 · seed 7"
    )


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_a_job_that_does_not_end_is_lost(status: str) -> None:
    assert checker.check(story(view(attempt(), status=status), ask())).lost


def test_a_job_the_api_does_not_know_is_lost() -> None:
    forgotten = story(view(attempt()), ask())
    forgotten.book.last.clear()
    assert checker.check(forgotten).lost


def test_a_change_after_the_end_is_seen() -> None:
    changed = story(view(attempt()), ask())
    changed.book.last[JOB]["cost"] = 1000
    assert "cost: 500 then 1000" in checker.check(changed).changed[0]


def test_a_status_that_goes_back_is_seen() -> None:
    back = story(view(attempt()), ask())
    back.book.look(JOB, "completed")
    back.book.look(JOB, "in_progress")
    assert checker.check(back).changed


@pytest.mark.parametrize(
    ("job", "asks"),
    [
        (view(attempt()), [ask(generation="gen_1"), ask(generation="gen_2")]),
        (view(attempt()), [ask(1), ask(2)]),
        (view(attempt(status="not_sent"), attempt(2)), [ask(1), ask(2)]),
        (view(attempt(status="refused"), attempt(2)), [ask(1), ask(2)]),
        (view(attempt(status="sent"), attempt(2)), [ask(1), ask(2)]),
        (view(attempt(status="succeeded"), attempt(2)), [ask(1), ask(2)]),
        (view(attempt()), [ask(1), ask(1, job="job_nobody_ordered")]),
    ],
    ids=["one-reference", "no-attempt", "said-unsent", "said-refused", "still-open", "succeeded", "unordered"],
)
def test_a_second_payment_is_seen(job: load.Json, asks: list[history.Ask]) -> None:
    assert checker.check(story(job, *asks)).paid_twice


@pytest.mark.parametrize("status", ["failed", "overdue", "cancelled", "in_doubt"])
def test_a_recorded_reason_excuses_another_attempt(status: str) -> None:
    job = view(attempt(status=status), attempt(2))
    assert checker.check(story(job, ask(1), ask(2))).breaches == []


@pytest.mark.parametrize("twice", [False, True])
def test_a_stuck_attempt_may_win_after_its_successor_was_made_but_not_both(twice: bool) -> None:
    late = attempt(finished_at="2026-01-01T00:00:09Z")
    job = view(late, attempt(2, status="succeeded" if twice else "overdue"))
    assert bool(checker.check(story(job, ask(1), ask(2))).paid_twice) is twice


def test_a_repeat_under_the_same_key_is_one_payment() -> None:
    again = ask(accepted=True, deduplicated=True)
    assert checker.check(story(view(attempt()), ask(), again)).breaches == []


DOUBT = attempt(status="in_doubt", fault="in_doubt")
ELSEWHERE = attempt(2, provider="sandbox-backup")


@pytest.mark.parametrize(
    ("policy", "job", "followed"),
    [
        ("fail", view(DOUBT, status="failed"), True),
        ("fail", view(DOUBT, attempt(2)), False),
        ("retry", view(DOUBT, attempt(2)), True),
        ("retry", view(DOUBT, status="failed"), False),
        ("retry", view(DOUBT, status="cancelled"), True),
        ("fallback", view(DOUBT, ELSEWHERE), True),
        ("fallback", view(DOUBT, attempt(2)), False),
        ("fallback", view(DOUBT, status="failed"), True),
        ("retry", view(DOUBT, attempt(2)) | {"in_doubt": False}, False),
    ],
)
def test_the_policy_of_doubt(policy: str, job: load.Json, followed: bool) -> None:
    verdict = checker.check(story(job, on_doubt=policy))
    assert verdict.in_doubt == 1
    assert (verdict.policy_broken == []) is followed


def test_a_key_that_made_two_jobs_and_a_job_nobody_was_told_of_are_seen() -> None:
    twins = story(view(attempt()), ask())
    twins.book.answered[0] = {JOB, "job_2"}
    twins.known_to_api.append("job_2")
    assert len(checker.check(twins).other) == 2


@pytest.mark.parametrize(("billed", "charged", "true"), [("no", 500, False), ("no", 0, True), ("unknown", 500, True)])
def test_a_bill_that_is_denied_is_seen(billed: str, charged: int, true: bool) -> None:
    job = view(attempt(status="failed"), status="failed") | {"billed": billed}
    assert (checker.check(story(job, ask(charged_micros=charged))).other == []) is true


def picture() -> bytes:
    body = io.BytesIO()
    Image.new("RGB", (8, 8)).save(body, "PNG")
    return body.getvalue()


@pytest.mark.parametrize(
    ("body", "kind", "good"),
    [
        (picture(), "image", True),
        (picture()[:40], "image", False),
        (b"words", "text", True),
        (b"  ", "text", False),
        (picture(), "video", False),
    ],
    ids=["picture", "half a picture", "words", "blanks", "a picture for a film"],
)
def test_bytes_must_open(body: bytes, kind: str, good: bool) -> None:
    recorded = {"size_bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    assert (history.fault_of_bytes(body, recorded, kind) == "") is good


def test_bytes_must_be_the_recorded_ones() -> None:
    recorded = {"size_bytes": 5, "sha256": hashlib.sha256(b"other").hexdigest()}
    assert history.fault_of_bytes(b"words", recorded, "text")


def test_a_seed_makes_the_same_load_and_the_same_schedule() -> None:
    assert load.plan(7, 50, 10) == load.plan(7, 50, 10) != load.plan(8, 50, 10)
    kinds = tuple(schedule.Kind)
    plans = [schedule.plan(seed, 40, 100, ["worker-1"], kinds) for seed in (7, 7, 8)]
    assert plans[0] == plans[1] != plans[2]
    assert {fault.kind for fault in plans[0]} == set(kinds)
