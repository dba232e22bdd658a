"""Renders the Helm chart without Helm: the few parts of Go's templates that it keeps to. Whatever else it meets is an
error, so that the chart stays within what is tested here.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.conventions import tree

CHART = tree.ROOT / "deploy" / "helm"
_WORD = re.compile(r'"[^"]*"|[^\s"]+')

Values = dict[str, Any]


class TemplateError(Exception):
    """The template says something that is not rendered here."""


def render(values: Values) -> list[dict[str, Any]]:
    """Every manifest of the chart with its values and these over them."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    merged = _merge(yaml.safe_load((CHART / "values.yaml").read_text()), values)
    root = {
        "Values": merged,
        "Release": {"Name": "gq", "Service": "Helm"},
        "Chart": {"AppVersion": chart["appVersion"], "Name": chart["name"]},
    }
    rendering = _Rendering(root)
    texts = [rendering.file(path) for path in sorted((CHART / "templates").iterdir())]
    return [document for text in texts for document in yaml.safe_load_all(text) if document]


def _merge(base: Values, over: Values) -> Values:
    merged = dict(base)
    for name, value in over.items():
        both = isinstance(value, dict) and isinstance(base.get(name), dict)
        merged[name] = _merge(base[name], value) if both else value
    return merged


class _Rendering:
    def __init__(self, root: Values) -> None:
        self.root = root
        self.named: dict[str, list[str]] = {}

    def file(self, path: Path) -> str:
        return self.run(_split(path.read_text()), {".": self.root})

    def run(self, tokens: list[str], scope: Values) -> str:
        text, place = [], 0
        while place < len(tokens):
            literal, action = tokens[place], tokens[place + 1] if place + 1 < len(tokens) else None
            text.append(literal)
            place += 2
            if action is not None:
                done, place = self._act(action, tokens, place, scope)
                text.append(done)
        return "".join(text)

    def _act(self, action: str, tokens: list[str], place: int, scope: Values) -> tuple[str, int]:
        word, _, rest = action.partition(" ")
        if word not in ("if", "range", "define"):
            return _shown(self._pipe(action, scope)), place
        inside, otherwise, after = _block(tokens, place)
        if word == "define":
            self.named[json.loads(rest)] = inside
            return "", after
        if word == "if":
            return self.run(inside if _truth(self._pipe(rest, scope)) else otherwise, scope), after
        return self._range(rest, inside, scope), after

    def _range(self, rest: str, inside: list[str], scope: Values) -> str:
        found = re.fullmatch(r"(\$\w+), (\$\w+) := (.+)", rest)
        if found is None:
            raise TemplateError(f"range {rest}")
        items: Mapping[str, Any] = self._pipe(found[3], scope)
        return "".join(self.run(inside, scope | {found[1]: name, found[2]: items[name]}) for name in sorted(items))

    def _pipe(self, text: str, scope: Values) -> Any:
        first, *filters = (part.strip() for part in text.split("|"))
        value = self._call(_WORD.findall(first), scope)
        for item in filters:
            value = _filtered(item, value, lambda word: self._word(word, scope))
        return value

    def _call(self, words: list[str], scope: Values) -> Any:
        match words:
            case ["include", name, "."]:
                return self.run(self.named[json.loads(name)], {".": self.root})
            case ["toYaml", path]:
                return yaml.safe_dump(self._word(path, scope), sort_keys=True).rstrip("\n")
            case ["not", path]:
                return not _truth(self._word(path, scope))
            case ["eq", left, right]:
                return self._word(left, scope) == self._word(right, scope)
            case [single]:
                return self._word(single, scope)
        raise TemplateError(" ".join(words))

    def _word(self, word: str, scope: Values) -> Any:
        if word.startswith('"'):
            return json.loads(word)
        if word.startswith("$"):
            return scope[word]
        if not word.startswith("."):
            raise TemplateError(word)
        value: Any = self.root
        for part in word[1:].split("."):
            if part not in value:
                raise TemplateError(f"{word} is not in the values")
            value = value[part]
        return value


def _filtered(item: str, value: Any, word: Any) -> Any:
    name, *arguments = _WORD.findall(item)
    match name:
        case "quote":
            return json.dumps(_shown(value))
        case "default":
            return value if _truth(value) else word(arguments[0])
        case "indent":
            return "\n".join(f"{' ' * int(arguments[0])}{line}" for line in str(value).strip("\n").splitlines())
    raise TemplateError(item)


def _truth(value: Any) -> bool:
    return bool(value)


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _split(text: str) -> list[str]:
    """Literals and actions in turn; `{{-` and `-}}` take the space beside them."""
    tokens, at = [], 0
    for found in re.finditer(r"\{\{(-?) ?(.*?) ?(-?)\}\}", text, re.DOTALL):
        literal = text[at : found.start()]
        tokens += [literal.rstrip() if found[1] else literal, found[2].strip()]
        at = found.end()
        if found[3]:
            at += len(text[at:]) - len(text[at:].lstrip())
    return [*tokens, text[at:]]


def _block(tokens: list[str], place: int) -> tuple[list[str], list[str], int]:
    """What is inside an if, range or define, what is after its else, and where it ends."""
    depth, start, otherwise = 1, place, None
    while place + 1 < len(tokens):
        word = tokens[place + 1].partition(" ")[0]
        depth += (word in ("if", "range", "define")) - (word == "end")
        if depth == 0:
            inside = tokens[start : place + 1]
            rest = tokens[otherwise + 2 : place + 1] if otherwise is not None else [""]
            return (tokens[start : otherwise + 1] if otherwise is not None else inside), rest, place + 2
        if depth == 1 and word == "else":
            otherwise = place
        place += 2
    raise TemplateError("a block is not closed")
