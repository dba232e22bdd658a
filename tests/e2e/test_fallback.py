"""Doubt by class and policy, and fallback after a provider had accepted (promise P3; DESIGN, life of a job)."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from cli import client

Finish = Callable[[str, client.Json], Coroutine[None, None, client.Json]]
BACKUP = {"models": ["sandbox/image-instant"]}
FAIL, RETRY, FALLBACK = ({"on_doubt": policy} for policy in ("fail", "retry", "fallback"))

# name, model, what the request says, status, statuses of the attempts, error code
CASES: list[tuple[str, str, dict[str, Any], str, list[str] | None, str | None]] = [
    ("an odd status word is not the end", "image-odd", {}, "completed", ["succeeded"], None),
    ("an endless answer is a lost one", "text-oversize", FAIL, "failed", ["in_doubt"], "in_doubt"),
    ("stuck goes elsewhere", "image-hang", BACKUP, "completed", None, None),
    ("failed after accepting goes elsewhere", "image-async-fail", BACKUP, "completed", ["failed", "succeeded"], None),
    ("charged and failed is on the bill", "image-fail-charged", BACKUP, "completed", ["failed", "succeeded"], None),
    ("unusable goes elsewhere", "image-garbage-output", BACKUP, "completed", ["failed", "succeeded"], None),
    ("the caller's fault does not", "image-refuse", BACKUP, "failed", ["refused"], "content_policy"),
    (
        "unless asked for",
        "image-refuse",
        BACKUP | {"fallback_on": ["content_policy"]},
        "completed",
        ["refused", "succeeded"],
        None,
    ),
    ("K asks again under its key", "image-cut", FAIL, "completed", ["succeeded"], None),
    ("L looks first", "image-cut-searchable", FAIL, "completed", ["succeeded"], None),
    ("N fails when told so", "image-cut-plain", FAIL, "failed", ["in_doubt"], "in_doubt"),
    ("N retries when told so", "image-cut-plain", RETRY, "completed", ["in_doubt", "succeeded"], None),
    ("N falls back when told so", "image-cut-plain", FALLBACK | BACKUP, "completed", ["in_doubt", "succeeded"], None),
]


@pytest.fixture(scope="module")
async def ended(finish: Finish) -> dict[str, client.Json]:
    bodies = {
        name: {"model": f"sandbox/{model}", "prompt": "a heron", "deadline_seconds": 90, **said}
        for name, model, said, *_ in CASES
    }
    kinds = [model.split("-")[0] for _, model, *_ in CASES]
    jobs = await asyncio.gather(*(finish(kind, body) for kind, body in zip(kinds, bodies.values(), strict=True)))
    return dict(zip(bodies, jobs, strict=True))


@pytest.mark.parametrize(
    ("name", "status", "attempts", "code"), [(c[0], *c[3:]) for c in CASES], ids=[c[0] for c in CASES]
)
async def test_each_goes_where_it_should(
    ended: dict[str, client.Json], name: str, status: str, attempts: list[str] | None, code: str | None
) -> None:
    job = ended[name]
    assert (job["status"], (job["error"] or {}).get("code")) == (status, code), job
    if attempts is not None:
        assert [attempt["status"] for attempt in job["attempts"]] == attempts


async def test_a_stuck_attempt_is_stopped_and_shown(ended: dict[str, client.Json]) -> None:
    stuck, served = ended["stuck goes elsewhere"]["attempts"]
    assert stuck["status"] in {"cancelled", "overdue"}
    assert (stuck["fault"], served["status"]) == ("timed_out", "succeeded")


async def test_what_a_failed_attempt_cost_is_charged(ended: dict[str, client.Json]) -> None:
    job = ended["charged and failed is on the bill"]
    assert job["usage"]["cost_micros"] == sum(attempt["cost_micros"] for attempt in job["attempts"])
    assert job["attempts"][0]["cost_micros"] > 0


async def test_doubt_is_never_hidden(ended: dict[str, client.Json]) -> None:
    shown = {name: job["in_doubt"] for name, job in ended.items()}
    assert shown["N fails when told so"]
    assert ended["N fails when told so"]["billed"] == "unknown"
    assert not shown["K asks again under its key"]
