"""What is known of the bill of attempts that delivered nothing."""

import pytest

from shared.domain import attempts, faults, states
from tests.unit.domain import build

STATUS, BILLED = states.AttemptStatus, states.Billed


@pytest.mark.parametrize(
    ("status", "fault", "accepted", "cost_micros", "billed"),
    [
        (STATUS.REFUSED, faults.FaultKind.UNAVAILABLE, False, 0, BILLED.NO),
        (STATUS.NOT_SENT, None, False, 0, BILLED.NO),
        (STATUS.FAILED, faults.FaultKind.UNAVAILABLE, True, 0, BILLED.NO),
        (STATUS.FAILED, faults.FaultKind.UNAVAILABLE, True, 500, BILLED.YES),
        # It accepted, and later answers 404: nobody has said that it was free.
        (STATUS.FAILED, faults.FaultKind.NOT_FOUND, True, 0, BILLED.UNKNOWN),
        (STATUS.REFUSED, faults.FaultKind.NOT_FOUND, False, 0, BILLED.NO),
        (STATUS.SENT, None, False, 0, BILLED.UNKNOWN),
        (STATUS.IN_DOUBT, faults.FaultKind.IN_DOUBT, False, 0, BILLED.UNKNOWN),
        (STATUS.OVERDUE, faults.FaultKind.TIMED_OUT, True, 0, BILLED.UNKNOWN),
        (STATUS.SUCCEEDED, None, True, 0, BILLED.YES),
    ],
)
def test_the_bill_of_one(
    status: states.AttemptStatus,
    fault: faults.FaultKind | None,
    accepted: bool,
    cost_micros: int,
    billed: states.Billed,
) -> None:
    accepted_at = build.NOW if accepted else None
    made = build.attempt(1, "one", fault, status=status, accepted_at=accepted_at, cost_micros=cost_micros)
    assert made.billed is billed


@pytest.mark.parametrize(
    ("bills", "together"),
    [
        ([], BILLED.NO),
        ([BILLED.NO, BILLED.UNKNOWN], BILLED.UNKNOWN),
        ([BILLED.UNKNOWN, BILLED.YES, BILLED.NO], BILLED.YES),
    ],
)
def test_the_bill_of_several(bills: list[states.Billed], together: states.Billed) -> None:
    assert attempts.worst(bills) is together
