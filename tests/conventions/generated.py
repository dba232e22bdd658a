"""The files that are written from the code, never by hand: `make openapi` writes them, the tests compare them."""

import inspect
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic_core import PydanticUndefined, to_jsonable_python

from shared import errors, settings
from tests.conventions import reference, surface, tree

ENV_HEAD = """\
# Every setting, with its default. Copy what you change; `python -m …` and `genqueue` read the environment only.
# Written by `make openapi` from shared/settings.py.
"""
ERRORS_HEAD = """\
# Errors

Every error answer is `{"error": {"code": …, "message": …, …}}`; the codes are a closed set.
Written by `make openapi` from `shared/errors.py`.

| code | status | what it means and what to do |
| --- | --- | --- |
"""


def env_example() -> str:
    return ENV_HEAD + "".join(_variables())


def _variables() -> Iterator[str]:
    prefix = settings.Settings.model_config.get("env_prefix", "")
    for name, field in settings.Settings.model_fields.items():
        value = _as_text(field.get_default(call_default_factory=True, validated_data={}))
        yield f"\n# {field.description}\n{prefix}{name.upper()}={value}\n"


def _as_text(value: Any) -> str:
    if value is PydanticUndefined:
        return ""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Path):
        return str(value.relative_to(tree.ROOT)) if value.is_relative_to(tree.ROOT) else str(value)
    return value if isinstance(value, str) else json.dumps(to_jsonable_python(value))


def error_classes() -> list[type[errors.GenqueueError]]:
    """Every error a caller can meet, in the order of the file."""
    found = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, errors.GenqueueError)]
    return sorted(found, key=lambda cls: inspect.getsourcelines(cls)[1])


def errors_page() -> str:
    rows = [f"| `{cls.code}` | {cls.status} | {cls().message} |\n" for cls in error_classes()]
    return ERRORS_HEAD + "".join(rows)


def openapi() -> str:
    return json.dumps(surface.application().openapi(), indent=2, ensure_ascii=False) + "\n"


def api_page() -> str:
    return reference.page(surface.application().openapi())


FILES: dict[str, Callable[[], str]] = {
    ".env.example": env_example,
    "docs/errors.md": errors_page,
    "docs/api.md": api_page,
    "docs/openapi.json": openapi,
}


def main() -> None:
    """Write every generated file."""
    for name, text in FILES.items():
        (tree.ROOT / name).write_text(text())
        sys.stdout.write(f"wrote {name}\n")


if __name__ == "__main__":
    main()
