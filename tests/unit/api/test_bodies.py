"""JSON bodies: what we take, Postgres can store."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import bodies
from shared import errors


async def read(body: bytes) -> Any:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return await bodies.JsonRequest({"type": "http", "headers": []}, receive).json()


async def test_an_object_is_read_once() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b'{"a": [1]}', "more_body": False}

    request = bodies.JsonRequest({"type": "http", "headers": []}, receive)
    assert await request.json() is await request.json()


@given(st.dictionaries(st.text(), st.lists(st.text()) | st.dictionaries(st.text(), st.text())))
async def test_a_nul_is_found_wherever_it_is_and_nothing_else_is_refused(value: dict[str, Any]) -> None:
    body = orjson.dumps(value)
    if "\\u0000" in body.decode() and _has_nul(value):
        with pytest.raises(errors.InvalidRequestError):
            await read(body)
    else:
        assert await read(body) == value


def _has_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_nul(part) for pair in value.items() for part in pair)
    return any(map(_has_nul, value)) if isinstance(value, list) else "\0" in value


async def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert await read(b'{"a": "\\\\u0000"}') == {"a": "\\u0000"}


async def test_the_fault_does_not_quote_the_body() -> None:
    with pytest.raises(errors.InvalidJsonError) as caught:
        await read(b'{"prompt": "very secret')
    assert "secret" not in caught.value.message
