"""Reading what providers send, however odd: waits, money, ids, errors, status words."""

import email.utils
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain import faults, models
from shared.providers import base, bills, dialects, http, outcomes, registry, words

_WORDS = """
id name status state task_status data error message code type detail details errors base_resp status_code output outputs
result task_id choices content video url urls response done file predictions candidates metadata
"""
keys = st.sampled_from(_WORDS.split())
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        (" 12 ", 12),
        ("", None),
        (None, None),
        ("soon", None),
        ("-1", None),
        ("9" * 400, http.LONGEST_WAIT_SECONDS),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
    ],
)
def test_retry_after_is_read(value: str | None, seconds: float | None) -> None:
    assert http.parse_retry_after(value) == seconds


def test_retry_after_may_be_a_date() -> None:
    later = email.utils.format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert 80 < (http.parse_retry_after(later) or 0) <= 90


@pytest.mark.parametrize(
    ("value", "micros"),
    [
        (0.052, 52_000),
        ("0.0000001", 1),
        (0, 0),
        (None, None),
        (True, None),
        ("a lot", None),
        (-1, None),
        (float("nan"), None),
        (1e300, None),
        ({}, None),
    ],
)
def test_money_is_read(value: Any, micros: int | None) -> None:
    assert bills.of_usd(value) == micros


@pytest.mark.parametrize("value", [None, "", True, [], {}, 1.5, "a\0b", "x" * 10_000])
def test_what_is_no_id_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="id"):
        outcomes.name(value)


def _reply(status: int, body: dict[str, Any] | None, **headers: str) -> http.Reply:
    return http.Reply(status, headers, body)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "one"}}, "one"),
        ({"error": "two"}, "two"),
        ({"detail": "three"}, "three"),
        ({"detail": [{"msg": "four"}, {"msg": "five"}]}, "four; five"),
        ({"errors": ["six"], "name": "bad_request"}, "six"),
        ({"message": "seven"}, "seven"),
        ({}, "Status 400."),
        (None, "Status 400."),
    ],
)
def test_the_usual_errors_are_read(body: dict[str, Any] | None, message: str) -> None:
    fault = dialects.Dialect().fault(_reply(400, body))
    assert fault == faults.Fault(faults.FaultKind.INVALID_INPUT, message)


@pytest.mark.parametrize("status", [200, 201, 202, 302])
def test_a_good_status_is_no_fault(status: int) -> None:
    assert dialects.Dialect().fault(_reply(status, {"error": "not a submit's business"})) is None


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 504, 524])
def test_what_proves_nothing_leaves_a_submit_in_doubt(status: int) -> None:
    outcome = outcomes.of_submit(_reply(status, {"error": "x"}), dialects.Dialect(), lambda _: base.Accepted("x"))
    assert isinstance(outcome, base.Unknown)


def test_a_long_message_is_cut_and_has_no_nul() -> None:
    fault = dialects.Dialect().fault(_reply(400, {"error": "\0" + "x" * 10_000}))
    assert fault is not None
    assert fault.message == "x" * dialects.MESSAGE_CHARACTERS


@pytest.mark.parametrize(
    ("word", "stage"),
    [
        ("succeed", "done"),
        ("Success", "done"),
        ("SUCCEEDED", "done"),
        ("Ready", "done"),
        ("IN_QUEUE", "running"),
        ("in-progress", "running"),
        ("In Progress", "running"),
        ("Fail", "failed"),
    ],
)
def test_every_providers_word_is_known(word: str, stage: str) -> None:
    outcome = words.outcome(word, lambda: base.Finished(()), lambda: base.Failed(_FAULT))
    expected = {"done": base.Finished(()), "failed": base.Failed(_FAULT), "running": base.Running()}
    assert outcome == expected[stage]


_FAULT = faults.Fault(faults.FaultKind.UNAVAILABLE, "No.")


def test_an_unknown_word_is_running_and_told() -> None:
    outcome = words.outcome("reticulating", lambda: base.Finished(()), lambda: base.Failed(_FAULT))
    assert outcome == base.Running(odd_status="reticulating")


@pytest.mark.parametrize("name", sorted(set(registry.ADAPTERS) - {"sandbox"}))
@given(body=st.dictionaries(keys, json, max_size=6), status=st.sampled_from([200, 202, 400, 404, 429, 500]))
def test_no_answer_makes_an_adapter_raise(name: str, body: dict[str, Any], status: int) -> None:
    maker: Any = registry.ADAPTERS[name]
    provider = models.Provider(name="p", adapter=name)
    client: Any = None
    adapter = maker(base.Connection(provider, "https://api.example", "a:b", client, client))
    reply = _reply(status, body)
    outcome = outcomes.of_poll(reply, maker.dialect, adapter.progress) if _polls(adapter) else None
    assert outcome is None or isinstance(outcome, base.PollOutcome)
    assert maker.dialect.is_certain(reply) in {True, False}


def _polls(adapter: Any) -> bool:
    return type(adapter).__name__ not in {"AnthropicAdapter", "FalAdapter", "ComfyUIAdapter"}
