"""`genqueue logs`: the log lines of a local stack's processes, merged by time, found by any id."""

import asyncio
import json as jsons
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import connections, exits, screen

FOLLOW_SECONDS = 0.5


@screen.command
async def logs(
    names: Annotated[
        list[str] | None, typer.Argument(help="api, relay, worker-1, sandbox, postgres …; else ours.")
    ] = None,
    find: Annotated[str | None, typer.Option(help="Only lines with this: an id of a job, request or key.")] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    json: screen.AsJson = False,
) -> exits.Exit:
    """Show what `genqueue up` in this folder wrote. Every line has the id of its job or request."""
    folder = next(connections.stacks(Path.cwd()), None)
    if folder is None:
        raise ValueError("There is no .genqueue here or above; `genqueue logs` shows what `genqueue up` wrote.")
    tails = [_Tail(path) for path in _files(folder.logs, names)]
    found = sorted((line for tail in tails for line in tail.read() if _fits(line, find)), key=lambda line: line.at)
    _print(found[-lines:] if lines else [], as_json=json)
    while follow:
        await asyncio.sleep(FOLLOW_SECONDS)
        _print([line for tail in tails for line in tail.read() if _fits(line, find)], as_json=json)
    return exits.Exit.DONE


class _Line:
    """One line of one process. A line that is not ours keeps the time of the line before."""

    def __init__(self, source: str, text: str, before: str) -> None:
        self.source, self.text = source, text
        try:
            parsed = jsons.loads(text)
        except ValueError:
            parsed = None
        self.fields: dict[str, Any] = parsed if isinstance(parsed, dict) else {"event": text}
        self.at = str(self.fields.get("timestamp", before))


class _Tail:
    """Reads a growing file, each line once."""

    def __init__(self, path: Path) -> None:
        self._path, self._offset, self._at = path, 0, ""

    def read(self) -> Iterator[_Line]:
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for raw in file:
                if not raw.endswith(b"\n"):
                    return  # half a line: the rest comes next time
                self._offset += len(raw)
                line = _Line(self._path.stem, raw.decode(errors="replace").rstrip("\n"), self._at)
                self._at = line.at
                yield line


OURS = ("api", "relay", "worker", "migrate", "flower")


def _files(folder: Path, names: list[str] | None) -> list[Path]:
    found = sorted(folder.glob("*.log"))
    if not names:
        return [path for path in found if path.stem.startswith(OURS)]
    unknown = sorted(set(names) - {path.stem for path in found})
    if unknown:
        raise ValueError(f"There is no log of {', '.join(unknown)}; there are {', '.join(p.stem for p in found)}.")
    return [path for path in found if path.stem in names]


def _fits(line: _Line, find: str | None) -> bool:
    return find is None or find in line.text


def _print(found: list[_Line], *, as_json: bool) -> None:
    for line in found:
        if as_json:
            screen.plain(jsons.dumps({"process": line.source, **line.fields}, ensure_ascii=False))
        else:
            rest = {name: value for name, value in line.fields.items() if name not in ("timestamp", "event", "level")}
            said = " ".join(f"[dim]{screen.safe(name)}=[/]{screen.safe(value)}" for name, value in rest.items())
            head = f"[dim]{line.at[11:19]}[/] [cyan]{line.source}[/] {screen.safe(line.fields.get('event'))} {said}"
            screen.out.print(head, highlight=False, soft_wrap=True)
