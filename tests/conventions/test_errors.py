"""Every error a caller can meet has a code of its own, is answered as it says, and is on the page of errors."""

from collections import Counter

import fastapi
import httpx
import pytest

from api import errors as api_errors
from shared import errors
from tests.conventions import generated, tree

CLASSES = generated.error_classes()


def test_every_class_has_a_code_of_its_own_and_every_code_a_class() -> None:
    used = Counter(cls.code for cls in CLASSES)
    assert [code for code, times in used.items() if times > 1] == []
    assert set(errors.Code) - set(used) == set()


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
async def test_the_api_answers_it_with_its_status_and_code(cls: type[errors.GenqueueError]) -> None:
    app = fastapi.FastAPI()
    api_errors.install(app)

    async def fail() -> None:
        raise cls(param="field")

    app.add_api_route("/fail", fail)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        answer = await client.get("/fail")
    assert answer.status_code == cls.status
    assert answer.json()["error"]["code"] == cls.code
    assert answer.json()["error"]["message"] == cls().message


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_its_sentence_is_whole_and_short(cls: type[errors.GenqueueError]) -> None:
    assert cls().message.endswith(".")
    assert len(cls().message) <= 160
    assert 400 <= cls.status <= 599


def test_the_page_of_errors_is_current() -> None:
    assert (tree.ROOT / "docs/errors.md").read_text() == generated.errors_page(), "run: make openapi"
