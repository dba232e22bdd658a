"""The chaos run in short: every kind of fault once, within a minute and a half. `make chaos` is the long form."""

import pytest

from tests.chaos import load, run, schedule

SECONDS = 30.0
JOBS = 180
# They take longer to end than this test has: their patience is tried by `make chaos`.
PATIENT = (
    *("slow", "hang", "lost", "odd", "cut-always", "cut-always-plain", "cut-always-searchable", "throttle"),
    # If the first answer is lost, those that refuse for ever under the same key are waited for two minutes.
    *("error200", "unavailable"),
)


@pytest.mark.timeout(150)
async def test_the_promises_hold_while_everything_breaks() -> None:
    plan = run.Plan(
        seed=4,
        seconds=SECONDS,
        jobs=JOBS,
        faults=len(schedule.Kind),
        orders=load.plan(4, JOBS, SECONDS, without=PATIENT),
    )
    outcome = await run.run(plan, print)
    print(outcome.line)  # noqa: T201 - the line everybody knows
    assert outcome.verdict.breaches == []
    assert len({fault.kind for fault in outcome.faults}) >= 8
    assert outcome.verdict.jobs > JOBS / 2
