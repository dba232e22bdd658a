"""Every example of docs/clients.md runs as it is printed, with each client it is said to run with."""

import ast
import re
from pathlib import Path

import pytest

from cli.stack import stack
from tests.clients import environments, scripted

PAGE = environments.ROOT / "docs" / "clients.md"
EXAMPLE = re.compile(r"<!-- run with: ([\w ]+) -->\n```python\n(.*?)```", re.DOTALL)
EXAMPLES = [
    (number, client, source)
    for number, (clients, source) in enumerate(EXAMPLE.findall(PAGE.read_text()), 1)
    for client in clients.split()
]
PRINTED = {
    1: "completed 4",
    2: "1024x1024 png",
    3: "sandbox/text stop",
    4: "True",
    5: "2 8 4",
    6: "validating",
    7: "True",
    8: "sandbox/text image/png",
    9: "20.0 validating",
}


def test_no_python_on_the_page_is_left_out() -> None:
    assert PAGE.read_text().count("```python") == len({number for number, *_ in EXAMPLES}) == len(PRINTED)


@pytest.mark.parametrize(("number", "client", "source"), EXAMPLES, ids=[f"{row[0]}-{row[1]}" for row in EXAMPLES])
async def test_an_example_prints_what_it_should(
    running: stack.Stack, tmp_path: Path, number: int, client: str, source: str
) -> None:
    script = tmp_path / "example.py"
    script.write_text(source)
    assert sum(1 for line in ast.parse(source).body if not isinstance(line, ast.Import)) <= 5
    printed = await scripted.output(client, script, scripted.environ(running), tmp_path)
    assert printed.decode().strip() == PRINTED[number]
