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


SYNCHRONOUS = (("text", "sandbox/text-plain"), ("text", "sandbox/text-searchable"), ("image", "sandbox/image-plain"))
ASYNCHRONOUS = (
    *(("text", "sandbox/text-async"), ("text", "sandbox/text-async-instant"), ("image", "sandbox/image-async")),
    *(("text", "sandbox/text"), ("image", "sandbox/image-instant")),
)


@pytest.mark.parametrize(
    ("rule", "kind", "models", "breached"),
    [
        (sabotage.Rule.LEASES, schedule.Kind.KILL_WORKER, SYNCHRONOUS, lambda verdict: verdict.lost),
        (
            sabotage.Rule.FENCING,
            schedule.Kind.PAUSE_WORKER,
            ASYNCHRONOUS,
            lambda verdict: verdict.changed + verdict.paid_twice,
        ),
        (sabotage.Rule.ATTEMPT_FIRST, schedule.Kind.KILL_WORKER, SYNCHRONOUS, lambda verdict: verdict.paid_twice),
    ],
)
async def test_the_checker_sees_that_a_rule_is_missing(
    rule: sabotage.Rule,
    kind: schedule.Kind,
    models: Sequence[tuple[str, str]],
    breached: Callable[[checker.Verdict], list[str]],
) -> None:
    plan = run.Plan(
        seed=1,
        seconds=SECONDS,
        jobs=JOBS,
        faults=8,
        kinds=[kind],
        settle_seconds=30,
        commands=sabotage.commands(rule),
        # Many asks are on their way when a process is struck.
        toxics={"provider": proxy.Toxic(proxy.Toxin.LATENCY, 0.4)},
        orders=orders(models),
    )
    outcome = await run.run(plan, print)
    print(outcome.line, *outcome.verdict.breaches[:5], sep="\n")  # noqa: T201 - what the proof shows
    assert breached(outcome.verdict)


async def test_the_same_load_passes_with_every_rule_in_place() -> None:
    plan = run.Plan(
        seed=1,
        seconds=SECONDS,
        jobs=JOBS,
        faults=12,
        kinds=[schedule.Kind.KILL_WORKER, schedule.Kind.PAUSE_WORKER],
        settle_seconds=90,
        toxics={"provider": proxy.Toxic(proxy.Toxin.LATENCY, 0.4)},
        orders=orders((*SYNCHRONOUS, *ASYNCHRONOUS)),
    )
    outcome = await run.run(plan, print)
    print(outcome.line)  # noqa: T201 - see above
    assert outcome.verdict.breaches == []
