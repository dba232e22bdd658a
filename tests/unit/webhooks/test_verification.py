"""The checker names the part that is wrong, and only that."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.webhooks import signing, verification

NOW = datetime(2026, 7, 25, 12, 0, tzinfo=UTC)
ID = "evt_01k0zqj5w3m8v4t2c6n9xb7rde"
BODY = b'{"type":"job.completed","data":{"id":"job_1"}}'
STAMP = int(NOW.timestamp())
PAIR, FOREIGN = signing.new_pair(), signing.new_pair()
SIGNERS = [signing.Signer(PAIR.secret, PAIR.private_key)]
SENT = verification.Sent(BODY, frozenset({STAMP}))
GOOD = signing.headers(SIGNERS, ID, STAMP, BODY)
FORGED = signing.headers([signing.Signer(FOREIGN.secret, FOREIGN.private_key)], ID, STAMP, BODY)
Part = verification.Part


@pytest.mark.parametrize(
    ("headers", "body", "parts"),
    [
        (GOOD, BODY, []),
        ({**GOOD, "webhook-id": ""}, BODY, [Part.ID]),
        ({"webhook-id": ID}, BODY, [Part.TIMESTAMP, Part.SIGNATURE]),
        ({**GOOD, "webhook-timestamp": "yesterday"}, BODY, [Part.TIMESTAMP]),
        ({**GOOD, "webhook-timestamp": str(STAMP + 1)}, BODY, [Part.TIMESTAMP]),
        ({**GOOD, "webhook-signature": "garbage"}, BODY, [Part.SIGNATURE]),
        ({**GOOD, "webhook-signature": "v1,a,b"}, BODY, [Part.SIGNATURE]),
        (FORGED, BODY, [Part.SIGNATURE]),
        (GOOD, b'{"type": "job.completed", "data": {"id": "job_1"}}', [Part.BODY]),
        (GOOD, BODY + b"\n", [Part.BODY]),
        (GOOD, b"", [Part.BODY]),
        (FORGED, b"{}", [Part.BODY, Part.SIGNATURE]),
    ],
)
def test_it_names_what_is_wrong(headers: dict[str, str], body: bytes, parts: list[verification.Part]) -> None:
    found = verification.examine(headers, body, SIGNERS, SENT, NOW)
    assert [item.part for item in found] == parts
    assert all(item.message.endswith(".") for item in found)


def test_json_written_anew_is_called_that() -> None:
    [found] = verification.examine(GOOD, b'{"data": {"id": "job_1"}, "type": "job.completed"}', SIGNERS, SENT, NOW)
    assert "written anew" in found.message


def test_a_right_signature_that_is_old_is_right_but_old() -> None:
    [found] = verification.examine(GOOD, BODY, SIGNERS, SENT, NOW + timedelta(minutes=6))
    assert found.part is Part.TIMESTAMP
    assert "360 s old" in found.message


def test_an_event_that_was_never_sent_there_is_called_that() -> None:
    [found] = verification.examine(FORGED, BODY, SIGNERS, None, NOW)
    assert found.part is Part.ID
