"""With one rule of its safety taken out, the same system must fail the checker. Slow: `make chaos-proof`."""

import os
import random
from collections.abc import Callable, Sequence

import pytest

from tests.chaos import checker, load, proxy, run, sabotage, schedule

SECONDS = 40.0
JOBS = 240

pytestmark = [
    pytest.mark.skipif("GENQUEUE_CHAOS_PROOF" not in os.environ, reason="slow: run it with `make chaos-proof`"),
    pytest.mark.timeout(300),
]


def orders(models: Sequence[tuple[str, str]]) -> list[load.Order]:
    dice = random.Random("sabotage")  # noqa: S311 - a test's dice
    made = []
    for number in range(JOBS):
        kind, model = dice.choice(models)
        body = {"model": model, "prompt": f"order {number}", **load.BASIC[kind]}
        at_seconds = dice.uniform(0, SECONDS)
        made.append(load.Order(number, at_seconds, kind, body, f"sabotage-{number}"))
    return sorted(made, key=lambda order: order.at_seconds)


SYNCHRONOUS = (
    *(("text", "sandbox/text-plain"), ("text", "sandbox/text-searchable"), ("image", "sandbox/image-plain")),
    *(("text", "sandbox/text"), ("image", "sandbox/image")),
)


def plan(kind: schedule.Kind, rule: sabotage.Rule | None) -> run.Plan:
    """One worker of two is struck again and again; the other takes over what it held."""
    pauses = kind is schedule.Kind.PAUSE_WORKER
    return run.Plan(
        seed=1,
        seconds=SECONDS,
        jobs=JOBS,
        faults=4 if pauses else 8,
        kinds=[kind],
        victims=["worker-1"],
        # A frozen worker must wake up when its successor has long finished the job.
        stretch=1.4 if pauses else 0.5,
        settle_seconds=60 if rule is None else 25,
        commands=sabotage.commands(rule) if rule else {},
        # Many asks are on their way when a process is struck.
        toxics={"provider": proxy.Toxic(proxy.Toxin.LATENCY, 0.4)},
        orders=orders(SYNCHRONOUS),
    )


Breaches = Callable[[checker.Verdict], list[str]]
CASES: Sequence[tuple[sabotage.Rule, schedule.Kind, Breaches]] = (
    (sabotage.Rule.LEASES, schedule.Kind.KILL_WORKER, lambda verdict: verdict.lost),
    (sabotage.Rule.FENCING, schedule.Kind.PAUSE_WORKER, lambda verdict: verdict.changed + verdict.paid_twice),
    (sabotage.Rule.ATTEMPT_FIRST, schedule.Kind.KILL_WORKER, lambda verdict: verdict.paid_twice),
)


@pytest.mark.parametrize(("rule", "kind", "breached"), CASES, ids=[case[0] for case in CASES])
async def test_the_checker_sees_that_a_rule_is_missing(
    rule: sabotage.Rule, kind: schedule.Kind, breached: Breaches
) -> None:
    outcome = await run.run(plan(kind, rule), print)
    print(f"without {rule}:", outcome.line, *outcome.verdict.breaches[:5], sep="\n")  # noqa: T201 - the proof
    assert breached(outcome.verdict)


@pytest.mark.parametrize("kind", [schedule.Kind.KILL_WORKER, schedule.Kind.PAUSE_WORKER])
async def test_the_same_load_passes_with_every_rule_in_place(kind: schedule.Kind) -> None:
    outcome = await run.run(plan(kind, None), print)
    print("with every rule:", outcome.line, sep="\n")  # noqa: T201 - the proof
    assert outcome.verdict.breaches == []
