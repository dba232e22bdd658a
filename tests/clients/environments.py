"""An environment for each official client, made when first needed: their dependencies exclude each other.

`make clients` makes all of them beforehand.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements"
ROOT = HERE.parents[1]
FOLDER = ROOT / ".venv-clients"
NAMES = ("openai3", "openai2", "openrouter")
INSTALL_SECONDS = 300


def python(name: str) -> Path:
    """The interpreter of this client's environment, with exactly the pinned packages."""
    place = FOLDER / name
    interpreter = place / "bin" / "python"
    pins = REQUIREMENTS / f"{name}.txt"
    stamp, wanted = place / "pins.sha256", hashlib.sha256(pins.read_bytes()).hexdigest()
    with _locked(name):
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(place, ignore_errors=True)
            _make(place, interpreter, pins)
            stamp.write_text(wanted)
    return interpreter


def _make(place: Path, interpreter: Path, pins: Path) -> None:
    if uv := _uv():
        _run(uv, "venv", "--quiet", "--python", sys.executable, str(place))
        _run(uv, "pip", "install", "--quiet", "--python", str(interpreter), "--require-hashes", "-r", str(pins))
    else:
        _run(sys.executable, "-m", "venv", str(place))
        _run(str(interpreter), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(pins))


def _uv() -> str | None:
    own = ROOT / ".venv-tools" / "bin" / "uv"
    return shutil.which("uv") or (str(own) if own.exists() else None)


def _run(*argv: str) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    subprocess.run(argv, check=True, timeout=INSTALL_SECONDS, env=environ)


@contextmanager
def _locked(name: str) -> Iterator[None]:
    """Only one process makes an environment; the others wait."""
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    for client in NAMES:
        sys.stdout.write(f"{client}: {python(client)}\n")
