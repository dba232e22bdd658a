"""Retry and fallback: whom a job asks next."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain import attempts, faults, planning, routing, states
from tests.unit.domain import build

WISHES = planning.Wishes(states.OnDoubt.FAIL)
FAULTS = list(faults.FaultKind)


def asked(plan: planning.Ask | planning.GiveUp) -> str:
    assert isinstance(plan, planning.Ask), plan
    return plan.candidate.provider.name


def given_up(plan: planning.Ask | planning.GiveUp) -> faults.FaultKind:
    assert isinstance(plan, planning.GiveUp), plan
    return plan.fault.kind


def test_the_first_candidate_is_asked_at_once() -> None:
    plan = planning.next_ask(build.route("p", "q"), [], WISHES, build.NOW)
    assert isinstance(plan, planning.Ask)
    assert (asked(plan), plan.at) == ("p", build.NOW)


def test_an_unavailable_endpoint_is_left_for_the_next_and_returned_to() -> None:
    route = build.route("p", "q")
    history = [build.attempt(1, "p", faults.FaultKind.UNAVAILABLE)]
    assert asked(planning.next_ask(route, history, WISHES, build.NOW)) == "q"
    history.append(build.attempt(2, "q", faults.FaultKind.UNAVAILABLE))
    plan = planning.next_ask(route, history, WISHES, build.NOW)
    assert isinstance(plan, planning.Ask)
    assert asked(plan) == "p"
    assert plan.at > build.NOW


def test_the_callers_own_faults_end_the_job() -> None:
    for kind in (faults.FaultKind.INVALID_INPUT, faults.FaultKind.CONTENT_POLICY):
        plan = planning.next_ask(build.route("p", "q"), [build.attempt(1, "p", kind)], WISHES, build.NOW)
        assert given_up(plan) is kind


def test_the_caller_may_ask_to_fall_back_on_them() -> None:
    wishes = planning.Wishes(states.OnDoubt.FAIL, frozenset({faults.FaultKind.CONTENT_POLICY}))
    history = [build.attempt(1, "p", faults.FaultKind.CONTENT_POLICY)]
    assert asked(planning.next_ask(build.route("p", "q"), history, wishes, build.NOW)) == "q"


def test_doubt_follows_the_policy() -> None:
    history = [build.attempt(1, "p", faults.FaultKind.IN_DOUBT)]
    route = build.route("p", "q")
    plans = {policy: planning.next_ask(route, history, planning.Wishes(policy), build.NOW) for policy in states.OnDoubt}
    assert given_up(plans[states.OnDoubt.FAIL]) is faults.FaultKind.IN_DOUBT
    assert asked(plans[states.OnDoubt.FALLBACK]) == "q"
    alone = planning.next_ask(build.route("p"), history, planning.Wishes(states.OnDoubt.RETRY), build.NOW)
    assert asked(alone) == "p"


def test_a_rejected_key_leaves_the_endpoint_to_the_others() -> None:
    history = [build.attempt(1, "p", faults.FaultKind.AUTH)]
    route = build.route("p", "q")
    assert asked(planning.next_ask(route, history, WISHES, build.NOW)) == "q"
    other_key = replace(route.candidates[0], credentials=(1,))
    assert asked(planning.next_ask(routing.Route((other_key,), ()), history, WISHES, build.NOW)) == "p"
    both = [*history, build.attempt(2, "p", faults.FaultKind.AUTH, credential=1)]
    none_left = replace(route.candidates[0], credentials=())
    assert (
        given_up(planning.next_ask(routing.Route((none_left,), ()), both, WISHES, build.NOW)) is faults.FaultKind.AUTH
    )


def test_all_that_may_be_asked_comes_in_order() -> None:
    route = build.route("p", "q", "r")
    history = [build.attempt(1, "p", faults.FaultKind.UNAVAILABLE)]
    found = planning.next_asks(route, history, WISHES, build.NOW)
    assert isinstance(found, list)
    assert [(each.candidate.provider.name, each.at == build.NOW) for each in found] == [
        ("q", True),
        ("r", True),
        ("p", False),
    ]


def test_retry_after_is_honoured_for_its_endpoint() -> None:
    history = [build.attempt(1, "p", faults.FaultKind.THROTTLED, retry_after_seconds=90.0)]
    plan = planning.next_ask(build.route("p"), history, WISHES, build.NOW)
    assert isinstance(plan, planning.Ask)
    assert plan.at == build.NOW + timedelta(seconds=90)


def test_an_attempt_that_was_never_sent_does_not_count() -> None:
    history = [build.attempt(number, "p", None) for number in range(1, 9)]
    plan = planning.next_ask(build.route("p"), history, WISHES, build.NOW)
    assert isinstance(plan, planning.Ask)
    assert plan.at == build.NOW


def test_a_plan_made_again_is_the_same() -> None:
    history = [build.attempt(1, "p", faults.FaultKind.UNAVAILABLE)]
    first = planning.next_ask(build.route("p"), history, WISHES, build.NOW)
    assert isinstance(first, planning.Ask)
    second = planning.next_ask(build.route("p"), history, WISHES, first.at)
    assert first == second


@given(st.lists(st.sampled_from(FAULTS), max_size=400), st.integers(1, 4), st.sampled_from(list(states.OnDoubt)))
def test_every_job_comes_to_an_end(kinds: list[faults.FaultKind], width: int, policy: states.OnDoubt) -> None:
    """However providers fail, no endpoint is asked more often than the limits say, and asking ends."""
    route = build.route(*"pqrs"[:width])
    history: list[attempts.Attempt] = []
    for kind in kinds:
        plan = planning.next_ask(route, history, planning.Wishes(policy), build.NOW)
        if isinstance(plan, planning.GiveUp):
            break
        history.append(build.attempt(len(history) + 1, plan.candidate.provider.name, kind))
    others = Counter(item.provider for item in history if item.fault is not faults.FaultKind.THROTTLED)
    throttled = Counter(item.provider for item in history if item.fault is faults.FaultKind.THROTTLED)
    assert max(others.values(), default=0) <= planning.TRIES_PER_ENDPOINT
    assert max(throttled.values(), default=0) <= planning.THROTTLED_TRIES_PER_ENDPOINT


def test_without_candidates_it_says_so() -> None:
    plan = planning.next_ask(routing.Route((), ()), [], WISHES, build.NOW)
    assert given_up(plan) is faults.FaultKind.NOT_FOUND
