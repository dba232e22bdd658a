"""What a try means: by status, by header, by its place in the schedule."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain import deliveries, events, receivers, tries

NOW = datetime(2026, 7, 25, tzinfo=UTC)
RETRIES = (5.0, 300.0)
Status = deliveries.DeliveryStatus


def due(*, step: int = 0, implicit: bool = False, trigger: tries.Trigger = tries.Trigger.AUTOMATIC) -> deliveries.Due:
    receiver = receivers.Receiver(
        *("rcv_1", "ten_1", implicit, "https://example.com/", "", None, NOW, None, (), None, None, 0, 0, None, None)
    )
    kind = events.EventType.JOB_COMPLETED
    delivery = deliveries.Delivery(
        *("dlv_1", "ten_1", "evt_1", kind, "job_1", "rcv_1", None, Status.PENDING, trigger, step, step, NOW, NOW),
        *(None, None, None, 1),
    )
    return deliveries.Due(delivery, receiver, "{}")


def tried(status: int | None, headers: dict[str, str] | None = None) -> tries.Try:
    error = None if status else "timeout"
    return tries.Try("dlv_1", 1, tries.Trigger.AUTOMATIC, NOW, 0.1, status, error, None, b"", headers or {})


@pytest.mark.parametrize(
    ("status", "headers", "becomes", "is_strike", "disables"),
    [
        (200, {}, Status.DELIVERED, False, False),
        (204, {}, Status.DELIVERED, False, False),
        (299, {}, Status.DELIVERED, False, False),
        (199, {}, Status.PENDING, False, False),
        (301, {}, Status.PENDING, False, False),
        (404, {}, Status.PENDING, False, False),
        (410, {}, Status.DROPPED, False, True),
        (500, {"webhook-delivery": "disable"}, Status.DROPPED, False, True),
        (500, {"webhook-delivery": "abort-message"}, Status.DROPPED, False, False),
        (200, {"webhook-delivery": "disable"}, Status.DELIVERED, False, False),
        (429, {}, Status.PENDING, True, False),
        (504, {}, Status.PENDING, True, False),
        (None, {}, Status.PENDING, True, False),
    ],
)
def test_what_an_answer_means(
    status: int | None, headers: dict[str, str], becomes: Status, *, is_strike: bool, disables: bool
) -> None:
    verdict = deliveries.judge(due(), tried(status, headers), RETRIES, NOW)
    assert (verdict.status, verdict.is_strike, verdict.disables) == (becomes, is_strike, disables)


def test_a_jobs_own_url_disables_nobody() -> None:
    verdict = deliveries.judge(due(implicit=True), tried(410), RETRIES, NOW)
    assert (verdict.status, verdict.disables) == (Status.DROPPED, False)


def test_the_pauses_are_those_of_the_schedule_and_then_it_is_exhausted() -> None:
    for step, seconds in enumerate(RETRIES):
        pause = deliveries.judge(due(step=step), tried(500), RETRIES, NOW).due_at - NOW
        assert seconds <= pause.total_seconds() <= seconds * (1 + deliveries.JITTER)
    assert deliveries.judge(due(step=2), tried(500), RETRIES, NOW).status is Status.EXHAUSTED


def test_a_test_is_tried_once() -> None:
    assert deliveries.judge(due(trigger=tries.Trigger.TEST), tried(500), RETRIES, NOW).status is Status.EXHAUSTED


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [("600", 600), ("Sat, 25 Jul 2026 01:00:00 GMT", 3600), ("99999999", 86400), ("soon", 5), ("-1", 5), ("1", 5)],
)
def test_retry_after_is_honoured_within_reason(asked: str, seconds: int) -> None:
    verdict = deliveries.judge(due(), tried(503, {"retry-after": asked}), RETRIES, NOW)
    assert timedelta(seconds=seconds) <= verdict.due_at - NOW <= timedelta(seconds=seconds * 1.2)


def test_a_pause_grows_with_the_strikes_up_to_a_minute() -> None:
    limits = receivers.Limits()
    pauses = [receivers.pause_seconds(strikes, None, limits) for strikes in (0, 4, 5, 6, 7, 8, 9, 500)]
    assert pauses == [0, 0, 5, 10, 20, 40, 60, 60]
    assert receivers.pause_seconds(0, 120.0, limits) == 120
    assert receivers.pause_seconds(0, 1e9, limits) == 3600


def test_failures_that_were_in_flight_together_open_a_circuit_but_not_for_long() -> None:
    limits = receivers.Limits()
    health = receivers.after_failures(due().receiver, 10, 10, None, NOW, limits)
    assert (health.failures, health.strikes) == (10, limits.strikes)
    assert health.paused_until_at == NOW + timedelta(seconds=limits.first_pause_seconds)
