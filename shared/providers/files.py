"""Results in answers that each model shapes as it likes: a URL, a list, an object with URLs somewhere inside."""

from collections.abc import Callable, Iterator
from typing import Any

from shared.domain import outputs
from shared.providers import pictures


def urls(value: Any, is_file: Callable[[str], bool]) -> Iterator[str]:  # noqa: ANN401 - any JSON
    """Every text in the value for which `is_file` holds, in the order it is written, each once."""
    yield from dict.fromkeys(text for text in _texts(value) if is_file(text))


def sources(value: Any, is_file: Callable[[str], bool]) -> tuple[outputs.Source, ...]:  # noqa: ANN401 - any JSON
    """The files as sources; a data: URL is decoded. Raises ValueError."""
    return tuple(pictures.located(url) for url in urls(value, is_file))


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(value, str):
        yield value
    if isinstance(value, list | dict):
        for inner in value if isinstance(value, list) else value.values():
            yield from _texts(inner)
