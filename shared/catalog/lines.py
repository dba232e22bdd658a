"""YAML that remembers where each value stood, so that a fault can name its line."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from yaml import nodes

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A file's content, and the line (from 1) of every value in it by its path."""

    content: Any
    lines: Mapping[Path, int]

    def line_of(self, path: Path) -> int:
        """The line of the value, or of the nearest thing around it that is written down."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


class BadYamlError(Exception):
    """The file is not YAML we take."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


class _Loader(yaml.SafeLoader):
    """Safe: it makes plain values only, never objects."""


# YAML 1.1 reads 16:9 as a number in base 60 (969), and PyYAML with it. An aspect ratio must stay what it is.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:int"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(0|[1-9][0-9_]*)$"), list("-+0123456789"))


def _refuse_doubles(node: nodes.MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        if key.value in seen and key.value != "<<":
            raise BadYamlError(key.start_mark.line + 1, f"the key {key.value!r} is written twice")
        seen.add(key.value)


def read(text: str) -> Document:
    """Parse YAML. Raises BadYamlError with the line."""
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return Document({}, {})
        lines: dict[Path, int] = {}
        _note(root, (), lines)
        return Document(loader.construct_document(root), lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadYamlError(mark.line + 1 if mark else 1, error.problem or "not valid YAML") from error
    except yaml.YAMLError as error:
        raise BadYamlError(1, f"not valid YAML: {error}") from error
    finally:
        loader.dispose()


def _note(node: nodes.Node, path: Path, lines: dict[Path, int]) -> None:
    """Record the line of this value and of all below. A value that comes in by `<<` counts where it is written."""
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, nodes.SequenceNode):
        for index, item in enumerate(node.value):
            _note(item, (*path, index), lines)
    if isinstance(node, nodes.MappingNode):
        # Before anything is built: PyYAML lets the second of two equal keys win without a word.
        _refuse_doubles(node)
        for key, value in sorted(node.value, key=lambda pair: pair[0].value == "<<"):
            if key.value == "<<":
                _note_merged(value, path, lines)
            else:
                lines.setdefault((*path, key.value), key.start_mark.line + 1)
                _note(value, (*path, key.value), lines)


def _note_merged(node: nodes.Node, path: Path, lines: dict[Path, int]) -> None:
    for source in node.value if isinstance(node, nodes.SequenceNode) else [node]:
        _note(source, path, lines)
