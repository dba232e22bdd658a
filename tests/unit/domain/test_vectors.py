import pytest

from shared.domain import answers, models, pricing, requests, vectors
from tests.unit.domain import build

TWO = [
    "",
    "{}",
    "7",
    "[1,2]",
    "[[]]",
    "[[1],[1,2]]",
    "[[1,2]]",
    '[["a","b"],["c","d"]]',
    "[[NaN,1],[1,2]]",
    "[[true],[false]]",
]


def test_vectors_come_back_as_they_were() -> None:
    made = [[0.5, -0.25], [1.0, 1e-7]]
    text = vectors.dump(made)
    assert vectors.load(text) == made
    assert vectors.misfit(text, 2, None) is None
    assert vectors.misfit(text, 2, 2) is None


@pytest.mark.parametrize("text", TWO)
def test_what_are_not_two_vectors_of_one_length_is_seen(text: str) -> None:
    assert vectors.misfit(text, 2, None)


def test_the_length_that_was_asked_for_is_kept_to() -> None:
    request = requests.EmbeddingRequest(model="m", input=["a", "b"], dimensions=2)
    assert answers.is_json(request)
    assert answers.misfit(request, "[[1,2],[3,4]]") is None
    assert answers.misfit(request, "[[1,2,3],[3,4,5]]") == "The vectors have lengths [3]."
    assert answers.misfit(request, "[[1,2]]") == "The answer has 1 vectors for 2 texts."


def test_each_text_is_paid_for_by_its_tokens() -> None:
    request = requests.EmbeddingRequest(model="m", input=["a" * 8, "a"])
    amounts = pricing.expected_amounts(build.model("m", build.endpoint("p")), request)
    assert amounts == {models.Unit.REQUEST: 1, models.Unit.INPUT_TOKEN: 4}
